"""Would a transplant physician believe these virtual arms? Twelve checks of a plan, on runs of library protocols.

The plan (`library/plans/plausibility.yaml`) names cohorts (an arm of a protocol, perhaps with a part replaced), and for
each check its statements: a statistic of a cohort, the range it should lie in, and where the range comes from.
``check(plan, folder) -> list[Reading]`` runs the protocols into a folder and reads their tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import yaml
from pydantic import Field, model_validator

from seedbed import library
from seedbed.documents import Content, content_hash, load, read
from seedbed.errors import ContentError, Problem
from seedbed.sources import Source, Words
from seedbed.study.statistics_of_arms import ArmData, Statistic
from seedbed.trial.request import Options, make_request
from seedbed.trial.run import execute


class Cohort(Content):
    """An arm of a library protocol: those who got its treatment and whom it selects."""

    protocol: str
    arm: str
    follow_up_days: float = Field(gt=0)
    replace: dict[str, str | float | tuple[str, ...]] = Field(default_factory=dict)


class Statement(Content):
    """One number of a cohort and the range it should lie in."""

    id: str
    says: Words
    cohort: str
    statistic: Statistic
    range: Annotated[tuple[float | None, float | None], Field(min_length=2, max_length=2)]
    unit: str = "1"
    source: Source


class Check(Content):
    """One of the twelve checks."""

    number: int
    title: Words
    statements: tuple[Statement, ...] = Field(min_length=1)


class PlausibilityPlan(Content):
    """The content file of the checks."""

    id: str
    describes: str
    headings: dict[str, Words]
    subjects: int = Field(gt=0)
    seed: int = Field(ge=0)
    cohorts: dict[str, Cohort]
    checks: tuple[Check, ...]

    @model_validator(mode="after")
    def _cohorts_exist(self) -> PlausibilityPlan:
        for check in self.checks:
            for statement in check.statements:
                for name in (statement.cohort, *statement.statistic.other_cohorts):
                    if name not in self.cohorts:
                        raise ValueError(f'statement {statement.id} names the unknown cohort "{name}"')
        return self


@dataclass(frozen=True)
class Reading:
    """A statement with the value found.

    Attributes
    ----------
    check : number of the check
    statement : the statement
    value : what the cohort shows; NaN when it cannot be computed
    n : subjects of the cohort
    passed : whether the value lies in the range
    """

    check: int
    statement: Statement
    value: float
    n: int
    passed: bool


def read_plan(name_or_path: str = "plausibility") -> PlausibilityPlan:
    """Return the plan of the library, or of a file.

    Raises
    ------
    ContentError
        Lists every problem of the file.
    """
    return read(library.find("plans", name_or_path), PlausibilityPlan)


def check(
    plan: PlausibilityPlan,
    folder: Path,
    *,
    numbers: Iterable[int] = (),
    workers: int = 2,
    report: Callable[[str], None] = lambda _message: None,
) -> list[Reading]:
    """Run what the chosen checks need and return their readings.

    Parameters
    ----------
    plan : the checks
    folder : where the run folders stand; a run that is there already is used again
    numbers : checks to do; all when empty
    workers : shards worked at once
    report : told what is being run

    Raises
    ------
    ContentError
        A number is not among the plan's checks, or a protocol is wrong.
    """
    chosen = _chosen(plan, tuple(numbers))
    needed = dict.fromkeys(
        name
        for item in chosen
        for statement in item.statements
        for name in (statement.cohort, *statement.statistic.other_cohorts)
    )
    arms = {name: _arm_data(plan, plan.cohorts[name], folder, workers, report) for name in needed}
    return [read_statement(item.number, statement, arms) for item in chosen for statement in item.statements]


def read_statement(number: int, statement: Statement, arms: dict[str, ArmData]) -> Reading:
    """Compute one statement from the cohorts' tables."""
    arm = arms[statement.cohort]
    value = statement.statistic.compute(arm, arms)
    lower, upper = statement.range
    passed = (lower is None or value >= lower) and (upper is None or value <= upper) and value == value
    return Reading(number, statement, value, len(arm.endpoints), bool(passed))


def _chosen(plan: PlausibilityPlan, numbers: tuple[int, ...]) -> tuple[Check, ...]:
    known = {item.number for item in plan.checks}
    unknown = [number for number in numbers if number not in known]
    if unknown:
        expected = f"numbers from {min(known)} to {max(known)}"
        raise ContentError([Problem(f"no check number {number}", plan.id, expected=expected) for number in unknown])
    return tuple(item for item in plan.checks if not numbers or item.number in numbers)


def _arm_data(
    plan: PlausibilityPlan, cohort: Cohort, folder: Path, workers: int, report: Callable[[str], None]
) -> ArmData:
    protocol = _protocol_file(cohort, folder)
    options = Options(
        subjects=plan.subjects, seed=plan.seed, until_days=cohort.follow_up_days, trajectories=plan.subjects
    )
    request = make_request(protocol, options)
    place = folder / request.fingerprint[:16]
    if not (place / "endpoints.parquet").exists():
        report(f"{cohort.protocol}: {plan.subjects} subjects, {cohort.follow_up_days:g} days")
        execute(place, request, workers=workers)
    return arm_data(place, cohort.arm)


def arm_data(folder: Path, arm: str) -> ArmData:
    """Return the tables of an arm of a run folder: those it selects and who got its treatment."""
    endpoints = pd.read_parquet(folder / "endpoints.parquet")
    subjects = pd.read_parquet(folder / "subjects.parquet")
    own = endpoints[(endpoints["arm"] == arm) & endpoints["selected"]]
    own = own[own["transplanted"] | own["infused"]]
    covariates = [name for name in subjects if name not in own or name == "subject"]
    own = own.merge(subjects[covariates], on="subject", how="left", validate="one_to_one")
    courses = pd.read_parquet(folder / "trajectories.parquet")
    courses = courses[(courses["arm"] == arm) & courses["subject"].isin(own["subject"])]
    return ArmData(own.reset_index(drop=True), courses.reset_index(drop=True))


def _protocol_file(cohort: Cohort, folder: Path) -> str:
    """Return the id of a library protocol, or the path of a copy with the cohort's replacements."""
    if not cohort.replace:
        return cohort.protocol
    document = load(library.find("protocols", cohort.protocol))
    data: dict[str, Any] = document.data
    for keys, value in cohort.replace.items():
        *path, last = keys.split(".")
        place = data
        for key in path:
            if key not in place:
                raise ContentError(document.problem(f'a check replaces "{keys}", but there is no "{key}"'))
            place = place[key]
        place[last] = list(value) if isinstance(value, tuple) else value
    name = f"{cohort.protocol}_{content_hash(cohort.replace)[:8]}"
    data["id"] = name
    copy = folder / f"{name}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    copy.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return str(copy)


__all__ = ["Check", "Cohort", "PlausibilityPlan", "Reading", "Statement", "arm_data", "check", "read_plan"]
