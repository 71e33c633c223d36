"""The solvers compared: each is a function that simulates patients of a problem and says what CPU time it took."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from seedbed import engine
from seedbed.errors import UnsupportedModelError
from seedbed.study.benchmark import amici
from seedbed.study.benchmark.problems import Array, Problem

BLOCK = 320


@dataclass(frozen=True)
class Peer:
    """A solver.

    Attributes
    ----------
    module : what must be importable
    run : simulates the first n patients at a tolerance; returns what was observed (patients, times, observables; NaN
        where it failed) and the CPU seconds
    obstacle : makes ready for a problem; returns why the solver cannot take it, "" if it can
    most_patients : more than these are not given to it
    """

    module: str
    run: Callable[[Problem, float, int], tuple[Array, float]]
    obstacle: Callable[[Problem], str] = lambda _problem: ""
    most_patients: int = 10**6


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

    from seedbed.study.benchmark.diffsl import Translation

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


def _no_translation(problem: Problem) -> str:
    from seedbed.study.benchmark.diffsl import Translation

    try:
        Translation(problem)
    except UnsupportedModelError as error:
        return str(error)
    return ""


PEERS: dict[str, Peer] = {
    "seedbed": Peer("seedbed", run_seedbed),
    "libRoadRunner": Peer("roadrunner", run_roadrunner),
    "diffsol": Peer("pydiffsol", run_diffsol, _no_translation),
    "AMICI": Peer("amici", amici.run, amici.build, amici.MOST_PATIENTS),
}


def usable(problem: Problem, wanted: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return which of the wanted peers can take a problem, and why the others cannot."""
    reasons = {}
    for name in wanted:
        absent = importlib.util.find_spec(PEERS[name].module) is None
        reasons[name] = "not installed" if absent else PEERS[name].obstacle(problem)
    return [name for name in wanted if not reasons[name]], {name: why for name, why in reasons.items() if why}
