"""Rule sets: how a record of measurements and events becomes endpoints. Content of `library/rules`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seedbed import library
from seedbed.documents import Content, read


class CriteriaNames(Content):
    """Which criterion of `seedbed.trial.criteria` grades what; only response has more than one to choose from."""

    crs: Literal["crs.astct2019"]
    icans: Literal["icans.astct2019"]
    hematology: Literal["heme.ctcae5"]
    icaht: Literal["icaht.ehaebmt2023"]
    engraftment: Literal["eng.cibmtr"]
    response: dict[str, Literal["nhl.lugano2014", "cns.ipcg2005", "mm.imwg2016", "ball.marrow2020"]]


class Slot(Content):
    """Until a day after the last infusion, one blood count in each slot of so many days."""

    until: float
    every_days: float = Field(gt=0)


class Schedule(Content):
    """Which days of the record's grid are visits of a patient."""

    daily_before_first_infusion_days: float
    blood_slots: tuple[Slot, ...] = Field(min_length=1)
    response_days: tuple[float, ...] = Field(min_length=1)
    response_days_by_criteria: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    window_days: float = Field(gt=0)
    symptomatic_visits: bool

    def response_days_for(self, response_criteria: str) -> tuple[float, ...]:
        """Return the response days of a population's criteria."""
        return self.response_days_by_criteria.get(response_criteria, self.response_days)


class ResponseRules(Content):
    """Choices that the response criteria leave open."""

    method: Literal["pet", "ct"]
    significant_change: float = Field(gt=0, lt=1)
    pseudoprogression_days: float
    steroid_window_days: float
    true_progression_volume: dict[str, float]
    true_progression_factor: float = Field(gt=1)


class CrsRules(Content):
    """When an episode may begin, and how long treatment lets it go on without fever."""

    onset_window_days: float
    treated_window_days: float
    true_cause_cart_per_ul: float


class SurvivalRules(Content):
    """Censoring, and the response by which event-free survival asks for one."""

    censor_at: Literal["last_assessment", "data_cut"]
    efs_response_by_day: float | None = None


class KineticsRules(Content):
    """Windows of peaks, areas and counts of days."""

    peak_window_days: float
    cytokine_window_days: float
    b_cell_recovery_per_ul: float
    neutropenia_window_days: int
    interpolation_gap_days: float


class RuleSet(Content):
    """A rule set: criteria, schedule and estimands."""

    id: str
    version: str
    describes: str
    criteria: CriteriaNames
    schedule: Schedule
    response: ResponseRules
    crs: CrsRules
    survival: SurvivalRules
    kinetics: KineticsRules

    @property
    def label(self) -> str:
        """Id and version, as it stands in each row derived by it."""
        return f"{self.id}/{self.version}"


def read_rules(name_or_path: str = "standard") -> RuleSet:
    """Return a rule set of the library, or of a file.

    Raises
    ------
    ContentError
        Lists every problem of the file.
    """
    return read(library.find("rules", name_or_path), RuleSet)
