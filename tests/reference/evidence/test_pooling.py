"""Evidence: double-programmed (R metafor), published (BCG vaccine trials), exact (equal studies).

The script and its versions stand in validation/evidence; `pooling_metafor.csv` is its output.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seedbed.analysis.meta_analysis import back, effects, pool, random_effects

METAFOR = pd.read_csv(Path(__file__).parent / "pooling_metafor.csv", comment="#").set_index(["case", "transform"])
EVENTS = {"spread": [10, 22, 5, 30], "alike": [12, 25, 8], "edge": [0, 3, 8]}
SIZES = {"spread": [20, 30, 16, 41], "alike": [24, 49, 17], "edge": [16, 20, 8]}
BCG = np.array(
    [
        [4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619], [33, 5036, 47, 5761],
        [180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892], [29, 7470, 45, 7232],
        [17, 1699, 65, 1600], [186, 50448, 141, 27197], [5, 2493, 3, 2338], [27, 16886, 29, 17825],
    ],
    dtype=float,
)  # fmt: skip


@pytest.mark.parametrize("case", EVENTS)
@pytest.mark.parametrize("transform", ["logit", "freeman_tukey"])
def test_pooling_agrees_with_metafor(case, transform):
    events, sizes = np.array(EVENTS[case], float), np.array(SIZES[case], float)
    ours, theirs = pool(events / sizes, sizes, transform=transform), METAFOR.loc[case, transform]
    scale = 4 if transform == "freeman_tukey" else 1  # metafor halves the double arcsine
    assert ours.tau2 == pytest.approx(theirs["tau2"] * scale, rel=1e-4, abs=1e-9)  # both iterate to about 1e-5
    assert ours.q == pytest.approx(theirs["q"], rel=1e-9)
    for name in ("estimate", "lower", "upper"):
        assert getattr(ours, name) == pytest.approx(theirs[name], abs=2e-5)


def test_the_bcg_trials_give_the_published_heterogeneity():
    treated, control = BCG[:, 0] + BCG[:, 1], BCG[:, 2] + BCG[:, 3]
    effect = np.log(BCG[:, 0] / treated) - np.log(BCG[:, 2] / control)
    variance = 1 / BCG[:, 0] - 1 / treated + 1 / BCG[:, 2] - 1 / control
    fit, theirs = random_effects(effect, variance), METAFOR.loc["bcg", "none"]
    assert fit.q == pytest.approx(152.233, abs=5e-4)  # Colditz 1994, as in every textbook on meta-analysis
    assert fit.i2 == pytest.approx(0.9212, abs=5e-5)
    assert fit.tau2 == pytest.approx(theirs["tau2"], rel=1e-4)
    assert fit.mean == pytest.approx(theirs["estimate"], abs=1e-5)
    assert fit.mean - fit.half_width == pytest.approx(
        theirs["lower"], abs=5e-5
    )  # statsmodels stops its iteration there


def test_equal_studies_are_pooled_exactly():
    result = pool([0.4, 0.4, 0.4], [50, 50, 50])
    half = stats.t.isf(0.025, 2) / np.sqrt(3 * 50 * 0.4 * 0.6)
    logit = np.log(0.4 / 0.6)
    assert result.estimate == pytest.approx(0.4, abs=1e-12)
    assert result.tau2 == result.i2 == 0
    assert result.lower == pytest.approx(1 / (1 + np.exp(-(logit - half))), abs=1e-12)
    assert result.weights == pytest.approx([1 / 3] * 3)


def test_prediction_interval_is_that_of_higgins():
    rates, sizes = [0.2, 0.5, 0.8], [40, 40, 40]
    effect, variance = effects(np.array(rates), np.array(sizes, float), "logit")
    fit = random_effects(effect, variance)
    half = stats.t.isf(0.025, 1) * np.sqrt(fit.tau2 + fit.standard_error**2)
    expected = 1 / (1 + np.exp(-(fit.mean + half)))
    assert pool(rates, sizes).prediction_upper == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("events", "n"), [(0, 8), (3, 17), (8, 8)])
def test_freeman_tukey_comes_back_to_the_rate_of_one_study(events, n):
    sizes = np.array([float(n)])
    effect, _ = effects(np.array([events / n]), sizes, "freeman_tukey")
    assert back(float(effect[0]), sizes, "freeman_tukey") == pytest.approx(events / n, abs=1e-12)


def test_survival_takes_its_variance_from_the_printed_interval():
    survival, lower, upper = np.array([0.6]), np.array([0.5]), np.array([0.7])
    _, variance = effects(survival, np.array([1000.0]), "complementary_log_log", lower=lower, upper=upper)
    width = np.log(-np.log(0.5)) - np.log(-np.log(0.7))
    assert variance[0] == pytest.approx((width / (2 * stats.norm.isf(0.025))) ** 2)
