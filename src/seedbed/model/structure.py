"""A model in memory: its mechanisms with their states, quantities, parameters and equations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from seedbed.documents import Document, content_hash
from seedbed.model.assembly import assemble
from seedbed.model.fragments import Fragment
from seedbed.model.sbml import to_sbml
from seedbed.model.schema import (
    Assumption,
    InterventionContent,
    MechanismContent,
    ModelContent,
    ParameterContent,
    Reference,
    Source,
    Spread,
)

Named = TypeVar("Named", "State", "Quantity", "Parameter")


@dataclass(frozen=True)
class State:
    """What changes by a differential equation; `initial` is a number or a formula of parameters."""

    id: str
    mechanism: str
    describes: str
    unit: str
    initial: float | str
    absolute_tolerance: float | None = None

    @property
    def counts_cells(self) -> bool:
        """Whether the state is a number of cells, an SBML species, and not a parameter with a rate rule."""
        return self.unit == "giga_cell"


@dataclass(frozen=True)
class Quantity:
    """What follows from the states by a rule."""

    id: str
    mechanism: str
    describes: str
    unit: str


@dataclass(frozen=True)
class Parameter:
    """A constant of the equations; `origin` is ``literature``, ``derived`` or ``assumed``."""

    id: str
    mechanism: str
    describes: str
    value: float
    unit: str
    role: str
    between_patient: Spread | None = None
    source: Source | None = None
    assumed: Assumption | None = None
    used_in: str = "equations"

    @property
    def origin(self) -> str:
        """Where the value comes from, in one word."""
        if self.source is None:
            return "assumed"
        return "literature" if self.source.how == "direct" else "derived"


@dataclass(frozen=True)
class Mechanism:
    """One file of equations and the YAML beside it."""

    id: str
    content: MechanismContent
    document: Document
    fragment: Fragment

    @property
    def states(self) -> tuple[State, ...]:
        """The states it owns."""
        return tuple(State(id=name, mechanism=self.id, **dict(c)) for name, c in self.content.states.items())

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The quantities it computes."""
        return tuple(Quantity(id=name, mechanism=self.id, **dict(c)) for name, c in self.content.quantities.items())

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters it owns."""
        return tuple(_parameter(self.id, name, c) for name, c in self.content.parameters.items())


def _parameter(mechanism: str, name: str, content: ParameterContent) -> Parameter:
    return Parameter(id=name, mechanism=mechanism, **dict(content))


def _by_id(items: tuple[Named, ...]) -> dict[str, Named]:
    return {item.id: item for item in items}


@dataclass(frozen=True)
class Model:
    """A model read from content.

    `antimony` and `sbml` are texts that any simulator of those languages runs; `interventions` say which states a
    treatment adds to.
    """

    path: Path
    document: Document
    content: ModelContent
    mechanisms: tuple[Mechanism, ...]
    references: dict[str, Reference]

    @property
    def id(self) -> str:
        """The id of the model."""
        return self.content.id

    @property
    def observables(self) -> tuple[str, ...]:
        """The states and quantities that the rest of the program reads."""
        return tuple(self.content.observables)

    @property
    def interventions(self) -> dict[str, InterventionContent]:
        """What can be given, and which states it adds to."""
        return self.content.interventions

    @cached_property
    def states(self) -> dict[str, State]:
        """All states by id, in the order of the mechanisms."""
        return _by_id(tuple(state for mechanism in self.mechanisms for state in mechanism.states))

    @cached_property
    def quantities(self) -> dict[str, Quantity]:
        """All quantities by id."""
        return _by_id(tuple(quantity for mechanism in self.mechanisms for quantity in mechanism.quantities))

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters by id."""
        return _by_id(tuple(parameter for mechanism in self.mechanisms for parameter in mechanism.parameters))

    def values(self) -> dict[str, float]:
        """Return the value of each parameter."""
        return {name: parameter.value for name, parameter in self.parameters.items()}

    @cached_property
    def antimony(self) -> str:
        """The whole model as one Antimony text."""
        return assemble(self)

    @cached_property
    def sbml(self) -> str:
        """The whole model as SBML Level 3 Version 2, with units."""
        return to_sbml(self.antimony, self.id)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over the files of the model."""
        files = [part for m in self.mechanisms for part in (m.document.path, m.fragment.path)]
        return content_hash(self.path, *files)
