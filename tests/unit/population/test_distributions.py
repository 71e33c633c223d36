import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from seedbed.population.distributions import BetweenPatients, Distribution, levels

ANY = TypeAdapter(Distribution)
SPREAD = TypeAdapter(BetweenPatients)
U = (np.arange(20000) + 0.5) / 20000


def _quantiles(**content):
    return ANY.validate_python(content).quantile(U)


def test_a_lognormal_has_its_median_and_coefficient_of_variation():
    values = _quantiles(distribution="lognormal", median=95, cv=0.5)
    assert np.median(values) == pytest.approx(95, rel=1e-3)
    assert values.std() / values.mean() == pytest.approx(0.5, rel=0.02)  # the grid cuts the tail


def test_truncation_keeps_values_inside_and_the_shape_between():
    values = _quantiles(distribution="normal", mean=57, sd=12, lower=18, upper=80)
    assert values.min() > 18
    assert values.max() < 80
    expected = stats.truncnorm((18 - 57) / 12, (80 - 57) / 12, 57, 12).ppf(U)
    np.testing.assert_allclose(values, expected, rtol=1e-9)


def test_a_beta_stretched_over_an_interval_has_its_mean():
    values = _quantiles(distribution="beta", mean=0.35, concentration=6, lower=0.05, upper=0.8)
    assert values.mean() == pytest.approx(0.35, abs=1e-3)
    assert values.min() >= 0.05
    assert values.max() <= 0.8


def test_loguniform_spreads_alike_over_each_power_of_ten():
    values = _quantiles(distribution="loguniform", lower=1e-9, upper=1.0)
    counts, _ = np.histogram(np.log10(values), bins=9, range=(-9, 0))
    assert np.ptp(counts) <= 1


def test_a_high_number_means_yes():
    values = _quantiles(distribution="bernoulli", probability=0.2)
    assert values.mean() == pytest.approx(0.2, abs=1e-3)
    assert values[-1]
    assert not values[0]


def test_categories_follow_their_order_and_shares():
    values = _quantiles(distribution="categorical", levels={"PD": 0.4, "PR": 0.35, "CR": 0.25})
    assert values[0] == "PD"
    assert values[-1] == "CR"
    assert np.mean(values == "PR") == pytest.approx(0.35, abs=1e-3)


def test_a_mixture_gives_each_part_its_share():
    parts = [
        {"share": 0.22, "of": {"distribution": "fixed", "value": 0.0}},
        {"share": 0.78, "of": {"distribution": "loguniform", "lower": 1e-9, "upper": 1.0}},
    ]
    values = _quantiles(distribution="mixture", parts=parts)
    assert np.mean(values == 0) == pytest.approx(0.22, abs=1e-3)
    assert np.all(np.diff(values) >= 0)


def test_a_condition_on_a_flag_is_written_with_yes_and_no():
    parts = {True: {"distribution": "fixed", "value": 1.0}, "no": {"distribution": "fixed", "value": 0.0}}
    content = ANY.validate_python({"distribution": "conditional", "given": "male", "levels": parts})
    given = np.array([True, False, True])
    np.testing.assert_array_equal(content.quantile_given(U[:3], given), [1.0, 0.0, 1.0])


def test_a_conditional_flag_stays_a_flag():
    parts = {"yes": {"distribution": "bernoulli", "probability": 0.5}, "no": {"distribution": "fixed", "value": False}}
    content = ANY.validate_python({"distribution": "conditional", "given": "male", "levels": parts})
    values = content.quantile_given(np.array([0.9, 0.9]), np.array([True, False]))
    assert values.dtype == bool
    assert values.tolist() == [True, False]


def test_a_spread_moves_with_the_typical_value():
    spread = SPREAD.validate_python({"distribution": "lognormal", "cv": 0.4})
    assert np.median(spread.around(8.0).quantile(U)) == pytest.approx(8.0, rel=1e-3)
    share = SPREAD.validate_python({"distribution": "logitnormal", "sd": 0.7}).around(0.2).quantile(U)
    assert np.median(share) == pytest.approx(0.2, rel=1e-3)
    assert share.max() < 1


def test_levels_are_named():
    content = ANY.validate_python({"distribution": "categorical", "levels": {"PD": 0.5, "CR": 0.5}})
    assert levels(content) == ("PD", "CR")
    assert levels(ANY.validate_python({"distribution": "bernoulli", "probability": 0.5})) == ("no", "yes")
    assert levels(ANY.validate_python({"distribution": "fixed", "value": True})) == ("yes",)
    assert levels(ANY.validate_python({"distribution": "uniform", "lower": 0, "upper": 1})) == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"distribution": "uniform", "lower": 2, "upper": 1}, "lower 2 is not below upper 1"),
        ({"distribution": "loguniform", "lower": 2, "upper": 1}, "lower 2 is not below upper 1"),
        ({"distribution": "normal", "mean": 1, "sd": 1, "lower": 2, "upper": 1}, "lower 2 is not below upper 1"),
        ({"distribution": "beta", "mean": 1.2, "concentration": 5}, "mean 1.2 is not between 0 and 1"),
        ({"distribution": "categorical", "levels": {"a": 0.5, "b": 0.4}}, "sum to 0.9, not 1"),
        ({"distribution": "count", "values": {0: 0.5, 1: 0.4}}, "sum to 0.9, not 1"),
        ({"distribution": "count", "values": {1: 0.5, 0: 0.5}}, "not in rising order"),
        ({"distribution": "mixture", "parts": []}, "sum to 0, not 1"),
        ({"distribution": "lognormal", "median": -1, "cv": 0.3}, "greater than 0"),
    ],
)
def test_an_impossible_distribution_is_refused(content, message):
    with pytest.raises(ValidationError, match=message):
        ANY.validate_python(content)
