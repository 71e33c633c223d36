"""Carry one arm's subjects through time: integrate to each visit, let clones live or die, let the clinic act.

At every visit the batch pauses. Each tumor clone that is small is replaced by a whole number of cells
(`seedbed.trial.extinction`), the clinic measures, grades and orders, its orders are given at once, and the
integration goes on from there. Arms that are alike until some day are integrated together until then.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import engine, library, streams
from seedbed.model import Model, read_model
from seedbed.trial.care import Order
from seedbed.trial.clinic import Clinic
from seedbed.trial.extinction import (
    CELLS_PER_UNIT,
    Limits,
    Window,
    founding_counts,
    step_clones,
)

Array = NDArray[np.float64]
CLONES = (
    "double_positive",
    "antigen1_negative",
    "antigen2_negative",
    "double_negative",
    "cns_positive",
    "cns_negative",
)
CAR_T = ("cart_infused_blood", "cart_memory", "cart_effector", "cart_exhausted", "cart_effector_cns")
DAYS_BEFORE, DAYS_AFTER, WEEKS_UNTIL = 1.0, 42.0, 230.0
LIMITS = Limits()


@dataclass(frozen=True)
class Settings:
    """How one arm is integrated."""

    seed: int
    until_days: float
    relative_tolerance: float
    observables: tuple[str, ...]
    kept: int = 0


@dataclass(frozen=True)
class Course:
    """What the integration of one arm left.

    Attributes
    ----------
    days : (V,) visits [day from enrollment]
    kept : name -> (k, V), the course of the first k subjects
    reduced : name -> (n,), what was streamed over the whole time
    status : one row a subject: ``code``, ``reason``, ``time``, ``steps``, ``rejected``
    """

    days: Array
    kept: dict[str, NDArray[np.float32]]
    reduced: dict[str, Array]
    status: pd.DataFrame

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Return which subjects were not integrated to the end."""
        return self.status["code"].to_numpy() != 0


def visit_days(arm_table: pd.DataFrame, until_days: float) -> Array:
    """Return the visits of an arm [day from enrollment]: daily around the treatment, weekly, then every four weeks.

    Parameters
    ----------
    arm_table : ``conditioning_day``, ``stem_cell_day``, ``cart_day``; NaN where something is not given
    until_days : the last visit
    """
    given = arm_table[["conditioning_day", "stem_cell_day", "cart_day"]].to_numpy(dtype=float)
    first, last = (np.nanmin(given), np.nanmax(given)) if np.isfinite(given).any() else (0.0, 0.0)
    begin, end = max(np.floor(first) - DAYS_BEFORE, 0.0), np.ceil(last) + DAYS_AFTER
    weekly_end = np.ceil(last) + WEEKS_UNTIL
    days = np.concatenate(
        [
            np.arange(0.0, begin, 7.0),
            np.arange(begin, end, 1.0),
            np.arange(end, weekly_end, 7.0),
            np.arange(weekly_end, until_days, 28.0),
        ]
    )
    return np.append(days[days < until_days], until_days)


@library.cached
def network_of(model: str) -> tuple[Model, engine.Network]:
    """Return a model of the library and its expression graph, read once a process."""
    found = read_model(model)
    return found, engine.read_model(found.sbml)


@library.cached
def program_of(model: str, varied: tuple[str, ...], observables: tuple[str, ...]) -> engine.Program:
    """Return the machine code for one model and choice of varied parameters and observables."""
    found, network = network_of(model)
    fates = tuple(engine.BirthDeath(f"fate_{c}", birth=f"birth_{c}", death=f"death_{c}") for c in CLONES)
    streamed = (
        engine.Peak("cart_peak", of="cart_blood"),
        engine.TimeOfPeak("cart_peak_time", of="cart_blood"),
        engine.Peak("il6_peak", of="IL6_plasma"),
    )
    reducers = (*fates, *streamed)
    states = tuple(found.states)
    return engine.compile_model(network, varied, observables, reducers, nonnegative=states)


def _absolute_tolerances(model: str) -> dict[str, float]:
    """Return the tolerances that the model's content sets for its states, in their units."""
    states = network_of(model)[0].states.values()
    return {state.id: state.absolute_tolerance for state in states if state.absolute_tolerance is not None}


@dataclass(frozen=True)
class Task:
    """One arm to be carried through time.

    Attributes
    ----------
    parameters : (n) rows, a column for each varied parameter, in the model's units
    doses : scheduled doses, times from enrollment
    clinic : sees the subjects at every visit; holds the record afterwards
    days : (V,) visits [day from enrollment], increasing, the first at enrollment
    """

    parameters: pd.DataFrame
    doses: list[engine.Dose]
    clinic: Clinic
    days: Array


