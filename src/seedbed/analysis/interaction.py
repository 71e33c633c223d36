r"""The square of neither, ASCT, CAR-T, both: whether the whole is more than its parts acting independently.

Independent action (Bliss 1939, with Abbott's correction for what happens under neither): each treatment saves a
share of those who would fail without it, independently, so the expected success under both is
:math:`1-(1-p_A)(1-p_C)/(1-p_0)`. The excess is what is observed beyond it. Beside it stand the excess over the
sum of effects on the probability scale and over the better single treatment: "1 + 1 > 2" depends on the scale,
and the reader sees each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from seedbed.analysis.results import LEVEL, Estimate
from seedbed.analysis.uncertainty import components
from seedbed.errors import TableError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Square:
    """The names of the four arms."""

    neither: str
    first: str
    second: str
    both: str

    def names(self) -> tuple[str, str, str, str]:
        """Return the four names, neither first."""
        return self.neither, self.first, self.second, self.both


@dataclass(frozen=True)
class Excess:
    """Success in the four arms, what independence predicts for both, and the excesses with intervals."""

    success: dict[str, float]
    expected: float
    over_independent_action: Estimate
    over_sum: Estimate
    over_better_single: Estimate


def excess_over_independent_action(table: pd.DataFrame, *, value: str, square: Square, level: float = LEVEL) -> Excess:
    """Return the excess of the combination over independent action, and two other scales.

    Parameters
    ----------
    table : DataFrame with columns ``subject``, ``arm`` and `value`; the same subjects in all four arms
    value : column of a success, bool or a probability in [0, 1]
    square : the names of the arms
    level : level of the intervals

    Returns
    -------
    Excess; intervals by the delta method with the covariance of the four arms over the same subjects.

    Raises
    ------
    TableError
        An arm or column is missing, or everybody succeeds under neither.
    """
    values = _four_arms(table, value, square)
    means = values.mean(axis=0)
    covariance = np.atleast_2d(np.cov(values, rowvar=False)) / len(values)
    return _excess(means, _error_by(covariance), len(values), square, level)


def excess_of_survival(
    success: ArrayLike, standard_error: ArrayLike, *, square: Square, n: int, level: float = LEVEL
) -> Excess:
    """Return the excesses from four independent estimates (neither, first, second, both) and their errors."""
    covariance = np.diag(np.asarray(standard_error, float) ** 2)
    return _excess(np.asarray(success, float), _error_by(covariance), n, square, level)


def excess_of_patients(values: ArrayLike, sets: ArrayLike, *, square: Square, level: float = LEVEL) -> Excess:
    """Return the excesses of patients who take parameter sets; the intervals hold what is not known of those too.

    Parameters
    ----------
    values : (n, 4) success of each patient in (neither, first, second, both)
    sets : (n,) parameter set of each patient

    Notes
    -----
    The delta method: each excess is to first order the mean of a number per patient, whose parameter and Monte Carlo
    parts are those of `seedbed.analysis.uncertainty.components`.
    """
    values = np.asarray(values, dtype=float)
    table = pd.DataFrame({"subject": np.arange(len(values)), "parameter_set": np.asarray(sets)})

    def error(slopes: Floats) -> float:
        parts = components(table.assign(value=values @ slopes))
        return float(np.hypot(parts.parameter_sd or 0.0, parts.monte_carlo_se))

    return _excess(values.mean(axis=0), error, len(values), square, level)


def _four_arms(table: pd.DataFrame, value: str, square: Square) -> Floats:
    for name in ("subject", "arm", value):
        if name not in table:
            raise TableError(f'column "{name}" is missing')
    wide = table.pivot(index="subject", columns="arm", values=value)
    absent = [name for name in square.names() if name not in wide]
    if absent:
        raise TableError(f"arms of the square are missing: {', '.join(absent)}")
    values = wide[list(square.names())].dropna().to_numpy(dtype=float)
    if len(values) < 2:
        raise TableError("the square needs two subjects with a value in all four arms")
    return values


def _error_by(covariance: Floats) -> Callable[[Floats], float]:
    """Return what gives the standard error of a weighted sum of means with a covariance."""
    return lambda slopes: float(np.sqrt(slopes @ covariance @ slopes))


def _excess(means: Floats, error: Callable[[Floats], float], n: int, square: Square, level: float) -> Excess:
    neither, first, second, both = means
    if neither >= 1:
        raise TableError("everybody succeeds under neither treatment: nothing is left to act on")
    left = 1 - neither
    expected = 1 - (1 - first) * (1 - second) / left
    slopes = np.array([(1 - first) * (1 - second) / left**2, -(1 - second) / left, -(1 - first) / left, 1.0])
    single = np.array([0.0, -1.0, 0.0, 1.0]) if first >= second else np.array([0.0, 0.0, -1.0, 1.0])

    def estimate(value: float, gradient: Floats) -> Estimate:
        return Estimate.from_normal(value, error(gradient), n, level)

    return Excess(
        dict(zip(square.names(), map(float, means), strict=True)),
        float(expected),
        estimate(both - expected, slopes),
        estimate(both - first - second + neither, np.array([1.0, -1.0, -1.0, 1.0])),
        estimate(float(single @ means), single),
    )
