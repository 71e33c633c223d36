"""Selection against biology in a world whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from seedbed.calibration.confounding import Outcomes, prognosis, split
from seedbed.errors import TableError


def world(effect, n=6000, seed=1):
    """Return patients whose outcome depends on one covariate, a treatment that adds `effect`, and selected arms."""
    draw = np.random.default_rng(seed)
    fitness = draw.standard_normal(n)
    luck = draw.random(n)
    chance = np.clip(0.4 + 0.15 * fitness, 0.02, 0.98)
    control = (luck < chance).astype(float)
    treated = (luck < np.clip(chance + effect, 0, 1)).astype(float)
    covariates = pd.DataFrame({"fitness": fitness, "noise": draw.standard_normal(n)})
    return Outcomes(treated, control, prognosis(covariates, control), np.arange(n) % 8, fitness > 0.3, np.ones(n, bool))


def test_a_real_effect_is_seen_without_selection():
    found = split(world(0.25), (0.37, 0.2, 0.5), seed=1, n_bootstrap=120)
    assert found.randomized.estimate == pytest.approx(0.25, abs=0.02)
    assert found.with_selection.estimate > found.randomized.estimate + 0.08
    assert found.randomized.lower > 0
    assert found.share_selection is not None
    assert 0.2 < found.share_selection.estimate < 0.5
    assert found.tipping > 0.5


def test_the_null_world_is_recognised():
    null = world(0.25).null_world()
    found = split(null, (0.12, -0.05, 0.3), seed=1, n_bootstrap=120)
    assert found.randomized.estimate == 0.0
    assert found.with_selection.lower > 0
    assert found.selection.estimate == pytest.approx(found.with_selection.estimate)
    assert found.share_selection is not None
    assert found.share_selection.estimate == pytest.approx(1.0)
    assert 0.1 < found.tipping < 1.0
    assert found.tipping_lower == 0.0


def test_no_percentage_where_the_difference_may_be_zero():
    patients = world(0.0, n=400)
    everybody = np.ones(400, bool)
    nothing = Outcomes(patients.treated, patients.control, patients.score, patients.parameter_set, everybody, everybody)
    assert split(nothing, (0.1, 0.0, 0.2), seed=1, n_bootstrap=60).share_selection is None


def test_sensitivity_grows_with_the_strength_of_selection():
    found = split(world(0.1), (0.9, 0.8, 0.95), seed=1, n_bootstrap=60).sensitivity
    assert np.all(np.diff(found["null_difference"]) > 0)
    assert found["null_difference"].iloc[0] == pytest.approx(0.0, abs=1e-12)
    assert found["score_difference"].iloc[10] == pytest.approx(2 * found["strength"].iloc[10], rel=0.15)
    assert np.isnan(split(world(0.1), (0.99, 0.98, 1.0), seed=1, n_bootstrap=20, strengths=(0.0, 0.1)).tipping)


def test_tables_that_do_not_fit_are_refused():
    ones, flags = np.ones(3), np.ones(3, bool)
    with pytest.raises(TableError, match="different lengths"):
        Outcomes(np.ones(2), ones, ones, np.zeros(3, int), flags, flags)
    with pytest.raises(TableError, match="chosen_treated: the emulated study's selection leaves nobody"):
        Outcomes(ones, ones, ones, np.zeros(3, int), ~flags, flags)
    with pytest.raises(TableError, match="no covariate predicts"):
        prognosis(pd.DataFrame({"flat": np.ones(5)}), np.arange(5.0))
