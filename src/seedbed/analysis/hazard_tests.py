"""Log-rank tests: two-arm, stratified, weighted by Fleming and Harrington, their maximum, and one-sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from seedbed.analysis.results import TestResult
from seedbed.analysis.risk_sets import EXPERIMENTAL, RiskSets, risk_sets, shift
from seedbed.analysis.tte import check_tte, stratum_codes
from seedbed.errors import TableError

Floats = NDArray[np.float64]
_POWERS = np.array([[1.0, 0.0, 0.0], [1.0, -1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, -1.0]])
"""Weights FH(0,0), (0,1), (1,0), (1,1) as polynomials 1, S, S^2 of the pooled survival."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True)
class WeightedScores:
    """Fleming-Harrington scores of R replicates: weights (0,0), (0,1), (1,0), (1,1).

    ``score`` (R, 4) sums weight * (observed - expected) in the experimental arm; ``covariance`` (R, 4, 4).
    """

    score: Floats
    covariance: Floats

    @property
    def z(self) -> Floats:
        """(R, 4) standardized scores; 0 where a replicate has no information."""
        variance = np.diagonal(self.covariance, axis1=-2, axis2=-1)
        return np.divide(self.score, np.sqrt(variance), out=np.zeros_like(self.score), where=variance > 0)

    def __add__(self, other: WeightedScores) -> WeightedScores:
        """Return the scores of two strata together."""
        return WeightedScores(self.score + other.score, self.covariance + other.covariance)


def logrank_scores(sets: RiskSets) -> tuple[Floats, Floats]:
    """Return observed minus expected events of the experimental arm and its variance, (R,) each."""
    excess, variance = _excess_and_variance(sets)
    return excess.sum(axis=-1), variance.sum(axis=-1)


def logrank_z(strata: Sequence[RiskSets]) -> Floats:
    """Return the stratified log-rank z of R replicates, (R,); z < 0 favors the experimental arm."""
    pairs = [logrank_scores(sets) for sets in strata]
    score = np.sum([pair[0] for pair in pairs], axis=0)
    variance = np.sum([pair[1] for pair in pairs], axis=0)
    return np.divide(score, np.sqrt(variance), out=np.zeros_like(score), where=variance > 0)


def _excess_and_variance(sets: RiskSets) -> tuple[Floats, Floats]:
    """Return observed minus expected and the hypergeometric variance at each time, zero off the last rows."""
    at_risk, events, arm = sets.at_risk, sets.events, sets.arms[EXPERIMENTAL]
    usable = sets.last & (events > 0)
    share = np.divide(arm.at_risk, at_risk, out=np.zeros_like(at_risk), where=usable)
    excess = np.where(usable, arm.events - events * share, 0.0)
    tie = np.divide(at_risk - events, at_risk - 1.0, out=np.zeros_like(at_risk), where=usable & (at_risk > 1))
    return excess, events * share * (1.0 - share) * tie


def weighted_scores(sets: RiskSets) -> WeightedScores:
    """Return the four Fleming-Harrington scores of R replicates; survival is pooled and left-continuous."""
    excess, variance = _excess_and_variance(sets)
    share = np.divide(sets.events, sets.at_risk, out=np.zeros_like(excess), where=sets.last & (sets.events > 0))
    survival = shift(np.cumprod(1.0 - share, axis=-1), 1.0)
    means, moments = [excess.sum(axis=-1)], [variance.sum(axis=-1)]
    for power in range(1, 5):
        variance = variance * survival
        moments.append(variance.sum(axis=-1))
        if power < 3:
            excess = excess * survival
            means.append(excess.sum(axis=-1))
    hankel = np.stack([np.stack([moments[i + j] for j in range(3)], axis=-1) for i in range(3)], axis=-2)
    return WeightedScores(np.stack(means, axis=-1) @ _POWERS.T, _POWERS @ hankel @ _POWERS.T)


def max_combo_p_values(scores: WeightedScores, *, one_sided: bool = False) -> Floats:
    r"""Return the p-value of the largest of the four scores, (R,).

    Notes
    -----
    FH(0,0) is the sum of FH(0,1) and FH(1,0), so the four are a trivariate normal. The last of them is integrated
    by its conditional normal distribution, the other two by Gauss-Legendre panels whose ends lie on the kinks of
    the region; the error is below 1e-6 (``tests/reference/analysis``, against R ``mvtnorm::pmvnorm``).
    One-sided is against the alternative that the experimental arm does better (the smallest z).
    """
    z = scores.z
    if one_sided:
        edge = z.min(axis=-1)
        return 1.0 - _box_probability(scores.covariance, edge, np.maximum(edge, 0.0) + 9.0)
    edge = np.abs(z).max(axis=-1)
    return 1.0 - _box_probability(scores.covariance, -edge, edge)


