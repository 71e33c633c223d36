"""What a calibration asks of a simulator, and how it works through its batches.

A simulator turns parameter sets into the terms of an arm. Every member is simulated with patients of its own
(their numbers follow from the member's), so that Monte Carlo noise is independent between members and averages
out in the emulators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.calibration.emulator import Simulated
from seedbed.calibration.space import Space
from seedbed.calibration.store import Store
from seedbed.calibration.terms import Terms
from seedbed.errors import SimulationError

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
"""Called with (what is being done, batches done, batches in all)."""


@dataclass(frozen=True)
class MemberTerms:
    """Terms of one arm for K members.

    Attributes
    ----------
    estimate : (K, T) shares, or values on the link scale (log of a median); NaN where there is none
    weight : (K, T) patients in the denominator of a share, or 1/variance of a value; 0 where there is none
    """

    estimate: Floats
    weight: Floats


class Simulator(Protocol):
    """Simulates members of a calibration in one arm."""

    def __call__(
        self, arm: str, parameters: pd.DataFrame, members: NDArray[np.int64], n_subjects: int, seed: int
    ) -> MemberTerms:
        """Simulate members.

        Parameters
        ----------
        arm : arm of the plan
        parameters : one row a member, one column a calibrated parameter, values as they hold in this arm
        members : (K,) unique numbers of the members
        n_subjects : virtual patients a member
        seed : seed of the calibration

        Returns
        -------
        The arm's terms, in the plan's order.
        """
        ...


@dataclass(frozen=True)
class Work:
    """How the members are simulated.

    Attributes
    ----------
    simulate : the simulator
    space, terms : what is calibrated to what
    n_subjects : virtual patients a member and arm
    seed : seed of the calibration
    store : where finished batches are kept
    workers : processes; 1 works in this one
    batch_members : members a batch
    progress : called after each batch
    """

    simulate: Simulator
    space: Space
    terms: Terms
    n_subjects: int
    seed: int
    store: Store
    workers: int = 1
    batch_members: int = 32
    progress: Progress | None = None

    def members(self, round_number: int, coordinates: Mapping[str, Floats]) -> dict[str, Simulated]:
        """Simulate the members of a round in every arm; finished batches are read instead.

        Parameters
        ----------
        round_number : 0 for the design of the prior
        coordinates : per arm (K, d) coordinates of the members
        """
        batches = list(self._batches(round_number, coordinates))
        found = run_batches(self.simulate, batches, self.store, self.workers, self._told(f"round {round_number}"))
        return {
            arm: self._gather(arm, x, [found[b.name] for b in batches if b.arm == arm])
            for arm, x in coordinates.items()
        }

    def _told(self, what: str) -> Callable[[int, int], None] | None:
        progress = self.progress
        return None if progress is None else lambda done, total: progress(what, done, total)

    def _batches(self, round_number: int, coordinates: Mapping[str, Floats]) -> Iterator[Batch]:
        n_members = {len(x) for x in coordinates.values()}
        if len(n_members) != 1:
            raise SimulationError(f"the arms have different numbers of members: {sorted(n_members)}")
        for start in range(0, n_members.pop(), self.batch_members):
            for arm, x in coordinates.items():
                rows = x[start : start + self.batch_members]
                numbers = np.arange(start, start + len(rows), dtype=np.int64) + 1_000_000 * round_number
                name = f"round-{round_number}/{arm}/members-{start:05d}"
                yield Batch(name, arm, self.space.values(rows), numbers, self.n_subjects, self.seed)

    def _gather(self, arm: str, coordinates: Floats, frames: list[pd.DataFrame]) -> Simulated:
        table = pd.concat(frames).to_numpy(float)
        n_terms = len(self.terms.of_arm(arm))
        return Simulated(coordinates, table[:, :n_terms], table[:, n_terms:])


@dataclass(frozen=True)
class Batch:
    """Some members in one arm."""

    name: str
    arm: str
    parameters: pd.DataFrame
    members: NDArray[np.int64]
    n_subjects: int
    seed: int


def run_batch(simulate: Simulator, batch: Batch) -> pd.DataFrame:
    """Simulate a batch; return estimates and weights side by side.

    Raises
    ------
    SimulationError
        The simulator gave another number of members, or a negative weight.
    """
    result = simulate(batch.arm, batch.parameters, batch.members, batch.n_subjects, batch.seed)
    if len(result.estimate) != len(batch.members) or result.estimate.shape != result.weight.shape:
        raise SimulationError(f"{batch.name}: {len(batch.members)} members asked for, {result.estimate.shape} given")
    weight = np.where(np.isfinite(result.estimate), result.weight, 0.0)
    if not np.all(np.isfinite(weight) & (weight >= 0)):
        raise SimulationError(f"{batch.name}: the weight of a term is negative or not a number")
    table = np.hstack([result.estimate, weight])
    return pd.DataFrame(table, columns=[str(i) for i in range(table.shape[1])])


def run_batches(
    simulate: Simulator,
    batches: Sequence[Batch],
    store: Store,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, pd.DataFrame]:
    """Simulate batches, each kept as soon as it is finished; those already kept are read.

    Returns
    -------
    By name of the batch: estimates and weights side by side.
    """
    kept = {batch.name: store.read(batch.name) for batch in batches}
    found = {name: frame for name, frame in kept.items() if frame is not None}
    missing = [batch for batch in batches if batch.name not in found]
    if progress:
        progress(len(found), len(batches))
    for batch, frame in _results(simulate, missing, workers):
        store.write(batch.name, frame)
        found[batch.name] = frame
        if progress:
            progress(len(found), len(batches))
    return found


def _results(simulate: Simulator, batches: list[Batch], workers: int) -> Iterator[tuple[Batch, pd.DataFrame]]:
    if workers <= 1 or len(batches) < 2:
        for batch in batches:
            yield batch, run_batch(simulate, batch)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures: dict[Future[pd.DataFrame], Batch] = {pool.submit(run_batch, simulate, b): b for b in batches}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:  # after an interruption, what has not begun is not worked any more
            pool.shutdown(wait=False, cancel_futures=True)
