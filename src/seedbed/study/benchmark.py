"""Compare the engine with other solvers: patients per CPU second at equal achieved error.

A `Problem` is a model without events, patients, doses at known times, and what to observe. A peer is a function that
simulates the first patients of a problem at a tolerance and returns what it observed and the CPU seconds it took. To
add one, write such a function and list it in `PEERS`; see ``benchmarks/README.md``.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedbed import documents, engine, library, streams
from seedbed.errors import SimulationError, UnsupportedModelError

Array = NDArray[np.float64]
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
REFERENCE_TOLERANCE = 1e-11
FLOOR_SHARE = 1e-6
BLOCK = 320


@dataclass(frozen=True)
class Problem:
    """What every peer is to simulate.

    Attributes
    ----------
    sbml : a model without events
    varied, values : ids of the parameters that differ, and their values (patients, ids)
    doses : (time, state, amount of each patient); the state jumps by the amount
    times : when to observe, from 0 on; whole multiples of a step that doses fall on
    observables : ids; floors : value below which an observable counts as nothing, in its unit
    reference : exact course of the first patients (patients, times, observables), or None to compute it
    absolute_share : absolute tolerance given to every solver, as a share of the relative one, for the model's units
    """

    name: str
    sbml: str
    varied: tuple[str, ...]
    values: Array
    doses: tuple[tuple[float, str, Array], ...]
    times: Array
    observables: tuple[str, ...]
    floors: Array | None = None
    reference: Array | None = None
    absolute_share: float = 1.0

    def dosed_at(self, patient: int) -> list[tuple[float, list[tuple[str, float]]]]:
        """Return the doses of a patient by time, ascending."""
        by_time: dict[float, list[tuple[str, float]]] = {}
        for when, state, amounts in self.doses:
            by_time.setdefault(when, []).append((state, float(amounts[patient])))
        return sorted(by_time.items())


@dataclass(frozen=True)
class Measurement:
    """Speed and error of one peer at one tolerance."""

    peer: str
    tolerance: float
    patients_per_second: float
    error: float
    worst_error: float


Peer = Callable[[Problem, float, int], tuple[Array, float]]


# ---- peers -------------------------------------------------------------------------------------------------
def run_seedbed(problem: Problem, tolerance: float, n: int) -> tuple[Array, float]:
    """Simulate with this engine; patients are repeated to fill lanes as a trial does."""
    program = _program(problem)
    rows = np.arange(max(n, BLOCK)) % len(problem.values[:n])
    doses = [engine.Dose(state, when, amounts[:n][rows]) for when, state, amounts in problem.doses]
    values = dict(zip(problem.varied, problem.values[:n][rows].T, strict=True))
    started = time.process_time()
    batch = program.start(
        values,
        n=len(rows),
        doses=doses,
        relative_tolerance=tolerance,
        absolute_tolerance=tolerance * problem.absolute_share,
        max_steps=10**6,
    )
    observed = batch.advance(times=problem.times)
    return observed[:n], (time.process_time() - started) * n / len(rows)


def _program(problem: Problem) -> engine.Program:
    return engine.compile_model(engine.read_model(problem.sbml), problem.varied, problem.observables)


def run_roadrunner(problem: Problem, tolerance: float, n: int) -> tuple[Array, float]:
    """Simulate with libRoadRunner (CVODE), doses given by hand between calls as an expert user does."""
    import roadrunner

    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    runner = roadrunner.RoadRunner(problem.sbml)
    runner.integrator.relative_tolerance = tolerance
    runner.integrator.absolute_tolerance = tolerance * problem.absolute_share
    runner.integrator.maximum_num_steps = 10**7
    runner.timeCourseSelections = ["time", *problem.observables]
    observed = np.full((n, len(problem.times), len(problem.observables)), np.nan)
    started = time.process_time()
    for patient in range(n):
        runner.resetAll()
        for name, value in zip(problem.varied, problem.values[patient], strict=True):
            runner[name] = value
        runner.reset()
        try:
            with _quiet():
                _roadrunner_course(runner, problem, patient, observed[patient])
        except RuntimeError:
            observed[patient] = np.nan
    return observed, time.process_time() - started


@contextmanager
def _quiet() -> Iterator[None]:
    """Send what a C library prints to nowhere: CVODE warns thousands of times about its first step after a dose."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _roadrunner_course(runner: object, problem: Problem, patient: int, observed: Array) -> None:
    step = problem.times[1] - problem.times[0]
    begin = problem.times[0]
    for when, doses in [*problem.dosed_at(patient), (problem.times[-1], [])]:
        if when > begin:
            first, last = round((begin - problem.times[0]) / step), round((when - problem.times[0]) / step)
            rows = runner.simulate(begin, when, last - first + 1)  # type: ignore[attr-defined]
            observed[first : last + 1] = np.asarray(rows)[:, 1:]
            begin = when
        for state, amount in doses:
            runner[state] = runner[state] + amount  # type: ignore[index]


