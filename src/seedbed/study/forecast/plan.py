"""What a forecast compares and how strictly: the schema of ``library/plans/forecast_*.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from seedbed import library
from seedbed.documents import Content, Document, load, parse
from seedbed.errors import ContentError, Problem, nearest
from seedbed.sources import Source, Words
from seedbed.trial.measurement import MeasurementMap, read_map

M_PROTEIN = "serum_marker"
"""The signal that is relative to enrollment; a patient's own M-protein per tumor turns it into g/dL."""


class Quantity(Content):
    """A laboratory value that can be given with its days.

    Attributes
    ----------
    signal : observable of the model that it shows
    unit : the only unit in which it is accepted
    assay : assay of the measurement map whose noise it has; or `noise` itself [log SD]
    per_signal : value for one unit of the signal
    discrepancy : log SD allowed beside the assay's noise
    counts_as : how many independent values a whole course is worth at most
    floor : values below it count as this much, since they tell no more [unit]
    """

    signal: str
    unit: str
    assay: str | None = None
    noise: float | None = Field(default=None, gt=0)
    per_signal: float = Field(default=1.0, gt=0)
    discrepancy: float = Field(ge=0)
    counts_as: float = Field(ge=1)
    floor: float = Field(gt=0)
    source: Source

    @model_validator(mode="after")
    def _one_noise(self) -> Quantity:
        if (self.assay is None) == (self.noise is None):
            raise ValueError('needs either "assay" or "noise"')
        return self

    def assay_noise(self, content: MeasurementMap) -> float:
        """Return the log SD of the assay."""
        return self.noise if self.assay is None else content.assays[self.assay].noise.value

    def scale(self, content: MeasurementMap) -> float:
        """Return the log SD of a measured value around a virtual patient's."""
        return float(np.hypot(self.assay_noise(content), self.discrepancy))


class Covariate(Content):
    """How near a virtual patient's covariate must be to count as alike.

    Attributes
    ----------
    scale : ``log`` or ``plain`` numbers, or ``level`` of a category
    tolerance : SD of the kernel on that scale
    floor : for ``log``: values below it count as this much
    mismatch : for ``level``: weight of a virtual patient with another level
    """

    scale: Literal["log", "plain", "level"]
    tolerance: float | None = Field(default=None, gt=0)
    floor: float | None = Field(default=None, gt=0)
    mismatch: float | None = Field(default=None, gt=0, le=1)
    source: Source

    @model_validator(mode="after")
    def _fits_scale(self) -> Covariate:
        needed = {"log": ("tolerance", "floor"), "plain": ("tolerance",), "level": ("mismatch",)}[self.scale]
        given = {name for name in ("tolerance", "floor", "mismatch") if getattr(self, name) is not None}
        if given != set(needed):
            raise ValueError(f"scale {self.scale} needs {' and '.join(needed)}, and nothing else")
        return self


class CourseDays(Content):
    """Which days of the virtual courses are kept, on the patient's clock."""

    first: int = Field(le=0)
    last: int = Field(ge=30, le=400)


class Plan(Content):
    """A plan of forecasts."""

    kind: Literal["forecast"]
    id: str
    title: Words
    subjects: int = Field(ge=100, le=100_000)
    seed: int = Field(ge=0)
    follow_up_days: float = Field(ge=200)
    effective_share: float = Field(gt=0, lt=1, description="of the virtual patients, that a forecast rests on")
    smallest_effective_size: float = Field(ge=10, description="virtual patients below which a forecast is refused")
    largest_widening: float = Field(ge=1, le=20)
    largest_misfit: float = Field(gt=0)
    student_degrees: float = Field(ge=2)
    course_days: CourseDays
    quantities: dict[str, Quantity] = Field(min_length=1)
    covariates: dict[str, Covariate]
    shown: tuple[str, ...] = Field(min_length=1)

    def needed(self, n: int) -> float:
        """Return how many of `n` virtual patients (effective number) a forecast rests on."""
        return max(self.effective_share * n, self.smallest_effective_size)

    @property
    def signals(self) -> tuple[str, ...]:
        """Return the observables whose courses are kept."""
        return tuple(dict.fromkeys(quantity.signal for quantity in self.quantities.values()))


def read(name_or_path: str | Path) -> Plan:
    """Return a plan of the library or of a file, with all its problems in one error.

    Raises
    ------
    ContentError
        Every problem of the file.
    """
    document = load(library.find("plans", name_or_path))
    plan = parse(document, Plan)
    problems = [*_shown_problems(plan, document), *_assay_problems(plan, document)]
    if problems:
        raise ContentError(problems)
    return plan


def _shown_problems(plan: Plan, document: Document) -> list[Problem]:
    return [
        document.problem(
            f'"{name}" is no quantity of this plan', ("shown", index), nearest=nearest(name, plan.quantities)
        )
        for index, name in enumerate(plan.shown)
        if name not in plan.quantities
    ]


def _assay_problems(plan: Plan, document: Document) -> list[Problem]:
    content = read_map()
    problems = []
    for name, quantity in plan.quantities.items():
        if quantity.assay is not None and quantity.assay not in content.assays:
            near = nearest(quantity.assay, content.assays)
            place = ("quantities", name, "assay")
            problems.append(document.problem(f'unknown assay "{quantity.assay}"', place, nearest=near))
        if quantity.signal not in (*content.signals, "serum_marker"):
            near = nearest(quantity.signal, content.signals)
            place = ("quantities", name, "signal")
            problems.append(document.problem(f'the clinic sees no signal "{quantity.signal}"', place, nearest=near))
    return problems
