"""What is measured in a process of its own, with as few imports as the work needs: ``python -m ... function file``."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace as Problem  # the class itself would import the engine for every solver

BLOCK = 1000


def first_patient_seedbed(problem: Problem) -> None:
    """Compile the model and simulate one patient."""
    from seedbed import engine

    program = engine.compile_model(engine.read_model(problem.sbml), problem.varied, problem.observables)
    program.start(problem.values[:1]).advance(times=problem.times)


def first_patient_roadrunner(problem: Problem) -> None:
    """Load the model into libRoadRunner and simulate one patient."""
    import roadrunner

    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    runner = roadrunner.RoadRunner(problem.sbml)
    for name, value in zip(problem.varied, problem.values[0], strict=True):
        runner[name] = value
    runner.timeCourseSelections = ["time", *problem.observables]
    runner.simulate(problem.times[0], problem.times[-1], len(problem.times))


def reduce(problem: Problem, n: str) -> None:
    """Reduce the courses of n patients while stepping, a block at a time, and print the largest memory in MiB."""
    import numpy as np

    from seedbed import engine
    from seedbed.memory import peak_memory_mib

    reducers = [engine.Peak(f"peak {name}", name) for name in problem.observables]
    program = engine.compile_model(engine.read_model(problem.sbml), problem.varied, (), reducers=reducers)
    for first in range(0, int(n), BLOCK):
        rows = np.arange(first, min(first + BLOCK, int(n))) % len(problem.values)
        doses = [engine.Dose(state, when, amounts[rows]) for when, state, amounts in problem.doses]
        batch = program.start(problem.values[rows], doses=doses, relative_tolerance=1e-4, max_steps=10**6)
        batch.advance(until=float(problem.times[-1]))
        batch.reduced()
    sys.stdout.write(f"{peak_memory_mib()}\n")


if __name__ == "__main__":
    work = {f.__name__: f for f in (first_patient_seedbed, first_patient_roadrunner, reduce)}[sys.argv[1]]
    work(Problem(**pickle.loads(Path(sys.argv[2]).read_bytes())), *sys.argv[3:])
