"""The two comparison problems that need the design folder: bench47 and the proposed 59-state model."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import libsbml
import numpy as np

from seedbed import engine
from seedbed.study.benchmark import Problem, sampled_values

SHARED = Path(os.environ.get("SEEDBED_SHARED", Path(__file__).resolve().parents[2] / "shared"))
PROPOSAL_OBSERVABLES = {
    "ANC": 0.01, "PLT": 1, "IL6": 1, "CEF": 1e-3, "CMM": 1e-3, "SPP": 1e-3, "CRP": 0.1, "FER": 1, "TRG": 0.01,
    "MPR": 1e-3, "I15": 0.01, "MON": 0.01,
}  # fmt: skip


def bench47(n: int) -> Problem:
    """Return the 47-state benchmark with its own population, doses and reference course."""
    sys.path.insert(0, str(SHARED / "bench"))
    import population

    sbml = (SHARED / "bench/bench47_noev.xml").read_text()
    network = engine.read_model(sbml)
    values = population.population(1000)[:n]
    batch = engine.compile_model(network, population.NAMES).start(values)
    doses = [
        (float(day), state, np.array(batch.evaluate(formula)))
        for day, given in population.DOSES
        for state, formula in given.items()
    ]
    table = np.loadtxt(SHARED / "bench/reference_20pts.csv.gz", delimiter=",", skiprows=1)[:, 2:]
    floors = np.array([population.FLOOR[name] for name in population.OUT])
    times, observables = np.arange(731.0), tuple(population.OUT)
    reference = table.reshape(20, len(times), len(observables))[:n]
    return Problem(
        "bench47", sbml, tuple(population.NAMES), values, tuple(doses), times, observables, floors, reference
    )


def proposal(n: int) -> Problem:
    """Return the proposed model, BEAM and CAR-T on day +2; its dosing events become doses by hand."""
    document = libsbml.readSBML(str(SHARED / "reference/proposal/beam_asct_cart_d2.xml"))
    model, given = document.getModel(), []
    for event in model.getListOfEvents():
        day = event.getTrigger().getMath().getChild(1).getValue()
        for assignment in event.getListOfEventAssignments():
            target = assignment.getVariable()
            jump = libsbml.formulaToL3String(assignment.getMath()).replace(target, "0", 1)
            given.append((float(day), target, jump))
    while model.getNumEvents():
        model.removeEvent(0)
    sbml = libsbml.writeSBMLToString(document)
    network = engine.read_model(sbml)
    taken = {*network.rules, *network.initial_assignments}
    varied = tuple(k for k, p in network.parameters.items() if k not in taken and p.getValue() > 0)[:45]
    values = sampled_values(sbml, varied, 0.15, n)
    batch = engine.compile_model(network, varied).start(values)
    doses = sorted(((day, target, np.array(batch.evaluate(jump))) for day, target, jump in given), key=lambda d: d[0])
    floors = np.array(list(PROPOSAL_OBSERVABLES.values()), dtype=float)
    return Problem(
        "proposal",
        sbml,
        varied,
        values,
        tuple(doses),
        np.arange(743.0),
        tuple(PROPOSAL_OBSERVABLES),
        floors,
        absolute_share=1e-6,
    )
