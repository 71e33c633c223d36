"""Emulated arms, and the terms of the real simulator."""

import numpy as np
import pandas as pd
import pytest

from seedbed.calibration.emulation import Emulation, emulate
from seedbed.calibration.readings import SurvivalReading
from seedbed.calibration.run import set_up
from seedbed.calibration.surroundings import read_plan
from seedbed.calibration.trial_simulator import BLOCK, candidates_of
from seedbed.errors import ContentError

LBCL = "large_b_cell_lymphoma_asct_or_cart"
REFRACTORY = {"covariate": "remission_status", "one_of": ["PD", "SD"]}


def emulation(**changed):
    return Emulation.model_validate({"protocol": LBCL, "arm": "cart", "chosen": [REFRACTORY]} | changed)


@pytest.fixture(scope="module")
def setup():
    return set_up(read_plan("calibrate_small"))


def test_an_emulation_changes_what_it_names():
    trial, who = emulate(emulation(cells="cd19_4_1bb", cells_per_kg=1e6, lymphodepletion="bendamustine"))
    (arm,) = trial.arms.values()
    assert arm.cart_elements[0].product == "cd19_4_1bb"
    assert arm.cart_elements[0].dose == 1e6
    assert arm.drug_elements["lymphodepletion"].regimen == "bendamustine"
    assert str(trial.eligibility[-1]).startswith("remission_status")
    assert who.id == "large_b_cell_lymphoma"


def test_the_selection_of_the_arm_becomes_eligibility():
    trial, _ = emulate(Emulation(protocol=LBCL, arm="asct"))
    assert any(condition.covariate == "remission_status" for condition in trial.eligibility)


def test_the_null_world_gives_the_same_patients_another_corner():
    combined, _ = emulate(Emulation(protocol="wei_2022_tp53", arm="asct_cart"))
    alone, _ = emulate(Emulation(protocol="wei_2022_tp53", arm="asct_cart", corner="cart"))
    (arm,) = alone.arms.values()
    assert arm.therapy == "cart"
    assert alone.eligibility == combined.eligibility


def test_impossible_emulations_are_refused():
    with pytest.raises(ContentError, match='no arm "carrt"'):
        emulate(emulation(arm="carrt"))
    with pytest.raises(ContentError, match="nocells"):
        emulate(emulation(cells="nocells"))


def test_candidates_are_the_member_s_own():
    numbers = candidates_of(emulation(), np.array([2, 5]), 12, seed=1)
    assert numbers.size == 24
    assert (numbers // BLOCK).tolist() == [2] * 12 + [5] * 12
    again = candidates_of(emulation(), np.array([5]), 12, seed=1)
    np.testing.assert_array_equal(numbers[12:], again)


def test_members_do_not_depend_on_their_batch(setup):
    values = setup.latent.space.values(np.array([[0.0] * 6, [1.5] * 6]))
    both = setup.simulator("axi_cel_zuma_1", values, np.array([3, 4]), 16, 1)
    alone = setup.simulator("axi_cel_zuma_1", values.iloc[1:], np.array([4]), 16, 1)
    np.testing.assert_allclose(both.estimate[1:], alone.estimate)
    assert np.all(both.weight[:, 0] <= 16)


def test_parameters_reach_the_patients(setup):
    values = pd.DataFrame(setup.latent.space.values(np.zeros((2, 6))))
    values["fever_threshold"] = [0.05, 50.0]
    terms = [piece.term.endpoint for piece in setup.pieces["tisa_cel_juliet"]]
    found = setup.simulator("tisa_cel_juliet", values, np.array([1, 2]), 24, 1)
    fever = found.estimate[:, terms.index("crs_any")]
    assert fever[0] > 0.6
    assert fever[1] < 0.2


def test_everyone_treated_is_known_at_a_landmark(setup):
    """Censoring before the landmark would drop those free of events and keep those with one."""
    for name, pieces in setup.pieces.items():
        values = setup.latent.space.values(np.zeros((1, 6)))
        table, _ = setup.simulator.patients(name, values, np.array([7]), 24, 1)
        for piece in pieces:
            if isinstance(piece.reading, SurvivalReading) and piece.reading.cause_column is None:
                known, free = piece.reading.flags(table, piece.time_days, piece.clock)
                clock = table[piece.reading.time[piece.clock]].to_numpy(float)
                np.testing.assert_array_equal(known, np.isfinite(clock))
                assert free[known].any()