def simulate(
    model: str, parameters: pd.DataFrame, doses: list[engine.Dose], clinic: Clinic, days: Array, settings: Settings
) -> Course:
    """Carry the subjects of an arm from enrollment to the last visit.

    Parameters
    ----------
    model : id in the library, or path
    parameters, doses, clinic, days : see `Task`
    """
    return dict(simulate_arms(model, [Task(parameters, doses, clinic, days)], settings))[0]


def simulate_arms(model: str, tasks: Sequence[Task], settings: Settings) -> Iterator[tuple[int, Course]]:
    """Carry the subjects of several arms through time; what arms have in common is integrated once.

    Arms with equal parameters share one batch until the first visit or dose in which they differ, or until their
    clinics first order something different; then the batch branches. Every arm's course has the same bits as when it
    is simulated alone.

    Yields
    ------
    (position in `tasks`, course), each as soon as its arm has reached its end
    """
    for members in _alike(tasks):
        first = tasks[members[0]]
        program = program_of(model, tuple(first.parameters.columns), settings.observables)
        batch = program.start(
            first.parameters.to_numpy(dtype=float),
            start=0.0,
            doses=tuple(first.doses),
            relative_tolerance=settings.relative_tolerance,
            absolute_tolerance=_absolute_tolerances(model),
        )
        clones = _Clones(batch, settings.seed, first.clinic.subjects)
        yield from _Branch(tasks, members, settings, batch, clones).follow()


def _alike(tasks: Sequence[Task]) -> list[list[int]]:
    """Return groups of tasks with the same subjects and parameters, bit for bit."""
    groups: dict[tuple[tuple[str, ...], bytes, bytes], list[int]] = {}
    for position, task in enumerate(tasks):
        values = np.ascontiguousarray(task.parameters.to_numpy(dtype=float))
        key = (tuple(task.parameters.columns), values.tobytes(), task.clinic.subjects.tobytes())
        groups.setdefault(key, []).append(position)
    return list(groups.values())


class _Branch:
    """A batch and the arms that are still alike in it."""

    def __init__(
        self, tasks: Sequence[Task], members: list[int], settings: Settings, batch: engine.Batch, clones: _Clones
    ) -> None:
        self.tasks, self.members, self.settings = tasks, members, settings
        self.batch, self.clones = batch, clones
        self.partings: dict[tuple[int, int], float] = {}
        self.kept: dict[str, list[NDArray[np.float32]]] = {name: [] for name in settings.observables}
        self.last = np.zeros((len(clones.subjects), len(settings.observables)))
        self.visit = 0

    def follow(self) -> Iterator[tuple[int, Course]]:
        """Carry the arms to their ends, branching where they part."""
        while self.visit < len(self.tasks[self.members[0]].days):
            parts = self._parted_by_schedule()
            if len(parts) > 1:
                yield from self._apart(parts)
                return
            orders = self._to_next_visit()
            parts = self._parted_by_orders(orders)
            others = [self._with(part) for part in parts[1:]]
            self.members = parts[0]
            for branch, part in zip((self, *others), parts, strict=True):
                for order in orders[part[0]]:
                    branch.batch.dose(order.target, order.amount)
            for branch in others:
                yield from branch.follow()
        for member in self.members:
            yield member, self._course(member)

    def _apart(self, parts: list[list[int]]) -> Iterator[tuple[int, Course]]:
        branches = [self._with(part) for part in parts]
        for branch in branches:
            yield from branch.follow()

    def _with(self, members: list[int]) -> _Branch:
        """Return an independent branch of some of the arms, with their own doses to come."""
        batch = self.batch.branch(self.tasks[members[0]].doses)
        branch = _Branch(self.tasks, members, self.settings, batch, self.clones.copy(batch))
        branch.kept = {name: list(values) for name, values in self.kept.items()}
        branch.last, branch.visit, branch.partings = self.last.copy(), self.visit, self.partings
        return branch

    def _parted_by_schedule(self) -> list[list[int]]:
        """Return the arms by their next visit and by what they are given before it."""
        parts: list[list[int]] = []
        for member in self.members:
            part = next((part for part in parts if self._same_until_visit(part[0], member)), None)
            parts.append([member]) if part is None else part.append(member)
        return parts

    def _same_until_visit(self, one: int, other: int) -> bool:
        days = [self.tasks[member].days for member in (one, other)]
        if self.visit >= len(days[1]) or days[0][self.visit] != days[1][self.visit]:
            return False
        if (one, other) not in self.partings:
            doses = (self.tasks[member].doses for member in (one, other))
            self.partings[one, other] = first_difference(*doses, n=len(self.last))
        return self.partings[one, other] >= days[0][self.visit]

    def _parted_by_orders(self, orders: dict[int, list[Order]]) -> list[list[int]]:
        parts: dict[tuple[tuple[str, bytes], ...], list[int]] = {}
        for member in self.members:
            key = tuple((order.target, np.asarray(order.amount, dtype=float).tobytes()) for order in orders[member])
            parts.setdefault(key, []).append(member)
        return list(parts.values())

    def _to_next_visit(self) -> dict[int, list[Order]]:
        """Integrate to the next visit, count the clones, and return what each arm's clinic orders."""
        day = float(self.tasks[self.members[0]].days[self.visit])
        self.batch.advance(until=day)
        self.clones.step(int(day))
        _end_car_t_below_one_cell(self.batch)
        seen = self.batch.observe()
        self.last = np.where(np.isnan(seen), self.last, seen)
        signals = {name: self.last[:, column] for column, name in enumerate(self.settings.observables)}
        for name, values in signals.items():
            self.kept[name].append(values[: self.settings.kept].astype(np.float32))
        self.visit += 1
        return {member: self.tasks[member].clinic.visit(day, signals) for member in self.members}

    def _course(self, member: int) -> Course:
        return Course(
            days=self.tasks[member].days,
            kept={name: np.stack(values, axis=1) for name, values in self.kept.items()},
            reduced={name: values for name, values in self.batch.reduced().items() if not name.startswith("fate_")},
            status=self.batch.status,
        )