def _box_probability(covariance: Floats, lower: Floats, upper: Floats) -> Floats:
    """Return the probability that all four standard scores lie between two bounds."""
    deviation = np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 1e-300))
    share_late, share_early = deviation[:, 1] / deviation[:, 0], deviation[:, 2] / deviation[:, 0]
    correlation = covariance / (deviation[:, :, None] * deviation[:, None, :])
    kinks = [np.clip(bound * (1.0 - share_early) / share_late, lower, upper) for bound in (lower, upper)]
    edges = np.sort(np.stack([lower, *kinks, upper], axis=-1), axis=-1)
    total = np.zeros_like(lower)
    for panel in range(3):
        late, weight = _panel(edges[:, panel], edges[:, panel + 1])
        inside = _given_late(late, correlation, (share_late, share_early), (lower, upper))
        total += (weight * np.exp(-0.5 * late**2) / np.sqrt(2 * np.pi) * inside).sum(axis=-1)
    return np.clip(total, 0.0, 1.0)


def _panel(start: Floats, stop: Floats) -> tuple[Floats, Floats]:
    """Return Gauss-Legendre nodes and weights on [start, stop], with one axis more."""
    half = 0.5 * (stop - start)[..., None]
    return half * _NODES + 0.5 * (stop + start)[..., None], half * _WEIGHTS


def _given_late(
    late: Floats, correlation: Floats, shares: tuple[Floats, Floats], bounds: tuple[Floats, Floats]
) -> Floats:
    """Return the probability of the other scores' box given FH(0,1), (R, nodes)."""
    (share_late, share_early), (lower, upper) = shares, bounds
    logrank_part = share_late[:, None] * late
    low = np.maximum(lower[:, None], (lower[:, None] - logrank_part) / share_early[:, None])
    high = np.minimum(upper[:, None], (upper[:, None] - logrank_part) / share_early[:, None])
    early, weight = _panel(low, np.maximum(low, high))
    r = correlation[:, 1, 2][:, None, None]
    rest = np.sqrt(np.maximum(1.0 - r * r, 1e-12))
    density = np.exp(-0.5 * ((early - r * late[..., None]) / rest) ** 2) / (np.sqrt(2 * np.pi) * rest)
    middle = _middle_probability(late, early, correlation, bounds)
    return (weight * density * middle).sum(axis=-1)


def _middle_probability(late: Floats, early: Floats, correlation: Floats, bounds: tuple[Floats, Floats]) -> Floats:
    """Return the probability that FH(1,1) lies between the bounds given the two others."""
    r, with_late, with_early = correlation[:, 1, 2], correlation[:, 1, 3], correlation[:, 2, 3]
    determinant = np.maximum(1.0 - r * r, 1e-12)
    by_late = (with_late - r * with_early) / determinant
    by_early = (with_early - r * with_late) / determinant
    spread = np.sqrt(np.maximum(1.0 - by_late * with_late - by_early * with_early, 1e-12))[:, None, None]
    mean = by_late[:, None, None] * late[..., None] + by_early[:, None, None] * early
    lower, upper = (bound[:, None, None] for bound in bounds)
    return ndtr((upper - mean) / spread) - ndtr((lower - mean) / spread)


def _sets_by_stratum(tte: pd.DataFrame, arms: tuple[str, str], strata: str | None) -> list[RiskSets]:
    chosen = check_tte(tte, arms=arms, strata=strata)
    codes = stratum_codes(chosen, strata)
    experimental = (chosen["arm"] == arms[0]).to_numpy()
    time, event = chosen["time"].to_numpy(), chosen["event"].to_numpy()
    return [
        risk_sets(time[codes == code], event[codes == code], experimental[codes == code])
        for code in range(int(codes.max()) + 1)
    ]


