"""Schedules, interpolation and windows of a record."""

import numpy as np

import clinic_signals
from seedbed.trial import sampling
from seedbed.trial.clinic import Clinic
from seedbed.trial.rules import read_rules

SCHEDULE = read_rules().schedule


def record(table, days=clinic_signals.DAYS[:100]):
    clinic = Clinic(arm="a", arm_table=table, subjects=clinic_signals.subjects(len(table)), seed=1, days=days)
    return clinic_signals.run(clinic, table, days)[0]


def test_blood_is_drawn_daily_around_the_infusions_and_then_in_slots():
    seen = record(clinic_signals.arm_table(3))
    drawn = sampling.blood_days(seen, SCHEDULE)
    inpatient = (seen.days >= 1) & (seen.days <= 12 + 27)
    assert drawn[0, inpatient].all()
    later = (seen.days >= 12 + 28) & (seen.days < 12 + 48)
    assert 5 <= drawn[0, later].sum() <= 7
    assert (drawn[:, 0]).all()


def test_nearest_visit_keeps_to_its_window():
    days = np.array([0.0, 10.0, 20.0, 48.0])
    position = sampling.nearest_visit(days, np.array([9.0, 34.5, 15.0, np.nan, -9.0, 60.0]), 10.0)
    np.testing.assert_array_equal(position, [1, -1, 1, -1, 0, -1])
    np.testing.assert_array_equal(sampling.at(np.arange(4.0)[None, :].repeat(6, axis=0), position)[[0, 4]], [1, 0])
    assert np.isnan(sampling.at(np.arange(4.0)[None, :].repeat(6, axis=0), position)[1])


def test_daily_values_interpolate_over_short_gaps_only():
    days = np.array([0.0, 2.0, 4.0, 20.0])
    values = np.array([[0.0, 2.0, np.nan, 20.0], [0.0, 2.0, 4.0, 20.0]])
    drawn = np.array([[True, True, True, True], [True, False, True, True]])
    found = sampling.daily_values(days, values, drawn, np.array([0.0, 1.0]), np.arange(5), 7.0)
    np.testing.assert_allclose(found[0], [0, 1, 2, np.nan, np.nan])
    np.testing.assert_allclose(found[1], [1, 2, 3, 4, np.nan])


def test_value_on_day_takes_the_nearest_drawn_value():
    seen = record(clinic_signals.arm_table(2))
    drawn = np.zeros((2, len(seen.days)), dtype=bool)
    drawn[0, 5] = True
    found = sampling.value_on_day(seen, "crp", drawn, np.array([6.0, 6.0]), 2.0)
    assert found[0] == seen.measurements["crp"][0, 5]
    assert np.isnan(found[1])


def test_doses_given_before_a_visit_exclude_that_visit():
    seen = record(clinic_signals.arm_table(4))
    on = sampling.given_on(seen, ("transfusion",))
    before = sampling.given_before(seen, ("transfusion",), 3.0)
    first = np.argmax(on[0])
    assert on[0, first]
    assert not before[0, first]
    assert before[0, first + 1]