def _end_car_t_below_one_cell(batch: engine.Batch) -> None:
    """Set each CAR-T population of less than one cell to zero: a fraction of a cell must not expand at relapse."""
    for name in CAR_T:
        cells = batch.state(name)
        too_few = (cells > 0) & (cells * CELLS_PER_UNIT < 1)
        if too_few.any():
            batch.set_state(name, 0.0, where=too_few)


def first_difference(one: Sequence[engine.Dose], other: Sequence[engine.Dose], n: int) -> float:
    """Return the first time at which two schedules of n subjects give anything different; inf when they never do."""
    if one is other:
        return np.inf
    tables = [_in_time(doses, n, width=max(len(one), len(other))) for doses in (one, other)]
    (times, amounts, targets), (their_times, their_amounts, their_targets) = tables
    differs = (times != their_times) | (amounts != their_amounts) | (targets != their_targets)
    return float(np.min(np.where(differs, np.minimum(times, their_times), np.inf), initial=np.inf))


def _in_time(doses: Sequence[engine.Dose], n: int, width: int) -> tuple[Array, Array, NDArray[np.str_]]:
    """Return times, amounts and targets of doses for each subject in the order they are given, absent ones at inf."""
    times, amounts = np.full((n, width), np.inf), np.zeros((n, width))
    targets = np.full((n, width), "", dtype="U64")
    for column, dose in enumerate(doses):
        when, amount = (np.broadcast_to(np.asarray(x, dtype=float), (n,)) for x in (dose.time, dose.amount))
        given = ~np.isnan(when) & ~np.isnan(amount)
        times[given, column], amounts[given, column], targets[given, column] = when[given], amount[given], dose.target
    order = np.argsort(times, axis=1, kind="stable")
    return tuple(np.take_along_axis(table, order, axis=1) for table in (times, amounts, targets))  # type: ignore


class _Clones:
    """The tumor clones of a batch, whole cells where they are few; `start` holds them at the last visit, (k, n)."""

    def __init__(self, batch: engine.Batch, seed: int, subjects: NDArray[np.int64]) -> None:
        self.batch, self.seed, self.subjects = batch, seed, subjects
        luck = np.stack([streams.uniform(seed, f"clone {clone} founders", subjects) for clone in CLONES])
        self.start = founding_counts(self._cells(), luck, LIMITS)
        self._set(self.start, np.ones(self.start.shape, dtype=bool))

    def _cells(self) -> Array:
        return np.stack([self.batch.state(f"tumor_{clone}") for clone in CLONES]) * CELLS_PER_UNIT

    def _set(self, cells: Array, where: NDArray[np.bool_]) -> None:
        for clone, values, mask in zip(CLONES, cells / CELLS_PER_UNIT, where, strict=True):
            if mask.any():
                self.batch.set_state(f"tumor_{clone}", values, where=mask)

    def copy(self, batch: engine.Batch) -> _Clones:
        """Return the same clones of a batch that branched off."""
        twin = copy.copy(self)
        twin.batch = batch
        return twin

    def step(self, day: int) -> None:
        """Close the window since the last visit: each clone lives or dies, and is counted where it is small."""
        end, reduced = self._cells(), self.batch.reduced()
        loss, weighted_death = (
            np.stack([reduced[f"fate_{clone}.{what}"] for clone in CLONES]) for what in ("net_loss", "weighted_death")
        )
        window = Window(self.start, end, loss, weighted_death)
        cells = step_clones(CLONES, window, seed=self.seed, subjects=self.subjects, day=day, limits=LIMITS)
        self._set(cells, (cells != end) & np.isfinite(cells))  # a patient whose solve failed has no state to count
        self.start = cells
        for clone in CLONES:
            self.batch.reset_reducer(f"fate_{clone}")
