"""Evidence: independent. Published SBML models against trajectories by libRoadRunner at rtol 1e-10."""

import pytest

from seedbed.study.benchmark.reference_models import TOLERANCE, largest_error, published_models
from shared import SHARED

NAMES = published_models(SHARED) if (SHARED / "reference" / "index.csv").exists() else []


@pytest.mark.parametrize("name", NAMES[::3])
def test_a_third_of_the_models_agree(name):
    assert largest_error(SHARED, name) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(NAMES) - set(NAMES[::3])))
def test_the_other_models_agree(name):
    assert largest_error(SHARED, name) <= TOLERANCE
