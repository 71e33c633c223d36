"""Engraftment as the CIBMTR's forms define it.

Source: cibmtr.org forms instruction manuals, form 2100 questions 8 to 18 (neutrophils, platelets >= 20 and >= 50,
seven days without transfusion); the worked platelet examples there are golden vectors of the tests. Rule identifier
``eng.cibmtr``. Death without recovery is a competing event and is not decided here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VERSION = "1"
TRANSFUSION_WINDOW_DAYS = 7.0


def neutrophil_engraftment_day(
    days: NDArray[np.floating],
    counts: NDArray[np.floating],
    *,
    threshold: float = 0.5,
    consecutive: int = 3,
    nadir_window_days: float = 30.0,
) -> NDArray[np.floating]:
    """Day of the first of three consecutive values at or above the threshold, after the nadir.

    Parameters
    ----------
    days : (n, V) days since the stem cells [day]; negative before
    counts : (n, V) neutrophils [1e9/L]; NaN where not measured
    threshold : [1e9/L]
    consecutive : values needed, each on another day
    nadir_window_days : the nadir is the lowest value of day 0 to this day [day]

    Returns
    -------
    (n,) float array [day]
        NaN: never engrafted, or the count never fell below the threshold (see `never_below`).
    """
    order_days, values = _only_measured(days, counts)
    after = _after_nadir(order_days, values, nadir_window_days)
    day = _first_of_run(order_days, (values >= threshold) & after & (order_days >= 0), consecutive)
    return np.where(never_below(days, counts, threshold), np.nan, day)


def platelet_engraftment_day(
    days: NDArray[np.floating],
    counts: NDArray[np.floating],
    transfused: NDArray[np.bool_],
    *,
    threshold: float = 20.0,
    consecutive: int = 3,
    nadir_window_days: float = 30.0,
) -> NDArray[np.floating]:
    """Day of the first of three consecutive values at or above the threshold, seven days after any transfusion.

    Values before the nadir do not count, as for neutrophils.

    Parameters
    ----------
    days : (n, V) days since the stem cells [day]
    counts : (n, V) platelets [1e9/L]; NaN where not measured
    transfused : (n, V) platelets were transfused on that day
    threshold : 20 or 50 [1e9/L]
    consecutive : values needed, each on another day
    nadir_window_days : the nadir is the lowest value of day 0 to this day [day]

    Returns
    -------
    (n,) float array [day]
        NaN: never engrafted, or never below the threshold and never transfused.
    """
    given = np.where(transfused, days, -np.inf)
    last_transfusion = np.maximum.accumulate(given, axis=1)
    free = days - last_transfusion >= TRANSFUSION_WINDOW_DAYS
    order_days, values, is_free = _only_measured(days, counts, free)
    good = (values >= threshold) & _after_nadir(order_days, values, nadir_window_days)
    starts = good & (is_free > 0) & (order_days >= 0)
    day = _first_of_run(order_days, good, consecutive, starts)
    untouched = never_below(days, counts, threshold) & ~(transfused & (days >= 0)).any(axis=1)
    return np.where(untouched, np.nan, day)


def never_below(days: NDArray[np.floating], counts: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Whether no measured value since day 0 lies below the threshold: engraftment does not apply.

    Parameters
    ----------
    days, counts : (n, V) as above
    threshold : [1e9/L]

    Returns
    -------
    (n,) bool array
    """
    return ~((days >= 0) & (counts < threshold)).any(axis=1)


def primary_graft_failure(
    days: NDArray[np.floating], neutrophils: NDArray[np.floating], platelets: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """No neutrophils >= 0.5e9/L by day 30 with platelets below 20e9/L at the end of that time.

    Parameters
    ----------
    days : (n, V) days since the stem cells [day]
    neutrophils, platelets : (n, V) [1e9/L]

    Returns
    -------
    (n,) bool array

    Notes
    -----
    Source: ASTCT/EBMT consensus, PMC11161398 table 1 (blood stem cells); pancytopenia read from platelets.
    """
    late = (days >= 3) & (days <= 30)
    measured = late & ~np.isnan(neutrophils)
    reached = (measured & (neutrophils >= 0.5)).any(axis=1)
    last = neutrophils.shape[1] - 1 - np.argmax((late & ~np.isnan(platelets))[:, ::-1], axis=1)
    low_platelets = np.take_along_axis(platelets, last[:, None], axis=1)[:, 0] < 20
    return measured.any(axis=1) & ~reached & low_platelets & (np.nanmax(days, axis=1, initial=-np.inf) >= 30)


def _after_nadir(days: NDArray, values: NDArray, window_days: float) -> NDArray[np.bool_]:
    within = (days >= 0) & (days <= window_days) & ~np.isnan(values)
    nadir = np.argmin(np.where(within, values, np.inf), axis=1)
    return np.arange(values.shape[1])[None, :] >= nadir[:, None]


def _only_measured(days: NDArray, values: NDArray, *others: NDArray) -> tuple[NDArray, ...]:
    """Move measured values to the front of every row, keeping their order; the rest is NaN."""
    missing = np.isnan(values) | np.isnan(days)
    order = np.argsort(missing, axis=1, kind="stable")
    columns = [np.take_along_axis(np.where(missing, np.nan, item), order, axis=1) for item in (days, values, *others)]
    return tuple(columns)


def _first_of_run(
    days: NDArray, good: NDArray[np.bool_], length: int, starts: NDArray[np.bool_] | None = None
) -> NDArray[np.floating]:
    run = good.copy() if starts is None else starts.copy()
    n_values = good.shape[1]
    for ahead in range(1, length):
        following = np.zeros_like(good)
        following[:, : n_values - ahead] = good[:, ahead:]
        run &= following
    found = run.any(axis=1)
    first = np.take_along_axis(days, np.argmax(run, axis=1)[:, None], axis=1)[:, 0]
    return np.where(found, first, np.nan)
