"""The subset of SBML the engine integrates; what lies outside is refused with its name and id."""

from __future__ import annotations

from collections.abc import Iterator

import libsbml

from seedbed.errors import UnsupportedModelError

UNSUPPORTED_MATH = {
    libsbml.AST_FUNCTION_DELAY: "delay()",
    libsbml.AST_FUNCTION_RATE_OF: "rateOf()",
}
HARMLESS_PACKAGES = frozenset({"layout", "render", "annot", "groups"})


def check(document: libsbml.SBMLDocument, origin: str) -> None:
    """Refuse a document that uses an unsupported construct.

    Raises
    ------
    UnsupportedModelError
        Lists every construct found, with the id of the element that holds it.
    """
    model = document.getModel()
    found = [problem for checker in CHECKERS for problem in checker(model)]
    found += _packages(document)
    if found:
        raise UnsupportedModelError("; ".join(sorted(set(found))), reason=f"in {origin}")


def _packages(document: libsbml.SBMLDocument) -> Iterator[str]:
    for k in range(document.getNumPlugins()):
        package = document.getPlugin(k).getPackageName()
        if document.getPackageRequired(package) and package not in HARMLESS_PACKAGES and package != "l3v2extendedmath":
            yield f"SBML package {package!r} of document"
    for k in range(document.getNumUnknownPackages()):
        prefix = document.getUnknownPackagePrefix(k)
        if document.getPackageRequired(document.getUnknownPackageURI(k)):
            yield f"SBML package {prefix!r} of document"


def _rules(model: libsbml.Model) -> Iterator[str]:
    for number, rule in enumerate(model.getListOfRules(), start=1):
        if rule.isAlgebraic():
            yield f"algebraic rule number {number}"
        elif rule.getMath() is None:
            yield f"rule of {rule.getVariable()!r} without a formula"
    for assignment in model.getListOfInitialAssignments():
        if assignment.getMath() is None:
            yield f"initial assignment of {assignment.getSymbol()!r} without a formula"


def _reactions(model: libsbml.Model) -> Iterator[str]:
    for reaction in model.getListOfReactions():
        if reaction.isSetFast() and reaction.getFast():
            yield f"fast reaction {reaction.getId()!r}"
        law = reaction.getKineticLaw()
        if law is None or law.getMath() is None:
            yield f"reaction {reaction.getId()!r} without a kinetic law"


def _events(model: libsbml.Model) -> Iterator[str]:
    for event in model.getListOfEvents():
        name = event.getId() or event.getName() or "(no id)"
        if event.isSetDelay() and not _is_zero(event.getDelay().getMath()):
            yield f"delay of event {name!r}"
        if event.isSetPriority():
            yield f"priority of event {name!r}"
        trigger = event.getTrigger()
        for assignment in event.getListOfEventAssignments():
            if assignment.getMath() is None:
                yield f"assignment of {assignment.getVariable()!r} without a formula in event {name!r}"
        if trigger is None or trigger.getMath() is None:
            yield f"event {name!r} without a trigger"


def _is_zero(math: libsbml.ASTNode | None) -> bool:
    return math is not None and math.isNumber() and math.getValue() == 0


def _math(model: libsbml.Model) -> Iterator[str]:
    for owner, math in formulas(model):
        for kind in _kinds(math):
            if kind in UNSUPPORTED_MATH:
                yield f"{UNSUPPORTED_MATH[kind]} in the {owner}"


def formulas(model: libsbml.Model) -> Iterator[tuple[str, libsbml.ASTNode]]:
    """Yield every formula of a model with a description of the element that owns it."""
    elements = model.getListOfAllElements()
    for k in range(elements.getSize()):
        element = elements.get(k)
        math = element.getMath() if hasattr(element, "getMath") else None
        if math is not None:
            yield _describe(element), math


def _describe(element: libsbml.SBase) -> str:
    owner = element
    while owner is not None and not owner.getIdAttribute() and not _variable(owner):
        owner = owner.getParentSBMLObject()
    name = (_variable(owner) or owner.getIdAttribute()) if owner is not None else ""
    return f"{element.getElementName()} of {name!r}"


def _variable(element: libsbml.SBase) -> str:
    if isinstance(element, libsbml.Rule | libsbml.EventAssignment):
        return element.getVariable()
    return element.getSymbol() if isinstance(element, libsbml.InitialAssignment) else ""


def _kinds(math: libsbml.ASTNode) -> Iterator[int]:
    waiting = [math]
    while waiting:
        node = waiting.pop()
        yield node.getType()
        waiting += [node.getChild(k) for k in range(node.getNumChildren())]


CHECKERS = (_rules, _reactions, _events, _math)
