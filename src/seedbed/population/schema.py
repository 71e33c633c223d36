"""The schema of a population file: who the virtual patients are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from seedbed.documents import Content
from seedbed.population.distributions import BetweenPatients, Conditional, Distribution, Level
from seedbed.population.effects import Effect
from seedbed.population.formulas import FORMULAS, INPUTS
from seedbed.sources import Source, Words

Disease = Literal[
    "large_b_cell_lymphoma", "burkitt_lymphoma", "mantle_cell_lymphoma", "cns_lymphoma", "multiple_myeloma", "b_all"
]
ResponseCriteria = Literal["lugano2014", "ipcg2005", "imwg2016", "b_all"]


class Covariate(Content):
    """One thing known of a patient at enrollment: drawn from a distribution, or following from others."""

    meaning: str
    unit: str = "1"
    distribution: Distribution | None = None
    formula: Annotated[str, Field(json_schema_extra={"choices": sorted(FORMULAS)})] | None = None
    measured: bool = True
    source: Source

    @model_validator(mode="after")
    def _is_drawn_or_derived(self) -> Covariate:
        if (self.distribution is None) == (self.formula is None):
            raise ValueError("a covariate has either a distribution or a formula")
        if self.formula is not None and self.formula not in FORMULAS:
            raise ValueError(f'unknown formula "{self.formula}"; expected one of {", ".join(sorted(FORMULAS))}')
        return self

    def causes(self) -> tuple[str, ...]:
        """Return the covariates this one is drawn or computed from."""
        if self.formula is not None:
            return INPUTS[self.formula]
        return (self.distribution.given,) if isinstance(self.distribution, Conditional) else ()


def drawing_order(covariates: Mapping[str, Covariate]) -> list[str]:
    """Return the names so that causes come first; names that go in a circle are left out."""
    order: list[str] = []
    waiting = list(covariates)
    while True:
        ready = [
            name
            for name in waiting
            if all(cause in order or cause not in covariates for cause in covariates[name].causes())
        ]
        if not ready:
            return order
        order += ready
        waiting = [name for name in waiting if name not in ready]


class Correlation(Content):
    """Rank correlation of two or more covariates or model parameters (``parameter:<id>``)."""

    between: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)]
    rank: Annotated[float, Field(gt=-1, lt=1)]
    source: Source


class Typical(Content):
    """A typical value, and where wanted a spread, that this disease gives a model parameter."""

    value: float
    between_patient: BetweenPatients | None = None
    source: Source


class Hazard(Content):
    """A constant hazard [1/day] of leaving the path to treatment, for a patient at the reference of all effects."""

    hazard_per_day: Annotated[float, Field(ge=0)]
    source: Source


class Attrition(Content):
    """What ends the path to treatment."""

    progression: Hazard
    death: Hazard


class AntigenOnTumor(Content):
    """Which of the model's two antigens a target is in this disease, and how much of the tumor carries it."""

    position: Literal[1, 2]
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    source: Source


class PopulationFile(Content):
    """A population as it stands in one file; `based_on` names the one it changes, null takes an entry of it away."""

    id: str
    title: Words
    based_on: str | None = None
    abstract: bool = False
    notes: tuple[str, ...] = ()
    disease: Disease | None = None
    response_criteria: ResponseCriteria | None = None
    model: str | None = None
    antigens: dict[str, AntigenOnTumor] = Field(default_factory=dict)
    covariates: dict[str, Covariate] = Field(default_factory=dict)
    correlations: dict[str, Correlation | None] = Field(default_factory=dict)
    effects: dict[str, Effect | None] = Field(default_factory=dict)
    parameters: dict[str, Typical] = Field(default_factory=dict)
    attrition: Attrition | None = None


class Population(Content):
    """A complete population: everything it is based on merged in."""

    id: str
    title: Words
    notes: tuple[str, ...] = ()
    disease: Disease
    response_criteria: ResponseCriteria
    model: str
    antigens: dict[str, AntigenOnTumor]
    covariates: dict[str, Covariate]
    correlations: dict[str, Correlation] = Field(default_factory=dict)
    effects: dict[str, Effect] = Field(default_factory=dict)
    parameters: dict[str, Typical] = Field(default_factory=dict)
    attrition: Attrition


__all__ = ["Level", "Population", "PopulationFile"]