def run_diffsol(problem: Problem, tolerance: float, n: int) -> tuple[Array, float]:
    """Simulate with diffsol's sparse BDF, its model written from our expression graph, in segments between doses."""
    import pydiffsol

    from seedbed.study.diffsl import Translation

    model = Translation(problem)
    solver = pydiffsol.Ode(
        model.text, jit_backend=pydiffsol.llvm, matrix_type=pydiffsol.faer_sparse, ode_solver=pydiffsol.bdf
    )
    solver.rtol, solver.atol = tolerance, tolerance * problem.absolute_share
    observed = np.full((n, len(problem.times), len(problem.observables)), np.nan)
    solver.solve_dense(model.inputs(0), problem.times[1:2])  # compile before the clock starts
    started = time.process_time()
    for patient in range(n):
        try:
            states = _diffsol_course(solver, model, problem, patient)
        except RuntimeError:
            continue
        observed[patient] = model.observe(patient, states)
    return observed, time.process_time() - started


def _diffsol_course(solver: object, model: object, problem: Problem, patient: int) -> Array:
    inputs = model.inputs(patient)  # type: ignore[attr-defined]
    n_states = model.n_states  # type: ignore[attr-defined]
    states = np.empty((n_states, len(problem.times)))
    state, begin = inputs[-n_states:].copy(), problem.times[0]
    states[:, 0] = state
    for when, doses in [*problem.dosed_at(patient), (problem.times[-1], [])]:
        inside = (problem.times > begin) & (problem.times <= when)
        if inside.any():
            inputs[-n_states:] = state
            solver.t0 = float(begin)  # type: ignore[attr-defined]
            rows = np.asarray(solver.solve_dense(inputs, problem.times[inside]).ys)  # type: ignore[attr-defined]
            states[:, inside], state, begin = rows, rows[:, -1].copy(), when
        for name, amount in doses:
            state[model.number(name)] += amount  # type: ignore[attr-defined]
    return states


PEERS: dict[str, tuple[str, Peer]] = {
    "seedbed": ("seedbed", run_seedbed),
    "libRoadRunner": ("roadrunner", run_roadrunner),
    "diffsol": ("pydiffsol", run_diffsol),
}


def installed() -> list[str]:
    """Return the names of the peers that can be imported."""
    return [name for name, (module, _) in PEERS.items() if importlib.util.find_spec(module) is not None]


# ---- comparing ---------------------------------------------------------------------------------------------
def with_reference(problem: Problem, n: int) -> Problem:
    """Return the problem with a reference course of its first patients, by this engine at a tight tolerance."""
    reference = problem.reference
    if reference is None:
        reference = run_seedbed(problem, REFERENCE_TOLERANCE, n)[0]
    if np.isnan(reference).any():
        raise SimulationError(f"{problem.name}: no reference course at tolerance {REFERENCE_TOLERANCE:g}")
    floors = problem.floors
    if floors is None:
        largest = np.abs(reference).max(axis=(0, 1))
        floors = np.where(largest > 0, largest * FLOOR_SHARE, 1.0)
    return replace(problem, reference=reference[:n], floors=floors)


def errors_of(problem: Problem, observed: Array) -> Array:
    """Return each patient's largest error |y - reference| / (|reference| + floor), off the dosing times."""
    if problem.reference is None:
        raise SimulationError(f"{problem.name}: errors need a reference course; see with_reference")
    keep = ~np.isin(problem.times, [when for when, _, _ in problem.doses])
    reference = problem.reference[: len(observed)]
    error = np.abs(observed - reference) / (np.abs(reference) + problem.floors)
    return np.where(np.isnan(error), np.inf, error)[:, keep].max(axis=(1, 2))


