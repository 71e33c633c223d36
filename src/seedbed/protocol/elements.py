"""What an arm is built from: conditioning, stem cells, CAR-T cells and courses of drugs, each on its clock."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from seedbed.documents import Content
from seedbed.protocol.catalogue import DrugDoses, Positive, Share

Clock = Literal["enrollment", "stem_cells", "cart"]
CellUnit = Literal["cell", "cell/kg"]
CLOCKS: tuple[Clock, ...] = ("enrollment", "stem_cells", "cart")
CourseKind = Literal[
    "bridging", "growth_factor", "maintenance", "anti_pd1", "bispecific", "prophylaxis", "premedication"
]


class CellDose(Content):
    """A number of cells."""

    amount: Positive
    unit: CellUnit


class _Drugs(Content):
    regimen: str | None = None
    drugs: tuple[DrugDoses, ...] | None = None

    @model_validator(mode="after")
    def _has_drugs(self) -> _Drugs:
        if (self.regimen is None) == (self.drugs is None):
            raise ValueError("give either regimen or drugs")
        return self


class Conditioning(_Drugs):
    """High-dose therapy before the stem cells, on their clock."""

    kind: Literal["conditioning"]
    clock: Literal["stem_cells"] = "stem_cells"


class Lymphodepletion(_Drugs):
    """Lymphodepletion before CAR-T cells, on their clock."""

    kind: Literal["lymphodepletion"]
    clock: Literal["cart"] = "cart"


class Course(_Drugs):
    """Drugs on scheduled days of one clock; the days of the drugs count from `start_day`."""

    kind: CourseKind
    clock: Clock
    start_day: int = 0


class StemCells(Content):
    """The autologous graft, given on day 0 of the stem-cell clock.

    Attributes
    ----------
    cd34 : ``collected`` gives all that was mobilized (covariate ``cd34_collected``); otherwise a fixed dose
    lymphocytes : viable lymphocytes in the graft; null when CD34 cells were selected
    """

    kind: Literal["stem_cells"]
    clock: Literal["stem_cells"] = "stem_cells"
    cd34: Literal["collected"] | CellDose
    lymphocytes: CellDose | None


class Infusion(Content):
    """One part of a split dose, or one repetition: day after the first infusion, share of the dose."""

    day: int
    share: Annotated[Share, Field(gt=0)]


class CarT(Content):
    """CAR-T cells.

    Attributes
    ----------
    dose, unit : viable CAR-positive cells
    day : of the first infusion on `clock`
    infusions : days after the first infusion with the share of the dose given; shares below 1 split the dose,
        several shares of 1 repeat it
    """

    kind: Literal["cart"]
    product: str
    dose: Positive
    unit: CellUnit
    clock: Clock
    day: int = 0
    infusions: tuple[Infusion, ...] = (Infusion(day=0, share=1.0),)


Element = Annotated[Conditioning | Lymphodepletion | StemCells | CarT | Course, Field(discriminator="kind")]
DrugElement = Conditioning | Lymphodepletion | Course
