"""Differences between arms of the same virtual patients, and what a trial of different patients would see.

A simulation runs every subject in every arm. The paired difference uses that and is far more precise; the
unpaired one treats the arms as different patients, as a randomized trial must. Both estimate the same number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.analysis.results import LEVEL, Estimate
from seedbed.analysis.survival import SurvivalCurve, kaplan_meier, rmst
from seedbed.analysis.tte import check_tte
from seedbed.errors import TableError, nearest

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairedDifference:
    """The difference between two arms, experimental minus control, with both intervals."""

    paired: Estimate
    unpaired: Estimate
    correlation: float
    """Between the arms, over subjects; NaN where an arm does not vary."""


def mean_difference(
    table: pd.DataFrame, *, value: str, arms: tuple[str, str], level: float = LEVEL
) -> PairedDifference:
    """Return the difference in means (or rates, of a bool column) of two arms.

    Parameters
    ----------
    table : DataFrame with columns ``subject``, ``arm`` and `value`; a row a subject and arm
    value : column of numbers or booleans; subjects missing in either arm are left out of both
    arms : (experimental, control)

    Raises
    ------
    TableError
        A column or arm is missing, or fewer than two subjects have both values.
    """
    one, other = both_arms(table, value=value, arms=arms)
    return _from_contributions(one.mean() - other.mean(), one - one.mean(), other - other.mean(), level)


def both_arms(table: pd.DataFrame, *, value: str, arms: tuple[str, str]) -> tuple[Floats, Floats]:
    """Return the values of the subjects that have one in both arms, in the same order."""
    for name in ("subject", "arm", value):
        if name not in table:
            near = nearest(name, [str(column) for column in table.columns])
            raise TableError(f'column "{name}" is missing' + (f', did you mean "{near}"?' if near else ""))
    wide = table.pivot(index="subject", columns="arm", values=value)
    for arm in arms:
        if arm not in wide:
            raise TableError(f'arm "{arm}" has no subject')
    wide = wide[list(arms)].dropna().astype(float)
    if len(wide) < 2:
        raise TableError(f"{len(wide)} subjects have a value in both arms; a paired difference needs two")
    return wide[arms[0]].to_numpy(), wide[arms[1]].to_numpy()


def _from_contributions(value: float, one: Floats, other: Floats, level: float) -> PairedDifference:
    """Return the estimates from each subject's centered contribution to each arm's result."""
    n = one.size
    paired = float(np.sqrt(((one - other) ** 2).sum() / (n * (n - 1))))
    unpaired = float(np.sqrt(((one**2).sum() + (other**2).sum()) / (n * (n - 1))))
    spread = np.sqrt((one**2).sum() * (other**2).sum())
    correlation = float((one * other).sum() / spread) if spread > 0 else float("nan")
    return PairedDifference(
        Estimate.from_normal(value, paired, n, level), Estimate.from_normal(value, unpaired, n, level), correlation
    )


def survival_difference(
    tte: pd.DataFrame, *, arms: tuple[str, str], time: float, level: float = LEVEL
) -> PairedDifference:
    """Return the difference in Kaplan-Meier survival at a time [day] between arms of the same subjects.

    Parameters
    ----------
    tte : time-to-event table with a column ``subject``; every subject once in each arm
    arms : (experimental, control)
    time : days

    Notes
    -----
    Standard errors from each subject's influence on its arm's curve, whose sum of squares is Greenwood's variance
    up to ties; the paired one subtracts the two influences of a subject first.
    """
    frames = _aligned(tte, arms)
    curves = [kaplan_meier(frame["time"], frame["event"], level=level) for frame in frames]
    points = [curve.at(time).value for curve in curves]
    influence = [
        survival_influence(curve, frame["time"].to_numpy(), frame["event"].to_numpy(), np.array([time]))[:, 0]
        for curve, frame in zip(curves, frames, strict=True)
    ]
    return _from_contributions(points[0] - points[1], influence[0], influence[1], level)


def rmst_difference(
    tte: pd.DataFrame, *, arms: tuple[str, str], horizon: float, level: float = LEVEL
) -> PairedDifference:
    """Return the difference in restricted mean survival time [day] between arms of the same subjects.

    Parameters and notes as in `survival_difference`.
    """
    frames = _aligned(tte, arms)
    curves = [kaplan_meier(frame["time"], frame["event"], level=level) for frame in frames]
    means = [rmst(curve, horizon=horizon).value for curve in curves]
    influence = []
    for curve, frame in zip(curves, frames, strict=True):
        grid = np.concatenate((curve.time[curve.time < horizon], [horizon]))
        by_time = survival_influence(curve, frame["time"].to_numpy(), frame["event"].to_numpy(), grid[:-1])
        influence.append(by_time @ np.diff(grid))
    return _from_contributions(means[0] - means[1], influence[0], influence[1], level)


def _aligned(tte: pd.DataFrame, arms: tuple[str, str]) -> list[pd.DataFrame]:
    chosen = check_tte(tte, arms=arms, strata="subject")
    frames = [chosen[chosen["arm"] == arm].sort_values("subject") for arm in arms]
    first, second = (frame["subject"].to_numpy() for frame in frames)
    if first.size != second.size or (first != second).any() or frames[0]["subject"].duplicated().any():
        raise TableError("a paired difference needs every subject once in each arm")
    return frames


def survival_influence(curve: SurvivalCurve, time: Floats, event: NDArray[np.bool_], grid: Floats) -> Floats:
    r"""Return n times each subject's influence on a Kaplan-Meier curve at the grid's times, (n, grid).

    Notes
    -----
    :math:`-n\hat S(t)\{\delta_i 1(T_i\le t)/(Y(T_i)-d(T_i)) - \sum_{t_j\le\min(t,T_i)} d_j/(Y_j(Y_j-d_j))\}`; where the
    curve falls to zero the influence is zero. Without censoring it is :math:`1(T_i>t)-\hat S(t)`.
    Source: Reid 1981, doi 10.1214/aos/1176345341.
    """
    left = curve.at_risk - curve.events
    per_event = np.divide(1.0, left, out=np.zeros_like(left), where=left > 0)
    terms = np.divide(curve.events, curve.at_risk * left, out=np.zeros_like(left), where=left > 0)
    hazard = np.cumsum(terms)
    own = np.searchsorted(curve.time, time)
    at = np.searchsorted(curve.time, grid, side="right") - 1
    survival = np.where(at >= 0, curve.survival[np.maximum(at, 0)], 1.0)
    reached = np.minimum(own[:, None], at[None, :])
    compensator = np.where(reached >= 0, hazard[np.maximum(reached, 0)], 0.0)
    jump = (event * per_event[own])[:, None] * (own[:, None] <= at[None, :])
    return -curve.n * survival * (jump - compensator)
