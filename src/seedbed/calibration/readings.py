"""How a published result is read from a simulated arm, through the published result's own filter.

A *reading* belongs to an endpoint of the evidence base: which column of the endpoints table, what counts, who is
in the denominator, and which other endpoint it is nested in. Readings are content: ``library/comparisons``.
`terms_of_arm` turns the evidence rows of an arm into terms; `read_members` gives the same terms of a simulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from seedbed import library
from seedbed.calibration.terms import Term, conditional_survival, effective_trials, median_error
from seedbed.documents import Content, read
from seedbed.errors import TableError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Clock = Literal["enrollment", "day_zero"]
ROW_COLUMNS = (
    "study", "arm", "row", "therapy", "arm_use", "use", "cohort_group", "part", "endpoint", "statistic",
    "value", "lower", "upper", "interval_kind", "events", "n", "time_days", "unit", "clock", "denominator", "preferred",
    "spread_kind", "spread_lower", "spread_upper",
)  # fmt: skip
"""Columns of the table of evidence rows that this package reads; times are in days, rates are fractions."""
_SAME_PATIENTS = 0.02
"""Two rates are of the same patients when their numbers of patients differ by at most this share."""
_SMALLEST = 0.25


class RateReading(Content):
    """A share of patients.

    Attributes
    ----------
    column : column of the endpoints table
    counts, at_least, at_most, below : what counts as having the endpoint; with none, the column is a flag
    missing : a patient without a value counts as not having it, or is left out of the denominator
    nested_in : endpoint that everyone with this one has too; the two are then one multinomial
    by_day : column of the day of the event, for rates by a time
    """

    kind: Literal["rate"]
    family: str
    column: str
    counts: tuple[str, ...] | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    missing: Literal["counts_as_no", "left_out"] = "counts_as_no"
    nested_in: str | None = None
    at_days: dict[int, str] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        rules = [rule for rule in (self.counts, self.at_least, self.at_most, self.below) if rule is not None]
        if len(rules) > 1:
            raise ValueError("give one of counts, at_least, at_most and below")
        return self

    def column_at(self, time_days: float | None) -> str | None:
        """Return the column for a time: the nearest of `at_days` within 20 %; None where none is near."""
        if not self.at_days or time_days is None or not np.isfinite(time_days):
            return self.column
        day = min(self.at_days, key=lambda known: abs(known - time_days))
        return self.at_days[day] if abs(day - time_days) <= max(5.0, 0.2 * time_days) else None

    def flags(self, table: pd.DataFrame, time_days: float | None = None) -> tuple[Flags, Flags]:
        """Return who is in the denominator and who has the endpoint."""
        column = table[self.column_at(time_days) or self.column]
        present = column.notna().to_numpy()
        if self.counts is not None:
            has = column.isin(self.counts).to_numpy()
        else:
            values = pd.to_numeric(column, errors="coerce").to_numpy(float)
            has = np.nan_to_num(self._satisfied(values), nan=0.0).astype(bool)
        return (present if self.missing == "left_out" else np.ones(len(table), bool)), has & present

    def _satisfied(self, values: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            if self.at_least is not None:
                return values >= self.at_least
            if self.at_most is not None:
                return values <= self.at_most
            if self.below is not None:
                return values < self.below
        return values > 0


class SurvivalReading(Content):
    """Free of an event at a time.

    Attributes
    ----------
    time : column of the time from each clock [day]
    event : column that says whether the time ends with the event
    incidence : the published number is the share with the event
    cause_column, causes : only these causes count; others compete
    """

    kind: Literal["survival"]
    family: str
    time: dict[Clock, str]
    event: str
    incidence: bool = False
    cause_column: str | None = None
    causes: tuple[str, ...] = ()

    def flags(self, table: pd.DataFrame, time_days: float, clock: Clock = "day_zero") -> tuple[Flags, Flags]:
        """Return who is known at the time, and who is free of the event then."""
        time, event = table[self.time[clock]].to_numpy(float), table[self.event].to_numpy(bool)
        if self.cause_column is not None:
            event = event & table[self.cause_column].isin(self.causes).to_numpy()
        happened = event & (time <= time_days)
        known = (happened | (time >= time_days)) if self.cause_column is None else np.isfinite(time)
        return known & np.isfinite(time), ~happened


class MedianReading(Content):
    """A median of a positive quantity.

    `missing` says what a patient without a value is; only rows on one of `clocks` can be compared; with `among`,
    only patients with that endpoint (a rate) count, or with `not_among` only those without.
    """

    kind: Literal["median"]
    family: str
    column: str
    missing: Literal["left_out", "never"] = "left_out"
    clocks: tuple[str, ...] | None = None
    among: str | None = None
    not_among: str | None = None

    def values(self, table: pd.DataFrame) -> Floats:
        """Return the values, infinite for those who never had it, NaN for those left out."""
        values = table[self.column].to_numpy(float)
        return np.where(np.isnan(values), np.inf, values) if self.missing == "never" else values


Reading = Annotated[RateReading | SurvivalReading | MedianReading, Field(discriminator="kind")]


class Readings(Content):
    """All readings; which column says who is in a published denominator, and which clock a published one is."""

    id: str
    describes: str = ""
    denominators: dict[str, str | None]
    clocks: dict[str, Clock]
    endpoints: dict[str, Reading]

    @model_validator(mode="after")
    def _references_are_known(self) -> Self:
        for name, reading in self.endpoints.items():
            for key, words in (("nested_in", "is nested in"), ("among", "is among"), ("not_among", "is not among")):
                other = getattr(reading, key, None)
                if other is not None and not isinstance(self.endpoints.get(other), RateReading):
                    raise ValueError(f'{name} {words} "{other}", which has no reading of a rate')
        return self

    @classmethod
    def load(cls, name: str) -> Self:
        """Return the readings of the library."""
        return read(library.find("comparisons", name), cls)

    @property
    def families(self) -> list[str]:
        """Families in alphabetical order."""
        return sorted({reading.family for reading in self.endpoints.values()})

    def family(self, endpoint: str) -> str:
        """Return the family of an endpoint."""
        return self.endpoints[endpoint].family

    def time_of(self, row: Mapping[str, Any]) -> float:
        """Return the day of an evidence row: its landmark, or its value where that is a median survival; else 0."""
        survival = isinstance(self.endpoints.get(row["endpoint"]), SurvivalReading)
        time = row["value"] if survival and row["statistic"] == "median" else row["time_days"]
        return float(time) if pd.notna(time) else 0.0

    def can_read(self, row: Any) -> bool:
        """Return whether an evidence row can be compared: a reading, a value, patients, a denominator, a time."""
        reading = self.endpoints.get(row.endpoint)
        complete = pd.notna(row.value) and pd.notna(row.n) and row.denominator in self.denominators
        if reading is None or not complete:
            return False
        statistic = str(row.statistic)
        if isinstance(reading, SurvivalReading):
            timed = statistic == "median" or (pd.notna(row.time_days) and statistic != "crude")
            return timed and row.clock in self.clocks and self.clocks[row.clock] in reading.time
        if isinstance(reading, MedianReading):
            on_clock = reading.clocks is None or row.clock in reading.clocks
            return on_clock and statistic in {"median", "mean"} and float(row.value) > 0
        share = statistic in {"proportion", "crude", "kaplan_meier", "cumulative_incidence"}
        return share and reading.column_at(row.time_days) is not None


@dataclass(frozen=True)
class Piece:
    """How one term is read from a simulated arm.

    Attributes
    ----------
    after : the landmark before it on the same curve
    parent : reading of the endpoint it is nested in, or of the group whose median it is
    published : value and interval of the whole row (not of the conditional term); NaN without an interval
    """

    term: Term
    reading: RateReading | SurvivalReading | MedianReading
    denominator: str | None
    time_days: float | None = None
    after: float | None = None
    clock: Clock = "day_zero"
    parent: RateReading | None = None
    published: tuple[float, float, float] = (np.nan, np.nan, np.nan)


def terms_of_arm(name: str, cluster: str, rows: pd.DataFrame, readings: Readings) -> list[Piece]:
    """Cut the evidence rows of an arm into terms.

    Parameters
    ----------
    name : arm of the plan
    cluster : study or cohort group that its deviations belong to
    rows : evidence rows (`ROW_COLUMNS`)
    readings : the readings
    """
    pieces: list[Piece] = []
    for endpoint, group in rows.groupby("endpoint", sort=False):
        reading = readings.endpoints[str(endpoint)]
        if isinstance(reading, SurvivalReading):
            pieces += _curve(name, cluster, str(endpoint), group, reading, readings)
        elif isinstance(reading, MedianReading):
            pieces += [_median(name, cluster, row, reading, readings) for row in group.itertuples()]
        else:
            pieces += [_rate(name, cluster, row, reading, rows, readings) for row in group.itertuples()]
    return [piece for piece in pieces if piece.term.size > 1e-3]


def _curve(
    name: str, cluster: str, endpoint: str, group: pd.DataFrame, reading: SurvivalReading, readings: Readings
) -> list[Piece]:
    points = []
    for row in group.itertuples():
        share, time = float(row.value), float(row.time_days) if pd.notna(row.time_days) else np.nan
        if row.statistic == "median":
            share, time = 0.5, float(row.value)
        elif reading.incidence:
            share = 1.0 - share
        bounded = row.statistic != "median" and row.interval_kind == "published" and row.upper > row.lower
        n = effective_trials(share, row.lower, row.upper, row.n) if bounded else float(row.n)
        ends = _ends(row) if row.statistic != "median" else (np.nan, np.nan)
        ends = (1.0 - ends[1], 1.0 - ends[0]) if reading.incidence else ends
        points.append(Point(time, share, n, readings.denominators[row.denominator], readings.clocks[row.clock], ends))
    points = _not_rising(sorted(points, key=lambda point: (point.time, point.share)))
    cut = conditional_survival([p.share for p in points], [p.trials for p in points])
    pieces: list[Piece] = []
    for point, (share, trials) in zip(points, cut, strict=True):
        before = pieces[-1] if pieces else None
        label, within = f"{name}/{endpoint}@{point.time:.0f}", before.term.id if before else None
        term = Term(label, name, cluster, reading.family, endpoint, "share", share, trials, within)
        after, published = before.time_days if before else None, (point.share, *point.ends)
        pieces.append(Piece(term, reading, point.denominator, point.time, after, point.clock, published=published))
    return pieces


@dataclass(frozen=True)
class Point:
    """A landmark of a published curve."""

    time: float
    share: float
    trials: float
    denominator: str | None
    clock: Clock
    ends: tuple[float, float]


def _not_rising(points: list[Point]) -> list[Point]:
    """Drop points that lie above an earlier one or share its time (two reports of one curve)."""
    kept: list[Point] = []
    for point in points:
        if not kept or (point.share <= kept[-1].share and point.time > kept[-1].time + 1.0):
            kept.append(point)
    return kept


def _ends(row: Any) -> tuple[float, float]:
    """Return the published (or exact) interval of an evidence row."""
    return (float(row.lower), float(row.upper)) if pd.notna(row.lower) and pd.notna(row.upper) else (np.nan, np.nan)


def _median(name: str, cluster: str, row: Any, reading: MedianReading, readings: Readings) -> Piece:
    spread = {str(row.spread_kind): (row.spread_lower, row.spread_upper)} if pd.notna(row.spread_kind) else {}
    bounded = row.interval_kind == "published" and pd.notna(row.lower) and pd.notna(row.upper)
    interval = (row.lower, row.upper) if bounded else None
    error = median_error(
        float(row.n), interval=interval, quartiles=spread.get("interquartile"), extremes=spread.get("range")
    )
    observed = float(np.log(float(row.value)))
    term = Term(
        f"{name}/{row.endpoint}", name, cluster, reading.family, row.endpoint, "value", observed, 1.0 / error**2
    )
    group = _as_rate(readings.endpoints.get(reading.among or reading.not_among or ""))
    published = (float(row.value), *_ends(row))
    return Piece(term, reading, readings.denominators[row.denominator], parent=group, published=published)


def _rate(name: str, cluster: str, row: Any, reading: RateReading, rows: pd.DataFrame, readings: Readings) -> Piece:
    share, n = float(row.value), float(row.n)
    time = float(row.time_days) if pd.notna(row.time_days) else None
    parent = _parent(row, reading, rows)
    suffix = f"@{time:.0f}" if time is not None and reading.at_days else ""
    observed, trials, parent_reading = share, n, None
    if parent is not None:
        observed, trials = (
            min(1.0, share / float(parent.value)) if parent.value > 0 else 0.0,
            max(parent.value * n, 1e-6),
        )
        parent_reading = readings.endpoints[reading.nested_in or ""]
    term = Term(
        f"{name}/{row.endpoint}{suffix}",
        name,
        cluster,
        reading.family,
        row.endpoint,
        "share",
        observed,
        trials,
        f"{name}/{reading.nested_in}{suffix}" if parent is not None else None,
    )
    denominator, published = readings.denominators[row.denominator], (share, *_ends(row))
    return Piece(term, reading, denominator, time, parent=_as_rate(parent_reading), published=published)


def _as_rate(reading: Any) -> RateReading | None:
    return reading if isinstance(reading, RateReading) else None


def _parent(row: Any, reading: RateReading, rows: pd.DataFrame) -> Any | None:
    """Return the row that this one is nested in: the same patients up to one in fifty, and not a smaller share."""
    if reading.nested_in is None:
        return None
    same = ((rows.n - row.n).abs() <= _SAME_PATIENTS * row.n) & (rows.denominator == row.denominator)
    same &= (rows.time_days == row.time_days) | (rows.time_days.isna() & pd.isna(row.time_days))
    candidates = rows[(rows.endpoint == reading.nested_in) & same]
    if candidates.empty or float(candidates.iloc[0].value) < float(row.value) - 0.005:
        return None
    return candidates.iloc[0]


def read_members(
    pieces: Sequence[Piece], table: pd.DataFrame, member: NDArray[np.int64], n_members: int
) -> tuple[Floats, Floats]:
    """Read terms from simulated patients.

    Parameters
    ----------
    pieces : the arm's terms
    table : one row a simulated subject: columns of the endpoints table and of `Readings.denominators`
    member : (rows,) position of the member (0 to n_members - 1) that each subject belongs to
    n_members : members

    Returns
    -------
    estimate, weight : (n_members, T)
    """
    pairs = [_read_piece(piece, table, member, n_members) for piece in pieces]
    return np.column_stack([estimate for estimate, _ in pairs]), np.column_stack([weight for _, weight in pairs])


def _read_piece(piece: Piece, table: pd.DataFrame, member: NDArray[np.int64], n_members: int) -> tuple[Floats, Floats]:
    inside = np.ones(len(table), bool) if piece.denominator is None else table[piece.denominator].to_numpy(bool)
    if isinstance(piece.reading, MedianReading):
        if piece.parent is not None:
            _, has = piece.parent.flags(table)
            inside = inside & (has if piece.reading.among is not None else ~has)
        values = np.where(inside, piece.reading.values(table), np.nan)
        return _medians(values, member, n_members)
    among, has = _flags(piece, table)
    among &= inside
    trials = np.bincount(member[among], minlength=n_members).astype(float)
    successes = np.bincount(member[among & has], minlength=n_members).astype(float)
    return np.where(trials > 0, successes / np.maximum(trials, 1.0), np.nan), trials


def _flags(piece: Piece, table: pd.DataFrame) -> tuple[Flags, Flags]:
    reading = piece.reading
    if isinstance(reading, SurvivalReading):
        if piece.time_days is None:
            raise TableError(f'term "{piece.term.id}" has no time')
        among, has = reading.flags(table, piece.time_days, piece.clock)
        if piece.after is not None:
            known, free = reading.flags(table, piece.after, piece.clock)
            among = among & known & free
        return among, has
    if isinstance(reading, MedianReading):
        raise TableError(f'term "{piece.term.id}" is a median, not a share')
    among, has = reading.flags(table, piece.time_days)
    if piece.parent is not None:
        _, parent = piece.parent.flags(table, piece.time_days)
        among = among & parent
    return among, has


def _medians(values: Floats, member: NDArray[np.int64], n_members: int) -> tuple[Floats, Floats]:
    estimate, weight = np.full(n_members, np.nan), np.zeros(n_members)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(n_members + 1))
    for k in range(n_members):
        mine = values[order[starts[k] : starts[k + 1]]]
        mine = np.log(np.maximum(mine[~np.isnan(mine)], _SMALLEST))
        if len(mine) >= 3 and np.isfinite(middle := float(np.median(mine))):
            low, high = np.quantile(mine, [0.25, 0.75], method="lower")
            spread = (high - low) / 1.349 if np.isfinite(high) else 2.0 * (middle - low) / 1.349
            estimate[k], weight[k] = middle, len(mine) / (1.2533 * max(spread, 0.1)) ** 2
    return estimate, weight
