"""Arms that have a course in common are integrated together until they part, with the bits of arms run alone."""

import numpy as np
import pytest

from seedbed import engine, protocol
from seedbed.trial import enrollment
from seedbed.trial.clinic import Clinic, read_contents
from seedbed.trial.simulation import Settings, Task, first_difference, simulate_arms, visit_days

N, UNTIL = 12, 90.0
ARMS = ("day_0", "day_2", "day_14")


@pytest.fixture(scope="module")
def trial():
    found, who = enrollment.read("infusion_day_lbcl_tp53")
    return found, who, enrollment.enroll(found, who, N, seed=3)


def tasks_of(trial, names):
    found, who, enrolled = trial
    made = []
    for name in names:
        table, arm = enrolled.arm_tables[name], found.arms[name]
        days = visit_days(table, UNTIL)
        clinic = Clinic(
            arm=name,
            arm_table=table,
            subjects=enrolled.subjects,
            seed=3,
            disease=who.disease,
            response_criteria=who.response_criteria,
            contents=read_contents(care=arm.care),
            days=days,
        )
        doses = protocol.doses(arm, table, enrolled.subjects)
        made.append(Task(enrollment.parameters(enrolled, name), doses, clinic, days))
    return made


def run(trial, names):
    tasks = tasks_of(trial, names)
    settings = Settings(3, UNTIL, 1e-5, tasks[0].clinic.signals, kept=N)
    courses = dict(simulate_arms(trial[0].model, tasks, settings))
    return {name: (courses[k], tasks[k].clinic.record()) for k, name in enumerate(names)}


@pytest.fixture(scope="module")
def together(trial):
    return run(trial, ARMS)


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_that_branched_has_the_bits_of_the_arm_alone(trial, together, arm):
    (alone, its_record), (branched, record) = run(trial, [arm])[arm], together[arm]
    for name, values in alone.kept.items():
        np.testing.assert_array_equal(values, branched.kept[name], err_msg=name)
    for name, values in alone.reduced.items():
        np.testing.assert_array_equal(values, branched.reduced[name], err_msg=name)
    assert alone.status.equals(branched.status)
    for name, values in its_record.measurements.items():
        np.testing.assert_array_equal(values, record.measurements[name], err_msg=name)
    assert its_record.treatments.equals(record.treatments)


def test_the_common_course_is_integrated_once(trial, monkeypatch):
    windows = []
    advance = engine.Batch.advance

    def counted(batch, *, until):
        windows.append((until - batch.time) * batch.n)
        return advance(batch, until=until)

    monkeypatch.setattr(engine.Batch, "advance", counted)
    run(trial, ARMS)
    together = sum(windows)
    windows.clear()
    for arm in ARMS:
        run(trial, [arm])
    assert 0.5 * sum(windows) < together < 0.85 * sum(windows)


def test_the_first_difference_of_two_schedules():
    one = [engine.Dose("a", np.array([1.0, np.nan]), 2.0), engine.Dose("b", 5.0, np.array([1.0, 1.0]))]
    assert first_difference(one, list(reversed(one)), n=2) == np.inf
    assert first_difference(one, one[:1], n=2) == 5.0
    assert first_difference(one, [engine.Dose("a", np.array([1.0, 3.0]), 2.0), one[1]], n=2) == 3.0
    assert first_difference(one, [engine.Dose("c", one[0].time, 2.0), one[1]], n=2) == 1.0
    assert first_difference([], [], n=2) == np.inf