def logrank(tte: pd.DataFrame, *, arms: tuple[str, str], strata: str | None = None) -> TestResult:
    r"""Test whether two arms have the same hazard.

    Parameters
    ----------
    tte : time-to-event table, see `analysis.tte`
    arms : (experimental, control)
    strata : column of `tte`, optional

    Returns
    -------
    TestResult
        ``z`` < 0 favors the experimental arm; ``p_value`` is two-sided; ``details`` hold the experimental arm's
        observed and expected events.

    Raises
    ------
    TableError
        A column is missing, a time is negative, or an arm has no subject.

    Notes
    -----
    :math:`z = \sum_j (O_j - E_j) / \sqrt{\sum_j V_j}` over event times and strata, hypergeometric variance.
    Loses power when the curves cross: consider `rmst_difference` or `max_combo`.
    Source: Mantel 1966; compared with statsmodels ``survdiff`` and R ``survival::survdiff`` in
    ``tests/reference/analysis``.

    Examples
    --------
    >>> from seedbed.analysis.tte import example_tte
    >>> round(logrank(example_tte(), arms=("six_mp", "placebo")).statistic, 2)
    16.79
    """
    sets = _sets_by_stratum(tte, arms, strata)
    arm = [one.arms[EXPERIMENTAL] for one in sets]
    observed = sum(float(np.where(one.last, counts.events, 0).sum()) for one, counts in zip(sets, arm, strict=True))
    expected = observed - sum(float(logrank_scores(one)[0][0]) for one in sets)
    return TestResult.from_z("log-rank", float(logrank_z(sets)[0]), observed=observed, expected=expected)


def max_combo(tte: pd.DataFrame, *, arms: tuple[str, str], strata: str | None = None) -> TestResult:
    r"""Test two arms by the largest of four weighted log-rank statistics, robust to non-proportional hazards.

    Parameters
    ----------
    tte : time-to-event table
    arms : (experimental, control)
    strata : column of `tte`, optional

    Returns
    -------
    TestResult
        ``z`` is the component largest in absolute value (< 0 favors the experimental arm), ``p_value`` two-sided
        from the joint distribution; ``details`` hold the four z and the one-sided p-value.

    Notes
    -----
    Weights :math:`\hat S(t-)^\rho(1-\hat S(t-))^\gamma` for (0,0), (0,1), (1,0), (1,1), pooled Kaplan-Meier;
    covariance :math:`\sum_j w_{kj}w_{lj}V_j`. A component may be significant for an arm that is worse
    early on: look at the curves. Source: Lin et al. 2020, doi 10.1080/19466315.2019.1697738; Karrison 2016.
    """
    scores = _total([weighted_scores(one) for one in _sets_by_stratum(tte, arms, strata)])
    z = scores.z[0]
    largest = float(z[np.argmax(np.abs(z))])
    names = ("z_fh_00", "z_fh_01", "z_fh_10", "z_fh_11")
    details = dict(zip(names, map(float, z), strict=True))
    details["one_sided_p_value"] = float(max_combo_p_values(scores, one_sided=True)[0])
    return TestResult("MaxCombo", largest**2, float(max_combo_p_values(scores)[0]), 1, largest, details)


def _total(scores: Sequence[WeightedScores]) -> WeightedScores:
    total = scores[0]
    for one in scores[1:]:
        total = total + one
    return total


def one_sample_logrank(
    time: ArrayLike, event: ArrayLike, cumulative_hazard: Callable[[Floats], Floats]
) -> TestResult:
    r"""Test a single arm against a fixed survival curve.

    Parameters
    ----------
    time : (n,) days
    event : (n,) bool
    cumulative_hazard : function of (n,) days giving the reference curve's -log S

    Returns
    -------
    TestResult
        ``z`` < 0 means fewer events than the reference predicts; ``details``: observed, expected, their ratio
        (standardized mortality ratio).

    Notes
    -----
    :math:`z=(O-E)/\sqrt{E}`, :math:`E=\sum_i \Lambda_0(t_i)`. Source: Breslow 1975; Finkelstein et al. 2003.
    """
    time = np.asarray(time, dtype=float)
    event = np.asarray(event, dtype=bool)
    expected = float(np.sum(cumulative_hazard(time)))
    if time.size == 0 or not expected > 0:
        raise TableError(f"a one-sample log-rank test needs subjects and expected events > 0; got {expected:g}")
    observed = float(event.sum())
    ratio = observed / expected
    z = (observed - expected) / np.sqrt(expected)
    return TestResult.from_z("one-sample log-rank", z, observed=observed, expected=expected, ratio=ratio)
