"""AMICI as a peer: C++ generated and compiled for each model (minutes, once), doses as events of the document.

Its speed is that of its own solver clock, which leaves out its work around each time point and is kinder to it than
the time a user waits.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.engine import cache, dosing_events
from seedbed.errors import SimulationError

if TYPE_CHECKING:
    from seedbed.study.benchmark.problems import Array, Problem

BUILD_SECONDS = 900
MOST_PATIENTS = 5  # it takes 0.15 s a patient and tolerance, nearly all of it outside the solver
NAME = "benchmarked"
BUILT = "built"


def build(problem: Problem) -> str:
    """Generate and compile the code of a problem unless that is done; return why it failed, "" if it did not."""
    folder, sbml, _ = _place(problem)
    if (folder / BUILT).exists():
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "model.xml"
    source.write_text(sbml, encoding="utf-8")
    command = [sys.executable, "-m", __name__, str(source), str(folder / NAME), *problem.observables]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"its code was not compiled within {BUILD_SECONDS} s"
    if done.returncode != 0:
        return f"its code could not be compiled: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
    (folder / BUILT).touch()
    return ""


def _place(problem: Problem) -> tuple[Path, str, list[str]]:
    sbml, amounts = dosing_events.join(problem.sbml, [(when, state) for when, state, _ in problem.doses])
    digest = hashlib.sha256("\n".join([sbml, *problem.observables]).encode()).hexdigest()[:16]
    return cache.folder() / f"amici-{digest}", sbml, amounts


def run(problem: Problem, tolerance: float, n: int) -> tuple[Array, float]:
    """Simulate with AMICI; the seconds are those of its solver's clock.

    Raises
    ------
    SimulationError
        The code of the problem has not been built.
    """
    import amici
    import amici.sim.sundials as sundials

    folder, _, amounts = _place(problem)
    if not (folder / BUILT).exists():
        raise SimulationError(f"the code of {problem.name} for AMICI has not been built")
    model = amici.import_model_module(NAME, str(folder / NAME)).get_model()
    model.set_timepoints(problem.times)
    solver = model.create_solver()
    solver.set_relative_tolerance(tolerance)
    solver.set_absolute_tolerance(tolerance * problem.absolute_share)
    solver.set_max_steps(10**7)
    solver.set_sensitivity_order(sundials.SensitivityOrder.none)
    solver.set_return_data_reporting_mode(sundials.RDataReporting.observables_likelihood)
    names, middle = list(model.get_free_parameter_ids()), np.array(model.get_free_parameters())
    places = [names.index(name) for name in (*problem.varied, *amounts)]
    observed = np.full((n, len(problem.times), len(problem.observables)), np.nan)
    milliseconds = 0.0
    for patient in range(n):
        values = middle.copy()
        values[places] = [*problem.values[patient], *(given[patient] for _, _, given in problem.doses)]
        model.set_free_parameters(values)
        result: Any = sundials.run_simulation(model, solver)
        if result.status >= 0:
            observed[patient] = np.asarray(result.y).reshape(observed[patient].shape)
        milliseconds += result.cpu_time
    return observed, milliseconds * 1e-3


def _generate(source: str, folder: str, observables: list[str]) -> None:
    from amici import MeasurementChannel
    from amici.importers.sbml import SbmlImporter

    channels = [MeasurementChannel(id_=f"observed_{name}", name=name, formula=name) for name in observables]
    importer = SbmlImporter(source)
    importer.sbml2amici(NAME, folder, observation_model=channels, generate_sensitivity_code=False)


if __name__ == "__main__":
    _generate(sys.argv[1], sys.argv[2], sys.argv[3:])
