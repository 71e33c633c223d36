"""The shape of model content: `model.yaml`, one YAML beside each mechanism, and the list of references.

Only shapes stand here; whether the pieces fit each other is looked at in `checks`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from seedbed.documents import Content

Identifier = str
Role = Literal["patient", "product", "disease", "system"]


class Spread(Content):
    """How a parameter differs between patients.

    `lognormal` needs `cv` (the value is the median), `logitnormal` needs `sd` (on the logit scale, the value is the
    median), `uniform` and `loguniform` need `lower` and `upper`.
    """

    distribution: Literal["lognormal", "logitnormal", "uniform", "loguniform"]
    cv: float | None = Field(default=None, gt=0)
    sd: float | None = Field(default=None, gt=0)
    lower: float | None = None
    upper: float | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Spread:
        needed = {"lognormal": ("cv",), "logitnormal": ("sd",)}.get(self.distribution, ("lower", "upper"))
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a {self.distribution} spread needs {' and '.join(missing)}")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError("lower must be below upper")
        return self


class Source(Content):
    """Where a value was read (`direct`), or from which published number it follows (`derived`)."""

    study: Identifier
    location: str
    how: Literal["direct", "derived"]


class Assumption(Content):
    """Why a value without a source was chosen, and the range within which it may lie."""

    reason: str = Field(min_length=3)
    range: tuple[float, float]

    @model_validator(mode="after")
    def _range_is_ordered(self) -> Assumption:
        if self.range[0] > self.range[1]:
            raise ValueError("range must run from low to high")
        return self


class ParameterContent(Content):
    """One parameter: what it means, its value and unit, how it differs between patients, where it is from."""

    describes: str
    value: float
    unit: str
    role: Role = "system"
    between_patient: Spread | None = None
    source: Source | None = None
    assumed: Assumption | None = None
    used_in: Literal["equations", "doses"] = "equations"


class StateContent(Content):
    """One state: what it means, its unit, and its value (a number or a formula of parameters) at time 0."""

    describes: str
    unit: str
    initial: float | str
    absolute_tolerance: float | None = Field(default=None, gt=0)


class QuantityContent(Content):
    """A quantity that follows from the states by a rule."""

    describes: str
    unit: str


class MechanismContent(Content):
    """The YAML beside a fragment: the states, quantities and parameters that the mechanism owns."""

    title: str
    place: str = ""
    notes: str = ""
    states: dict[Identifier, StateContent] = Field(default_factory=dict)
    quantities: dict[Identifier, QuantityContent] = Field(default_factory=dict)
    parameters: dict[Identifier, ParameterContent] = Field(default_factory=dict)


class DoseContent(Content):
    """One bolus that an intervention gives: `per_unit` is a number or the id of a parameter."""

    target: Identifier
    per_unit: float | str = 1


class InterventionContent(Content):
    """What a clinician gives, and which states it adds to."""

    describes: str
    unit: str
    doses: list[DoseContent]


class ModelContent(Content):
    """`model.yaml`: the mechanisms of a model, what it observes and what can be given to it."""

    id: Identifier
    title: str
    describes: str
    time_unit: str = "day"
    mechanisms: list[Identifier] = Field(min_length=1)
    observables: list[Identifier] = Field(min_length=1)
    interventions: dict[Identifier, InterventionContent] = Field(default_factory=dict)


class Reference(Content):
    """A paper, label or program that values come from."""

    citation: str
    doi: str = ""
    seen: Literal["equations", "abstract", "recalled", "own"]


class References(Content):
    """The list of references of all models."""

    references: dict[Identifier, Reference]
