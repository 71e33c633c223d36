"""Statistics of one arm's tables, each a piece of content: what to compute, of which column or course.

A statistic reads an `ArmData` and returns a number; NaN when the arm does not show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from seedbed import analysis
from seedbed.documents import Content
from seedbed.model import read_model
from seedbed.trial.measurement import read_map

DAYS_PER_YEAR = 365.25
TREATED_OCCUPANCY = 0.2


@dataclass(frozen=True)
class ArmData:
    """Endpoints (with covariates) and courses of an arm's subjects."""

    endpoints: pd.DataFrame
    courses: pd.DataFrame


Arms = dict[str, ArmData]


class Condition(Content):
    """A condition on a column of the endpoints or a covariate."""

    column: str
    at_least: float | None = None
    below: float | None = None
    one_of: tuple[str, ...] | None = None
    is_true: bool | None = None

    def holds(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Return which rows meet it; a missing value meets nothing."""
        values = table[self.column]
        met = values.notna().to_numpy(dtype=bool)
        if self.at_least is not None:
            met &= (values.astype(float) >= self.at_least).to_numpy(dtype=bool)
        if self.below is not None:
            met &= (values.astype(float) < self.below).to_numpy(dtype=bool)
        if self.one_of is not None:
            met &= values.isin(self.one_of).to_numpy(dtype=bool)
        if self.is_true is not None:
            met &= (values == self.is_true).to_numpy(dtype=bool)
        return met


class _OfOneArm(Content):
    @property
    def other_cohorts(self) -> tuple[str, ...]:
        """Cohorts it compares with."""
        return ()


class Share(_OfOneArm):
    """Share of subjects who meet all of some conditions, or any of them, among those who meet others."""

    kind: Literal["share"]
    of: tuple[Condition, ...] = Field(min_length=1)
    how: Literal["all", "any"] = "all"
    among: tuple[Condition, ...] = ()
    missing: Literal["counts_as_no", "left_out"] = "counts_as_no"

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the share, NaN without a subject."""
        table = _among(arm.endpoints, self.among)
        if self.missing == "left_out":
            table = table.dropna(subset=[condition.column for condition in self.of])
        if table.empty:
            return np.nan
        met = np.stack([condition.holds(table) for condition in self.of])
        return float((met.all(axis=0) if self.how == "all" else met.any(axis=0)).mean())


class ShareDifference(_OfOneArm):
    """One share minus another in the same arm."""

    kind: Literal["share_difference"]
    one: Share
    other: Share

    def compute(self, arm: ArmData, arms: Arms) -> float:
        """Return the difference."""
        return self.one.compute(arm, arms) - self.other.compute(arm, arms)


class Quantile(_OfOneArm):
    """Quantile of a column, among those who meet some conditions."""

    kind: Literal["quantile"]
    column: str
    at: float = Field(default=0.5, ge=0, le=1)
    among: tuple[Condition, ...] = ()

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the quantile, NaN without a value."""
        values = _among(arm.endpoints, self.among)[self.column].dropna().astype(float)
        return float(values.quantile(self.at)) if len(values) else np.nan


class QuantileDifference(Quantile):
    """Quantile of a column minus that of another cohort."""

    kind: Literal["quantile_difference"]  # type: ignore[assignment]
    minus: str

    @property
    def other_cohorts(self) -> tuple[str, ...]:
        """The cohort whose quantile is taken away."""
        return (self.minus,)

    def compute(self, arm: ArmData, arms: Arms) -> float:
        """Return the difference."""
        return super().compute(arm, arms) - super().compute(arms[self.minus], arms)


class Survival(_OfOneArm):
    """Kaplan-Meier survival at a day, from day 0 of the arm."""

    kind: Literal["survival"]
    endpoint: Literal["pfs", "os", "efs"]
    day: float

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the survival."""
        table = _timed(arm.endpoints, self.endpoint)
        return float(analysis.kaplan_meier(table["time"], table["event"]).at(self.day).value)


class NonRelapseMortality(_OfOneArm):
    """Cumulative incidence of death before progression at a day, from day 0 of the arm."""

    kind: Literal["non_relapse_mortality"]
    day: float

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the incidence; progression competes."""
        table = _timed(arm.endpoints, "pfs")
        cause = np.where(~table["event"], 0, np.where(table["pfs_cause"] == "death", 1, 2))
        return float(analysis.cumulative_incidence(table["time"], cause).at(self.day).value)


class ShareOfDeaths(_OfOneArm):
    """Share of some causes among deaths before progression until a day."""

    kind: Literal["share_of_deaths"]
    causes: tuple[str, ...]
    day: float

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the share, NaN without such a death."""
        table = _timed(arm.endpoints, "pfs")
        died = table[(table["pfs_cause"] == "death") & (table["time"] <= self.day)]
        return float(died["death_cause"].isin(self.causes).mean()) if len(died) else np.nan


class ShareOfEvents(_OfOneArm):
    """Share of events before a day among all until another, in those who were followed."""

    kind: Literal["share_of_events"]
    endpoint: Literal["pfs", "os", "efs"]
    before: float
    until: float

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the share by Kaplan-Meier, NaN without an event."""
        table = _timed(arm.endpoints, self.endpoint)
        curve = analysis.kaplan_meier(table["time"], table["event"])
        lost = 1.0 - curve.at(self.until).value
        return float((1.0 - curve.at(self.before).value) / lost) if lost > 0 else np.nan


class YearlyHazard(_OfOneArm):
    """Events a person-year between two days of those still at risk."""

    kind: Literal["yearly_hazard"]
    endpoint: Literal["pfs", "os", "efs"]
    since: float
    until: float

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the rate [1/year], NaN when nobody is at risk."""
        table = _timed(arm.endpoints, self.endpoint)
        time = table["time"].to_numpy(dtype=float)
        exposed = np.clip(time, self.since, self.until) - self.since
        events = (table["event"].to_numpy(dtype=bool) & (time > self.since) & (time <= self.until)).sum()
        total = exposed.sum()
        return float(events / total * DAYS_PER_YEAR) if total > 0 else np.nan


class HazardRatio(_OfOneArm):
    """Hazard ratio between those who meet a condition and those who meet another, in one arm."""

    kind: Literal["hazard_ratio"]
    endpoint: Literal["pfs", "os", "efs"]
    of: Condition
    against: Condition

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the Cox hazard ratio, NaN when one group has no event."""
        table = _timed(arm.endpoints, self.endpoint)
        group = np.select([self.of.holds(table), self.against.holds(table)], ["of", "against"], default="")
        table = pd.DataFrame({"time": table["time"], "event": table["event"], "arm": group})
        table = table[(table["arm"] != "") & (table["time"] >= 0)]
        if table.loc[table["event"].astype(bool), "arm"].nunique() < 2:
            return np.nan
        return float(analysis.hazard_ratio(table, arms=("of", "against")).value)


class CourseShare(_OfOneArm):
    """Share of subjects whose course lies below (or not below) a level in a window of days."""

    kind: Literal["course_share"]
    observable: str
    clock: Literal["stem_cell_day", "cart_day", "day_zero_day"]
    since: float
    until: float
    below: float
    how: Literal["all", "any"]

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the share among subjects seen in the window, NaN without one."""
        courses = _in_window(arm, self.clock, self.since, self.until)
        low = (courses[self.observable] < self.below).groupby(courses["subject"])
        shares = low.all() if self.how == "all" else low.any()
        return float(shares.mean()) if len(shares) else np.nan


class CourseRatio(_OfOneArm):
    """Median between subjects of a course on a day over that on another."""

    kind: Literal["course_ratio"]
    observable: str
    clock: Literal["stem_cell_day", "cart_day", "day_zero_day"]
    day: float
    over_day: float
    window: float = 4.0

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the ratio, NaN without both days."""
        later, earlier = (self._on(arm, day) for day in (self.day, self.over_day))
        ratio = (later / earlier).dropna()
        return float(ratio.median()) if len(ratio) else np.nan

    def _on(self, arm: ArmData, day: float) -> pd.Series:
        courses = _in_window(arm, self.clock, day - self.window, day + self.window)
        courses = courses.assign(distance=(courses["since"] - day).abs()).sort_values("distance", kind="stable")
        return courses.groupby("subject")[self.observable].first()


class RiseAfterTocilizumab(_OfOneArm):
    """Median ratio of IL-6 on the day after the first tocilizumab to that before it."""

    kind: Literal["rise_after_tocilizumab"]

    def compute(self, arm: ArmData, _arms: Arms) -> float:
        """Return the ratio; blockade shows as a signal well below plasma IL-6. NaN when nobody was treated."""
        courses = arm.courses.sort_values(["subject", "day"])
        blocked = 1.0 - courses["IL6_signal"] / courses["IL6_plasma"].clip(lower=1e-9) > TREATED_OCCUPANCY
        first = courses.assign(blocked=blocked).groupby("subject")
        before = courses["IL6_plasma"].where(~blocked).groupby(courses["subject"]).shift(1)
        starts = blocked & ~first["blocked"].shift(1, fill_value=False) & (first["blocked"].cumsum() == 1)
        ratio = (courses["IL6_plasma"] / before)[starts].dropna()
        return float(ratio.median()) if len(ratio) else np.nan


class HalfLife(_OfOneArm):
    """Half-life of a first-order loss of the model [day]."""

    kind: Literal["half_life"]
    model: str
    parameter: str

    def compute(self, _arm: ArmData, _arms: Arms) -> float:
        """Return ln 2 over the typical value."""
        return float(np.log(2) / read_model(self.model).parameters[self.parameter].value)


class TimeToNegativeImmunofixation(HalfLife):
    """Days from a level of M-protein to negative immunofixation when every tumor cell is gone."""

    kind: Literal["time_to_negative_immunofixation"]  # type: ignore[assignment]
    measurements: str
    start_g_per_dl: float = Field(gt=0)

    def compute(self, arm: ArmData, arms: Arms) -> float:
        """Return half-lives times the number of halvings."""
        limit = read_map(self.measurements).marker.immunofixation_limit.value
        return super().compute(arm, arms) * float(np.log2(self.start_g_per_dl / limit))


Statistic = Annotated[
    Share
    | ShareDifference
    | Quantile
    | QuantileDifference
    | Survival
    | NonRelapseMortality
    | ShareOfDeaths
    | ShareOfEvents
    | YearlyHazard
    | HazardRatio
    | CourseShare
    | CourseRatio
    | RiseAfterTocilizumab
    | HalfLife
    | TimeToNegativeImmunofixation,
    Field(discriminator="kind"),
]


def _among(table: pd.DataFrame, conditions: tuple[Condition, ...]) -> pd.DataFrame:
    for condition in conditions:
        table = table[condition.holds(table)]
    return table


def _timed(endpoints: pd.DataFrame, endpoint: str) -> pd.DataFrame:
    """Return the rows with a time from day 0 of the arm, as columns ``time`` and ``event``."""
    time = endpoints[f"{endpoint}_days_from_day_zero"]
    table = endpoints.assign(time=time, event=endpoints[f"{endpoint}_event"].astype(bool))
    return table[time.notna()]


def _in_window(arm: ArmData, clock: str, since: float, until: float) -> pd.DataFrame:
    """Return the courses in a window of a clock, with ``since`` [day], until the end of each subject's follow-up."""
    origin = arm.endpoints.set_index("subject")[clock]
    end = arm.endpoints.set_index("subject")["os_days"]
    courses = arm.courses
    days = courses["day"] - courses["subject"].map(origin)
    seen = (days >= since) & (days <= until) & (courses["day"] <= courses["subject"].map(end))
    return courses.assign(since=days)[seen]
