"""Weighted variance components: the unweighted case, unbiasedness as an exact identity, what is not resolved."""

import numpy as np
import pandas as pd
import pytest

from seedbed.analysis.uncertainty import components
from seedbed.analysis.weighted import moments, weighted_components
from seedbed.errors import TableError


def uneven(n=40, n_sets=7, seed=3):
    luck = np.random.default_rng(seed)
    sets = np.concatenate([np.arange(n_sets), luck.integers(0, n_sets, n - n_sets)])
    weights = luck.gamma(0.6, size=n) + 1e-3
    return luck.normal(size=n), weights / weights.sum(), sets


def test_with_equal_weights_it_is_the_analysis_of_variance():
    luck = np.random.default_rng(1)
    sets = np.repeat(np.arange(20), 6)
    values = luck.normal(size=20)[sets] + luck.normal(size=120)
    found = weighted_components(values, np.full(120, 3.0), sets)
    plain = components(pd.DataFrame({"subject": np.arange(120), "parameter_set": sets, "value": values}))
    assert found.estimate == pytest.approx(plain.estimate)
    assert found.between_patient_sd == pytest.approx(plain.between_patient_sd)
    assert found.parameter_sd == pytest.approx(plain.parameter_sd)
    assert found.effective_size == pytest.approx(120)
    assert found.effective_sets == pytest.approx(20)
    assert found.monte_carlo_se == pytest.approx(values.std(ddof=1) / np.sqrt(120))


@pytest.mark.parametrize(("within", "between"), [(1.0, 0.0), (0.0, 1.0), (2.0, 0.7)])
def test_both_variances_are_unbiased_exactly(within, between):
    """Each is a quadratic form y'My, so its expectation is the trace of M with the covariance of y."""
    _, weights, sets = uneven()
    identity = np.eye(len(weights))

    def form(part):
        def at(y):
            return getattr(moments(y, weights, sets), part)

        single = np.array([at(row) for row in identity])
        both = np.array([[at(one + other) for other in identity] for one in identity])
        return (both - single[:, None] - single[None, :]) / 2.0

    covariance = within * identity + between * (sets[:, None] == sets[None, :])
    assert np.trace(form("within") @ covariance) == pytest.approx(within, abs=1e-9)
    assert np.trace(form("between") @ covariance) == pytest.approx(between, abs=1e-9)


def test_the_error_of_the_variance_between_sets_is_what_repetition_shows():
    _, weights, sets = uneven(n=300, n_sets=40)
    luck = np.random.default_rng(5)
    rows = [moments(0.5 * luck.normal(size=40)[sets] + luck.normal(size=300), weights, sets) for _ in range(2000)]
    seen = np.std([row.between for row in rows])
    stated = np.sqrt(np.mean([row.between_error**2 for row in rows]))
    assert stated == pytest.approx(seen, rel=0.15)


def test_a_spread_that_is_there_is_found_with_uneven_weights():
    luck = np.random.default_rng(8)
    sets = np.arange(6000) % 250
    weights = luck.gamma(0.3, size=6000)
    values = 2.0 * luck.normal(size=250)[sets] + 3.0 * luck.normal(size=6000)
    found = weighted_components(values, weights, sets)
    assert found.parameter_sd == pytest.approx(2.0, rel=0.2)
    assert found.between_patient_sd == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize(
    "sets",
    [np.zeros(60, dtype=int), np.arange(60) % 9, np.arange(60), np.arange(60) % 55],
    ids=["one set", "nine sets", "one patient a set", "hardly more than one a set"],
)
def test_what_cannot_be_told_apart_is_not_resolved(sets):
    values = np.random.default_rng(2).normal(size=60)
    found = weighted_components(values, np.ones(60), sets)
    assert np.isnan(found.parameter_sd)
    assert found.between_patient_sd == pytest.approx(values.std(ddof=1))


def test_what_chance_may_feign_is_what_repetition_shows_where_there_is_nothing():
    _, weights, sets = uneven(n=300, n_sets=40)
    luck = np.random.default_rng(6)
    seen = np.std([moments(luck.normal(size=300), weights, sets).between for _ in range(2000)])
    assert moments(luck.normal(size=300), weights, sets).hidden == pytest.approx(seen, rel=0.1)


def test_values_that_are_not_finite_are_left_out():
    values = np.array([1.0, np.nan, np.inf, 3.0])
    assert weighted_components(values, np.array([1.0, 5.0, 5.0, 1.0]), np.zeros(4)).estimate == 2.0
    with pytest.raises(TableError, match="at least one value with a weight"):
        weighted_components(values, np.array([0.0, 1.0, 1.0, 0.0]), np.zeros(4))
