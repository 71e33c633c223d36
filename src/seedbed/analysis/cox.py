"""Cox regression: hazard ratio of two arms with its interval, and a check of proportional hazards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.analysis.results import LEVEL, Estimate, TestResult, normal_quantile
from seedbed.analysis.risk_sets import CONTROL, EXPERIMENTAL, RiskSets, risk_sets, shift
from seedbed.analysis.tte import check_tte, stratum_codes
from seedbed.errors import TableError

Floats = NDArray[np.float64]
_STEPS = 12
_LARGEST = 12.0
"""Bound of the log hazard ratio where an arm has no event and the estimate would be infinite."""


def hazard_ratio(
    tte: pd.DataFrame,
    *,
    arms: tuple[str, str],
    strata: str | None = None,
    covariates: Sequence[str] = (),
    level: float = LEVEL,
) -> Estimate:
    r"""Return the Cox hazard ratio of the experimental to the control arm, with Wald interval; ties by Efron.

    Parameters
    ----------
    tte : time-to-event table
    arms : (experimental, control)
    strata : column, optional; baseline hazards differ between strata
    covariates : numeric columns to adjust for

    Returns
    -------
    Estimate of the ratio; ``standard_error`` is that of its logarithm.

    Raises
    ------
    TableError
        See `check_tte`; or one arm has no event, so that the ratio does not exist.

    Notes
    -----
    One number describes the effect only under proportional hazards; see `proportional_hazards`.
    Fitted by statsmodels ``PHReg``; compared with R ``survival::coxph`` in ``tests/reference/analysis``.
    """
    from statsmodels.duration.hazard_regression import PHReg

    chosen = check_tte(tte, arms=arms, strata=strata)
    experimental = (chosen["arm"] == arms[0]).to_numpy(dtype=float)
    _refuse_no_events(chosen, arms)
    design = np.column_stack([experimental, *(chosen[name].to_numpy(dtype=float) for name in covariates)])
    groups = stratum_codes(chosen, strata) if strata else None
    time, status = chosen["time"].to_numpy(), chosen["event"].to_numpy(dtype=int)
    fitted = PHReg(time, design, status=status, strata=groups, ties="efron").fit(disp=0)
    beta, error = float(fitted.params[0]), float(fitted.bse[0])
    half = normal_quantile(level) * error
    return Estimate(
        float(np.exp(beta)), float(np.exp(beta - half)), float(np.exp(beta + half)), error, len(chosen), level
    )


def _refuse_no_events(tte: pd.DataFrame, arms: tuple[str, str]) -> None:
    events = tte.groupby("arm", observed=True)["event"].sum()
    for arm in arms:
        if events[arm] == 0:
            raise TableError(f'arm "{arm}" has no event: the hazard ratio does not exist')


def log_hazard_ratios(strata: Sequence[RiskSets]) -> tuple[Floats, Floats]:
    """Return the Cox log hazard ratio of R replicates and its standard error, (R,) each; ties by Efron.

    Newton steps on all replicates at once. A replicate in which an arm has no event gets the bound +-12.
    """
    parts = [_EfronTerms(sets) for sets in strata]
    observed = np.sum([part.observed for part in parts], axis=0)
    beta = np.zeros_like(observed)
    information = np.ones_like(observed)
    for _ in range(_STEPS):
        sums = [part.expected_and_information(beta) for part in parts]
        expected, information = (np.sum([pair[i] for pair in sums], axis=0) for i in (0, 1))
        step = np.divide(observed - expected, information, out=np.zeros_like(beta), where=information > 1e-9)
        beta = np.clip(beta + np.clip(step, -2.0, 2.0), -_LARGEST, _LARGEST)
        if np.max(np.abs(step)) < 1e-9:
            break
    return beta, 1.0 / np.sqrt(np.maximum(information, 1e-12))


class _EfronTerms:
    """The events of one stratum of R replicates, packed to the left: (R, most events)."""

    def __init__(self, sets: RiskSets) -> None:
        counts = sets.event.sum(axis=-1)
        width = max(1, int(counts.max()))
        order = np.argsort(~sets.event, axis=-1, kind="stable")[:, :width]
        self.present = np.arange(width) < counts[:, None]
        events = np.maximum(np.take_along_axis(sets.events, order, -1), 1.0)
        share = np.take_along_axis(sets.event_index, order, -1) / events
        thinned = [
            np.take_along_axis(arm.at_risk, order, -1) - share * np.take_along_axis(arm.events, order, -1)
            for arm in sets.arms
        ]
        self.control, self.experimental = thinned[CONTROL], thinned[EXPERIMENTAL]
        arm = sets.arms[EXPERIMENTAL]
        self.observed = np.where(sets.last, arm.events, 0.0).sum(axis=-1)

    def expected_and_information(self, beta: Floats) -> tuple[Floats, Floats]:
        """Return the expected events of the experimental arm and the information, (R,) each."""
        share = self.shares(beta)
        return share.sum(axis=-1), (share * (1.0 - share)).sum(axis=-1)

    def shares(self, beta: Floats) -> Floats:
        """Return for each event the probability that it is of the experimental arm, 0 where there is none."""
        weight = np.exp(beta)[:, None] * self.experimental
        total = weight + self.control
        return np.divide(weight, total, out=np.zeros_like(total), where=self.present & (total > 0))


def proportional_hazards(tte: pd.DataFrame, *, arms: tuple[str, str]) -> TestResult:
    r"""Test whether the hazard ratio of two arms is constant over time.

    Parameters
    ----------
    tte : time-to-event table
    arms : (experimental, control)

    Returns
    -------
    TestResult
        ``z`` > 0 means that the hazard ratio rises with time; ``p_value`` is two-sided.

    Notes
    -----
    Score test of :math:`\beta(t)=\beta+\theta\,g(t)` with :math:`g` one minus the left-continuous pooled
    Kaplan-Meier, that is R ``cox.zph(transform="km")`` of survival 3. A large p-value is no proof of
    proportionality. Source: Grambsch and Therneau 1994.
    """
    chosen = check_tte(tte, arms=arms)
    _refuse_no_events(chosen, arms)
    sets = risk_sets(chosen["time"], chosen["event"], chosen["arm"] == arms[0])
    terms = _EfronTerms(sets)
    beta, _ = log_hazard_ratios([sets])
    share = terms.shares(beta)[0]
    order = np.argsort(~sets.event[0], kind="stable")[: share.size]
    when = _transformed_time(sets)[order]
    when = when - when.mean()
    information = share * (1.0 - share)
    score = _transformed_score(sets, when, share)
    variance = (when**2 * information).sum() - (when * information).sum() ** 2 / information.sum()
    return TestResult.from_z("proportional hazards", float(score / np.sqrt(variance)))


def _transformed_time(sets: RiskSets) -> Floats:
    """Return one minus the left-continuous Kaplan-Meier at each row of one trial, equal on tied rows."""
    share = np.divide(sets.events, sets.at_risk, out=np.zeros_like(sets.events), where=sets.last)
    before = shift(np.cumprod(1.0 - share, axis=-1), 1.0)[0]
    return 1.0 - before


def _transformed_score(sets: RiskSets, when: Floats, share: Floats) -> float:
    """Return the sum over events of g(t) (covariate - its expectation)."""
    arm = sets.arms[EXPERIMENTAL]
    order = np.argsort(~sets.event[0], kind="stable")[: share.size]
    fraction = arm.events[0][order] / sets.events[0][order]
    return float((when * (fraction - share)).sum())
