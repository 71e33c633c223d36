"""What a study compares its options by: one number for each subject and arm, whose mean is the outcome.

The definitions stand in ``library/study_outcomes``. A mean of numbers per subject makes every comparison of arms of
the same virtual patients a paired one, and every share of a difference exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from seedbed import library
from seedbed.documents import Content, read
from seedbed.errors import ContentError, TableError, unknown
from seedbed.sources import Words


class Outcome(Content):
    """One outcome.

    Attributes
    ----------
    better : whether more of it is better for the patient, or less
    unit : of the mean; ``1`` is a share of subjects, ``log10`` the decimal logarithm of a positive quantity
    column : of the table ``endpoints``
    kind : ``level`` counts values of at least `at_least`; ``category`` counts values among `counts`; ``free_until``
        counts subjects without the event `event` up to `day`; ``free_at_end`` those without any of `events` within
        the simulated time; ``number`` is the value itself, ``logarithm`` its decimal logarithm (values below `least`
        count as `least`)
    missing : what a missing value counts as; None leaves the subject out
    """

    title: Words
    describes: Words
    better: Literal["more", "less"]
    unit: str = "1"
    kind: Literal["level", "category", "free_until", "free_at_end", "number", "logarithm"]
    column: str
    at_least: float | None = None
    counts: tuple[str, ...] = ()
    event: str = ""
    events: tuple[str, ...] = ()
    day: float | None = None
    least: float | None = Field(default=None, gt=0)
    missing: float | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Outcome:
        needs = {"level": "at_least", "category": "counts", "free_until": "day", "free_at_end": "events",
                 "logarithm": "least"}  # fmt: skip
        needed = needs.get(self.kind)
        if needed and not getattr(self, needed):
            raise ValueError(f"an outcome of kind {self.kind} needs {needed}")
        return self

    @property
    def is_share(self) -> bool:
        """Whether the outcome is a share of subjects."""
        return self.unit == "1"

    @property
    def difference(self) -> Literal["number", "difference of shares"]:
        """What kind of number a paired difference of the outcome is; see `worlds.estimate_mean`."""
        return "difference of shares" if self.is_share else "number"

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.better == "more" else -1

    @property
    def latest_day(self) -> float:
        """The last day that the outcome looks at [day from enrollment]."""
        return self.day or 0.0

    def values(self, endpoints: pd.DataFrame) -> NDArray[np.float64]:
        """Return a number for each row of the table ``endpoints``, NaN where there is none.

        Raises
        ------
        TableError
            The table lacks a column.
        """
        wanted = {self.column, *self.events, *filter(None, [self.event])}
        lacking = sorted(wanted - set(endpoints.columns))
        if lacking:
            raise TableError(f"the endpoints have no column {', '.join(lacking)}")
        result = getattr(self, f"_{self.kind}")(endpoints)
        return result if self.missing is None else np.where(np.isnan(result), self.missing, result)

    def _number(self, table: pd.DataFrame) -> NDArray[np.float64]:
        return table[self.column].to_numpy(dtype=float)

    def _logarithm(self, table: pd.DataFrame) -> NDArray[np.float64]:
        return np.log10(np.maximum(self._number(table), self.least))

    def _level(self, table: pd.DataFrame) -> NDArray[np.float64]:
        value = self._number(table)
        return np.where(np.isnan(value), np.nan, value >= self.at_least)

    def _category(self, table: pd.DataFrame) -> NDArray[np.float64]:
        value = table[self.column]
        return np.where(value.isna(), np.nan, value.isin(self.counts).to_numpy(dtype=float))

    def _free_until(self, table: pd.DataFrame) -> NDArray[np.float64]:
        happened = table[self.event].to_numpy(dtype=bool) & (self._number(table) <= self.day)
        return (~happened).astype(float)

    def _free_at_end(self, table: pd.DataFrame) -> NDArray[np.float64]:
        seen = np.logical_or.reduce([_happened(table[name]) for name in self.events])
        return (~seen).astype(float)


def _happened(column: pd.Series) -> NDArray[np.bool_]:
    """Return where a flag is set, or a day or cause is present."""
    if column.dtype == bool:
        return column.to_numpy()
    return column.notna().to_numpy()


class OutcomeFile(Content):
    """A file of outcomes."""

    id: str
    outcomes: dict[str, Outcome]


@cache
def known_outcomes() -> dict[str, Outcome]:
    """Return all outcomes of the library by id."""
    files = [read(library.find("study_outcomes", name), OutcomeFile) for name in library.names("study_outcomes")]
    return {name: outcome for file in files for name, outcome in file.outcomes.items()}


def chosen(names: Sequence[str]) -> dict[str, Outcome]:
    """Return outcomes by their ids.

    Raises
    ------
    ContentError
        An id is unknown.
    """
    known = known_outcomes()
    problems = [unknown("outcome", name, list(known)) for name in names if name not in known]
    if problems:
        raise ContentError(problems)
    return {name: known[name] for name in names}


def tabulate(endpoints: pd.DataFrame, outcomes: dict[str, Outcome]) -> pd.DataFrame:
    """Return subject, arm and a column for each outcome."""
    columns = {name: outcome.values(endpoints) for name, outcome in outcomes.items()}
    return endpoints[["subject", "arm"]].assign(**columns)


def cube(table: pd.DataFrame, arms: Sequence[str], outcome: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the subjects that have a value in every arm, and their values (subjects, arms).

    Raises
    ------
    TableError
        Fewer than two subjects have one.
    """
    wide = table.pivot(index="subject", columns="arm", values=outcome)[list(dict.fromkeys(arms))].dropna()
    if len(wide) < 2:
        raise TableError(f"{len(wide)} subjects have a value of {outcome} in all arms; a comparison needs two")
    return wide.index.to_numpy(dtype=np.int64), wide[list(arms)].to_numpy(dtype=float)
