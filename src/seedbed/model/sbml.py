"""Antimony to SBML, numbers made dimensionless, and the consistency check of libSBML."""

from __future__ import annotations

import antimony
import libsbml

from seedbed.errors import ModelError, Problem

# libSBML's own ids of unit messages start here; 10501-10599 are mismatches
_SEVERITIES = {libsbml.LIBSBML_SEV_WARNING, libsbml.LIBSBML_SEV_ERROR, libsbml.LIBSBML_SEV_FATAL}


def to_sbml(text: str, name: str) -> str:
    """Return an Antimony text as SBML Level 3 Version 2 in which every bare number is dimensionless.

    Raises
    ------
    ModelError
        Antimony cannot read the text; the message holds its words.
    """
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        raise ModelError(Problem(f"Antimony cannot read the model: {antimony.getLastError().strip()}", name))
    raw = antimony.getSBMLString(name)
    antimony.clearPreviousLoads()
    document = libsbml.readSBMLFromString(raw)
    _name_numbers_dimensionless(document.getModel())
    return libsbml.writeSBMLToString(document)


def to_antimony(sbml: str) -> str:
    """Return an SBML text as Antimony.

    Raises
    ------
    ModelError
        Antimony cannot read the SBML.
    """
    antimony.clearPreviousLoads()
    if antimony.loadSBMLString(sbml) < 0:
        raise ModelError(Problem(f"Antimony cannot read the SBML: {antimony.getLastError().strip()}"))
    text = str(antimony.getAntimonyString(antimony.getMainModuleName()))
    antimony.clearPreviousLoads()
    return text


def consistency_messages(sbml: str) -> list[str]:
    """Return what libSBML has against an SBML text: errors, and unit mismatches or gaps; empty when nothing."""
    document = libsbml.readSBMLFromString(sbml)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistency()
    errors = (document.getError(index) for index in range(document.getNumErrors()))
    return [" ".join(error.getMessage().split()) for error in errors if error.getSeverity() in _SEVERITIES]


def _name_numbers_dimensionless(model: libsbml.Model) -> None:
    owners = [
        *model.getListOfInitialAssignments(),
        *model.getListOfRules(),
        *(reaction.getKineticLaw() for reaction in model.getListOfReactions()),
    ]
    for owner in owners:
        formula = owner.getMath().deepCopy()
        _mark(formula)
        owner.setMath(formula)


def _mark(node: libsbml.ASTNode) -> None:
    if node.isNumber() and not node.isSetUnits():
        node.setUnits("dimensionless")
    for index in range(node.getNumChildren()):
        _mark(node.getChild(index))
