"""Infections and fevers that are not cytokine release: hazards from counts, immunoglobulin and mucosal injury.

An episode begins when the cumulative hazard of a subject passes the next of its own exponential thresholds; these
come from streams (seed, kind of infection, subject, number of the episode), so a subject has the same luck in
every arm and on every visit schedule.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from seedbed import streams
from seedbed.trial.measurement import Signals, Values
from seedbed.trial.outcomes import EngraftmentFever, InfectionProcess, Outcomes

COLUMNS = ("subject", "day", "end_day", "kind", "grade", "documented", "fatal_luck", "counts_as_infection")
#: What is drawn when an episode begins; the onset is that of the next.
DECISIONS = ("severity", "life threat", "documentation", "duration", "fatality", "onset")


def hazard(process: InfectionProcess, signals: Signals) -> Values:
    """Return the hazard of one kind of infection [1/day], (n,)."""
    injury = np.maximum(signals["tissue_injury"], 0.0)
    injured = injury / (1.0 + injury)
    total = np.full(injury.shape, process.base.value)
    for risk in process.risks:
        ratio = np.maximum(signals[risk.signal], 0.0) / risk.below
        total = total + risk.adds.value * (1 - risk.by_injury + risk.by_injury * injured) / (1 + ratio**risk.steepness)
    return total


@dataclass
class InfectionCourse:
    """Infections of one arm's subjects as time goes on."""

    outcomes: Outcomes
    seed: int
    subjects: NDArray[np.int64]
    episodes: list[dict[str, NDArray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start without infection, at each subject's first thresholds."""
        shape = len(self.subjects)
        self._hazard = {kind: np.zeros(shape) for kind in self.outcomes.infections}
        self._rate: dict[str, Values] = {}
        self._count = {kind: np.zeros(shape, dtype=np.int64) for kind in self.outcomes.infections}
        first = {kind: streams.uniform(self.seed, f"{kind} onset", self.subjects) for kind in self.outcomes.infections}
        self._threshold = {kind: -np.log(luck) for kind, luck in first.items()}
        self._until = np.full(shape, -np.inf)
        self._grade = np.zeros(shape)
        self._documented = np.zeros(shape, dtype=bool)

    def advance(self, day: float, elapsed: float, signals: Signals) -> None:
        """Accumulate hazard over the time since the last visit and begin episodes."""
        for kind, process in self.outcomes.infections.items():
            rate = hazard(process, signals)
            self._hazard[kind] += 0.5 * (rate + self._rate.get(kind, rate)) * elapsed
            self._rate[kind] = rate
            begins = np.flatnonzero((self._hazard[kind] >= self._threshold[kind]) & (self._until <= day))
            if begins.size:
                self._begin(kind, process, begins, day)

    def active(self, day: float) -> tuple[NDArray[np.bool_], Values, NDArray[np.bool_]]:
        """Return who has an episode on a day, its grade, and whether it is documented, (n,) each."""
        now = self._until > day
        return now, np.where(now, self._grade, 0.0), now & self._documented

    def table(self) -> pd.DataFrame:
        """Return all episodes: subject, day, end_day [day from enrollment], kind, grade, documented, fatal_luck."""
        if not self.episodes:
            return pd.DataFrame({name: pd.Series(dtype=float) for name in COLUMNS})
        columns = {name: np.concatenate([part[name] for part in self.episodes]) for name in self.episodes[0]}
        return pd.DataFrame(columns).sort_values(["subject", "day"], kind="stable", ignore_index=True)

    def _begin(self, kind: str, process: InfectionProcess, rows: NDArray[np.intp], day: float) -> None:
        number = self._count[kind][rows]
        severe, life, documentation, duration, fatality, onset = self._luck(kind, rows, number)
        grade_if_severe = np.where(life < process.life_threatening_share.value, 4, 3)
        grade = np.where(severe < process.severe_share.value, grade_if_severe, 2)
        documented = documentation < process.documented_share.value
        spread = np.exp(self.outcomes.infection_duration_spread.value * ndtri(duration))
        end = day + process.duration.value * spread
        columns = {
            "subject": self.subjects[rows],
            "day": np.full(rows.size, float(day)),
            "end_day": end,
            "kind": np.full(rows.size, kind, dtype=object),
            "grade": grade,
            "documented": documented,
            "fatal_luck": fatality,
            "counts_as_infection": np.full(rows.size, process.counts_as_infection),
        }
        self.episodes.append(columns)
        self._until[rows], self._grade[rows], self._documented[rows] = end, grade, documented
        self._count[kind][rows] += 1
        self._hazard[kind][rows] = 0.0
        self._threshold[kind][rows] = -np.log(onset)

    def _luck(self, kind: str, rows: NDArray[np.intp], number: NDArray[np.int64]) -> Values:
        """Return the numbers that decide on an episode, and on the onset of the next, (6, n)."""
        purposes = [f"{kind} {what}" for what in DECISIONS]
        draws = number + np.array([0, 0, 0, 0, 0, 1])[:, None]
        return streams.uniform_of(self.seed, purposes, np.arange(len(DECISIONS))[:, None], self.subjects[rows], draws)


@dataclass
class EngraftmentFeverCourse:
    """Fever of some patients when neutrophils return after the stem cells."""

    content: EngraftmentFever
    seed: int
    subjects: NDArray[np.int64]
    stem_cell_day: Values

    def __post_init__(self) -> None:
        """Decide who is prone; nobody has fever yet."""
        prone = streams.uniform(self.seed, "engraftment fever", self.subjects)
        self._prone = prone < self.content.probability.value
        self._low = np.zeros(len(self.subjects), dtype=bool)
        self._begin = np.full(len(self.subjects), np.nan)

    def active(self, day: float, neutrophils: Values) -> NDArray[np.bool_]:
        """Return who has engraftment fever on a day, (n,)."""
        after = day - self.stem_cell_day
        level = self.content.rises_from.value
        self._low |= (after >= 2) & (after <= 30) & (neutrophils < level)
        begins = self._low & self._prone & np.isnan(self._begin) & (neutrophils >= level) & (after <= 40)
        self._begin = np.where(begins, day, self._begin)
        return (day >= self._begin) & (day < self._begin + self.content.duration.value)

    @property
    def onset_day(self) -> Values:
        """Day from enrollment on which the fever began, NaN without, (n,)."""
        return self._begin
