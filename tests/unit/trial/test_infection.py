"""Infections and fevers: hazards and luck."""

import numpy as np
import pytest

import clinic_signals
from seedbed.trial.infection import EngraftmentFeverCourse, InfectionCourse, hazard
from seedbed.trial.outcomes import read_outcomes

OUTCOMES = read_outcomes()
N = 2000


def course(neutrophils, injury, cd4=500.0, days=20, n=N):
    signals = clinic_signals.signals(0.0, clinic_signals.arm_table(n))
    signals |= {
        "neutrophil_blood": np.full(n, neutrophils),
        "tissue_injury": np.full(n, injury),
        "cd4_blood": np.full(n, cd4),
    }
    infections = InfectionCourse(OUTCOMES, 1, np.arange(n))
    for day in range(days):
        infections.advance(float(day), 1.0 if day else 0.0, signals)
    return infections


def test_hazards_rise_with_what_causes_infection():
    quiet = clinic_signals.signals(0.0, clinic_signals.arm_table(1))
    low = quiet | {"neutrophil_blood": np.array([0.05]), "tissue_injury": np.array([3.0])}
    poor = quiet | {"cd4_blood": np.array([20.0]), "igg_plasma": np.array([2.0])}
    bacterial, viral = OUTCOMES.infections["bacterial"], OUTCOMES.infections["viral_or_fungal"]
    assert hazard(bacterial, low)[0] > 20 * hazard(bacterial, quiet)[0]
    assert hazard(viral, poor)[0] > 2 * hazard(viral, quiet)[0]


def test_onset_follows_the_hazard():
    infections = course(0.01, 2.0, days=8)
    table = infections.table()
    signals = clinic_signals.signals(0.0, clinic_signals.arm_table(1))
    rate = hazard(
        OUTCOMES.infections["neutropenic_fever"],
        signals | {"neutrophil_blood": np.array([0.01]), "tissue_injury": np.array([2.0])},
    )[0]
    ever = table[table["kind"] == "neutropenic_fever"]["subject"].nunique() / N
    assert ever == pytest.approx(1 - np.exp(-rate * 7), abs=0.06)
    assert not table[table["kind"] == "neutropenic_fever"]["counts_as_infection"].any()


def test_infections_are_rare_with_normal_counts_and_repeat_under_aplasia():
    assert len(course(4.0, 0.0, days=30).table()) < 0.1 * N
    repeated = course(0.01, 2.0, days=60).table().groupby("subject").size()
    assert repeated.max() >= 2


def test_engraftment_fever_needs_recovery_after_stem_cells():
    stem = np.where(np.arange(N) < N // 2, 5.0, np.nan)
    fever = EngraftmentFeverCourse(OUTCOMES.engraftment_fever, 1, np.arange(N), stem)
    days = np.arange(0.0, 30.0)
    seen = np.zeros(N, dtype=bool)
    for day in days:
        neutrophils = np.full(N, 0.02 if 7 <= day < 15 else 2.0)
        seen |= fever.active(day, neutrophils)
    assert not seen[N // 2 :].any()
    assert seen[: N // 2].mean() == pytest.approx(OUTCOMES.engraftment_fever.probability.value, abs=0.04)
    np.testing.assert_array_equal(np.unique(fever.onset_day[seen]), [15.0])
