"""Rates: exact and score intervals, differences of independent and of paired rates, bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from seedbed.analysis.results import LEVEL, Estimate, normal_quantile
from seedbed.errors import TableError


def binomial(successes: int, n: int, *, level: float = LEVEL) -> Estimate:
    """Return a rate with its exact interval (Clopper and Pearson 1934).

    Parameters
    ----------
    successes : number of subjects with the event
    n : number of subjects

    Returns
    -------
    Estimate; the standard error is that of the binomial, sqrt(p (1 - p) / n).

    Raises
    ------
    TableError
        There is no subject, or there are more events than subjects.

    Examples
    --------
    >>> estimate = binomial(8, 10)
    >>> round(estimate.lower, 4), round(estimate.upper, 4)
    (0.4439, 0.9748)
    """
    if n <= 0 or not 0 <= successes <= n:
        raise TableError(f"a rate needs 0 <= events <= n and n > 0; got {successes} of {n}")
    tail = (1 - level) / 2
    lower = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    upper = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    rate = successes / n
    return Estimate(rate, lower, upper, float(np.sqrt(rate * (1 - rate) / n)), n, level)


def rate_difference(one: tuple[int, int], other: tuple[int, int], *, level: float = LEVEL) -> Estimate:
    """Return the difference of two independent rates with the hybrid score interval (Newcombe 1998, method 10).

    Parameters
    ----------
    one, other : (events, n) of each arm; the difference is one minus other

    Examples
    --------
    >>> difference = rate_difference((56, 70), (48, 80))
    >>> round(difference.lower, 4), round(difference.upper, 4)
    (0.0524, 0.3339)
    """
    z = normal_quantile(level)
    (rate1, low1, high1), (rate2, low2, high2) = (_wilson(*counts, z) for counts in (one, other))
    value = rate1 - rate2
    lower = value - np.hypot(rate1 - low1, high2 - rate2)
    upper = value + np.hypot(high1 - rate1, rate2 - low2)
    error = np.sqrt(rate1 * (1 - rate1) / one[1] + rate2 * (1 - rate2) / other[1])
    return Estimate(value, float(lower), float(upper), float(error), one[1] + other[1], level)


def _wilson(successes: float, n: float, z: float) -> tuple[float, float, float]:
    if n <= 0 or not 0 <= successes <= n:
        raise TableError(f"a rate needs 0 <= events <= n and n > 0; got {successes} of {n}")
    rate = successes / n
    center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return rate, float(max(0.0, center - half)), float(min(1.0, center + half))


def score_interval(rate: float, n: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a rate (Wilson 1927); `n` may be an effective number.

    Examples
    --------
    >>> lower, upper = score_interval(0.0, 60)
    >>> lower, round(upper, 4)
    (0.0, 0.0602)
    """
    return _wilson(rate * n, n, normal_quantile(level))[1:]


def paired_difference(values: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Return the difference of two rates in the same subjects with the interval of Bonett and Price (2012).

    Parameters
    ----------
    values : (n,) 1, 0 or -1: what each subject's outcome differs by

    Examples
    --------
    >>> found = paired_difference([0.0] * 60)
    >>> found.value, round(found.lower, 4), round(found.upper, 4)
    (0.0, -0.0447, 0.0447)
    """
    values = np.asarray(values, dtype=float)
    n = values.size
    if n == 0 or not np.isin(values, (-1.0, 0.0, 1.0)).all():
        raise TableError("a paired difference of rates needs subjects whose values are -1, 0 or 1")
    more, fewer = (float((values == sign).sum() + 1) / (n + 2) for sign in (1.0, -1.0))
    center, half = more - fewer, normal_quantile(level) * np.sqrt((more + fewer - (more - fewer) ** 2) / (n + 2))
    error = float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    value, lower, upper = float(values.mean()), float(max(center - half, -1.0)), float(min(center + half, 1.0))
    return Estimate(value, lower, upper, error, n, level)


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], float],
    *,
    seed: int,
    n_resamples: int = 2000,
    level: float = LEVEL,
) -> Estimate:
    """Return a statistic with its percentile bootstrap interval.

    Parameters
    ----------
    values : (n,) or (n, m) numbers, a row a subject; rows are resampled together
    statistic : function of such an array
    seed : seed of the resampling
    n_resamples : number of resamples

    Returns
    -------
    Estimate; ``standard_error`` is the standard deviation over the resamples.
    """
    values = np.asarray(values, dtype=float)
    if len(values) == 0:
        raise TableError("a bootstrap needs at least one subject")
    generator = np.random.Generator(np.random.Philox(seed))
    draws = np.array([statistic(values[generator.integers(0, len(values), len(values))]) for _ in range(n_resamples)])
    tail = (1 - level) / 2
    lower, upper = np.nanquantile(draws, [tail, 1 - tail])
    value = float(statistic(values))
    return Estimate(value, float(lower), float(upper), float(np.nanstd(draws, ddof=1)), len(values), level)
