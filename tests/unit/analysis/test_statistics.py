"""Edges and refusals of the statistics."""

import numpy as np
import pandas as pd
import pytest

from seedbed.analysis import (
    balance,
    cox,
    gray,
    hazard_tests,
    interaction,
    paired,
    power,
    proportion,
    sequential,
    survival,
    tte,
    uncertainty,
)
from seedbed.analysis.interaction import Square
from seedbed.errors import TableError

ARMS = ("six_mp", "placebo")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": -1.0}, "42 times are negative"),
        ({"time": np.nan}, "42 times are missing"),
        ({"event": 2}, 'column "event" holds other values'),
    ],
)
def test_spoiled_tables_are_refused(change, message):
    with pytest.raises(TableError, match=message):
        hazard_tests.logrank(tte.example_tte().assign(**change), arms=ARMS)


def test_missing_columns_and_arms_name_the_nearest():
    table = tte.example_tte()
    with pytest.raises(TableError, match='column "time" is missing, did you mean "times"'):
        tte.check_tte(table.rename(columns={"time": "times"}))
    with pytest.raises(TableError, match='arm "placbo" has no subject, did you mean "placebo"'):
        hazard_tests.logrank(table, arms=("six_mp", "placbo"))
    with pytest.raises(TableError, match='"cause" is missing'):
        gray.gray_test(table, arms=ARMS)


def test_survival_after_follow_up_is_unknown_unless_everybody_had_the_event():
    curves = survival.survival_curves(tte.example_tte())
    assert np.isnan(curves["six_mp"].at(36).value)
    assert curves["placebo"].at(100).value == 0.0
    assert curves["six_mp"].at(2).value == 1.0
    assert curves["six_mp"].at(2).lower == pytest.approx(0.025 ** (1 / 21))
    assert curves["six_mp"].at(0).lower == 1.0
    with pytest.raises(TableError, match='follow-up of arm "six_mp" ends on day 35'):
        survival.milestone_difference(tte.example_tte(), arms=ARMS, time=36)


def test_a_hazard_ratio_needs_events_in_both_arms():
    table = tte.example_tte()
    table.loc[table["arm"] == "six_mp", "event"] = False
    with pytest.raises(TableError, match='arm "six_mp" has no event'):
        cox.hazard_ratio(table, arms=ARMS)


def test_one_sample_logrank_of_the_reference_itself_is_near_zero():
    generator = np.random.default_rng(2)
    time, cut = generator.exponential(100, 4000), generator.uniform(50, 200, 4000)
    result = hazard_tests.one_sample_logrank(np.minimum(time, cut), time <= cut, lambda t: t / 100)
    assert abs(result.z) < 3.3  # one chance in a thousand
    half = hazard_tests.one_sample_logrank(np.minimum(time, cut), time <= cut, lambda t: t / 50)
    assert half.details["ratio"] == pytest.approx(0.5, abs=0.03)
    assert half.z < -10
    with pytest.raises(TableError, match="expected events > 0"):
        hazard_tests.one_sample_logrank([1.0], [True], lambda t: 0 * t)


def test_paired_mean_difference_by_hand():
    table = pd.DataFrame(
        {
            "subject": [1, 2, 3, 1, 2, 3],
            "arm": ["a"] * 3 + ["b"] * 3,
            "value": [3.0, 5.0, 7.0, 1.0, 2.0, 6.0],
        }
    )
    found = paired.mean_difference(table, value="value", arms=("a", "b"))
    assert found.paired.value == pytest.approx(2.0)
    assert found.paired.standard_error == pytest.approx(1.0 / np.sqrt(3))
    assert found.unpaired.standard_error == pytest.approx(np.sqrt(4 / 3 + 7 / 3))
    with pytest.raises(TableError, match='arm "c" has no subject'):
        paired.mean_difference(table, value="value", arms=("a", "c"))


def test_excess_of_patients_knows_what_is_not_known_of_the_parameters():
    luck, square = np.random.default_rng(4), Square("neither", "asct", "cart", "both")
    sets = np.arange(4000) % 40
    rates = np.array([0.1, 0.4, 0.5, 0.7]) + np.outer(0.1 * luck.normal(size=40), [0, 0, 0, 1])
    values = (luck.uniform(size=(4000, 1)) < rates[sets]).astype(float)
    alone = interaction.excess_of_patients(values, np.zeros(4000), square=square)
    table = pd.DataFrame(values, columns=list(square.names())).rename_axis("subject").reset_index()
    plain = interaction.excess_over_independent_action(
        table.melt("subject", var_name="arm", value_name="response"), value="response", square=square
    )
    assert alone.over_independent_action.lower == pytest.approx(plain.over_independent_action.lower, abs=1e-9)
    known = interaction.excess_of_patients(values, sets, square=square).over_independent_action
    assert known.value == pytest.approx(plain.over_independent_action.value)
    assert (known.upper - known.lower) / (2 * 1.96) == pytest.approx(0.1, rel=0.3)


