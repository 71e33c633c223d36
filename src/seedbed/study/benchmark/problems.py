"""What the solvers of a comparison simulate: problems of the library, of a model file, of the design folder."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedbed import documents, engine, library, streams
from seedbed.engine import dosing_events
from seedbed.errors import SimulationError, UnsupportedModelError

Array = NDArray[np.float64]
SHARED = "SEEDBED_SHARED"
PROPOSAL = "reference/proposal/beam_asct_cart_d2.xml"
PROPOSAL_OBSERVABLES = {
    "ANC": 0.01, "PLT": 1, "IL6": 1, "CEF": 1e-3, "CMM": 1e-3, "SPP": 1e-3, "CRP": 0.1, "FER": 1, "TRG": 0.01,
    "MPR": 1e-3, "I15": 0.01, "MON": 0.01,
}  # fmt: skip


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


def variable_parameters(network: engine.Network) -> tuple[str, ...]:
    """Return the ids of the constant, positive parameters whose value no formula gives."""
    taken = {*network.rules, *network.initial_assignments}
    return tuple(k for k, p in network.parameters.items() if k not in taken and p.getConstant() and p.getValue() > 0)


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
    return Problem(
        name=name,
        sbml=model.sbml,
        varied=content.varied,
        values=sampled_values(model.sbml, content.varied, content.spread, n),
        doses=tuple((day, target, np.full(n, amount)) for day, target, amount in benchmark_doses(name)),
        times=np.arange(0.0, content.until + 1),
        observables=tuple(content.observables),
        floors=np.array(list(content.observables.values())),
        absolute_share=content.absolute_share,
    )


def benchmark_doses(name: str) -> tuple[tuple[float, str, float], ...]:
    """Return the doses (time, state, amount) of a benchmark of the library; none if there is none of this name."""
    if name not in library.names("benchmarks"):
        return ()
    content = documents.read(library.find("benchmarks", name), BenchmarkFile)
    return tuple((day, dose.target, dose.amount) for dose in content.doses for day in dose.days)


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
    varied = variable_parameters(network)[:20]
    program = engine.compile_model(network, varied)
    values = sampled_values(network.sbml, varied, 0.1, n)
    return Problem(network.name, network.sbml, varied, values, (), np.linspace(0.0, until, points), program.observables)


# ---- problems of the design folder -------------------------------------------------------------------------
def design_folder(given: Path | None = None) -> Path | None:
    """Return the design folder: `given`, else ``$SEEDBED_SHARED``, else ``../shared``; None if it is not there.

    Raises
    ------
    SimulationError
        `given` is not a folder.
    """
    if given is not None and not given.is_dir():
        raise SimulationError(f"there is no folder {str(given)!r}; give the folder that holds bench and reference")
    folder = given or Path(os.environ.get(SHARED, "../shared"))
    return folder if folder.is_dir() else None


def population_of_bench47(shared: Path) -> Any:
    """Return the module with the population, doses and observables of ``bench47``."""
    location = importlib.util.spec_from_file_location("bench47_population", shared / "bench/population.py")
    module = importlib.util.module_from_spec(location)  # type: ignore[arg-type]
    location.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def bench47(shared: Path, n: int) -> Problem:
    """Return the 47-state benchmark with its own population, doses and reference course (of 20 patients)."""
    population = population_of_bench47(shared)
    sbml = (shared / "bench/bench47_noev.xml").read_text(encoding="utf-8")
    values = population.population(1000)[:n]
    given = [(float(day), state, formula) for day, doses in population.DOSES for state, formula in doses.items()]
    times, observables = np.arange(731.0), tuple(population.OUT)
    table = np.loadtxt(shared / "bench/reference_20pts.csv.gz", delimiter=",", skiprows=1)[:, 2:]
    return Problem(
        name="bench47",
        sbml=sbml,
        varied=tuple(population.NAMES),
        values=values,
        doses=_evaluated(sbml, population.NAMES, values, given),
        times=times,
        observables=observables,
        floors=np.array([population.FLOOR[name] for name in observables]),
        reference=table.reshape(20, len(times), len(observables))[:n],
    )


def proposal(shared: Path, n: int) -> Problem:
    """Return the proposed 59-state model, BEAM and CAR-T on day +2, 45 of its parameters varied."""
    network, given = dosing_events.split(engine.read_model(shared / PROPOSAL))
    varied = variable_parameters(network)[:45]
    values = sampled_values(network.sbml, varied, 0.15, n)
    return Problem(
        name="proposal",
        sbml=network.sbml,
        varied=varied,
        values=values,
        doses=_evaluated(network.sbml, varied, values, given),
        times=np.arange(743.0),
        observables=tuple(PROPOSAL_OBSERVABLES),
        floors=np.array(list(PROPOSAL_OBSERVABLES.values()), dtype=float),
        absolute_share=1e-6,
    )


def _evaluated(
    sbml: str, varied: Sequence[str], values: Array, given: Sequence[tuple[float, str, str]]
) -> tuple[tuple[float, str, Array], ...]:
    batch = engine.compile_model(engine.read_model(sbml), varied).start(values)
    doses = [(day, state, np.array(batch.evaluate(formula))) for day, state, formula in given]
    return tuple(sorted(doses, key=lambda dose: dose[0]))
