"""Which days of a record are visits, and values between them: schedules, interpolation, runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.trial.clinic import ClinicalRecord
from seedbed.trial.measurement import Values
from seedbed.trial.rules import Schedule


def blood_days(record: ClinicalRecord, schedule: Schedule) -> NDArray[np.bool_]:
    """Return on which days of the grid each subject's blood is drawn, (n, V).

    Daily from some days before the first infusion, then the first grid day of each slot after the last; a subject
    without infusion counts from enrollment.
    """
    infusions = np.stack([record.stem_cell_day, record.cart_day])
    first = np.nan_to_num(np.fmin(infusions[0], infusions[1]))
    last = np.nan_to_num(np.fmax(infusions[0], infusions[1]))
    since = record.days[None, :] - last[:, None]
    slot = np.zeros_like(since)
    begin = 0.0
    for number, part in enumerate(schedule.blood_slots):
        inside = (since >= begin) & (since < part.until)
        slot = np.where(inside, (number + 1) * 1e6 + np.floor((since - begin) / part.every_days), slot)
        begin = part.until
    before = since < 0
    slot = np.where(before, -1e6 + np.floor(record.days[None, :]), slot)
    early = record.days[None, :] < (first - schedule.daily_before_first_infusion_days)[:, None]
    slot = np.where(before & early, -2e6 + np.floor(record.days[None, :] / 7.0), slot)
    new = np.ones(slot.shape, dtype=bool)
    new[:, 1:] = slot[:, 1:] != slot[:, :-1]
    return new


def nearest_visit(days: Values, targets: NDArray[np.floating], window_days: float) -> NDArray[np.int64]:
    """Return the grid position nearest to each target day, -1 where none lies within the window.

    Parameters
    ----------
    days : (V,) grid [day]
    targets : any shape [day]; NaN gives -1
    window_days : largest distance [day]
    """
    wanted = np.nan_to_num(targets, nan=-1e9)
    right = np.clip(np.searchsorted(days, wanted), 0, len(days) - 1)
    left = np.maximum(right - 1, 0)
    position = np.where(np.abs(days[left] - wanted) <= np.abs(days[right] - wanted), left, right)
    return np.where(np.abs(days[position] - wanted) <= window_days, position, -1)


def at(values: NDArray, position: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return values (n, V) at positions (n,) or (n, S); NaN where the position is -1."""
    index = position[:, None] if position.ndim == 1 else position
    taken = np.take_along_axis(values, np.maximum(index, 0), axis=1).astype(float)
    taken = np.where(index < 0, np.nan, taken)
    return taken[:, 0] if position.ndim == 1 else taken


def value_on_day(
    record: ClinicalRecord, name: str, drawn: NDArray[np.bool_], target: Values, window_days: float
) -> Values:
    """Return the drawn value nearest to a day of each subject, NaN without one in the window, (n,)."""
    days, values = record.days, record.measurements[name].astype(float)
    distance = np.where(drawn & ~np.isnan(values), np.abs(days[None, :] - target[:, None]), np.inf)
    distance = np.where(np.isnan(distance), np.inf, distance)
    nearest = np.argmin(distance, axis=1)
    rows = np.arange(len(target))
    return np.where(distance[rows, nearest] <= window_days, values[rows, nearest], np.nan)


def daily_values(
    days: Values, values: NDArray, drawn: NDArray[np.bool_], origin: Values, offsets: ArrayLike, gap_days: float
) -> NDArray[np.float64]:
    """Interpolate drawn values to whole days after each subject's origin.

    Parameters
    ----------
    days : (V,) grid [day]
    values, drawn : (n, V) values, and whether they were drawn
    origin : (n,) day 0 [day], NaN gives NaN
    offsets : (K,) days after the origin [day]
    gap_days : between draws further apart than this nothing is interpolated [day]

    Returns
    -------
    (n, K) float array, NaN where unknown
    """
    usable = drawn & ~np.isnan(values)
    position = np.arange(len(days))[None, :]
    before = np.maximum.accumulate(np.where(usable, position, -1), axis=1)
    after = np.minimum.accumulate(np.where(usable, position, len(days))[:, ::-1], axis=1)[:, ::-1]
    target = origin[:, None] + np.asarray(offsets, dtype=float)[None, :]
    wanted = np.nan_to_num(target, nan=-1e9)
    left_column = np.searchsorted(days, wanted, side="right") - 1
    left = np.where(left_column < 0, -1, np.take_along_axis(before, np.maximum(left_column, 0), axis=1))
    right_column = np.minimum(np.searchsorted(days, wanted, side="left"), len(days) - 1)
    right = np.take_along_axis(after, right_column, axis=1)
    known = (left >= 0) & (right < len(days))
    left, right = np.maximum(left, 0), np.minimum(right, len(days) - 1)
    span = days[right] - days[left]
    known &= (span <= gap_days) & (wanted <= days[-1])
    weight = np.where(span > 0, (wanted - days[left]) / np.where(span > 0, span, 1.0), 0.0)
    low, high = np.take_along_axis(values, left, axis=1), np.take_along_axis(values, right, axis=1)
    return np.where(known, low + weight * (high - low), np.nan)


def given_before(record: ClinicalRecord, kinds: tuple[str, ...], window_days: float) -> NDArray[np.bool_]:
    """Return whether a drug of some kinds was given within the window before each grid day, (n, V)."""
    given = given_on(record, kinds)
    day_given = np.where(given, record.days[None, :], -np.inf)
    last = np.maximum.accumulate(day_given, axis=1)
    earlier = np.full_like(last, -np.inf)
    earlier[:, 1:] = last[:, :-1]
    return record.days[None, :] - earlier <= window_days


def given_on(record: ClinicalRecord, kinds: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return whether a drug of some kinds was given on each grid day, (n, V)."""
    given = np.zeros((len(record.subjects), len(record.days)), dtype=bool)
    table = record.treatments
    chosen = table[table["kind"].isin(kinds)]
    if len(chosen):
        row = _rows(record, chosen["subject"].to_numpy())
        given[row, np.searchsorted(record.days, chosen["day"].to_numpy(dtype=float) - 1e-6)] = True
    return given


def _rows(record: ClinicalRecord, subjects: NDArray) -> NDArray[np.int64]:
    order = np.argsort(record.subjects)
    return order[np.searchsorted(record.subjects[order], subjects)]


def rows_of(record: ClinicalRecord, subjects: NDArray) -> NDArray[np.int64]:
    """Return the rows of the record that hold some subjects."""
    return _rows(record, subjects)
