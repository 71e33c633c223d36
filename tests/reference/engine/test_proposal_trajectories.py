"""Evidence: independent. The proposed 59-state model in four scenarios against SciPy at rtol 1e-10."""

import pytest

from seedbed.study.benchmark.reference_models import SCENARIOS, cells_from_nothing, proposal_error
from shared import SHARED, shared


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_all_states_off_dosing_days(scenario):
    shared(f"reference/proposal/{scenario}.csv")
    assert proposal_error(SHARED, scenario) <= 1e-6


def test_a_car_t_cell_is_not_born_before_infusion():
    shared("bench/bench47_noise.xml")
    assert cells_from_nothing(SHARED) == 0.0
