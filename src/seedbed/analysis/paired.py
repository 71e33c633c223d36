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


def milestone_values(days: Floats, event: NDArray[np.bool_], time: float) -> Floats:
    r"""Return pseudo-values of Kaplan-Meier survival at a time; their mean is the estimate.

    Parameters
    ----------
    days : (n,) time to event or censoring [day]
    event : (n,) False where censored
    time : milestone [day]

    Returns
    -------
    (n,) numbers; NaN when follow-up ends before the milestone and the curve is above zero.

    Notes
    -----
    :math:`v_i=\hat S(t)\,[1-\delta_i 1(T_i\le t)\,n/(Y-d)(T_i)+n\sum_{t_j\le\min(t,T_i)} d_j/(Y_j(Y_j-d_j))]`, the
    infinitesimal jackknife of the product-limit estimator; the variance of the mean is Greenwood's.
    Source: Andersen and Perme 2010, doi 10.1177/0962280209105020.
    """
    n = len(days)
    if n == 0 or (days.max() < time and not event[days == days.max()].all()):
        return np.full(n, np.nan)
    times, index = np.unique(days, return_inverse=True)
    events = np.bincount(index, weights=event, minlength=len(times))
    at_risk = (n - np.concatenate(([0], np.cumsum(np.bincount(index))[:-1]))).astype(float)
    inside = times <= time
    survival = float(np.prod(1.0 - events[inside] / at_risk[inside]))
    if survival == 0.0:
        return np.zeros(n)
    left = np.where(inside, at_risk - events, 1.0)
    cumulated = np.cumsum(np.where(inside, events / (at_risk * left), 0.0))
    own = np.where(event & (days <= time), n / left[index], 0.0)
    return survival * (1.0 - own + n * cumulated[index])
