"""Gray's test that the cumulative incidence of one cause is equal in two arms, for one trial or many replicates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.analysis.results import TestResult
from seedbed.analysis.risk_sets import CONTROL, EXPERIMENTAL, Counts, RiskSets, risk_sets, shift
from seedbed.analysis.tte import check_tte, stratum_codes
from seedbed.errors import TableError

Floats = NDArray[np.float64]


class _Arm:
    """One arm's Kaplan-Meier of any cause and incidence of the cause of interest, (R, n)."""

    def __init__(self, counts: Counts, sets: RiskSets) -> None:
        competing = np.zeros_like(counts.events) if counts.competing is None else counts.competing
        self.present = counts.at_risk > 0
        usable = sets.last & self.present
        self.at_risk = counts.at_risk
        self.events = np.where(usable, counts.events, 0.0)
        self.competing = np.where(usable, competing, 0.0)
        gone = np.divide(self.events + self.competing, counts.at_risk, out=np.zeros_like(competing), where=usable)
        self.after = np.cumprod(1.0 - gone, axis=-1)
        self.before = shift(self.after, 1.0)
        share = np.divide(self.events, counts.at_risk, out=np.zeros_like(competing), where=usable)
        self.incidence_before = shift(np.cumsum(self.before * share, axis=-1), 0.0)
        at_risk = usable & (self.before > 0)
        self.effective = np.divide(counts.at_risk, self.before, out=np.zeros_like(competing), where=at_risk)


def gray_z(strata: Sequence[RiskSets]) -> Floats:
    """Return Gray's stratified statistic of R replicates as a standard normal z, (R,); see `gray_scores`."""
    pairs = [gray_scores(sets) for sets in strata]
    score = np.sum([pair[0] for pair in pairs], axis=0)
    variance = np.sum([pair[1] for pair in pairs], axis=0)
    return np.divide(score, np.sqrt(variance), out=np.zeros_like(score), where=variance > 0)


def gray_scores(sets: RiskSets) -> tuple[Floats, Floats]:
    r"""Return Gray's score of R replicates and its variance, (R,) each.

    `sets` must have been made with ``competing``. Positive: more events of the cause of interest in the
    experimental arm than equal incidences predict.

    Notes
    -----
    Score :math:`\sum(d_1-R_1\,d/R)` with :math:`R_k=Y_k(1-\hat F_k(t-))/\hat S_k(t-)`; variance of Gray 1988
    (Ann. Stat. 16:1141), pooled incidence, with the tie corrections of R ``cmprsk::cuminc``, to which it is
    compared in ``tests/reference/analysis``.
    """
    control, arm = (_Arm(sets.arms[index], sets) for index in (CONTROL, EXPERIMENTAL))
    events = control.events + arm.events
    pooled = control.effective + arm.effective
    step = np.divide(events, pooled, out=np.zeros_like(events), where=pooled > 0)
    incidence = np.cumsum(step, axis=-1)
    weights = [one.effective * (1.0 - one.incidence_before) for one in (control, arm)]
    total = weights[0] + weights[1]
    expected = np.divide(events * weights[1], total, out=np.zeros_like(events), where=total > 0)
    score = np.where(arm.present, arm.events - expected, 0.0).sum(axis=-1)
    product = np.divide(control.effective * arm.effective, pooled, out=np.zeros_like(events), where=pooled > 0)
    before = shift(incidence, 0.0)
    slope = np.cumsum(np.divide(product * step, 1.0 - before, out=np.zeros_like(events), where=before < 1), axis=-1)
    variance = sum(_variance_of(one, product, slope, incidence, (events, pooled)) for one in (control, arm))
    return score, variance


def _variance_of(one: _Arm, product: Floats, slope: Floats, incidence: Floats, pooled: tuple[Floats, Floats]) -> Floats:
    """Return one arm's part of the variance: its events of interest, then its competing events."""
    events, effective = pooled
    ratio = np.divide(1.0 - incidence, one.after, out=np.zeros_like(incidence), where=one.after > 0)
    remaining = slope[:, -1:] - slope
    tied = np.divide(
        np.maximum(events - 1.0, 0.0), effective * one.before - 1.0, out=np.zeros_like(events), where=events > 1
    )
    usable = one.present & (events > 0)
    weight = (1.0 - tied) * one.before * events
    mass = np.divide(weight, effective * one.at_risk, out=np.zeros_like(events), where=usable)
    ours = (product + (1.0 - ratio) * remaining) ** 2 * mass
    competing_tie = np.divide(
        np.maximum(one.competing - 1.0, 0.0), one.at_risk - 1.0, out=np.zeros_like(events), where=one.competing > 1
    )
    counted = (one.competing > 0) & (one.after > 0)
    other_mass = np.divide(
        (1.0 - competing_tie) * one.before**2 * one.competing, one.at_risk**2, out=np.zeros_like(events), where=counted
    )
    return (ours + (ratio * remaining) ** 2 * other_mass).sum(axis=-1)


def gray_test(
    table: pd.DataFrame, *, arms: tuple[str, str], cause_of_interest: int = 1, strata: str | None = None
) -> TestResult:
    """Test whether two arms have the same cumulative incidence of one cause.

    Parameters
    ----------
    table : DataFrame with columns ``arm``, ``time`` [day, >= 0], ``cause`` (0 censored, 1, 2, ... causes)
    arms : (experimental, control)
    cause_of_interest : the cause compared; all others compete
    strata : column of `table`, optional

    Returns
    -------
    TestResult
        ``z`` < 0 means a lower incidence in the experimental arm; ``p_value`` is two-sided.

    Raises
    ------
    TableError
        A column is missing, a time is negative, or an arm has no subject.
    """
    if "cause" not in table:
        raise TableError('competing-risk table: column "cause" is missing')
    chosen = check_tte(table.assign(event=table["cause"] != 0), arms=arms, strata=strata)
    cause, time = chosen["cause"].to_numpy(), chosen["time"].to_numpy()
    experimental, codes = (chosen["arm"] == arms[0]).to_numpy(), stratum_codes(chosen, strata)
    ours, other = cause == cause_of_interest, (cause != 0) & (cause != cause_of_interest)
    sets = [
        risk_sets(time[mine], ours[mine], experimental[mine], competing=other[mine])
        for mine in (codes == code for code in range(int(codes.max()) + 1))
    ]
    return TestResult.from_z("Gray", float(gray_z(sets)[0]))
