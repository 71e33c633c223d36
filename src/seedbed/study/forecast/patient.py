"""The file of one patient: covariates and measurements on a stated clock, and nothing that says who it is."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from seedbed.documents import Content, Document, Key, load, parse
from seedbed.errors import ContentError, Problem, nearest
from seedbed.study.forecast.plan import Covariate, Plan

Clock = Literal["cart", "stem_cells"]
CURE = "remove it: a forecast accepts no names or identifiers"
IDENTIFYING = re.compile(
    r"(^|[_\s-])(names?|surname|initials|mrn|ssn|nhs|id|ids|identifier|uuid|identity|passport|insurance|birth|birthday|dob|"
    r"born|date|hospital|clinic|doctor|physician|ward|address|street|city|postcode|zip|phone|telephone|mobile|email|"
    r"mail|contact|record|chart|case|patient|comment|comments|note|notes|remark|remarks|text|description|"
    r"describes|history|free)([_\s-]|$)|姓名|名字|生日|出生|身份证|病历|住院号|门诊号|电话|地址|备注|医院",
    re.IGNORECASE,
)
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Course(Content):
    """The values of one quantity by day of the patient's clock."""

    unit: str
    values: dict[float, float] = Field(min_length=1)

    @field_validator("values")
    @classmethod
    def _possible(cls, values: dict[float, float]) -> dict[float, float]:
        for day, value in values.items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"value {value} on day {day:g} is below zero")
            if not -60 <= day <= 400:
                raise ValueError(f"day {day:g} is not within -60 to 400 of day 0")
        return dict(sorted(values.items()))


class Patient(Content):
    """One patient so far.

    Attributes
    ----------
    research_use_only : must be true; whoever writes the file says so
    protocol, arm : the virtual trial arm whose patients this one is compared with
    clock : what day 0 is: the CAR-T cells or the stem cells
    covariates : as at enrollment, before treatment
    measurements : quantity -> values by day
    seen_until_day : last day the patient is known to be alive; default the last measurement
    """

    research_use_only: Literal[True]
    protocol: str
    arm: str
    clock: Clock
    covariates: dict[str, float | bool | str] = Field(default_factory=dict)
    measurements: dict[str, Course] = Field(default_factory=dict)
    seen_until_day: float | None = Field(default=None, ge=-60, le=400)

    @property
    def last_day(self) -> float | None:
        """Return the last day that something is known, or None before any measurement."""
        days = [max(course.values) for course in self.measurements.values()]
        days += [] if self.seen_until_day is None else [self.seen_until_day]
        return max(days, default=None)

    @property
    def n_values(self) -> int:
        """Return how many measured values the file holds."""
        return sum(len(course.values) for course in self.measurements.values())


def read(file: str | Path, plan: Plan) -> Patient:
    """Return the patient of a file, checked against what the plan compares.

    Raises
    ------
    ContentError
        Something names or identifies a person, or any other problem; all of them at once. The offending values are
        never repeated in the message.
    """
    document = load(file)
    refused = list(identifying(document))
    if refused:
        raise ContentError(refused)
    patient = parse(document, Patient)
    problems = [*_covariate_problems(patient, plan, document), *_measurement_problems(patient, plan, document)]
    if problems:
        raise ContentError(problems)
    return patient


def identifying(document: Document) -> Iterator[Problem]:
    """Yield a problem for each key or value that could say who the patient is."""
    for keys, value in _leaves(document.data, ()):
        key = str(keys[-1]) if keys else ""
        if _is_own(keys):
            continue
        if IDENTIFYING.search(_WORD_BREAK.sub("_", key)):
            yield document.problem(f'the key "{key}" may identify a person', keys, cure=CURE)
        elif isinstance(value, datetime.date):
            yield document.problem(f'"{key}" holds a calendar date', keys, cure="give days from day 0 of the clock")
        elif isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9_./%+-]{1,60}", value):
            yield document.problem(f'"{key}" holds free text', keys, cure=CURE)


def _is_own(keys: tuple[Key, ...]) -> bool:
    """Tell whether a place is one of the file's own keys whose text names content, not people."""
    return keys in (("protocol",), ("arm",), ("clock",))


def _leaves(data: Any, keys: tuple[Key, ...]) -> Iterator[tuple[tuple[Key, ...], Any]]:
    """Yield every key of a file with its value, containers included."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield (*keys, key), value
            yield from _leaves(value, (*keys, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _leaves(value, (*keys, index))


def _covariate_problems(patient: Patient, plan: Plan, document: Document) -> Iterator[Problem]:
    for name, value in patient.covariates.items():
        place = ("covariates", name)
        rule = plan.covariates.get(name)
        if rule is None:
            known = ", ".join(plan.covariates)
            near = nearest(name, plan.covariates)
            yield document.problem(f'unknown covariate "{name}"', place, expected=f"one of {known}", nearest=near)
        elif not _kind_fits(rule, value):
            expected = "a level" if rule.scale == "level" else "a number of at least 0"
            yield document.problem(f"{name} = {value}", place, expected=expected)


def _kind_fits(rule: Covariate, value: float | bool | str) -> bool:
    if rule.scale == "level":
        return isinstance(value, bool | str)
    return isinstance(value, float | int) and not isinstance(value, bool) and value >= 0


def _measurement_problems(patient: Patient, plan: Plan, document: Document) -> Iterator[Problem]:
    for name, course in patient.measurements.items():
        place = ("measurements", name)
        quantity = plan.quantities.get(name)
        if quantity is None:
            known = ", ".join(plan.quantities)
            cure = "LDH is compared at enrollment only: give covariates.ldh_ratio" if "ldh" in name.lower() else ""
            near = nearest(name, plan.quantities)
            yield document.problem(
                f'unknown measurement "{name}"', place, expected=f"one of {known}", nearest=near, cure=cure
            )
        elif course.unit != quantity.unit:
            yield document.problem(
                f'{name} in "{course.unit}"', (*place, "unit"), expected=f'"{quantity.unit}"', cure="convert the values"
            )
    if patient.last_day is not None and patient.last_day > plan.course_days.last:
        what = f"day {patient.last_day:g} is after the last day that is compared"
        yield document.problem(what, ("measurements",), expected=f"days up to {plan.course_days.last}")


__all__ = ["Clock", "Course", "Patient", "identifying", "read"]
