"""What a protocol refers to by name: drugs, conditioning regimens, antigens, CAR-T products, inputs of the model."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from seedbed import library
from seedbed.documents import Content, read
from seedbed.errors import ContentError, Problem, unknown
from seedbed.model import read_model
from seedbed.protocol.conditions import Condition
from seedbed.protocol.quantities import UNITS
from seedbed.sources import Source, Words

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Costimulation = Literal["none", "CD28", "4-1BB", "CD28+4-1BB"]
Unit = Annotated[str, Field(json_schema_extra={"choices": sorted(UNITS)})]


def known_unit(unit: str) -> str:
    """Return the unit, or refuse one that no dose is written in."""
    if unit not in UNITS:
        raise ValueError(f'unknown unit "{unit}"; expected one of {", ".join(UNITS)}')
    return unit


class DrugInput(Content):
    """One intervention of the model that a drug is: `dose` in `unit` counts as `amount` of it."""

    intervention: str
    amount: Positive
    dose: Positive
    unit: str
    source: Source

    @model_validator(mode="after")
    def _unit_is_known(self) -> DrugInput:
        known_unit(self.unit)
        return self


class Drug(Content):
    """A drug and how its dose becomes inputs of the model."""

    title: Words
    group: Literal["cytotoxic", "growth_factor", "supportive", "immunotherapy", "blood_product"]
    inputs: Annotated[tuple[DrugInput, ...], Field(min_length=1)]


class DrugFile(Content):
    """A file of drugs."""

    id: str
    drugs: dict[str, Drug]


class DrugDoses(Content):
    """One drug at one dose, on the days listed or from `first` to `last`.

    Attributes
    ----------
    days : days on the clock of the element
    first, last, every : a row of days instead of `days`; `last` included
    days_on, cycle_days : of each cycle only the first days are given, such as 21 of 28
    """

    drug: str
    dose: Positive
    unit: str
    days: tuple[int, ...] | None = None
    first: int | None = None
    last: int | None = None
    every: Annotated[int, Field(ge=1)] = 1
    days_on: Annotated[int, Field(ge=1)] | None = None
    cycle_days: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _has_days(self) -> DrugDoses:
        if (self.days is None) == (self.first is None or self.last is None):
            raise ValueError("give either days, or first and last")
        if (self.days_on is None) != (self.cycle_days is None):
            raise ValueError("days_on and cycle_days go together")
        return self

    def dose_days(self) -> tuple[int, ...]:
        """Return the days on which the drug is given."""
        if self.days is not None:
            return self.days
        days = range(self.first, self.last + 1, self.every)
        return tuple(day for day in days if self.days_on is None or (day - self.first) % self.cycle_days < self.days_on)


class Regimen(Content):
    """Drugs given together under one name, by day before (or after) the event that is day 0."""

    id: str
    title: Words
    intensity: Literal["myeloablative", "lymphodepleting", "bridging", "other"]
    drugs: Annotated[tuple[DrugDoses, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()
    source: Source


class Antigen(Content):
    """A target, and how much the normal cells that carry it attract the CAR-T cells."""

    title: Words
    b_cell_weight: Share
    plasma_cell_weight: Share
    source: Source


class AntigenFile(Content):
    """A file of antigens."""

    id: str
    antigens: dict[str, Antigen]


class Manufacturing(Content):
    """Time from T-cell collection to release [day], and how often no product comes out."""

    median_days: Positive
    cv: Annotated[float, Field(ge=0)]
    failure_probability: Share
    source: Source


class ProductSpread(Content):
    """A property that differs from batch to batch: log-normal factor around the median."""

    median: Positive
    cv: Annotated[float, Field(ge=0)]
    source: Source


class MemoryFraction(Content):
    """Memory-like share of the product: beta between `lower` and `upper` with this mean."""

    mean: Share
    lower: Share
    upper: Share
    concentration: Positive
    source: Source

    @model_validator(mode="after")
    def _is_ordered(self) -> MemoryFraction:
        if not self.lower < self.mean < self.upper:
            raise ValueError("the mean lies between lower and upper")
        return self


class Product(Content):
    """A CAR-T product.

    Attributes
    ----------
    antigens : targets, such as CD19; an empty list is an error
    composition : one receptor, two in tandem on each cell, or a cocktail of cells with one each
    potency, expansion : factors on killing and on proliferation, by batch
    """

    id: str
    title: Words
    antigens: tuple[str, ...]
    composition: Literal["single", "tandem", "cocktail"]
    costimulation: Costimulation
    potency: ProductSpread
    expansion: ProductSpread
    memory_fraction: MemoryFraction
    manufacturing: Manufacturing
    notes: tuple[str, ...] = ()
    source: Source


class ProductInputs(Content):
    """Which parameters of the model hold the properties of a product.

    Attributes
    ----------
    costimulation_levels : the level of the model's ``costimulation.yaml`` for each kind of costimulation
    costimulation : the parameters that each level sets, from there
    """

    antigen_1: str
    antigen_2: str
    b_cell_weight: str
    plasma_cell_weight: str
    potency: str
    expansion: str
    memory_fraction: str
    costimulation_levels: dict[Costimulation, str]
    costimulation: dict[Costimulation, dict[str, float]] = Field(default_factory=dict)


class StateDose(Content):
    """What one unit of an intervention adds to a state: a number, or the id of the parameter that holds it."""

    target: str
    per_unit: float | str


class Intervention(Content):
    """One thing the model can be given, and the states it adds to."""

    describes: str
    unit: str
    doses: tuple[StateDose, ...]


class CostimulationLevel(Content):
    """What one kind of costimulation sets in the model."""

    describes: str
    values: dict[str, float]
    assumed: dict[str, Any]


class CostimulationFile(Content):
    """The model's file of costimulation."""

    title: str
    levels: dict[str, CostimulationLevel]


