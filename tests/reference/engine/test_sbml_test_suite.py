"""Evidence: independent. Half of the SBML Test Suite's time-course cases: each passes or is refused by name.

The whole of it is a slow test; every eighth case runs by default. Summary table: docs/explanation/engine.md.
"""

import sys
from collections import Counter
from pathlib import Path

import pytest

from seedbed.errors import UnsupportedModelError
from shared import shared

sys.path.insert(0, str(Path(__file__).parent))
from sbml_cases import largest_miss

PASSING = 540  # of 794; the others are refused by name
N_CASES = 794


def outcome(folder):
    try:
        return "pass" if largest_miss(folder) <= 1 else "wrong"
    except UnsupportedModelError as error:
        return "refused" if error.construct else "refused without a name"


def folders():
    return sorted(p for p in shared("reference/sbml_test_suite").iterdir() if (p / "model.xml").exists())


def test_every_eighth_case_passes_or_is_refused_by_name():
    found = {folder.name: outcome(folder) for folder in folders()[::8]}
    assert [name for name, result in found.items() if result not in ("pass", "refused")] == []
    assert Counter(found.values())["pass"] >= 60


@pytest.mark.slow
def test_every_case_passes_or_is_refused_by_name():
    found = {folder.name: outcome(folder) for folder in folders()}
    assert len(found) == N_CASES
    assert [name for name, result in found.items() if result not in ("pass", "refused")] == []
    assert Counter(found.values())["pass"] >= PASSING
