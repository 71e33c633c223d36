"""Exact intervals of rates whose counts are known, and an approximate one where only the sample size is."""

from __future__ import annotations

import math

from scipy import stats


def clopper_pearson(events: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a rate.

    Parameters
    ----------
    events, n : count and denominator [1]; `events` need not be whole, for rates of a known sample size only
    level : coverage, between 0 and 1

    Returns
    -------
    (lower, upper)
        Fractions. For whole counts the interval covers the true rate in at least `level` of all samples.

    Notes
    -----
    Beta quantiles, Clopper & Pearson 1934; agrees with ``statsmodels.stats.proportion.proportion_confint``.

    Examples
    --------
    >>> lower, upper = clopper_pearson(0, 16)
    >>> lower, round(upper, 4)
    (0.0, 0.2059)
    """
    if not (n > 0 and 0 <= events <= n):
        return math.nan, math.nan
    tail = (1 - level) / 2
    lower = float(stats.beta.ppf(tail, events, n - events + 1)) if events > 0 else 0.0
    upper = float(stats.beta.ppf(1 - tail, events + 1, n - events)) if events < n else 1.0
    return lower, upper
