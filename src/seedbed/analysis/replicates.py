"""Two-arm estimates for thousands of replicates at once: restricted mean, milestone, cumulative incidence.

Each function takes the `RiskSets` of R replicates and gives arrays of (R,). The single-trial functions in
`survival` and `competing` are the reference that the tests hold these to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedbed.analysis.risk_sets import CONTROL, EXPERIMENTAL, Counts, RiskSets, greenwood_of, shift, survival_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Differences:
    """Differences, experimental minus control, of R replicates and their standard errors; (R,) each."""

    value: Floats
    standard_error: Floats

    def z(self, *, margin: float = 0.0) -> Floats:
        """Return z of a benefit: negative when the difference exceeds the margin; 0 without information."""
        away = self.value - margin
        return -np.divide(away, self.standard_error, out=np.zeros_like(away), where=self.standard_error > 0)


def rmst_differences(sets: RiskSets, horizon: float) -> Differences:
    """Return the differences in restricted mean survival time to a horizon [day]; formulas as in `survival.rmst`."""
    control, experimental = (_restricted_means(sets, arm, horizon) for arm in (CONTROL, EXPERIMENTAL))
    return _difference(experimental, control)


def _restricted_means(sets: RiskSets, arm: int, horizon: float) -> tuple[Floats, Floats]:
    counts = sets.arms[arm]
    time = np.minimum(sets.time, horizon)
    following = np.full_like(time, horizon)
    following[:, :-1] = time[:, 1:]
    pieces = survival_of(counts, sets.last) * (following - time)
    remaining = np.cumsum(pieces[:, ::-1], axis=-1)[:, ::-1]
    terms = np.where(sets.time < horizon, greenwood_of(counts, sets.last), 0.0)
    return time[:, 0] + pieces.sum(axis=-1), (remaining**2 * terms).sum(axis=-1)


def milestone_differences(sets: RiskSets, time: float) -> Differences:
    """Return the differences in Kaplan-Meier survival at a time [day], with Greenwood's variance."""
    control, experimental = (_survival_at(sets, arm, time) for arm in (CONTROL, EXPERIMENTAL))
    return _difference(experimental, control)


def _survival_at(sets: RiskSets, arm: int, time: float) -> tuple[Floats, Floats]:
    counts, inside = sets.arms[arm], sets.last & (sets.time <= time)
    survival = survival_of(counts, inside)[:, -1]
    return survival, survival**2 * greenwood_of(counts, inside).sum(axis=-1)


def incidence_differences(sets: RiskSets, time: float) -> Differences:
    """Return the differences in Aalen-Johansen cumulative incidence at a time [day].

    `sets` must have been made with ``competing``. The variance treats ties as simple sums (no tie correction).
    """
    control, experimental = (_incidence_at(sets, sets.arms[arm], time) for arm in (CONTROL, EXPERIMENTAL))
    return _difference(experimental, control)


def _incidence_at(sets: RiskSets, counts: Counts, time: float) -> tuple[Floats, Floats]:
    inside = sets.last & (sets.time <= time) & (counts.at_risk > 0)
    competing = np.zeros_like(counts.events) if counts.competing is None else counts.competing
    ours = np.divide(counts.events, counts.at_risk, out=np.zeros_like(competing), where=inside)
    theirs = np.divide(competing, counts.at_risk, out=np.zeros_like(competing), where=inside)
    survival = np.cumprod(1.0 - ours - theirs, axis=-1)
    before = shift(survival, 1.0)
    incidence = np.cumsum(before * ours, axis=-1)
    final = incidence[:, -1:]
    later = np.divide(final - incidence, survival, out=np.zeros_like(survival), where=survival > 0)
    per_person = np.divide(before, counts.at_risk, out=np.zeros_like(before), where=inside)
    events = np.where(inside, counts.events, 0.0) * (1.0 - later) ** 2
    others = np.where(inside, competing, 0.0) * later**2
    return final[:, 0], (per_person**2 * (events + others)).sum(axis=-1)


def _difference(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Differences:
    return Differences(one[0] - other[0], np.sqrt(one[1] + other[1]))
