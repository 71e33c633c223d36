"""What must hold for any time-to-event table."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.analysis import competing, cox, gray, hazard_tests, replicates, survival
from seedbed.analysis.risk_sets import risk_sets

ROW = st.tuples(st.integers(0, 60), st.booleans(), st.booleans())
ROWS = st.lists(ROW, min_size=8, max_size=80)
QUICK = settings(max_examples=60, deadline=None)


def columns(rows):
    table = np.array(rows, dtype=float)
    time, event, experimental = table[:, 0], table[:, 1] > 0, table[:, 2] > 0
    experimental[:2] = [True, False]  # both arms have a subject
    return time, event, experimental


@QUICK
@given(ROWS)
def test_survival_falls_from_one_and_stays_in_its_interval(rows):
    time, event, _ = columns(rows)
    curve = survival.kaplan_meier(time, event)
    assert (np.diff(curve.survival) <= 1e-12).all()
    assert (curve.survival <= 1).all()
    assert (curve.survival >= -1e-12).all()
    assert (curve.lower <= curve.survival + 1e-12).all()
    assert (curve.survival <= curve.upper + 1e-12).all()
    assert (np.diff(curve.at_risk) < 0).all()


@QUICK
@given(ROWS)
def test_swapping_the_arms_flips_every_sign(rows):
    time, event, experimental = columns(rows)
    one, other = risk_sets(time, event, experimental), risk_sets(time, event, ~experimental)
    np.testing.assert_allclose(hazard_tests.logrank_z([one]), -hazard_tests.logrank_z([other]), atol=1e-9)
    np.testing.assert_allclose(hazard_tests.weighted_scores(one).z, -hazard_tests.weighted_scores(other).z, atol=1e-9)
    np.testing.assert_allclose(
        replicates.rmst_differences(one, 30.0).value, -replicates.rmst_differences(other, 30.0).value, atol=1e-9
    )
    np.testing.assert_allclose(cox.log_hazard_ratios([one])[0], -cox.log_hazard_ratios([other])[0], atol=1e-4)


@QUICK
@given(ROWS)
def test_gray_flips_with_the_arms(rows):
    time, event, experimental = columns(rows)
    competes = np.arange(len(time)) % 3 == 0
    pairs = [
        risk_sets(time, event & ~competes, arm, competing=event & competes) for arm in (experimental, ~experimental)
    ]
    np.testing.assert_allclose(gray.gray_z(pairs[:1]), -gray.gray_z(pairs[1:]), atol=1e-7)


@QUICK
@given(ROWS)
def test_order_and_unit_of_time_change_no_test(rows):
    time, event, experimental = columns(rows)
    order = np.random.default_rng(0).permutation(len(time))
    one = risk_sets(time, event, experimental)
    other = risk_sets(time[order] / 30.4375, event[order], experimental[order])
    np.testing.assert_allclose(hazard_tests.logrank_z([one]), hazard_tests.logrank_z([other]), atol=1e-9)
    np.testing.assert_allclose(
        hazard_tests.max_combo_p_values(hazard_tests.weighted_scores(one)),
        hazard_tests.max_combo_p_values(hazard_tests.weighted_scores(other)),
        atol=1e-6,
    )


@QUICK
@given(ROWS)
def test_incidences_and_survival_add_up_to_one(rows):
    time, event, _ = columns(rows)
    cause = np.where(event, 1 + np.arange(len(time)) % 2, 0)
    ours, theirs = (competing.cumulative_incidence(time, cause, cause_of_interest=k) for k in (1, 2))
    any_cause = survival.kaplan_meier(time, event)
    np.testing.assert_allclose(ours.incidence + theirs.incidence + any_cause.survival, 1.0, atol=1e-12)
    assert (np.diff(ours.incidence) >= -1e-12).all()


@QUICK
@given(ROWS)
def test_at_risk_events_and_censored_add_up(rows):
    time, event, experimental = columns(rows)
    table = pd.DataFrame({"arm": np.where(experimental, "e", "c"), "time": time, "event": event})
    counted = survival.numbers_at_risk(table, [0, 10, 30, 100])
    total = counted[["at_risk", "events", "censored"]].sum(axis=1)
    assert (total.to_numpy() == counted["arm"].map(table["arm"].value_counts()).to_numpy()).all()


@QUICK
@given(ROWS)
def test_p_values_are_probabilities_and_max_combo_is_between_bonferroni_and_the_smallest(rows):
    time, event, experimental = columns(rows)
    scores = hazard_tests.weighted_scores(risk_sets(time, event, experimental))
    p_value = hazard_tests.max_combo_p_values(scores)[0]
    from scipy.special import ndtr

    smallest = 2 * ndtr(-np.abs(scores.z[0]).max())
    assert smallest - 1e-5 <= p_value <= min(1.0, 4 * smallest) + 1e-5
