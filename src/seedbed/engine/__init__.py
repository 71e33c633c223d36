"""Compile any Antimony or SBML model and integrate many patients at once.

>>> from seedbed import engine
>>> network = engine.read_model("model decay; A' = -k*A; A = 1; k = 1; end")
>>> program = engine.compile_model(network, varied=("k",), observables=("A",))
>>> program.simulate({"k": [1.0, 2.0]}, times=[0.0, 1.0]).observables[:, 1, 0].round(4).tolist()
[0.3679, 0.1353]
"""

from seedbed.engine.doses import Dose
from seedbed.engine.program import Batch, Program, Simulation, compile_model
from seedbed.engine.reducers import (
    Area,
    BirthDeath,
    FirstCrossing,
    LastTimeAbove,
    Minimum,
    Peak,
    TimeAbove,
    TimeBelow,
    TimeOfMinimum,
    TimeOfPeak,
    ValueAt,
)
from seedbed.engine.sbml import Network, read_model

__all__ = [
    "Area",
    "Batch",
    "BirthDeath",
    "Dose",
    "FirstCrossing",
    "LastTimeAbove",
    "Minimum",
    "Network",
    "Peak",
    "Program",
    "Simulation",
    "TimeAbove",
    "TimeBelow",
    "TimeOfMinimum",
    "TimeOfPeak",
    "ValueAt",
    "compile_model",
    "read_model",
]
