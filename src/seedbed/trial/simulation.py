"""Carry one arm's subjects through time: integrate to each visit, let clones live or die, let the clinic act.

At every visit the batch pauses. Each tumor clone that is small is replaced by a whole number of cells
(`seedbed.trial.extinction`), the clinic measures, grades and orders, its orders are given at once, and the
integration goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import engine, streams
from seedbed.model import Model, read_model
from seedbed.trial.clinic import Clinic
from seedbed.trial.extinction import (
    CELLS_PER_UNIT,
    Limits,
    Window,
    founding_counts,
    step_clone,
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


@cache
def network_of(model: str) -> tuple[Model, engine.Network]:
    """Return a model of the library and its expression graph, read once a process."""
    found = read_model(model)
    return found, engine.read_model(found.sbml)


@cache
def program_of(model: str, varied: tuple[str, ...], observables: tuple[str, ...]) -> engine.Program:
    """Return the machine code for one model and choice of varied parameters and observables."""
    _, network = network_of(model)
    fates = tuple(engine.BirthDeath(f"fate_{c}", birth=f"birth_{c}", death=f"death_{c}") for c in CLONES)
    streamed = (
        engine.Peak("cart_peak", of="cart_blood"),
        engine.TimeOfPeak("cart_peak_time", of="cart_blood"),
        engine.Peak("il6_peak", of="IL6_plasma"),
    )
    return engine.compile_model(network, varied=varied, observables=observables, reducers=(*fates, *streamed))


def _absolute_tolerances(model: str) -> dict[str, float]:
    """Return the tolerances that the model's content sets for its states, in their units."""
    states = network_of(model)[0].states.values()
    return {state.id: state.absolute_tolerance for state in states if state.absolute_tolerance is not None}


def simulate(
    model: str, parameters: pd.DataFrame, doses: list[engine.Dose], clinic: Clinic, days: Array, settings: Settings
) -> Course:
    """Carry the subjects of an arm from enrollment to the last visit.

    Parameters
    ----------
    model : id in the library, or path
    parameters : (n) rows, a column for each varied parameter, in the model's units
    doses : scheduled doses, times from enrollment
    clinic : sees the subjects at every visit; holds the record afterwards
    days : (V,) visits [day from enrollment], increasing, the first at enrollment
    """
    program = program_of(model, tuple(parameters.columns), settings.observables)
    batch = program.start(
        parameters.to_numpy(dtype=float),
        start=0.0,
        doses=tuple(doses),
        relative_tolerance=settings.relative_tolerance,
        absolute_tolerance=_absolute_tolerances(model),
    )
    subjects = clinic.subjects
    clones = _Clones(batch, settings.seed, subjects)
    kept: dict[str, list[NDArray[np.float32]]] = {name: [] for name in settings.observables}
    last = np.zeros((len(subjects), len(settings.observables)))
    for day in days:
        batch.advance(until=float(day))
        clones.step(int(day))
        seen = batch.observe()
        last = np.where(np.isnan(seen), last, seen)
        signals = {name: last[:, column] for column, name in enumerate(settings.observables)}
        for order in clinic.visit(float(day), signals):
            batch.dose(order.target, order.amount)
        for name, values in signals.items():
            kept[name].append(values[: settings.kept].astype(np.float32))
    return Course(
        days=days,
        kept={name: np.stack(values, axis=1) for name, values in kept.items()},
        reduced={name: values for name, values in batch.reduced().items() if not name.startswith("fate_")},
        status=batch.status,
    )


class _Clones:
    """The tumor clones of a batch, whole cells where they are few."""

    def __init__(self, batch: engine.Batch, seed: int, subjects: NDArray[np.int64]) -> None:
        self.batch, self.seed, self.subjects = batch, seed, subjects
        self.start: dict[str, Array] = {}
        for clone in CLONES:
            mean = batch.state(f"tumor_{clone}") * CELLS_PER_UNIT
            luck = streams.uniform(seed, f"clone {clone} founders", subjects)
            self.start[clone] = founding_counts(mean, luck, LIMITS)
            batch.set_state(f"tumor_{clone}", self.start[clone] / CELLS_PER_UNIT)

    def step(self, day: int) -> None:
        """Close the window since the last visit: each clone lives or dies, and is counted where it is small."""
        reduced = self.batch.reduced()
        for clone in CLONES:
            end = self.batch.state(f"tumor_{clone}") * CELLS_PER_UNIT
            fate = (reduced[f"fate_{clone}.net_loss"], reduced[f"fate_{clone}.weighted_death"])
            window = Window(self.start[clone], end, *fate)
            cells = step_clone(clone, window, seed=self.seed, subjects=self.subjects, day=day, limits=LIMITS)
            self.batch.set_state(f"tumor_{clone}", cells / CELLS_PER_UNIT, where=cells != end)
            self.start[clone] = cells
            self.batch.reset_reducer(f"fate_{clone}")
