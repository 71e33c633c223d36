"""Immune effector cell-associated hematotoxicity (ICAHT), EHA/EBMT 2023, and its platelet counterpart.

Source: Rejeski K et al., Blood 2023;142:865-877; cut-points as in the design paper (recalled, to be compared with
the primary text); platelets and counting rules from ash-sap.org/view-large/12809257. Rule identifier
``icaht.ehaebmt2023``. Days count from the (first) CAR-T infusion; early is day 0 to 30, late is after.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = "1"
EARLY_LAST_DAY = 30


def early_grade(
    days_at_most_0_5: ArrayLike, days_at_most_0_1: ArrayLike, never_above_0_5: ArrayLike = False
) -> NDArray[np.int8]:
    """Grade early neutropenia by its length.

    Parameters
    ----------
    days_at_most_0_5, days_at_most_0_1 : days of day 0 to 30 with neutrophils <= 0.5 and <= 0.1e9/L [day]
    never_above_0_5 : no value above 0.5e9/L in that time (bool)

    Returns
    -------
    int8 array, 0 to 4
    """
    low = np.asarray(days_at_most_0_5, dtype=float)
    very_low = np.asarray(days_at_most_0_1, dtype=float)
    by_low = np.select([low >= 14, low >= 7, low >= 1], [3, 2, 1], default=0)
    by_very_low = np.select([very_low >= 14, very_low >= 7], [4, 3], default=0)
    never = np.where(np.asarray(never_above_0_5, dtype=bool), 4, 0)
    return np.maximum(np.maximum(by_low, by_very_low), never).astype(np.int8)


def late_grade(second_lowest_neutrophils: ArrayLike) -> NDArray[np.int8]:
    """Grade late neutropenia (after day 30).

    Parameters
    ----------
    second_lowest_neutrophils : second lowest value [1e9/L], because two measurements must show it; NaN is grade 0

    Returns
    -------
    int8 array, 0 to 4
    """
    value = np.asarray(second_lowest_neutrophils, dtype=float)
    return np.select([value <= 0.1, value <= 0.5, value <= 1.0, value <= 1.5], [4, 3, 2, 1], default=0).astype(np.int8)


def early_thrombocytopenia_grade(days_below_50: ArrayLike, days_below_20: ArrayLike) -> NDArray[np.int8]:
    """Grade early thrombocytopenia by its length.

    Parameters
    ----------
    days_below_50, days_below_20 : days of day 0 to 30 with platelets < 50 and < 20e9/L [day]

    Returns
    -------
    int8 array, 0 to 4
    """
    low = np.asarray(days_below_50, dtype=float)
    very_low = np.asarray(days_below_20, dtype=float)
    by_low = np.select([low >= 7, low >= 1], [2, 1], default=0)
    by_very_low = np.select([very_low >= 14, very_low >= 1], [4, 3], default=0)
    return np.maximum(by_low, by_very_low).astype(np.int8)


def late_thrombocytopenia_grade(
    days_below_100: ArrayLike, days_below_50: ArrayLike, days_below_20: ArrayLike
) -> NDArray[np.int8]:
    """Grade late thrombocytopenia, day 31 to 100.

    Parameters
    ----------
    days_below_100, days_below_50, days_below_20 : days with platelets below that count [day]

    Returns
    -------
    int8 array, 0 to 4
    """
    mild = np.where(np.asarray(days_below_100, dtype=float) >= 1, 1, 0)
    moderate = np.where(np.asarray(days_below_50, dtype=float) >= 1, 2, 0)
    very_low = np.asarray(days_below_20, dtype=float)
    severe = np.select([very_low >= 14, very_low >= 1], [4, 3], default=0)
    return np.maximum(np.maximum(mild, moderate), severe).astype(np.int8)


def days_in_episodes(low: NDArray[np.bool_], recovery_days: int = 3) -> NDArray[np.int64]:
    """Count days of low counts, joining episodes that a recovery of fewer than `recovery_days` days parts.

    Parameters
    ----------
    low : (n, K) whether the count was low on each of K consecutive days
    recovery_days : shortest recovery that ends an episode [day]

    Returns
    -------
    (n,) int array [day]
    """
    joined = low.copy()
    n_days = low.shape[1]
    ever_before = np.maximum.accumulate(low, axis=1)
    ever_after = np.maximum.accumulate(low[:, ::-1], axis=1)[:, ::-1]
    run = np.zeros(low.shape[0], dtype=int)
    for day in range(n_days):
        gap = ~low[:, day] & ever_before[:, day] & ever_after[:, day]
        run = np.where(gap, run + 1, 0)
        ends = gap & (low[:, day + 1] if day + 1 < n_days else False) & (run < recovery_days)
        for back in range(recovery_days - 1):
            fill = ends & (run > back)
            joined[fill, day - back] = True
    return joined.sum(axis=1)
