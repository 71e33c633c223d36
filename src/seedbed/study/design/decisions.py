"""What a group-sequential trial decides: boundaries, futility, multiplicity, and when it stops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from seedbed.analysis.sequential import Boundary, conditional_power, efficacy_boundary, predictive_power
from seedbed.study.design.plan import Plan
from seedbed.study.design.replicate import Looks, Size

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Decisions:
    """Decisions of R replicates with K comparisons."""

    reject: Booleans
    """(R, K) null hypothesis rejected, futility obeyed."""
    reject_ignoring_futility: Booleans
    """(R, K), as the type I error must be counted when futility is not binding."""
    primary_crosses: Booleans
    """(R, K) the primary test alone crossed at some look, co-primary rates and futility ignored."""
    efficacy_look: NDArray[np.int64]
    """(R, K) look of the rejection, -1 without."""
    futility_look: NDArray[np.int64]
    """(R, K) look at which a comparison stopped for futility, -1 without."""
    stop_look: NDArray[np.int64]
    """(R,) look at which the trial ended."""


def boundaries(plan: Plan, size: Size, expected_events: float) -> list[Boundary]:
    """Return the planned efficacy boundary of each comparison, over information fractions in events."""
    total = size.final_events or expected_events
    fractions = [events / total for events in size.interim_events]
    return [
        efficacy_boundary([*fractions, 1.0], alpha=alpha, spending=plan.interim.spending)
        for alpha in plan.one_sided_alphas
    ]


def decide(plan: Plan, looks: Looks, size: Size, expected_events: float) -> Decisions:
    """Return the decisions of replicates.

    The interim bounds are those planned; the final one is computed for the information that was reached, so that
    a trial that ends short of its events still spends exactly its alpha. Co-primary rates must cross the same bound.
    """
    critical = _critical(plan, looks, size, expected_events)
    performed = np.isfinite(looks.day)[:, :, None]
    crossed = performed & (looks.z <= -critical)
    primary = crossed.any(axis=1)
    if looks.rate_z.shape[-1]:
        crossed &= (looks.rate_z <= -critical[..., None]).all(axis=-1)
    futile = performed & _futile(plan, looks, size, expected_events)
    n_looks = looks.day.shape[1]
    first_efficacy, first_futility = _first(crossed), _first(futile)
    reject = first_efficacy < np.minimum(first_futility, n_looks)
    ignoring = first_efficacy < n_looks
    if plan.analysis.multiplicity == "hierarchical":
        reject = np.logical_and.accumulate(reject, axis=-1)
        ignoring = np.logical_and.accumulate(ignoring, axis=-1)
    ended = np.minimum(np.minimum(first_efficacy, first_futility), n_looks - 1)
    stopped_futile = (first_futility < first_efficacy) & (first_futility < n_looks)
    return Decisions(
        reject,
        ignoring,
        primary,
        np.where(reject, first_efficacy, -1),
        np.where(stopped_futile, first_futility, -1),
        ended.max(axis=-1),
    )


def _first(flags: Booleans) -> NDArray[np.int64]:
    """Return the first look with a flag, the number of looks without, (R, K)."""
    return np.where(flags.any(axis=1), flags.argmax(axis=1), flags.shape[1])


def _critical(plan: Plan, looks: Looks, size: Size, expected_events: float) -> Floats:
    """Return the critical Z > 0 of each replicate, look and comparison, (R, L, K)."""
    critical = np.empty(looks.z.shape)
    total = size.final_events or expected_events
    reached = looks.all_events[:, -1]
    for comparison, boundary in enumerate(boundaries(plan, size, expected_events)):
        critical[..., comparison] = boundary.critical
        if size.interim_events:
            critical[:, -1, comparison] = _final_bound(plan, comparison, size, total, reached / total)
    return critical


def _final_bound(plan: Plan, comparison: int, size: Size, total: float, reached: Floats) -> Floats:
    """Return the final critical value at the information that was reached, by interpolation, (R,)."""
    fractions = [events / total for events in size.interim_events]
    lowest = fractions[-1] + 0.02
    grid = np.linspace(lowest, max(1.15, lowest + 0.1), 12)
    alpha, spending = plan.one_sided_alphas[comparison], plan.interim.spending
    bounds = [efficacy_boundary([*fractions, end], alpha=alpha, spending=spending).critical[-1] for end in grid]
    return np.interp(reached, grid, bounds)


def _futile(plan: Plan, looks: Looks, size: Size, expected_events: float) -> Booleans:
    """Return whether each look says that success has become unlikely, (R, L, K)."""
    futile = np.zeros(looks.z.shape, dtype=bool)
    rule = plan.interim.futility
    if rule is None:
        return futile
    total = size.final_events or expected_events
    final = [boundary.critical[-1] for boundary in boundaries(plan, size, expected_events)]
    for look in (number - 1 for number in rule.looks):
        fraction = size.interim_events[look] / total
        for comparison, critical in enumerate(final):
            chance = chance_of_success(plan, -looks.z[:, look, comparison], fraction, critical, total)
            futile[:, look, comparison] = chance < rule.below
    return futile


def chance_of_success(plan: Plan, z: Floats, fraction: float, critical: float, total_events: float) -> Floats:
    """Return the conditional or predictive power by the plan's futility rule; z > 0 is a benefit."""
    rule = plan.interim.futility
    if rule is None or rule.rule == "predictive_power":
        return predictive_power(z, fraction, critical=critical)
    drift = None
    if rule.assumed_hazard_ratio is not None:
        ratios = [arm.ratio for arm in (plan.control, plan.experimental[0])]
        share = ratios[1] / sum(ratios)
        drift = -np.log(rule.assumed_hazard_ratio) * np.sqrt(total_events * share * (1 - share))
    return conditional_power(z, fraction, critical=critical, drift=drift)


def single_look_critical(plan: Plan) -> Floats:
    """Return the critical Z of each comparison without interim looks, (K,)."""
    return np.array([-ndtri(alpha) for alpha in plan.one_sided_alphas])
