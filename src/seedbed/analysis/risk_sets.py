"""Who is at risk and who has the event at each time, for one trial or for thousands of replicates at once.

Every two-arm statistic here is a sum over the sorted times of a trial. `risk_sets` sorts each replicate once and
counts; ties are resolved by giving every row of a tied time the counts of that time. A trial is the case of one
replicate, so the fast path and the single analysis are the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import TableError

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
CONTROL, EXPERIMENTAL = 0, 1


@dataclass(frozen=True)
class Counts:
    """Counts of one arm at the time of each row: (R, n) arrays."""

    at_risk: Floats
    """How many have time >= t."""
    events: Floats
    """Events at t, on every row of a tied time; sum only over rows where `RiskSets.last`."""
    competing: Floats | None = None
    """Competing events at t, likewise."""


@dataclass(frozen=True)
class RiskSets:
    """Sorted replicates of a two-arm trial.

    All arrays are (R, n): R replicates, n rows sorted by time.
    """

    time: Floats
    last: Booleans
    """The last row of each tied time, the one that carries it in sums."""
    event: Booleans
    event_index: Floats
    """For each row the number of events at the same time on earlier rows, for Efron's method."""
    arms: tuple[Counts, Counts]
    """(control, experimental)."""

    @cached_property
    def at_risk(self) -> Floats:
        """Those at risk in both arms."""
        return self.arms[CONTROL].at_risk + self.arms[EXPERIMENTAL].at_risk

    @cached_property
    def events(self) -> Floats:
        """Events of both arms."""
        return self.arms[CONTROL].events + self.arms[EXPERIMENTAL].events

    @cached_property
    def n_events(self) -> Floats:
        """(R,) number of events of each replicate."""
        return np.where(self.last, self.events, 0.0).sum(axis=-1)


def risk_sets(
    time: ArrayLike,
    event: ArrayLike,
    experimental: ArrayLike,
    *,
    include: ArrayLike | None = None,
    competing: ArrayLike | None = None,
) -> RiskSets:
    """Sort replicates of a trial by time and count who is at risk.

    Parameters
    ----------
    time : (n,) or (R, n) days
    event : bool of the same shape
    experimental : bool of the same shape, True in the experimental arm
    include : bool of the same shape; rows that are False count nowhere (another stratum, not enrolled yet)
    competing : bool of the same shape, True where the time is that of a competing event (``event`` False there)

    Returns
    -------
    RiskSets of (R, n) arrays; one replicate gives R = 1.

    Raises
    ------
    TableError
        The shapes differ or a time is not a number.
    """
    time = np.atleast_2d(np.asarray(time, dtype=float))
    code = _codes(time, event, experimental, include, competing)
    if np.isnan(time).any():
        raise TableError("a time of a trial is not a number")
    order = np.argsort(time, axis=-1)
    time = np.take_along_axis(time, order, axis=-1)
    code = np.take_along_axis(code, order, axis=-1)
    last = np.ones(time.shape, dtype=bool)
    last[:, :-1] = time[:, 1:] != time[:, :-1]
    first = np.ones_like(last)
    first[:, 1:] = last[:, :-1]
    included, is_event = (code & 8) > 0, (code & 2) > 0
    before, _ = _events_of_tie(is_event & included, last)
    arms = tuple(
        _count(code, included & ((code & 1) == arm), first, last, with_competing=competing is not None)
        for arm in (CONTROL, EXPERIMENTAL)
    )
    return RiskSets(time, last, is_event & included, before, (arms[0], arms[1]))


def _codes(
    time: Floats,
    event: ArrayLike,
    experimental: ArrayLike,
    include: ArrayLike | None,
    competing: ArrayLike | None,
) -> NDArray[np.int8]:
    code = np.zeros(time.shape, dtype=np.int8)
    bits = ((1, experimental), (2, event), (4, competing), (8, True if include is None else include))
    for bit, flags in bits:
        if flags is None:
            continue
        flags = np.atleast_2d(np.asarray(flags, dtype=bool))
        if flags.shape != time.shape and flags.size != 1:
            raise TableError(f"the columns of a trial differ in shape: {flags.shape} and {time.shape}")
        code |= np.where(flags, np.int8(bit), np.int8(0))
    return code


def _count(code: NDArray[np.int8], mine: Booleans, first: Booleans, last: Booleans, *, with_competing: bool) -> Counts:
    counted = np.cumsum(mine, axis=-1, dtype=float)
    remaining = counted[:, -1:] - counted + mine
    at_risk = np.minimum.accumulate(np.where(first, remaining, np.inf), axis=-1)
    _, events = _events_of_tie(mine & ((code & 2) > 0), last)
    competing = _events_of_tie(mine & ((code & 4) > 0), last)[1] if with_competing else None
    return Counts(at_risk, events, competing)


def _events_of_tie(event: Booleans, last: Booleans) -> tuple[Floats, Floats]:
    """Return, on every row, the events at its time on earlier rows, and all events at its time."""
    total = np.cumsum(event, axis=-1, dtype=float)
    until_end = np.where(last, total, np.inf)
    end = np.minimum.accumulate(until_end[:, ::-1], axis=-1)[:, ::-1]
    start = np.zeros_like(total)
    start[:, 1:] = np.maximum.accumulate(np.where(last, total, 0.0), axis=-1)[:, :-1]
    return total - event - start, end - start


def survival_of(counts: Counts, last: Booleans) -> Floats:
    """Return the Kaplan-Meier survival just after the time of each row; valid where `last`, (R, n)."""
    usable = last & (counts.at_risk > 0)
    share = np.divide(counts.events, counts.at_risk, out=np.zeros_like(counts.events), where=usable)
    return np.cumprod(1.0 - share, axis=-1)


def greenwood_of(counts: Counts, last: Booleans) -> Floats:
    """Return the terms d / (Y (Y - d)) of Greenwood's variance, zero off the last rows, (R, n)."""
    left = counts.at_risk - counts.events
    usable = last & (left > 0)
    return np.divide(counts.events, counts.at_risk * left, out=np.zeros_like(left), where=usable)


def shift(values: Floats, fill: float) -> Floats:
    """Return the values of the row before each row."""
    moved = np.empty_like(values)
    moved[..., 0] = fill
    moved[..., 1:] = values[..., :-1]
    return moved
