"""Read and check models: content in, Antimony, SBML and tables of states and parameters out."""

from seedbed.model.checks import ALL_CHECKS, STRUCTURE_CHECKS, Check, UnitsAgree, run_checks
from seedbed.model.reading import model_names, read_model, read_unchecked
from seedbed.model.sbml import consistency_messages, to_antimony, to_sbml
from seedbed.model.structure import Mechanism, Model, Parameter, Quantity, State

__all__ = [
    "ALL_CHECKS",
    "STRUCTURE_CHECKS",
    "Check",
    "Mechanism",
    "Model",
    "Parameter",
    "Quantity",
    "State",
    "UnitsAgree",
    "consistency_messages",
    "model_names",
    "read_model",
    "read_unchecked",
    "run_checks",
    "to_antimony",
    "to_sbml",
]
