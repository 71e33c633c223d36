"""Two-arm estimates for thousands of replicates at once: restricted mean and milestone survival.

Each function takes the `RiskSets` of R replicates and gives arrays of (R,). The single-trial functions in
`survival` and `competing` are the reference that the tests hold these to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedbed.analysis.risk_sets import CONTROL, EXPERIMENTAL, RiskSets, greenwood_of, survival_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Differences:
    """Differences, experimental minus control, of R replicates and their standard errors; (R,) each."""

    value: Floats
    standard_error: Floats
    transformed_z: Floats | None = None
    """z of the test where it is made on another scale than the difference."""

    def z(self, *, margin: float = 0.0) -> Floats:
        """Return z of a benefit: negative when the difference exceeds the margin; 0 without information."""
        if self.transformed_z is not None and margin == 0.0:
            return np.where(np.isfinite(self.value), self.transformed_z, 0.0)
        away = self.value - margin
        usable = np.isfinite(away) & (self.standard_error > 0)
        return -np.divide(away, self.standard_error, out=np.zeros_like(away), where=usable)


def known_until(sets: RiskSets) -> Floats:
    """Return the day to which both arms' curves are known, (R,): the shorter follow-up, inf for a curve at zero."""
    ends = []
    for counts in sets.arms:
        last_time = np.where(counts.at_risk > 0, sets.time, 0.0).max(axis=-1)
        ends.append(np.where(survival_of(counts, sets.last)[:, -1] <= 0, np.inf, last_time))
    return np.minimum(*ends)


def rmst_differences(sets: RiskSets, horizon: float) -> Differences:
    """Return the differences in restricted mean survival time to a horizon [day]; formulas as in `survival.rmst`.

    Where follow-up of an arm ends before the horizon, both are restricted to its end, as R ``survRM2`` does.
    """
    reached = np.minimum(horizon, known_until(sets))
    control, experimental = (_restricted_means(sets, arm, reached[:, None]) for arm in (CONTROL, EXPERIMENTAL))
    return _difference(experimental, control)


def stratified_rmst_differences(plain: RiskSets, strata: Sequence[RiskSets], horizon: float) -> Differences:
    """Return the differences in restricted mean survival time, averaged over strata by their number of subjects.

    Parameters
    ----------
    plain : risk sets of all subjects, which decide how far both arms' curves are known
    strata : risk sets of each stratum; one without subjects in an arm is left out
    horizon : days
    """
    reached = np.minimum(horizon, known_until(plain))[:, None]
    return _difference(*_averages(strata, lambda sets, arm: _restricted_means(sets, arm, reached)))


def stratified_milestone_differences(plain: RiskSets, strata: Sequence[RiskSets], time: float) -> Differences:
    """Return the differences in survival at a time [day], averaged over strata by their number of subjects.

    Parameters as in `stratified_rmst_differences`; NaN where follow-up of an arm ends before that time. The test is
    made on the scale of log(-log S) of the averages.
    """
    one, other = _averages(strata, lambda sets, arm: _survival_at(sets, arm, time))
    found = _difference(one, other)
    value = np.where(known_until(plain) >= time, found.value, np.nan)
    z = log_log_z(one, other)
    return Differences(value, found.standard_error, np.where(np.isfinite(z), z, found.z()))


Measured = tuple[Floats, Floats]
"""An estimate of R replicates and its variance, (R,) each."""


def _averages(strata: Sequence[RiskSets], measure: Callable[[RiskSets, int], Measured]) -> tuple[Measured, Measured]:
    """Return the averages over strata of the experimental and of the control arm, weighted by their subjects."""
    total = np.zeros(len(strata[0].time))
    sums = np.zeros((2, 2, total.size))
    for sets in strata:
        sizes = [arm.at_risk[:, 0] for arm in sets.arms]
        weight = np.where((sizes[CONTROL] > 0) & (sizes[EXPERIMENTAL] > 0), sizes[CONTROL] + sizes[EXPERIMENTAL], 0.0)
        total += weight
        for place, arm in enumerate((EXPERIMENTAL, CONTROL)):
            value, variance = measure(sets, arm)
            sums[place] += weight * value, weight**2 * variance
    total = np.maximum(total, 1.0)
    means, variances = sums[:, 0] / total, sums[:, 1] / total**2
    return (means[0], variances[0]), (means[1], variances[1])


def _restricted_means(sets: RiskSets, arm: int, horizon: Floats) -> tuple[Floats, Floats]:
    counts = sets.arms[arm]
    time = np.minimum(sets.time, horizon)
    following = np.empty_like(time)
    following[:, :-1], following[:, -1:] = time[:, 1:], horizon
    pieces = survival_of(counts, sets.last) * (following - time)
    remaining = np.cumsum(pieces[:, ::-1], axis=-1)[:, ::-1]
    terms = np.where(sets.time < horizon, greenwood_of(counts, sets.last), 0.0)
    return time[:, 0] + pieces.sum(axis=-1), (remaining**2 * terms).sum(axis=-1)


def milestone_differences(sets: RiskSets, time: float) -> Differences:
    """Return the differences in Kaplan-Meier survival at a time [day], with Greenwood's variance.

    NaN where follow-up of an arm ends before that time. The test is made on the scale of log(-log S), which keeps
    its level in small trials: Klein et al. 2007, doi 10.1002/sim.2864.
    """
    control, experimental = (_survival_at(sets, arm, time) for arm in (CONTROL, EXPERIMENTAL))
    found = _difference(experimental, control)
    value = np.where(known_until(sets) >= time, found.value, np.nan)
    z = log_log_z(experimental, control)
    return Differences(value, found.standard_error, np.where(np.isfinite(z), z, found.z()))


def log_log_z(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Floats:
    """Return z of two survivals with their variances on the scale of log(-log S); NaN at 0 and 1."""
    scale, variance = [], []
    for survival, spread in (one, other):
        inside = (survival > 0) & (survival < 1)
        hazard = -np.log(np.where(inside, survival, np.nan))
        scale.append(np.log(hazard))
        variance.append(spread / (np.where(inside, survival, np.nan) * hazard) ** 2)
    return (scale[0] - scale[1]) / np.sqrt(variance[0] + variance[1])


def _survival_at(sets: RiskSets, arm: int, time: float) -> tuple[Floats, Floats]:
    counts, inside = sets.arms[arm], sets.last & (sets.time <= time)
    survival = survival_of(counts, inside)[:, -1]
    return survival, survival**2 * greenwood_of(counts, inside).sum(axis=-1)


def _difference(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Differences:
    return Differences(one[0] - other[0], np.sqrt(one[1] + other[1]))