def measure(
    problem: Problem, peers: Sequence[str], tolerances: Sequence[float], n: int, rounds: int
) -> list[Measurement]:
    """Run all peers at all tolerances, interleaved, and keep the median speed of the rounds."""
    speeds: dict[tuple[str, float], list[float]] = {}
    errors: dict[tuple[str, float], Array] = {}
    for _ in range(rounds):
        for tolerance in tolerances:
            for peer in peers:
                observed, seconds = PEERS[peer][1](problem, tolerance, n)
                speeds.setdefault((peer, tolerance), []).append(n / seconds)
                errors[peer, tolerance] = errors_of(problem, observed)
    return [
        Measurement(peer, tolerance, float(np.median(values)), float(np.median(errors[key])), float(errors[key].max()))
        for key, values in speeds.items()
        for peer, tolerance in [key]
    ]


def speed_at_error(measurements: Sequence[Measurement], peer: str, error: float) -> tuple[float, bool]:
    """Return the speed of a peer at an achieved error, log-log between its tolerances.

    Returns
    -------
    speed, inside : `inside` is False when the error lies outside what was measured and the nearest end is given
    """
    mine = sorted((m.error, m.patients_per_second) for m in measurements if m.peer == peer and np.isfinite(m.error))
    if not mine:
        return float("nan"), False
    x, y = np.log([e for e, _ in mine]), np.log([s for _, s in mine])
    inside = bool(x[0] <= np.log(error) <= x[-1])
    return float(np.exp(np.interp(np.log(error), x, y))), inside


def sampled_values(sbml: str, varied: Sequence[str], spread: float, n: int, seed: int = 1) -> Array:
    """Return log-normal values around those of the model, coefficient of variation `spread`."""
    network = engine.read_model(sbml)
    middle = np.array([network.parameters[name].getValue() for name in varied], dtype=float)
    width = np.sqrt(np.log1p(spread**2))
    luck = [streams.normal(seed, f"benchmark {name}", np.arange(n)) for name in varied]
    return middle * np.exp(width * np.array(luck).reshape(len(varied), n).T)


# ---- problems ----------------------------------------------------------------------------------------------
class DoseEntry(documents.Content):
    """A dose given on some days."""

    target: str
    amount: float
    days: tuple[float, ...]


class BenchmarkFile(documents.Content):
    """A benchmark of the library: a model of the library with doses, spread and observables."""

    model: str
    until: float
    observables: dict[str, float]
    spread: float
    varied: tuple[str, ...]
    absolute_share: float
    doses: tuple[DoseEntry, ...]


def library_problem(name: str, n: int) -> Problem:
    """Return a benchmark problem of the library, such as ``asct_cart``.

    Raises
    ------
    ContentError
        The file is wrong, or there is none of this name.
    """
    from seedbed.model import read_model

    content = documents.read(library.find("benchmarks", name), BenchmarkFile)
    model = read_model(content.model)
    doses = [(day, d.target, np.full(n, d.amount)) for d in content.doses for day in d.days]
    return Problem(
        name=name,
        sbml=model.sbml,
        varied=content.varied,
        values=sampled_values(model.sbml, content.varied, content.spread, n),
        doses=tuple(doses),
        times=np.arange(0.0, content.until + 1),
        observables=tuple(content.observables),
        floors=np.array(list(content.observables.values())),
        absolute_share=content.absolute_share,
    )


def file_problem(path: str, until: float, n: int, points: int = 101) -> Problem:
    """Return a problem from any model file: its states observed, up to twenty parameters varied by 10 %.

    Raises
    ------
    UnsupportedModelError
        The model has events, which not every peer can be given alike.
    """
    network = engine.read_model(path)
    if network.model.getNumEvents():
        raise UnsupportedModelError("events in a benchmark model", network.name, "give doses in a library benchmark")
    taken = {*network.rules, *network.initial_assignments}
    usable = [k for k, p in network.parameters.items() if k not in taken and p.getConstant() and p.getValue() > 0]
    varied = tuple(usable[:20])
    program = engine.compile_model(network, varied)
    values = sampled_values(network.sbml, varied, 0.1, n)
    return Problem(network.name, network.sbml, varied, values, (), np.linspace(0.0, until, points), program.observables)