def test_excess_over_independent_action():
    generator = np.random.default_rng(1)
    n = 60_000
    shape = (n, 4)
    lucky = generator.uniform(size=shape) < [0.1, 0.4, 0.5, 0]
    saved = 1 - (1 - 0.4) * (1 - 0.5) / (1 - 0.1)
    lucky[:, 3] = generator.uniform(size=n) < saved
    square = Square("neither", "asct", "cart", "both")
    table = pd.DataFrame(lucky, columns=list(square.names())).rename_axis("subject").reset_index()
    table = table.melt(id_vars="subject", var_name="arm", value_name="response")
    found = interaction.excess_over_independent_action(table, value="response", square=square)
    assert found.over_independent_action.includes(0.0)
    assert found.expected == pytest.approx(saved, abs=0.01)
    assert found.over_sum.value == pytest.approx(saved - 0.4 - 0.5 + 0.1, abs=0.01)
    assert found.over_better_single.value == pytest.approx(saved - 0.5, abs=0.01)
    by_hand = interaction.excess_of_survival([0.1, 0.4, 0.5, 0.9], [0.01] * 4, square=square, n=100)
    assert by_hand.over_independent_action.value == pytest.approx(0.9 - (1 - 0.6 * 0.5 / 0.9))
    with pytest.raises(TableError, match="missing: both"):
        interaction.excess_over_independent_action(table[table["arm"] != "both"], value="response", square=square)
    with pytest.raises(TableError, match="everybody succeeds"):
        interaction.excess_of_survival([1.0, 1, 1, 1], [0] * 4, square=square, n=100)


def test_standardized_mean_differences():
    table = pd.DataFrame(
        {
            "arm": ["a"] * 4 + ["b"] * 4,
            "age": [50.0, 60, 70, 80, 40, 50, 60, 70],
            "tp53": [True, True, False, False, True, False, False, False],
            "disease": ["x", "x", "y", "z", "x", "x", "y", "z"],
        }
    )
    found = balance.standardized_mean_differences(table, groups=("a", "b"), covariates=["age", "tp53", "disease"])
    by_name = found.set_index("covariate")["difference"]
    assert by_name["age"] == pytest.approx(10 / np.std([50, 60, 70, 80], ddof=1))
    assert by_name["tp53"] == pytest.approx(0.25 / np.sqrt((0.25 + 0.1875) / 2))
    assert by_name["disease"] == pytest.approx(0.0)
    with pytest.raises(TableError, match='group "c" has no subject'):
        balance.standardized_mean_differences(table, groups=("a", "c"), covariates=["age"])


def test_variance_components_nested_and_crossed():
    generator = np.random.default_rng(4)
    n_sets, n = 40, 200
    shift = generator.normal(0, 2.0, n_sets)
    nested = pd.DataFrame(
        {
            "subject": np.arange(n_sets * n),
            "arm": "a",
            "parameter_set": np.repeat(np.arange(n_sets), n),
            "value": np.repeat(shift, n) + generator.normal(0, 3.0, n_sets * n),
        }
    )
    parts = uncertainty.components(nested)
    assert parts.parameter_sd == pytest.approx(shift.std(ddof=1), rel=0.05)
    assert parts.between_patient_sd == pytest.approx(3.0, rel=0.03)
    assert parts.monte_carlo_se == pytest.approx(3.0 / np.sqrt(n * n_sets), rel=0.03)
    patient = generator.normal(0, 3.0, n)
    crossed = pd.DataFrame(
        {
            "subject": np.tile(np.arange(n), n_sets),
            "arm": "a",
            "parameter_set": np.repeat(np.arange(n_sets), n),
            "value": np.repeat(shift, n) + np.tile(patient, n_sets) + generator.normal(0, 0.5, n_sets * n),
        }
    )
    parts = uncertainty.components(crossed)
    assert parts.parameter_sd == pytest.approx(shift.std(ddof=1), rel=0.02)
    assert parts.monte_carlo_se == pytest.approx(patient.std(ddof=1) / np.sqrt(n), rel=0.05)
    table = uncertainty.variance_components(crossed[crossed["parameter_set"] == 0])
    assert table["parameter_sd"].isna().all()


