"""Competing risks: Aalen-Johansen cumulative incidence with its variance, and Gray's test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from seedbed.analysis.results import LEVEL, Estimate, normal_quantile
from seedbed.errors import TableError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class IncidenceCurve:
    """Cumulative incidence of one cause: arrays with one entry per distinct observed time."""

    time: Floats
    at_risk: Floats
    incidence: Floats
    standard_error: Floats
    n: int
    level: float = LEVEL

    @property
    def last_time(self) -> float:
        """Longest follow-up [day]."""
        return float(self.time[-1])

    def at(self, time: float) -> Estimate:
        """Return the incidence at a time [day] with its log-log interval; NaN after the end of follow-up."""
        if time > self.last_time:
            return Estimate(np.nan, np.nan, np.nan, np.nan, self.n, self.level)
        index = int(np.searchsorted(self.time, time, side="right")) - 1
        if index < 0 or self.incidence[index] <= 0:
            at_risk = self.n if index < 0 else self.at_risk[index]
            upper = 1.0 - ((1.0 - self.level) / 2.0) ** (1.0 / at_risk)
            return Estimate(0.0, 0.0, float(upper), 0.0, self.n, self.level)
        value, error = float(self.incidence[index]), float(self.standard_error[index])
        lower, upper = _complementary_interval(value, error, self.level)
        return Estimate(value, lower, upper, error, self.n, self.level)


def _complementary_interval(value: float, error: float, level: float) -> tuple[float, float]:
    if value >= 1:
        return value, value
    log_value = np.log(value)
    half = normal_quantile(level) * error / (value * np.abs(log_value))
    return float(np.exp(log_value * np.exp(half))), float(np.exp(log_value * np.exp(-half)))


def cumulative_incidence(
    time: ArrayLike, cause: ArrayLike, *, cause_of_interest: int = 1, level: float = LEVEL
) -> IncidenceCurve:
    r"""Return the Aalen-Johansen cumulative incidence of one cause.

    Parameters
    ----------
    time : (n,) days, >= 0
    cause : (n,) integers, 0 where censored, else the number of the first event's cause
    cause_of_interest : the cause whose incidence is wanted

    Returns
    -------
    IncidenceCurve

    Raises
    ------
    TableError
        There is no subject.

    Notes
    -----
    :math:`\hat F_1(t)=\sum_{t_j\le t}\hat S(t_j-)\,d_{1j}/Y_j`; variance by the delta method of Aalen 1978 (as in
    ``cmprsk::cuminc``); interval on the log(-log) scale. Compared with R ``cmprsk`` in
    ``tests/reference/analysis``.
    """
    time = np.asarray(time, dtype=float)
    cause = np.asarray(cause, dtype=np.int64)
    if time.size == 0:
        raise TableError("a cumulative incidence needs at least one subject")
    times, index = np.unique(time, return_inverse=True)
    of_interest = np.bincount(index, weights=cause == cause_of_interest, minlength=times.size)
    any_cause = np.bincount(index, weights=cause != 0, minlength=times.size)
    leaving = np.bincount(index, minlength=times.size)
    at_risk = (time.size - np.concatenate(([0], np.cumsum(leaving)[:-1]))).astype(float)
    survival = np.cumprod(1.0 - any_cause / at_risk)
    before = np.concatenate(([1.0], survival[:-1]))
    incidence = np.cumsum(before * of_interest / at_risk)
    error = np.sqrt(_aalen_variance(of_interest, any_cause, at_risk, before, incidence))
    return IncidenceCurve(times, at_risk, incidence, error, time.size, level)


def _aalen_variance(
    of_interest: Floats, any_cause: Floats, at_risk: Floats, before: Floats, incidence: Floats
) -> Floats:
    """Return the variance of the incidence at each time; ties by the hypergeometric correction."""
    other = any_cause - of_interest
    after = before * (1.0 - any_cause / at_risk)
    inverse = np.divide(1.0, after, out=np.zeros_like(after), where=after > 0)
    ours = before**2 * _tied(of_interest, at_risk) / at_risk**2
    theirs = np.where(after > 0, before**2 * _tied(other, at_risk) / at_risk**2, 0.0)
    scaled = inverse * incidence
    constant = np.cumsum((1.0 + scaled) ** 2 * ours + scaled**2 * theirs)
    linear = np.cumsum(inverse * (1.0 + scaled) * ours + inverse * scaled * theirs)
    square = np.cumsum(inverse**2 * (ours + theirs))
    variance = constant - 2.0 * incidence * linear + incidence**2 * square
    return np.maximum(variance, 0.0)


def _tied(events: Floats, at_risk: Floats) -> Floats:
    """Return events times the correction for several of them at one time."""
    correction = np.divide(events - 1.0, at_risk - 1.0, out=np.zeros_like(events), where=events > 1)
    return events * (1.0 - correction)


def incidence_curves(
    table: pd.DataFrame, *, cause_of_interest: int = 1, level: float = LEVEL
) -> dict[str, IncidenceCurve]:
    """Return the cumulative incidence per arm of a table with columns ``arm``, ``time`` [day], ``cause``."""
    return {
        str(arm): cumulative_incidence(
            rows["time"], rows["cause"], cause_of_interest=cause_of_interest, level=level
        )
        for arm, rows in table.groupby("arm", sort=False, observed=True)
    }
