"""Run a case of the SBML Test Suite: its settings, its expected results, and how they compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seedbed import engine


@dataclass(frozen=True)
class Case:
    """Settings and expected results of a case."""

    variables: list[str]
    amounts: set[str]
    concentrations: set[str]
    absolute: float
    relative: float
    times: np.ndarray
    expected: np.ndarray


def read_case(folder: Path) -> Case:
    lines = (folder / "settings.txt").read_text().splitlines()
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


def observable(network: engine.Network, name: str, case: Case) -> str:
    """Return the formula of a variable as the suite reports it, an amount or a concentration."""
    species = network.species.get(name)
    if species is None:
        return name
    if name in case.amounts and not species.getHasOnlySubstanceUnits():
        return f"{name}*{species.getCompartment()}"
    if name in case.concentrations and species.getHasOnlySubstanceUnits():
        return f"{name}/{species.getCompartment()}"
    return name


def largest_miss(folder: Path) -> float:
    """Return the largest difference from the expected results in units of the case's tolerance (pass: <= 1)."""
    case = read_case(folder)
    network = engine.read_model(folder / "model.xml")
    program = engine.compile_model(network, observables=[observable(network, v, case) for v in case.variables], lanes=1)
    longest = None if program.source.clock_is_known else float(np.diff(case.times).min()) / 4
    absolute = 1e-14 if case.absolute < 1e-8 else 1e-12
    batch = program.start(relative_tolerance=1e-8, absolute_tolerance=absolute, max_steps=100_000, max_step=longest)
    found = batch.advance(times=case.times)[0]
    with np.errstate(invalid="ignore"):
        miss = np.abs(found - case.expected) / (case.absolute + case.relative * np.abs(case.expected))
    same = (found == case.expected) | (np.isnan(found) & np.isnan(case.expected))
    return float(np.where(same, 0.0, np.where(np.isnan(miss), np.inf, miss)).max(initial=0.0))
