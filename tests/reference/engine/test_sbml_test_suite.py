"""Evidence: independent. Half of the SBML Test Suite's time-course cases: each passes or is refused by name.

The whole of it is a slow test; every eighth case runs by default. Summary table: docs/explanation/engine.md.
"""

from collections import Counter

import pytest

from seedbed.study.benchmark.reference_models import N_CASES, case_folders, outcome
from shared import SHARED, shared

PASSING = 540  # of 794; the others are refused by name


def outcomes(step):
    shared("reference/sbml_test_suite")
    return {folder.name: outcome(folder) for folder in case_folders(SHARED)[::step]}


def test_every_eighth_case_passes_or_is_refused_by_name():
    found = outcomes(8)
    assert [name for name, result in found.items() if result not in ("pass", "refused")] == []
    assert Counter(found.values())["pass"] >= 60


@pytest.mark.slow
def test_every_case_passes_or_is_refused_by_name():
    found = outcomes(1)
    assert len(found) == N_CASES
    assert [name for name, result in found.items() if result not in ("pass", "refused")] == []
    assert Counter(found.values())["pass"] >= PASSING
