"""What the engine is held to by itself: lanes, threads, start, cache, memory, equal bits, use of the core."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from seedbed import engine
from seedbed.engine import cache, machine, throughput
from seedbed.study.benchmark.problems import Array, Problem

TOLERANCE = 1e-6
PATIENTS = 320


class Repeated:
    """The patients of a problem repeated to any number, ready to be started in any order."""

    def __init__(self, problem: Problem, n: int = PATIENTS) -> None:
        self.problem, self.network = problem, engine.read_model(problem.sbml)
        self.rows = np.arange(n) % len(problem.values)

    def program(self, lanes: int | None = None) -> engine.Program:
        """Compile the problem's model."""
        return engine.compile_model(self.network, self.problem.varied, self.problem.observables, lanes=lanes)

    def start(self, program: engine.Program, rows: Array | None = None, threads: int = 1) -> engine.Batch:
        """Start patients by the rows of the problem they repeat."""
        rows = self.rows if rows is None else rows
        return program.start(
            self.problem.values[rows],
            doses=[engine.Dose(state, when, amounts[rows]) for when, state, amounts in self.problem.doses],
            relative_tolerance=TOLERANCE,
            absolute_tolerance=TOLERANCE * self.problem.absolute_share,
            max_steps=10**6,
            threads=threads,
        )

    def seconds(self, program: engine.Program, clock: Callable[[], float], threads: int = 1) -> float:
        """Return the seconds that all patients take to the end."""
        batch = self.start(program, threads=threads)
        started = clock()
        batch.advance(times=self.problem.times)
        return clock() - started


def lane_gain(problem: Problem, lanes: int, rounds: int) -> float:
    """Return how many times faster `lanes` lanes are than one, by CPU time, median of interleaved rounds."""
    patients = Repeated(problem)
    one, many = patients.program(lanes=1), patients.program(lanes=lanes)
    clock = time.process_time
    return median(patients.seconds(one, clock) / patients.seconds(many, clock) for _ in range(rounds))


def thread_gain(problem: Problem, rounds: int) -> float:
    """Return how many times faster two threads are than one, by wall time, median of interleaved rounds."""
    patients = Repeated(problem, 5 * PATIENTS)
    program, clock = patients.program(), time.perf_counter
    return median(patients.seconds(program, clock) / patients.seconds(program, clock, threads=2) for _ in range(rounds))


def share_of_peak(problem: Problem, rounds: int) -> tuple[float, float, int]:
    """Return the share of the core's peak that is used, the peak [operations/s], and the operations of a step."""
    patients = Repeated(problem)
    program = patients.program()
    operations = throughput.operations_of_step(program.source)
    shares, peaks = [], []
    for _ in range(rounds):
        peaks.append(throughput.peak(program.target))
        batch, started = patients.start(program), time.process_time()
        batch.advance(times=problem.times)
        done = operations * int(batch.status["steps"].sum()) / (time.process_time() - started)
        shares.append(done / peaks[-1])
    return median(shares), median(peaks), operations


def cache_share(problem: Problem, rounds: int) -> tuple[float, float]:
    """Return the wall seconds to load the kernel from the cache and to compile it."""
    program = Repeated(problem).program()
    name, loads, compiles = cache.key(program.source.text, *machine.host(), program.target), [], []
    for _ in range(rounds):
        started = time.perf_counter()
        machine.load_object(machine.compile_text(program.source.text))
        compiles.append(time.perf_counter() - started)
        started = time.perf_counter()
        machine.load_object(cache.read(name) or machine.compile_text(program.source.text))
        loads.append(time.perf_counter() - started)
    return median(loads), median(compiles)


def differing_numbers(problem: Problem) -> int:
    """Return how many results change in any bit under order, subset, splitting, threads or lane width."""
    patients = Repeated(problem, 2 * len(problem.values) + 1)
    program, rows = patients.program(), patients.rows

    def observe(chosen: Array, made: engine.Program = program, threads: int = 1) -> Array:
        return patients.start(made, chosen, threads).advance(times=problem.times)

    whole, middle = observe(rows), len(rows) // 2
    trials = [
        (observe(rows[::-1])[::-1], whole),
        (observe(rows[::3]), whole[::3]),
        (np.concatenate([observe(rows[:middle]), observe(rows[middle:])]), whole),
        (observe(rows, threads=2), whole),
        *((observe(rows, patients.program(lanes=lanes)), whole) for lanes in (1, 2, 4, 8)),
    ]
    return sum(int((found.view(np.int64) != expected.view(np.int64)).sum()) for found, expected in trials)


# ---- measured in processes of their own --------------------------------------------------------------------
def first_patient_seconds(problem: Problem, rounds: int) -> tuple[float, float]:
    """Return the wall seconds from nothing to the first patient's course, engine and libRoadRunner, caches empty."""
    spent: dict[str, list[float]] = {"seedbed": [], "roadrunner": []}
    for _ in range(rounds):
        for solver, seconds in spent.items():
            started = time.perf_counter()
            _in_a_process(f"first_patient_{solver}", problem, empty_cache=True)
            seconds.append(time.perf_counter() - started)
    return median(spent["seedbed"]), median(spent["roadrunner"])


def peak_mebibytes(problem: Problem, n: int) -> float:
    """Return the peak memory [MiB] of a process that reduces the courses of n patients as it steps, kernel cached."""
    _in_a_process("reduce", problem, 1)
    return float(_in_a_process("reduce", problem, n))


def _in_a_process(function: str, problem: Problem, *arguments: int, empty_cache: bool = False) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problem"
        file.write_bytes(pickle.dumps(vars(problem)))
        command = [sys.executable, "-m", f"{__package__}.alone", function, str(file), *map(str, arguments)]
        environment = {**os.environ, cache.VARIABLE: folder if empty_cache else str(cache.folder())}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def median(values: Sequence[float] | object) -> float:
    """Return the median of some numbers."""
    return float(np.median(list(values)))  # type: ignore[call-overload]
