"""What a file of published evidence may say: studies with arms and values, and kinetic facts.

A rate is a fraction (unit ``"1"``), never a percentage. What is not known is absent, never a default.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field

from seedbed.documents import Content

Unit = Literal["1", "day", "week", "month", "count"]
Use = Literal["calibrate", "not_fitted", "context"]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class Interval(Content):
    """A published interval; a bound that was not reached is absent."""

    lower: float | None = None
    upper: float | None = None
    level: float = Field(default=0.95, gt=0, lt=1)


class Range(Content):
    """The lowest and highest of several values."""

    lower: float
    upper: float


class Spread(Content):
    """How far patients differ: not an uncertainty of the estimate."""

    kind: Literal["range", "interquartile", "not_stated"]
    lower: float
    upper: float


class Verification(Content):
    """That a value was looked up again, and what was found.

    Attributes
    ----------
    how : where it was looked for
    when : the date
    confirmed : whether the number itself was seen again and agrees
    found : what the source says, in our words; also when nothing was found
    """

    how: str
    when: datetime.date
    confirmed: bool
    found: str


class TextSource(Content):
    """A text that a value was read in, or recalled from."""

    level: str
    citation: str
    doi: str = ""
    pmid: str = ""
    url: str = ""
    location: str = ""

    @property
    def short(self) -> str:
        """Return the shortest name that leads to the text."""
        if self.doi:
            return f"doi:{self.doi}"
        return f"pmid:{self.pmid}" if self.pmid else self.url or self.citation


class PublishedValue(Content):
    """One published number of one arm.

    Attributes
    ----------
    statistic : how the number was made, such as ``proportion`` or ``kaplan_meier``
    value, range, unit : fractions for rates; day, week or month as printed for times
    events, n : counts; `events_derived` when they are our arithmetic on the printed rate
    time_days : when the rate holds, counted on `clock`; absent for best or final values
    scale : the grading scale; `scale_recalled` when it does not stand where the value was read
    preferred : the one row of its patients, endpoint and time that may be fitted
    doubt : why the number may be wrong; such a row is never fitted
    """

    id: Identifier
    endpoint: str
    statistic: str
    value: float | None = None
    range: Range | None = None
    unit: Unit
    interval: Interval | None = None
    spread: Spread | None = None
    events: int | None = Field(default=None, ge=0)
    events_derived: bool = False
    n: int | None = Field(default=None, gt=0)
    time_days: float | None = Field(default=None, gt=0)
    clock: str
    scale: str = ""
    scale_recalled: bool = False
    rule: str = ""
    assessment: Literal["", "best"] = ""
    denominator: str = ""
    subgroup: str = ""
    source: str = ""
    seen: bool
    confidence: Literal["", "high", "medium", "low"] = ""
    preferred: bool
    use: Use | None = None
    use_reason: str = ""
    doubt: str = ""
    note: str = ""
    verified: Verification | None = None


class InfusionDay(Content):
    """When CAR-T cells are given, in days after the stem cells, or in words."""

    first: float | None = None
    last: float | None = None
    described: str = ""


class Arm(Content):
    """One group of patients treated alike.

    Attributes
    ----------
    cohort_group : patients of arms with the same group may be the same people
    part : ``partition:member``; arms of one partition share nobody, an arm without part may share anyone
    use : what its values may be used for, where a value does not say otherwise
    """

    id: Identifier
    therapy: str
    regimen: str
    disease: str = ""
    conditioning: str = ""
    population: str = ""
    product: str = ""
    targets: tuple[str, ...] = ()
    costimulation: Literal["", "none", "CD28", "4-1BB", "CD28 and 4-1BB"] = ""
    dose: str = ""
    infusion_day: InfusionDay | None = None
    cd34_per_kg: float | None = Field(default=None, gt=0)
    growth_factor: str = ""
    n: int | None = Field(default=None, gt=0)
    n_reconstructed: bool = False
    cohort_group: Identifier
    part: str = ""
    unverified: tuple[str, ...] = ()
    use: Use
    use_reason: str = ""
    note: str = ""
    endpoints: tuple[PublishedValue, ...]


class Contrast(Content):
    """A published comparison of two groups; they need not be arms of this file."""

    id: Identifier
    measure: Literal["hazard_ratio", "difference", "p_value", "association"]
    endpoint: str
    arm: str = ""
    versus: str = ""
    between: str = ""
    subgroup: str = ""
    value: float | None = None
    interval: Interval | None = None
    p: str = ""
    adjustment: Literal["", "none", "adjusted", "matched", "randomized", "not_stated"] = ""
    time_days: float | None = Field(default=None, gt=0)
    source: str = ""
    seen: bool
    doubt: str = ""
    note: str = ""
    verified: Verification | None = None


class Design(Content):
    """The kind of study, and its design in words."""

    kind: str
    described: str = ""


class Study(Content):
    """One study: where it was published, who was treated, what was found.

    Attributes
    ----------
    aliases : former names of the same study
    unverified : identifiers and words that were recalled and not read
    """

    id: Identifier
    title: str
    aliases: tuple[str, ...] = ()
    design: Design
    disease: str
    disease_as_printed: str = ""
    center: str = ""
    registry: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    sources: dict[str, TextSource]
    notes: tuple[str, ...] = ()
    verified: Verification | None = None
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...] = ()

    def arm(self, name: str) -> Arm:
        """Return an arm by its id; `KeyError` when there is none."""
        return {arm.id: arm for arm in self.arms}[name]


class Fact(Content):
    """One time-course or biomarker fact.

    Attributes
    ----------
    quantity, context : what was measured, and in whom
    statistic : ``median``, ``hazard_ratio``, ...; ``finding`` has words instead of a number
    value : a number, or one number for each of `groups`
    lower, upper : of one value: interval, range or quartiles, as `bounds` says
    """

    id: Identifier
    quantity: str
    context: str
    statistic: str
    value: float | tuple[float, ...] | None = None
    groups: tuple[str, ...] = ()
    finding: str = ""
    unit: str = "1"
    lower: float | tuple[float | None, ...] | None = None
    upper: float | tuple[float | None, ...] | None = None
    bounds: Literal["", "interval", "range", "interquartile", "not_stated"] = ""
    events: int | tuple[int, ...] | None = None
    n: int | tuple[int, ...] | None = None
    therapy: str
    source: str = ""
    url: str = ""
    seen: bool
    confidence: Literal["", "high", "medium", "low"] = ""
    use: Use
    note: str = ""
    verified: Verification | None = None


class Facts(Content):
    """The kinetic facts of one topic."""

    topic: str
    facts: tuple[Fact, ...]
