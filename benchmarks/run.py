"""Measure the engine against the solvers installed: ``python benchmarks/run.py [bench47|proposal|asct_cart] ...``."""

from __future__ import annotations

import argparse
import time

import numpy as np
import problems

from seedbed import engine
from seedbed.study import benchmark

ERRORS = {"bench47": 1e-4, "proposal": 2e-5, "asct_cart": 2e-5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="*", default=list(ERRORS), choices=list(ERRORS))
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for name in arguments.problems:
        compare(name, arguments.patients, arguments.rounds)
    widths()


def make(name: str, n: int) -> benchmark.Problem:
    return getattr(problems, name)(n) if hasattr(problems, name) else benchmark.library_problem(name, n)


def compare(name: str, n: int, rounds: int) -> None:
    problem = benchmark.with_reference(make(name, n), n)
    peers = benchmark.installed()
    rows = benchmark.measure(problem, peers, benchmark.TOLERANCES, n, rounds)
    print(f"\n{name}: solver, tolerance, patients per CPU second, median error, worst error")
    for row in sorted(rows, key=lambda r: (r.peer, -r.tolerance)):
        print(f"{row.peer:14s} {row.tolerance:g} {row.patients_per_second:10.1f} {row.error:.1e} {row.worst_error:.1e}")
    own, _ = benchmark.speed_at_error(rows, "seedbed", ERRORS[name])
    for peer in peers:
        speed, inside = benchmark.speed_at_error(rows, peer, ERRORS[name])
        print(f"at error {ERRORS[name]:g}: {peer} {speed:.1f}{'' if inside else '*'}, ratio {own / speed:.1f}")


def widths(tolerance: float = 1e-6, n: int = 320) -> None:
    """Measure lane widths, single precision and threads on bench47."""
    problem = problems.bench47(20)
    network, rows = engine.read_model(problem.sbml), np.arange(n) % 20
    doses = [engine.Dose(state, day, amounts[rows]) for day, state, amounts in problem.doses]
    for label, made, threads in (
        ("1 lane", {"lanes": 1}, 1), ("4 lanes", {"lanes": 4}, 1), ("widest", {}, 1), ("widest, 2 threads", {}, 2),
        ("float32", {"float_type": "float32"}, 1),
    ):  # fmt: skip
        program = engine.compile_model(network, problem.varied, problem.observables, **made)
        spent = []
        for _ in range(3):
            batch = program.start(
                problem.values[rows], doses=doses, threads=threads,
                relative_tolerance=tolerance, absolute_tolerance=tolerance,
            )  # fmt: skip
            clocks = time.process_time(), time.perf_counter()
            observed = batch.advance(times=problem.times)
            spent.append((time.process_time() - clocks[0], time.perf_counter() - clocks[1]))
        cpu, wall = np.median(spent, axis=0)
        error = np.median(benchmark.errors_of(problem, observed[:20]))
        print(f"{label}: {n / cpu:.0f} patients per CPU second, {n / wall:.0f} per second, median error {error:.1e}")


if __name__ == "__main__":
    main()
