"""Evidence: independent. Published SBML models against trajectories by libRoadRunner at rtol 1e-10."""

import csv

import numpy as np
import pytest

from seedbed import engine
from shared import SHARED, shared

TOLERANCE = 1e-4  # of the largest value of a column, as the reference data's README asks
#: models whose pulses the clock of the engine cannot foresee, with a step below the pulse (the reference used 0.005)
LONGEST_STEP = {"MODEL1708310001": 0.005, "MODEL2211040001": 2000.0}
QUICK = 14


def identifiers():
    index = SHARED / "reference" / "index.csv"
    if not index.exists():
        return []
    with index.open() as file:
        return [row["id"] for row in csv.DictReader(file)]


def largest_error(name):
    with shared(f"reference/reference/{name}.csv").open() as file:
        columns = next(csv.reader(file))[1:]
    table = np.genfromtxt(shared(f"reference/reference/{name}.csv"), delimiter=",", skip_header=1)
    network = engine.read_model(shared(f"reference/models/{name}.xml"))
    observables = [concentration(network, column.strip("[]")) for column in columns]
    program = engine.compile_model(network, observables=observables, lanes=1)
    batch = program.start(
        start=table[0, 0], relative_tolerance=1e-8, absolute_tolerance=1e-12, max_steps=400_000,
        max_step=LONGEST_STEP.get(name),
    )  # fmt: skip
    found, expected = batch.advance(times=table[:, 0])[0], table[:, 1:]
    assert batch.status["reason"][0] == "ok"
    scale = np.abs(expected).max(axis=0)
    return float((np.abs(found - expected) / np.where(scale == 0, 1.0, scale)).max())


def concentration(network, name):
    species = network.species.get(name)
    return f"{name}/{species.getCompartment()}" if species is not None and species.getHasOnlySubstanceUnits() else name


@pytest.mark.parametrize("name", identifiers()[::3])
def test_a_third_of_the_models_agree(name):
    assert largest_error(name) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(identifiers()) - set(identifiers()[::3])))
def test_the_other_models_agree(name):
    assert largest_error(name) <= TOLERANCE
