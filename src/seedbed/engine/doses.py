"""Doses at known times, one time and amount for each patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.engine.system import System
from seedbed.errors import SimulationError, unknown


@dataclass(frozen=True)
class Dose:
    """An amount added to a state at a time.

    Attributes
    ----------
    target : id of a state; the amount is in the units formulas see (a concentration for a concentration)
    time : model time, one number or one for each patient; NaN means not given
    amount : one number, one for each patient (NaN means not given), or a formula of parameters such as ``"D * BSA"``
    """

    target: str
    time: ArrayLike
    amount: ArrayLike | str


@dataclass(frozen=True)
class DoseTable:
    """All doses sorted by time for each patient; shape (patients, doses), absent ones at infinity."""

    times: NDArray[np.float64]
    amounts: NDArray[np.float64]
    targets: NDArray[np.int64]


def per_patient(values: ArrayLike, n: int, what: str) -> NDArray[np.float64]:
    """Return values as one number for each of n patients.

    Raises
    ------
    SimulationError
        The shape is neither () nor (n,), or a value is infinite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((), (n,)):
        raise SimulationError(f"{what} has shape {array.shape}; expected one number or {n}, one for each patient")
    if np.isinf(array).any():
        raise SimulationError(f"{what} is infinite; use NaN for a dose that is not given")
    return np.broadcast_to(array, (n,))


def state_number(system: System, name: str, what: str) -> int:
    """Return the number of a state, or refuse an unknown id with the nearest one."""
    if name not in system.states:
        raise SimulationError(str(unknown(what, name, system.states)))
    return system.states.index(name)


def tabulate(
    doses: Sequence[Dose], amounts: Sequence[NDArray[np.float64]], targets: Sequence[int], n: int, start: float
) -> DoseTable:
    """Sort doses by time for each patient; doses at the same time keep the order given.

    Raises
    ------
    SimulationError
        A dose lies before the start, or a time or amount has the wrong shape or is infinite.
    """
    times = np.full((n, len(doses)), np.inf)
    values = np.zeros((n, len(doses)))
    for k, dose in enumerate(doses):
        when = per_patient(dose.time, n, f"the time of dose {k + 1} ({dose.target})")
        given = ~np.isnan(when) & ~np.isnan(amounts[k])
        early = given & (when < start)
        if early.any():
            first = int(np.flatnonzero(early)[0])
            raise SimulationError(
                f"dose {k + 1} ({dose.target}) of patient {first} is at {when[first]}, before the start {start}"
            )
        times[given, k] = when[given]
        values[given, k] = amounts[k][given]
    order = np.argsort(times, axis=1, kind="stable")
    chosen = np.broadcast_to(np.asarray(targets, dtype=np.int64), times.shape)
    sort = [np.ascontiguousarray(np.take_along_axis(a, order, axis=1)) for a in (times, values, chosen)]
    return DoseTable(sort[0], sort[1], sort[2])
