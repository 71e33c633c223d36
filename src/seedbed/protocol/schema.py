"""The schema of a protocol file: who is treated, how, when, and what is looked at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from seedbed.documents import Content
from seedbed.protocol.catalogue import Antigen, Drug, DrugDoses, ModelInputs, Product, Regimen, Share
from seedbed.protocol.conditions import Condition
from seedbed.protocol.elements import CarT, CellDose, Clock, DrugElement, Element, StemCells
from seedbed.sources import Source, Words

Therapy = Literal["asct_cart", "asct", "cart", "neither"]


class Emulates(Content):
    """The published study that a protocol stands for, and which of its arms ours are."""

    study: str
    arms: dict[str, str]


class Collection(Content):
    """Days from enrollment to a sufficient stem-cell harvest, log-normal, and what is sufficient."""

    median_days: Annotated[float, Field(gt=0)]
    cv: Annotated[float, Field(ge=0)]
    minimum_cd34: CellDose
    source: Source


class Logistics(Content):
    """How patients get from enrollment to treatment.

    Attributes
    ----------
    apheresis_day : T-cell collection, days from enrollment
    preparation_days : from everything ready to the first drug of conditioning or lymphodepletion
    wait_for_cells : whether conditioning before a graft waits for the release of the CAR-T product
    without_cart : what becomes of a patient of a combined arm whose product failed: ``proceed`` with the graft
        alone, or ``stop``
    """

    apheresis_day: Annotated[int, Field(ge=0)]
    stem_cell_collection: Collection
    preparation_days: Annotated[int, Field(ge=0)]
    wait_for_cells: bool
    without_cart: Literal["proceed", "stop"]
    source: Source


class Assessment(Content):
    """Visit days of one kind of assessment, counted from day 0 of the arm (or another clock)."""

    days: Annotated[tuple[int, ...], Field(min_length=1)]
    clock: Literal["day_zero", "enrollment", "stem_cells", "cart"] = "day_zero"


class ParameterChange(Content):
    """Another value of a parameter of the model in one arm, for every patient: what if a mechanism were different.

    Attributes
    ----------
    set : the value, in `unit`, which is the parameter's own unit in the model
    multiply : or a factor on each patient's own value
    """

    set: float | None = None
    multiply: float | None = None
    unit: str | None = None
    source: Source

    @model_validator(mode="after")
    def _is_one_change(self) -> ParameterChange:
        if (self.set is None) == (self.multiply is None):
            raise ValueError("give either set (with its unit) or multiply")
        if (self.set is None) != (self.unit is None):
            raise ValueError("set needs a unit, and multiply has none")
        return self


class ArmContent(Content):
    """An arm as the file has it."""

    title: Words
    elements: tuple[str, ...]
    care: tuple[str, ...] = ()
    selection: tuple[Condition, ...] = ()
    derived_from: str | None = None
    parameters: dict[str, ParameterChange] = Field(default_factory=dict)


class Protocol(Content):
    """A protocol; after reading, everything it names stands in it (`products` to `inputs`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: str
    title: Words
    question: Words
    notes: tuple[str, ...] = ()
    emulates: Emulates | None = None
    population: str
    model: str
    follow_up_days: Annotated[int, Field(gt=0)]
    eligibility: tuple[Condition, ...]
    logistics: Logistics
    elements: dict[str, Element]
    arm_contents: Annotated[dict[str, ArmContent], Field(alias="arms", min_length=1)]
    assessments: dict[str, Assessment]
    square_lymphodepletion: str
    products: dict[str, Product] = Field(default_factory=dict)
    regimens: dict[str, Regimen] = Field(default_factory=dict)
    drugs: dict[str, Drug] = Field(default_factory=dict)
    antigens: dict[str, Antigen] = Field(default_factory=dict)
    inputs: ModelInputs | None = None

    @property
    def arms(self) -> dict[str, Arm]:
        """The arms, in the order of the file."""
        return {name: Arm(self, name) for name in self.arm_contents}

    def doses_of(self, element: DrugElement) -> tuple[DrugDoses, ...]:
        """Return the drugs of an element, its own or its regimen's."""
        return element.drugs if element.drugs is not None else self.regimens[element.regimen].drugs


class Arm:
    """An arm of a protocol, with what it is built from."""

    def __init__(self, protocol: Protocol, name: str) -> None:
        self.protocol, self.id = protocol, name
        self.content = protocol.arm_contents[name]
        self.elements: dict[str, Element] = {key: protocol.elements[key] for key in self.content.elements}

    def __repr__(self) -> str:
        """Name the arm and its therapy."""
        return f"Arm({self.id!r}, therapy={self.therapy!r})"

    @property
    def title(self) -> Words:
        """Title in the languages of the reports."""
        return self.content.title

    @property
    def care(self) -> tuple[str, ...]:
        """Ids of the care rules, in ``library/care``."""
        return self.content.care

    @property
    def selection(self) -> tuple[Condition, ...]:
        """Whom this arm of the emulated study took, beyond the trial's eligibility."""
        return self.content.selection

    @property
    def parameters(self) -> dict[str, ParameterChange]:
        """What this arm changes in the model, by parameter."""
        return self.content.parameters

    @property
    def graft(self) -> StemCells | None:
        """The stem cells, or None."""
        return next((item for item in self.elements.values() if isinstance(item, StemCells)), None)

    @property
    def cart_elements(self) -> tuple[CarT, ...]:
        """The CAR-T infusions, the first in time first."""
        found = [item for item in self.elements.values() if isinstance(item, CarT)]
        return tuple(sorted(found, key=lambda item: (self.has_graft and item.clock == "cart", item.day)))

    @property
    def drug_elements(self) -> dict[str, DrugElement]:
        """The elements that give drugs, by id."""
        return {key: item for key, item in self.elements.items() if not isinstance(item, StemCells | CarT)}

    @property
    def has_graft(self) -> bool:
        """Whether stem cells are given."""
        return self.graft is not None

    @property
    def has_cart(self) -> bool:
        """Whether CAR-T cells are given."""
        return bool(self.cart_elements)

    @property
    def therapy(self) -> Therapy:
        """Which corner of the square the arm is."""
        if self.has_graft:
            return "asct_cart" if self.has_cart else "asct"
        return "cart" if self.has_cart else "neither"

    @property
    def day_zero(self) -> Literal["cart", "stem_cells", "planned"]:
        """The clock on which this arm's responses count."""
        if self.has_cart:
            return "cart"
        return "stem_cells" if self.has_graft else "planned"

    @property
    def cart_offset(self) -> int | None:
        """Days from the stem cells to the first CAR-T infusion; None where one of the two is not given."""
        first = self.cart_elements[0] if self.has_graft and self.has_cart else None
        return first.day if first is not None and first.clock == "stem_cells" else None

    def first_drug_day(self, clock: Clock) -> int:
        """Return the first day of conditioning or lymphodepletion on a clock, 0 when there is none."""
        days = [
            day
            for item in self.drug_elements.values()
            if item.kind in ("conditioning", "lymphodepletion") and item.clock == clock
            for drug in self.protocol.doses_of(item)
            for day in drug.dose_days()
        ]
        return min(days, default=0)


__all__ = ["Arm", "ParameterChange", "Protocol", "Share"]
