"""Does the engine reproduce what other programs computed: the SBML Test Suite, published models, the proposed model.

The files stand in the design folder (`reference` and `bench` of it). Each check is used by ``seedbed bench`` and by the
tests in ``tests/reference/engine``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seedbed import engine
from seedbed.engine import dosing_events
from seedbed.errors import SimulationError, UnsupportedModelError
from seedbed.study.benchmark.problems import Array, population_of_bench47

# ---- SBML Test Suite ---------------------------------------------------------------------------------------
N_CASES = 794


@dataclass(frozen=True)
class Case:
    """Settings and expected results of a case of the SBML Test Suite."""

    variables: list[str]
    amounts: set[str]
    concentrations: set[str]
    absolute: float
    relative: float
    times: Array
    expected: Array


def read_case(folder: Path) -> Case:
    """Read the settings and results of a case."""
    lines = (folder / "settings.txt").read_text(encoding="utf-8").splitlines()
    found = {key.strip(): value.strip() for key, value in (line.split(":", 1) for line in lines if ":" in line)}
    names = {key: [x.strip() for x in found.get(key, "").split(",") if x.strip()] for key in found}
    table = np.genfromtxt(folder / "results.csv", delimiter=",", skip_header=1, ndmin=2)
    return Case(
        names["variables"],
        set(names.get("amount", [])),
        set(names.get("concentration", [])),
        float(found["absolute"]),
        float(found["relative"]),
        table[:, 0],
        table[:, 1 : 1 + len(names["variables"])],
    )


def _observable(network: engine.Network, name: str, case: Case) -> str:
    """Return the formula of a variable as the suite reports it, an amount or a concentration."""
    if name in case.amounts:
        return network.amount(name)
    return network.concentration(name) if name in case.concentrations else name


def largest_miss(folder: Path) -> float:
    """Return the largest difference from the expected results in units of the case's tolerance (pass: <= 1)."""
    case = read_case(folder)
    network = engine.read_model(folder / "model.xml")
    observables = [_observable(network, name, case) for name in case.variables]
    program = engine.compile_model(network, observables=observables, lanes=1)
    longest = None if program.source.clock_is_known else float(np.diff(case.times).min()) / 4
    absolute = 1e-14 if case.absolute < 1e-8 else 1e-12
    batch = program.start(relative_tolerance=1e-8, absolute_tolerance=absolute, max_steps=100_000, max_step=longest)
    found = batch.advance(times=case.times)[0]
    with np.errstate(invalid="ignore"):
        miss = np.abs(found - case.expected) / (case.absolute + case.relative * np.abs(case.expected))
    same = (found == case.expected) | (np.isnan(found) & np.isnan(case.expected))
    return float(np.where(same, 0.0, np.where(np.isnan(miss), np.inf, miss)).max(initial=0.0))


def outcome(folder: Path) -> str:
    """Return "pass", "wrong", "refused" or "refused without a name" for a case."""
    try:
        return "pass" if largest_miss(folder) <= 1 else "wrong"
    except UnsupportedModelError as error:
        return "refused" if error.construct else "refused without a name"


def case_folders(shared: Path) -> list[Path]:
    """Return the folders of the cases."""
    return sorted(p for p in (shared / "reference/sbml_test_suite").iterdir() if (p / "model.xml").exists())


# ---- published models --------------------------------------------------------------------------------------
#: of the largest value of a column, as the README of the reference data asks
TOLERANCE = 1e-4
#: models whose pulses the clock of the engine cannot foresee, with a step below the pulse (the reference used 0.005)
LONGEST_STEP = {"MODEL1708310001": 0.005, "MODEL2211040001": 2000.0}


def published_models(shared: Path) -> list[str]:
    """Return the ids of the published models."""
    with (shared / "reference/index.csv").open(encoding="utf-8") as file:
        return [row["id"] for row in csv.DictReader(file)]


def largest_error(shared: Path, name: str) -> float:
    """Return the largest difference of a published model from its reference, as a share of the column's largest value.

    Raises
    ------
    SimulationError
        The model could not be integrated to the end.
    """
    path = shared / f"reference/reference/{name}.csv"
    columns = path.read_text(encoding="utf-8").split("\n", 1)[0].strip().split(",")[1:]
    table = np.genfromtxt(path, delimiter=",", skip_header=1)
    network = engine.read_model(shared / f"reference/models/{name}.xml")
    observables = [network.concentration(column.strip('"[]')) for column in columns]
    program = engine.compile_model(network, observables=observables, lanes=1)
    batch = program.start(
        start=table[0, 0],
        relative_tolerance=1e-8,
        absolute_tolerance=1e-12,
        max_steps=400_000,
        max_step=LONGEST_STEP.get(name),
    )
    found, expected = batch.advance(times=table[:, 0])[0], table[:, 1:]
    if batch.status["code"][0] != 0:
        raise SimulationError(f"{name}: {batch.status['reason'][0]}")
    scale = np.abs(expected).max(axis=0)
    return float((np.abs(found - expected) / np.where(scale == 0, 1.0, scale)).max())


# ---- the proposed model and bench47 ------------------------------------------------------------------------
SCENARIOS = ("beam_asct_alone", "beam_asct_cart_d2", "beam_asct_cart_d14", "flucy_cart_d0")
DAYS_BEFORE = 12.0  # model time of the files is the day + 12
#: a hundred cells or the like in each state's unit: below it the reference's own absolute error shows (about 3e-14)
FLOOR = 1e-7
NOISE_TOLERANCES = (1e-4, 1e-6, 1e-8)


def proposal_error(shared: Path, scenario: str) -> float:
    """Return the largest error of all states of the proposed model in a scenario, off dosing days."""
    path = shared / f"reference/proposal/{scenario}.csv"
    names = path.read_text(encoding="utf-8").split("\n", 1)[0].strip().split(",")[1:]
    table = np.genfromtxt(path, delimiter=",", skip_header=1)
    network = engine.read_model(shared / f"reference/proposal/{scenario}.xml")
    known = [k for k, name in enumerate(names) if name in network.symbols]
    program = engine.compile_model(network, observables=[names[k] for k in known])
    times, expected = table[:, 0] + DAYS_BEFORE, table[:, 1:][:, known]
    batch = program.start(relative_tolerance=1e-10, absolute_tolerance=1e-14, max_steps=100_000)
    error = np.abs(batch.advance(times=times)[0] - expected) / (np.abs(expected) + FLOOR)
    dosed = [when for when, _, _ in dosing_events.split(network)[1]]
    return float(error[~np.isin(times, dosed)].max())


def cells_from_nothing(shared: Path) -> float:
    """Return the largest CAR-T state before infusion, 200 patients of ``bench47_noise``, over three tolerances."""
    network = engine.read_model(shared / "bench/bench47_noise.xml")
    population = population_of_bench47(shared)
    names = [name for name in population.NAMES if name in network.parameters]
    columns = [population.NAMES.index(name) for name in names]
    program = engine.compile_model(network, varied=names, observables=("CE", "CM", "CI", "CX"))
    values, courses = population.population(200)[:, columns], []
    for tolerance in NOISE_TOLERANCES:
        batch = program.start(values, relative_tolerance=tolerance, absolute_tolerance=tolerance)
        courses.append(batch.advance(times=np.arange(65.0)))
    return float(np.abs(courses).max())  # not a number if a patient failed
