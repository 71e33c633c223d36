"""Doses written as events, ``at time >= 7: A = A + amount``: take them out of a model, or write them into one.

Solvers differ in how they are best given doses: this engine and CVODE by hand take them as numbers, others only as
events of the SBML document.
"""

from __future__ import annotations

from collections.abc import Sequence

import libsbml

from seedbed.engine.sbml import Network, read_model
from seedbed.errors import UnsupportedModelError

Given = tuple[float, str, str]


def split(network: Network) -> tuple[Network, list[Given]]:
    """Return the model without its dosing events, and the doses (time, state, formula of the amount) they gave.

    Raises
    ------
    UnsupportedModelError
        An event is something else than an amount added at a fixed time.
    """
    document = network.document.clone()
    model, given = document.getModel(), []
    for event in model.getListOfEvents():
        when = _time_of(event.getTrigger().getMath())
        for assignment in event.getListOfEventAssignments():
            amount = _added(assignment.getVariable(), assignment.getMath())
            if when is None or amount is None:
                raise UnsupportedModelError("event", event.getId(), "only an amount added at a fixed time is a dose")
            given.append((when, assignment.getVariable(), amount))
    while model.getNumEvents():
        model.removeEvent(0)
    return read_model(libsbml.writeSBMLToString(document)), given


def _time_of(trigger: libsbml.ASTNode) -> float | None:
    if trigger.getType() != libsbml.AST_RELATIONAL_GEQ or trigger.getChild(0).getType() != libsbml.AST_NAME_TIME:
        return None
    return float(trigger.getChild(1).getValue()) if trigger.getChild(1).isNumber() else None


def _added(target: str, formula: libsbml.ASTNode) -> str | None:
    if formula.getType() != libsbml.AST_PLUS or formula.getNumChildren() != 2:
        return None
    first, second = formula.getChild(0), formula.getChild(1)
    if first.isName() and first.getName() == target:
        return str(libsbml.formulaToL3String(second))
    return str(libsbml.formulaToL3String(first)) if second.isName() and second.getName() == target else None


def join(sbml: str, doses: Sequence[tuple[float, str]]) -> tuple[str, list[str]]:
    """Return a model with an event for each dose (time, state), and the ids of the parameters with their amounts."""
    document = libsbml.readSBMLFromString(sbml)
    model, amounts = document.getModel(), []
    for number, (when, state) in enumerate(doses):
        parameter = model.createParameter()
        parameter.setId(f"amount_of_dose_{number}")
        parameter.setConstant(True)
        parameter.setValue(0.0)
        amounts.append(parameter.getId())
        _write_event(model.createEvent(), f"dose_{number}", when, (state, parameter.getId()))
    return libsbml.writeSBMLToString(document), amounts


def _write_event(event: libsbml.Event, name: str, when: float, dose: tuple[str, str]) -> None:
    event.setId(name)
    event.setUseValuesFromTriggerTime(True)
    trigger = event.createTrigger()
    trigger.setInitialValue(True)
    trigger.setPersistent(True)
    trigger.setMath(libsbml.parseL3Formula(f"time >= {when!r}"))
    assignment = event.createEventAssignment()
    assignment.setVariable(dose[0])
    assignment.setMath(libsbml.parseL3Formula(" + ".join(dose)))
