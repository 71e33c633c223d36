"""Evidence: exact. Pseudo-values against Kaplan-Meier and its variance, paired differences and the square by hand."""

import numpy as np
import pandas as pd
import pytest

from seedbed.analysis import paired, uncertainty
from seedbed.analysis.survival import kaplan_meier
from seedbed.report import contrasts
from seedbed.report.contrasts import Outcome
from seedbed.report.sections import comparison
from seedbed.report.setting import Setting


def censored_times(n=400, seed=3):
    rng = np.random.default_rng(seed)
    event_time, censor_time = np.ceil(rng.exponential(300, n)), np.ceil(rng.uniform(100, 900, n))
    return np.minimum(event_time, censor_time), event_time <= censor_time


def test_milestone_values_average_to_kaplan_meier_with_greenwoods_error():
    days, event = censored_times()
    values = paired.milestone_values(days, event, 250.0)
    estimate = kaplan_meier(days, event).at(250.0)
    assert values.mean() == pytest.approx(estimate.value, abs=1e-12)
    assert values.std(ddof=0) / np.sqrt(len(days)) == pytest.approx(estimate.standard_error, rel=1e-9)


def test_milestone_values_are_zero_or_one_without_censoring():
    days = np.array([5.0, 20.0, 40.0, 80.0])
    values = paired.milestone_values(days, np.ones(4, bool), 30.0)
    assert values == pytest.approx([0, 0, 1, 1], abs=1e-12)


def test_milestone_beyond_follow_up_is_unknown():
    values = paired.milestone_values(np.array([5.0, 20.0]), np.array([True, False]), 30.0)
    assert np.isnan(values).all()


def test_difference_agrees_with_the_summary(run):
    table = contrasts.differences(run, ("asct_cart", "cart"), contrasts.available(run))
    row = table[(table["endpoint"] == "best_complete_response")].iloc[0]
    one, other = (run.arm(arm)["best_response"].eq("CR").mean() for arm in ("asct_cart", "cart"))
    assert row["difference"] == pytest.approx(one - other)
    assert row["lower"] < row["difference"] < row["upper"]


def test_pairing_is_exact_for_two_by_two_counts(run):
    table = contrasts.differences(run, ("asct_cart", "cart"), [Outcome("best_complete_response")])
    a, b = (run.arm(arm).set_index("subject")["best_response"].eq("CR") for arm in ("asct_cart", "cart"))
    only_a, only_b, n = int((a & ~b).sum()), int((~a & b).sum()), len(a)
    variance = (only_a + only_b - (only_a - only_b) ** 2 / n) / (n * (n - 1))
    half = 1.959964 * np.sqrt(variance)
    assert table.loc[0, "upper"] - table.loc[0, "difference"] == pytest.approx(half, rel=1e-6)


def test_swapping_arms_flips_the_sign(run):
    one = contrasts.differences(run, ("asct_cart", "cart"), contrasts.available(run))
    other = contrasts.differences(run, ("cart", "asct_cart"), contrasts.available(run))
    assert one["difference"].to_numpy() == pytest.approx(-other["difference"].to_numpy())
    assert one["lower"].to_numpy() == pytest.approx(-other["upper"].to_numpy())


def test_an_ensemble_widens_the_interval_by_the_spread_between_parameter_sets(run, square_run):
    outcome = [Outcome("best_complete_response")]
    row = contrasts.differences(square_run, ("asct_cart", "cart"), outcome).iloc[0]
    sets = square_run.subjects.set_index("subject")["parameter_set"]
    arms = (square_run.arm(arm).set_index("subject")["best_response"] for arm in ("asct_cart", "cart"))
    one, other = (response.eq("CR").astype(float) for response in arms)
    table = pd.DataFrame({"subject": one.index, "parameter_set": sets.loc[one.index], "value": one - other})
    expected = uncertainty.components(table).parameter_sd
    assert row["parameter_sd"] == pytest.approx(expected)
    half = np.hypot(row["upper"] - row["difference"], 1.959964 * expected)
    assert row["total_upper"] - row["difference"] == pytest.approx(half, rel=1e-6)
    assert row["difference"] - row["total_lower"] == pytest.approx(half, rel=1e-6)
    without = contrasts.differences(run, ("asct_cart", "cart"), outcome).iloc[0]
    assert without[["parameter_sd", "total_lower", "total_upper"]].isna().all()


def test_the_report_says_which_part_is_which(run, square_run, t):
    shown = {}
    for name, found in (("without", run), ("with", square_run)):
        table = comparison.differences(Setting.of(found, t)).blocks[-1]
        assert all(len(row) in (1, len(table.header)) for row in table.rows)
        shown[name] = ([str(cell) for cell in table.header], table.note)
    assert t("difference.total") in shown["with"][0]
    assert t("difference.total_note") in shown["with"][1]
    assert t("difference.total") not in shown["without"][0]
    assert t("difference.total_note") not in shown["without"][1]


def test_square_needs_all_four_corners(run, square_run):
    assert contrasts.square_arms(run) is None
    assert contrasts.square_arms(square_run) == {name: name for name in contrasts.SQUARE}


def independent_square(n=20000):
    """Four arms in which each therapy spares a patient by its own coin."""
    rng = np.random.default_rng(5)
    spared = rng.uniform(size=(n, 3)) < [0.1, 0.3, 0.5]
    corners = {"neither": (), "asct": (1,), "cart": (2,), "asct_cart": (1, 2)}
    return pd.DataFrame({name: spared[:, [0, *parts]].any(axis=1).astype(float) for name, parts in corners.items()})


def test_excess_vanishes_for_independent_action_within_its_error():
    found = contrasts._excess(independent_square())
    assert found["lower"] < 0 < found["upper"]
    assert found["expected"] == pytest.approx(1 - 0.9 * 0.7 * 0.5, abs=0.01)


def test_excess_interval_covers_at_its_level():
    table = independent_square(40000)
    blocks = [contrasts._excess(part) for _, part in table.groupby(np.arange(len(table)) // 200)]
    covered = np.mean([block["lower"] <= 0 <= block["upper"] for block in blocks])
    assert 0.90 <= covered <= 0.99  # 200 blocks at 95 %: three binomial standard errors


def test_excess_is_one_minus_the_product_when_nothing_helps_alone():
    table = pd.DataFrame({"neither": [0.0] * 4, "asct": [0.0] * 4, "cart": [0.0] * 4, "asct_cart": [1.0, 1, 0, 0]})
    assert contrasts._excess(table)["excess"] == pytest.approx(0.5)
