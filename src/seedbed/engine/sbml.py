"""Read Antimony or SBML into a `Network`: the checked model, still as SBML, with every id known."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import libsbml

from seedbed.engine import subset
from seedbed.errors import ModelError, Problem

SBML_STARTS = ("<?xml", "<sbml", "<!--")
LEVEL, VERSION = 3, 2


@dataclass(frozen=True)
class Network:
    """A model inside the supported subset of SBML.

    Attributes
    ----------
    name : model id, or "model"
    sbml : the model as SBML text, which is what the kernel cache hashes
    document : the parsed libSBML document, always Level 3
    """

    name: str
    sbml: str
    document: libsbml.SBMLDocument = field(repr=False, compare=False)

    @property
    def model(self) -> libsbml.Model:
        """The libSBML model."""
        return self.document.getModel()

    @cached_property
    def rules(self) -> dict[str, libsbml.Rule]:
        """Assignment and rate rules by the id of their variable."""
        return {rule.getVariable(): rule for rule in self.model.getListOfRules()}

    @cached_property
    def initial_assignments(self) -> dict[str, libsbml.ASTNode]:
        """Formulas of initial assignments by the id they set."""
        return {a.getSymbol(): a.getMath() for a in self.model.getListOfInitialAssignments()}

    @cached_property
    def functions(self) -> dict[str, libsbml.FunctionDefinition]:
        """Function definitions by id."""
        return {f.getId(): f for f in self.model.getListOfFunctionDefinitions()}

    @cached_property
    def species(self) -> dict[str, libsbml.Species]:
        """Species by id, in model order."""
        return {s.getId(): s for s in self.model.getListOfSpecies()}

    @cached_property
    def compartments(self) -> dict[str, libsbml.Compartment]:
        """Compartments by id."""
        return {c.getId(): c for c in self.model.getListOfCompartments()}

    @cached_property
    def parameters(self) -> dict[str, libsbml.Parameter]:
        """Global parameters by id."""
        return {p.getId(): p for p in self.model.getListOfParameters()}

    @cached_property
    def reactions(self) -> dict[str, libsbml.Reaction]:
        """Reactions by id."""
        return {r.getId(): r for r in self.model.getListOfReactions()}

    @cached_property
    def stoichiometries(self) -> dict[str, libsbml.SpeciesReference]:
        """Species references that have an id, which formulas may use as a number."""
        return {
            reference.getId(): reference
            for reaction in self.reactions.values()
            for side in (reaction.getListOfReactants(), reaction.getListOfProducts())
            for reference in side
            if reference.isSetId()
        }

    @cached_property
    def event_targets(self) -> frozenset[str]:
        """Ids that some event assigns."""
        return frozenset(
            assignment.getVariable()
            for event in self.model.getListOfEvents()
            for assignment in event.getListOfEventAssignments()
        )

    @cached_property
    def reacting(self) -> frozenset[str]:
        """Ids of species that reactions change."""
        return frozenset(
            reference.getSpecies()
            for reaction in self.reactions.values()
            for side in (reaction.getListOfReactants(), reaction.getListOfProducts())
            for reference in side
            if not self.species[reference.getSpecies()].getBoundaryCondition()
            and not self.species[reference.getSpecies()].getConstant()
        )

    @property
    def symbols(self) -> list[str]:
        """Every id a formula may name: species, parameters, compartments, stoichiometries, reactions."""
        return [*self.species, *self.parameters, *self.compartments, *self.stoichiometries, *self.reactions]

    def amount(self, name: str) -> str:
        """Return the formula of an id as an amount: itself, unless it is a species whose id means a concentration."""
        species = self.species.get(name)
        if species is None or species.getHasOnlySubstanceUnits():
            return name
        return f"{name}*{species.getCompartment()}"

    def concentration(self, name: str) -> str:
        """Return the formula of an id as a concentration: itself, unless it is a species whose id means an amount."""
        species = self.species.get(name)
        if species is None or not species.getHasOnlySubstanceUnits():
            return name
        return f"{name}/{species.getCompartment()}"


def read_model(source: str | Path) -> Network:
    """Read a model and check that the engine supports all of it.

    Parameters
    ----------
    source : path of an SBML (.xml, .sbml) or Antimony (.ant, .txt) file, or the text of one
        SBML Level 3 is read as it is, Level 1 and 2 are converted; Antimony is translated to SBML.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        The file is missing or is not a valid model; the message has the reader's line and reason.
    UnsupportedModelError
        The model uses a construct outside the subset; every such construct is named with its id.
    """
    text, origin = _text_of(source)
    if not text.lstrip().startswith(SBML_STARTS):
        text = _from_antimony(text, origin)
    document = _parse(text, origin)
    subset.check(document, origin)
    model = document.getModel()
    return Network(model.getId() or "model", libsbml.writeSBMLToString(document), document)


def _text_of(source: str | Path) -> tuple[str, str]:
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith(SBML_STARTS) or ";" in source):
        return source, "model text"
    path = Path(source)
    try:
        return path.read_text(encoding="utf-8"), path.name
    except FileNotFoundError as error:
        cure = "give the path of an SBML or Antimony file, or its text"
        raise ModelError(Problem(f"no model file {str(path)!r}", cure=cure)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(Problem(f"cannot read the model file: {error}", file=str(path))) from error


def _from_antimony(text: str, origin: str) -> str:
    import antimony

    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        raise ModelError(Problem(f"not Antimony: {antimony.getLastError().strip()}", file=origin))
    return antimony.getSBMLString(antimony.getMainModuleName())


def _parse(text: str, origin: str) -> libsbml.SBMLDocument:
    document = libsbml.readSBMLFromString(text)
    _raise_errors(document, origin)
    if document.getModel() is None:
        raise ModelError(Problem("the SBML document holds no model", file=origin))
    if document.getLevel() < LEVEL:
        document.getErrorLog().clearLog()
        if not document.setLevelAndVersion(LEVEL, VERSION, False):
            _raise_errors(document, origin)
            raise ModelError(Problem("libSBML cannot convert this document to SBML Level 3", file=origin))
    return document


def _raise_errors(document: libsbml.SBMLDocument, origin: str) -> None:
    problems = []
    for k in range(document.getNumErrors()):
        error = document.getError(k)
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR:
            problems.append(Problem(" ".join(error.getMessage().split()), file=origin, line=error.getLine()))
    if problems:
        raise ModelError(problems)