class ModelInputs(Content):
    """How clinical words become inputs and parameters of one model.

    Attributes
    ----------
    interventions : the model's own, by id, with the states each adds to
    dose_parameters : values of the parameters that interventions scale with
    transplant_eligible : who is fit for high-dose therapy and has a graft; the covariate of that name
    corners : titles of the arms that complete the square
    """

    id: str
    notes: tuple[str, ...] = ()
    product: ProductInputs
    required_of_population: tuple[str, ...]
    transplant_eligible: Annotated[tuple[Condition, ...], Field(min_length=1)]
    corners: dict[Literal["asct", "cart", "neither"], Words]
    interventions: dict[str, Intervention] = Field(default_factory=dict)
    dose_parameters: dict[str, float] = Field(default_factory=dict)


@cache
def drugs() -> dict[str, Drug]:
    """Return all drugs of the library by id."""
    files = [read(library.find("drugs", name), DrugFile) for name in library.names("drugs")]
    return {name: drug for file in files for name, drug in file.drugs.items()}


@cache
def antigens() -> dict[str, Antigen]:
    """Return all antigens of the library by id."""
    files = [read(library.find("antigens", name), AntigenFile) for name in library.names("antigens")]
    return {name: antigen for file in files for name, antigen in file.antigens.items()}


@cache
def regimen(name: str) -> Regimen:
    """Return a regimen of the library."""
    return read(library.find("regimens", name), Regimen)


@cache
def product(name: str) -> Product:
    """Return a CAR-T product of the library."""
    return read(library.find("products", name), Product)


@cache
def inputs(model: str) -> ModelInputs:
    """Return how clinical words become inputs of a model, with the interventions that the model declares.

    Raises
    ------
    ContentError
        No such model, or a file of it is wrong.
    """
    if model not in library.names("models"):  # a path would not tell what stands beside the model
        raise ContentError(unknown("model", model, library.names("models")))
    if model not in library.names("inputs"):
        what = f'no inputs/{model}.yaml says how products, drugs and patients enter the model "{model}"'
        cure = "to change a model, keep its id in a library of your own: docs/how_to/change_the_model.md"
        raise ContentError(Problem(what, cure=cure))
    content = read(library.find("inputs", model), ModelInputs)
    described = read_model(model)
    doses = [dose for item in described.interventions.values() for dose in item.doses]
    scaled_by = {dose.per_unit for dose in doses if isinstance(dose.per_unit, str)}
    values = {name: described.parameters[name].value for name in sorted(scaled_by)}
    levels = read(described.path.parent / "costimulation.yaml", CostimulationFile).levels
    set_by = {kind: levels[name].values for kind, name in content.product.costimulation_levels.items()}
    return content.model_copy(
        update={
            "interventions": {
                name: Intervention(
                    describes=item.describes,
                    unit=item.unit,
                    doses=tuple(StateDose(target=dose.target, per_unit=dose.per_unit) for dose in item.doses),
                )
                for name, item in described.interventions.items()
            },
            "dose_parameters": values,
            "product": content.product.model_copy(update={"costimulation": set_by}),
        }
    )
