"""Kaplan-Meier survival, its quantiles and landmarks, restricted mean survival time, and their differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from seedbed.analysis.replicates import log_log_z
from seedbed.analysis.results import LEVEL, Estimate, TestResult, normal_quantile
from seedbed.analysis.tte import check_tte
from seedbed.errors import TableError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SurvivalCurve:
    """A Kaplan-Meier curve: arrays with one entry per distinct observed time, events or not.

    ``at_risk`` counts those with ``time >= t``, that is at the start of day t; ``survival`` is just after t.
    """

    time: Floats
    at_risk: Floats
    events: Floats
    survival: Floats
    standard_error: Floats
    lower: Floats
    upper: Floats
    n: int
    level: float = LEVEL

    @property
    def n_events(self) -> int:
        """Number of events."""
        return int(self.events.sum())

    @property
    def last_time(self) -> float:
        """Longest follow-up [day]."""
        return float(self.time[-1])

    @property
    def is_complete(self) -> bool:
        """Whether the curve comes down to zero, so that it is known for ever."""
        return bool(self.survival[-1] <= 0)

    def at(self, time: float) -> Estimate:
        """Return survival at a time [day]; NaN where follow-up has ended and the curve is above zero."""
        if time > self.last_time and not self.is_complete:
            return Estimate(np.nan, np.nan, np.nan, np.nan, self.n, self.level)
        index = int(np.searchsorted(self.time, time, side="right")) - 1
        if index < 0:
            lower = 1.0 if time <= 0 else _zero_events_bound(float(self.n), self.level)
            return Estimate(1.0, lower, 1.0, 0.0, self.n, self.level)
        return Estimate(
            float(self.survival[index]),
            float(self.lower[index]),
            float(self.upper[index]),
            float(self.standard_error[index]),
            self.n,
            self.level,
        )

    def time_reaching(self, probability: float) -> float:
        """Return the time [day] at which survival falls to a probability; NaN when it stays above.

        Where the curve is flat at exactly that probability, the middle of the flat part, as R and SAS do.
        """
        return _first_below(self.time, self.survival, probability)

    def quantile(self, share: float = 0.5) -> Estimate:
        """Return the time [day] by which a share has had the event, with its interval (Brookmeyer and Crowley).

        The interval inverts the pointwise interval of survival, as R ``survfit`` does; a bound that is not
        reached is infinite, an estimate that is not reached is NaN. The standard error is the interval's
        width over twice the normal quantile where both bounds are finite.
        """
        survival = 1.0 - share
        value = self.time_reaching(survival)
        lower = _first_below(self.time, self.lower, survival)
        upper = _first_below(self.time, self.upper, survival)
        width = (upper - lower) / (2 * normal_quantile(self.level))
        bounds = [np.inf if np.isnan(bound) else bound for bound in (lower, upper)]
        return Estimate(value, bounds[0], bounds[1], width, self.n, self.level)

    def table(self) -> pd.DataFrame:
        """Return the curve as a table: time [day], at_risk, events, survival, lower, upper."""
        names = ("time", "at_risk", "events", "survival", "standard_error", "lower", "upper")
        return pd.DataFrame({name: getattr(self, name) for name in names})


def _first_below(time: Floats, survival: Floats, level: float) -> float:
    reached = np.flatnonzero(survival <= level + 1e-12)
    if not reached.size:
        return float("nan")
    passed = np.flatnonzero(survival < level - 1e-12)
    if survival[reached[0]] < level - 1e-12 or not passed.size:
        return float(time[reached[0]])
    return float((time[reached[0]] + time[passed[0]]) / 2)


def kaplan_meier(time: ArrayLike, event: ArrayLike, *, level: float = LEVEL) -> SurvivalCurve:
    r"""Return the Kaplan-Meier curve with Greenwood variance and log-log interval.

    Parameters
    ----------
    time : (n,) days, >= 0
    event : (n,) bool, False where censored
    level : level of the pointwise interval

    Returns
    -------
    SurvivalCurve

    Raises
    ------
    TableError
        There is no subject.

    Notes
    -----
    :math:`\hat S(t)=\prod_{t_j\le t}(1-d_j/Y_j)`; interval :math:`\hat S^{\exp(\pm z\,\sigma/\log\hat S)}` with
    :math:`\sigma^2=\sum d_j/(Y_j(Y_j-d_j))`. Before the first event the interval is the exact one of zero events
    among those at risk, since the log-log interval does not exist there; after a drop to zero the bounds are
    0 and the last upper bound.
    Source: Kalbfleisch and Prentice 1980, section 1.3; compared with R ``survival::survfit(conf.type="log-log")``
    and with statsmodels ``SurvfuncRight`` in ``tests/reference/analysis``.

    Examples
    --------
    >>> curve = kaplan_meier([6, 6, 6, 7, 10], [True, True, False, True, False])
    >>> round(curve.at(7).value, 3)
    0.3
    """
    time = np.asarray(time, dtype=float)
    event = np.asarray(event, dtype=bool)
    if time.size == 0:
        raise TableError("a survival curve needs at least one subject")
    times, index = np.unique(time, return_inverse=True)
    events = np.bincount(index, weights=event, minlength=times.size)
    leaving = np.bincount(index, minlength=times.size)
    at_risk = (time.size - np.concatenate(([0], np.cumsum(leaving)[:-1]))).astype(float)
    survival = np.cumprod(1.0 - events / at_risk)
    relative = np.sqrt(np.cumsum(_greenwood_terms(events, at_risk)))
    lower, upper = _log_log_interval(survival, relative, at_risk, level)
    return SurvivalCurve(times, at_risk, events, survival, survival * relative, lower, upper, time.size, level)


def _greenwood_terms(events: Floats, at_risk: Floats) -> Floats:
    left = at_risk - events
    return np.divide(events, at_risk * left, out=np.zeros_like(at_risk), where=left > 0)


def _log_log_interval(survival: Floats, relative: Floats, at_risk: Floats, level: float) -> tuple[Floats, Floats]:
    quantile = normal_quantile(level)
    inside = (survival < 1.0) & (survival > 0.0)
    log_survival = np.log(survival, out=np.full_like(survival, -1.0), where=inside)
    spread = np.exp(quantile * relative / np.abs(log_survival))
    exact = _zero_events_bound(at_risk, level)
    lower = np.where(inside, np.exp(log_survival * spread), np.where(survival >= 1.0, exact, 0.0))
    upper = np.where(inside, np.exp(log_survival / spread), 1.0)
    if survival[-1] <= 0:
        zero = survival <= 0
        upper[zero] = upper[~zero][-1] if (~zero).any() else 1.0
    return lower, upper


def _zero_events_bound(at_risk: Any, level: float) -> Any:
    """Return the exact lower bound of survival when none of those at risk had the event."""
    return ((1.0 - level) / 2.0) ** (1.0 / at_risk)


def survival_curves(tte: pd.DataFrame, *, level: float = LEVEL) -> dict[str, SurvivalCurve]:
    """Return a Kaplan-Meier curve per arm of a time-to-event table (see `analysis.tte`)."""
    tte = check_tte(tte)
    groups = tte.groupby("arm", sort=False, observed=True)
    return {str(arm): kaplan_meier(rows["time"], rows["event"], level=level) for arm, rows in groups}


def numbers_at_risk(tte: pd.DataFrame, times: Sequence[float]) -> pd.DataFrame:
    """Return how many are at risk at the start of each time, and the events and censorings before it, per arm.

    Parameters
    ----------
    tte : time-to-event table
    times : days

    Returns
    -------
    DataFrame, a row per arm and time: arm, time [day], at_risk, events, censored. The three add up to n.
    """
    tte = check_tte(tte)
    rows = []
    for arm, group in tte.groupby("arm", sort=False, observed=True):
        time, event = group["time"].to_numpy(), group["event"].to_numpy()
        for day in times:
            gone = time < day
            counts = (int((~gone).sum()), int((gone & event).sum()), int((gone & ~event).sum()))
            rows.append((arm, float(day), *counts))
    return pd.DataFrame(rows, columns=["arm", "time", "at_risk", "events", "censored"])


def milestone_difference(
    tte: pd.DataFrame, *, arms: tuple[str, str], time: float, level: float = LEVEL
) -> tuple[Estimate, TestResult]:
    """Return the difference in Kaplan-Meier survival at a time, experimental minus control, and its test.

    Parameters
    ----------
    tte : time-to-event table
    arms : (experimental, control)
    time : the milestone [day]

    Returns
    -------
    Estimate of the difference (positive favors the experimental arm) and a TestResult (z < 0 favors it), which is
    made on the scale of log(-log S).

    Raises
    ------
    TableError
        See `check_tte`; or follow-up of an arm ends before the milestone.
    """
    curves = _two_curves(tte, arms, level)
    points = [curve.at(time) for curve in curves]
    for arm, curve, point in zip(arms, curves, points, strict=True):
        if np.isnan(point.value):
            raise TableError(f'follow-up of arm "{arm}" ends on day {curve.last_time:g}, before day {time:g}')
    estimate, plain = _difference("milestone", points[0], points[1], level)
    parts = [(np.array(point.value), np.array(point.standard_error**2)) for point in points]
    z = float(log_log_z(parts[0], parts[1]))
    return estimate, TestResult.from_z("milestone", z) if np.isfinite(z) else plain


def rmst(curve: SurvivalCurve, *, horizon: float, level: float = LEVEL) -> Estimate:
    r"""Return the restricted mean survival time: the area under the curve to a horizon [day].

    Notes
    -----
    :math:`\widehat{Var}=\sum_j A_j^2\,d_j/(Y_j(Y_j-d_j))`, :math:`A_j` the area from :math:`t_j` to the horizon.
    Beyond the last censored time the curve is carried forward flat, as R ``survfit`` does; choose a horizon
    within follow-up. Source: Royston and Parmar 2013, doi 10.1186/1471-2288-13-152; compared with R
    ``print(survfit, rmean=)``.
    """
    inside = curve.time < horizon
    edges = np.concatenate(([0.0], curve.time[inside], [horizon]))
    height = np.concatenate(([1.0], curve.survival[inside]))
    pieces = np.diff(edges) * height
    remaining = np.cumsum(pieces[::-1])[::-1][1:]
    variance = np.sum(remaining**2 * _greenwood_terms(curve.events, curve.at_risk)[inside])
    return Estimate.from_normal(pieces.sum(), float(np.sqrt(variance)), curve.n, level)


def rmst_difference(
    tte: pd.DataFrame, *, arms: tuple[str, str], horizon: float, level: float = LEVEL
) -> tuple[Estimate, TestResult]:
    """Return the difference in restricted mean survival time [day], experimental minus control, and its test.

    Parameters
    ----------
    tte : time-to-event table
    arms : (experimental, control)
    horizon : end of the area [day]

    Returns
    -------
    Estimate of the difference (positive favors the experimental arm) and a TestResult (z < 0 favors it).
    """
    points = [rmst(curve, horizon=horizon, level=level) for curve in _two_curves(tte, arms, level)]
    return _difference("rmst", points[0], points[1], level)


def _two_curves(tte: pd.DataFrame, arms: tuple[str, str], level: float) -> list[SurvivalCurve]:
    curves = survival_curves(check_tte(tte, arms=arms), level=level)
    return [curves[arm] for arm in arms]


def _difference(name: str, one: Estimate, other: Estimate, level: float) -> tuple[Estimate, TestResult]:
    error = float(np.hypot(one.standard_error, other.standard_error))
    value = one.value - other.value
    z = -value / error if error > 0 else (0.0 if value == 0 else -np.inf * np.sign(value))
    return Estimate.from_normal(value, error, one.n + other.n, level), TestResult.from_z(name, float(z))