def test_a_variance_that_noise_hides_is_as_large_as_noise_leaves_open():
    """Exact: the mean of a half-normal distribution is sqrt(2/pi) of its scale; far from zero nothing changes."""
    assert uncertainty.not_negative(0.0, 1.0) == pytest.approx(np.sqrt(2 / np.pi))
    assert uncertainty.not_negative(5.0, 0.5) == pytest.approx(5.0)
    assert 0 < uncertainty.not_negative(-2.0, 1.0) < 0.4
    assert uncertainty.not_negative(-2.0, 0.0) == 0.0


def test_components_of_uneven_small_sets_are_cautious_and_weigh_patients_equally():
    """Henderson's analysis of variance; means of sets weighted equally scatter twice as much here."""
    generator = np.random.default_rng(5)
    found = []
    for _ in range(300):
        sets = generator.integers(0, 30, 120)
        value = generator.normal(0, 0.3, 30)[sets] + generator.normal(0, 1.0, 120)
        table = pd.DataFrame({"subject": np.arange(120), "parameter_set": sets, "value": value})
        parts = uncertainty.components(table)
        assert parts.estimate == pytest.approx(value.mean())
        found.append((parts.parameter_sd**2, parts.between_patient_sd**2))
    variances = np.mean(found, axis=0)
    assert 0.09 < variances[0] < 0.15  # cannot be negative, hence above: four patients a set hardly show 0.09
    assert variances[1] == pytest.approx(1.0, abs=0.03)


def test_paired_components_remove_what_arms_share():
    generator = np.random.default_rng(8)
    n = 500
    base = generator.normal(0, 5, n)
    table = pd.concat(
        [
            pd.DataFrame({"subject": np.arange(n), "parameter_set": 0, "arm": arm, "value": base + effect})
            for arm, effect in (("a", 1.0), ("b", 0.0))
        ]
    )
    parts = uncertainty.paired_components(table, arms=("a", "b"))
    assert parts.estimate == pytest.approx(1.0)
    assert parts.monte_carlo_se == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(TableError, match='arm "c" has no value'):
        uncertainty.paired_components(table, arms=("a", "c"))


def test_conditional_and_predictive_power():
    # at the current trend, half-way, z equal to the critical value over sqrt 2 ends exactly on the bound: one half
    assert sequential.conditional_power(1.96 / np.sqrt(2), 0.5, critical=1.96) == pytest.approx(0.5)
    assert sequential.predictive_power(1.96 / np.sqrt(2), 0.5, critical=1.96) == pytest.approx(0.5)
    assert sequential.conditional_power(0.0, 0.5, critical=1.96, drift=3.0) > 0.25
    certain = sequential.predictive_power(0.5, 0.5, critical=1.96, prior_mean=3.0, prior_sd=1e-6)
    assert certain == pytest.approx(float(sequential.conditional_power(0.5, 0.5, critical=1.96, drift=3.0)), abs=1e-6)


def test_sequential_refusals():
    with pytest.raises(TableError, match="increase"):
        sequential.efficacy_boundary([0.5, 0.5], alpha=0.025, spending="pocock")
    with pytest.raises(TableError, match="unknown alpha spending"):
        sequential.spent("obrien", [0.5], 0.025)
    with pytest.raises(TableError, match="one-sided level"):
        sequential.efficacy_boundary([1.0], alpha=0.6, spending="pocock")
    assert sequential.efficacy_boundary([0.5, 1.0], alpha=0.025, spending="none").critical[0] == np.inf


def test_power_refuses_what_is_no_hazard_ratio():
    with pytest.raises(TableError, match="hazard ratio"):
        power.schoenfeld_power(-1, 10)


def test_rates_refuse_and_bootstrap_covers():
    with pytest.raises(TableError, match="3 of 2"):
        proportion.binomial(3, 2)
    with pytest.raises(TableError, match="0 of 0"):
        proportion.rate_difference((0, 0), (1, 2))
    values = np.random.default_rng(0).normal(10, 2, 200)
    found = proportion.bootstrap(values, lambda v: float(v.mean()), seed=1, n_resamples=400)
    assert found.standard_error == pytest.approx(values.std() / np.sqrt(200), rel=0.15)
    assert found.includes(values.mean())
