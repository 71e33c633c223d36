"""The events of an arm: long, uncensored within the simulated time, days from enrollment.

``derive(record, arm_table) -> DataFrame`` with the columns of `library/tables/events.yaml`:
subject, arm, event, day, end_day, grade, detail, stem_cell_day, cart_day. Deaths before progression come from
hazards of infection, cytokine release, neurotoxicity, hemophagocytosis, organ injury and background; deaths after
it from the disease. Luck comes from streams (seed, purpose, subject), never from the arm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import streams
from seedbed.trial.clinic import ClinicalRecord
from seedbed.trial.criteria import astct2019
from seedbed.trial.grading import crs_course, first_day, icans_course, neutropenic_fever
from seedbed.trial.measurement import MeasurementMap, Values, read_map
from seedbed.trial.outcomes import Outcomes, read_outcomes
from seedbed.trial.response import Assessments, assess
from seedbed.trial.rules import RuleSet, read_rules
from seedbed.trial.sampling import at, rows_of

EVENTS = (
    "stem_cell_infusion",
    "cart_infusion",
    "transplant_not_done",
    "cart_not_infused",
    "progression",
    "true_progression",
    "tumor_eradicated",
    "death",
    "next_therapy",
    "allograft",
    "infection",
    "neutropenic_fever",
    "engraftment_fever",
    "crs",
    "crs_true_cause",
    "icans",
)
CAUSES = ("progression", "infection", "crs", "icans", "hlh", "organ_toxicity", "background",
          "before_treatment")  # fmt: skip
ANTIGEN_NEGATIVE_ABOVE = 0.5


@dataclass(frozen=True)
class Fates:
    """When each subject progresses, is treated again and dies, (n,) each [day from enrollment], inf when never."""

    progression: Values
    next_therapy: Values
    allograft: NDArray[np.bool_]
    death: Values
    cause: NDArray[np.str_]


def derive(
    record: ClinicalRecord,
    arm_table: pd.DataFrame,
    *,
    outcomes: Outcomes | None = None,
    rules: RuleSet | None = None,
    content: MeasurementMap | None = None,
) -> pd.DataFrame:
    """Return all events of an arm's subjects.

    Parameters
    ----------
    record : what the clinic saw and did
    arm_table : one row a subject as `logistics.schedule` gives it: reasons and days ``not_transplanted``,
        ``not_infused`` (empty when given or not planned), ``progression_before_day`` and ``death_before_day``
    outcomes : hazards; default those the record was kept by
    rules : criteria and schedule by which progression is seen; default the library's standard
    content : the measurement map, for the reading of scans; default the record's

    Returns
    -------
    DataFrame
        Sorted by subject, day and event; nothing after death.
    """
    outcomes = outcomes or read_outcomes(record.content_id("outcomes"))
    rules, content = rules or read_rules(), content or read_map(record.content_id("measurements"))
    assessments = assess(record, rules, content.imaging, content.marker)
    crs, icans = crs_course(record, rules, by_true_cause=True), icans_course(record)
    fates = draw_fates(record, arm_table, outcomes, assessments, (crs, icans))
    parts = [
        *_infusions(record, arm_table),
        _progressions(record, assessments, fates),
        _true_progressions(record, rules),
        _point(record, "tumor_eradicated", _eradication_day(record)),
        _deaths(record, fates),
        *_next_therapies(record, fates),
        _infections(record),
        _point(record, "neutropenic_fever", first_day(record, neutropenic_fever(record))),
        _point(record, "engraftment_fever", record.engraftment_fever_day),
        _episodes(record, "crs", crs_course(record, rules, by_true_cause=False)),
        _episodes(record, "crs_true_cause", crs),
        _episodes(record, "icans", icans),
    ]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return _finish(record, table, fates)


def draw_fates(
    record: ClinicalRecord,
    arm_table: pd.DataFrame,
    outcomes: Outcomes,
    assessments: Assessments,
    grades: tuple[NDArray[np.int8], NDArray[np.int8]],
) -> Fates:
    """Draw progression's consequences and death.

    Parameters
    ----------
    record, arm_table, outcomes, assessments : of the arm
    grades : (n, V) grades of CRS by true cause, and of ICANS

    Returns
    -------
    Fates
    """
    after = outcomes.after_progression[record.disease]
    seen = np.where(np.isnan(assessments.progression_day), np.inf, assessments.progression_day)
    progression = np.fmin(seen, _optional(arm_table, "progression_before_day"))
    spread = outcomes.death.after_progression_spread.value * streams.normal(
        record.seed, "frailty after progression", record.subjects
    )
    median = after.median_survival.value * _factor(arm_table, "clinic:survival_after_progression")
    wait = _exponential(record, "death by progression") * median / np.log(2) * np.exp(spread)
    days = [
        progression + wait,
        _infection_death(record, outcomes, _factor(arm_table, "clinic:death_by_infection")),
        *_hazard_deaths(record, outcomes, *grades),
        _background_death(record, outcomes),
        _optional(arm_table, "death_before_day"),
    ]
    death = np.minimum.reduce(days)
    cause = np.asarray(CAUSES)[np.argmin(days, axis=0)]
    treated = streams.uniform(record.seed, "next therapy", record.subjects) < after.next_therapy.value
    delay = after.next_therapy_delay.value * np.exp(
        0.5 * streams.normal(record.seed, "next therapy delay", record.subjects)
    )
    allograft = streams.uniform(record.seed, "allograft", record.subjects) < after.allograft.value
    return Fates(progression, np.where(treated, progression + delay, np.inf), allograft, death, cause)


def _factor(arm_table: pd.DataFrame, column: str) -> Values:
    """Return a calibrated factor of the arm's table, 1 where it has none, (n,)."""
    return arm_table[column].to_numpy(dtype=float) if column in arm_table else np.ones(len(arm_table))


def _optional(arm_table: pd.DataFrame, column: str) -> Values:
    """Return a day of the arm's table, inf where it is missing, (n,)."""
    days = arm_table[column].to_numpy(dtype=float) if column in arm_table else np.full(len(arm_table), np.inf)
    return np.where(np.isnan(days), np.inf, days)


def _exponential(record: ClinicalRecord, purpose: str) -> Values:
    return -np.log(streams.uniform(record.seed, purpose, record.subjects))


def _infection_death(record: ClinicalRecord, outcomes: Outcomes, factor: Values) -> Values:
    """Day of the first fatal infection, inf without; only severe ones kill, more often with age; `factor` is (n,)."""
    table = record.infections
    day = np.full(len(record.subjects), np.inf)
    if not len(table):
        return day
    row = rows_of(record, table["subject"].to_numpy())
    older = record.age[row] - outcomes.death.age_reference.value
    fatality = table["kind"].map({kind: process.fatality.value for kind, process in outcomes.infections.items()})
    chance = fatality.to_numpy(dtype=float) * np.exp(outcomes.infection_fatality_age.value * older) * factor[row]
    fatal = (table["grade"].to_numpy() >= 3) & (table["fatal_luck"].to_numpy() < chance)
    when = table["day"].to_numpy(dtype=float) + 0.6 * (table["end_day"] - table["day"]).to_numpy(dtype=float)
    np.minimum.at(day, row[fatal], when[fatal])
    return day


def _hazard_deaths(
    record: ClinicalRecord, outcomes: Outcomes, crs: NDArray[np.int8], icans: NDArray[np.int8]
) -> list[Values]:
    content = outcomes.death
    ferritin = record.measurements["ferritin"]
    hlh = (ferritin >= content.hlh_ferritin.value) & (crs >= 2)
    hazards = {
        "crs": np.where(crs >= 4, content.crs_grade_4.value, np.where(crs == 3, content.crs_grade_3.value, 0.0)),
        "icans": np.where(
            icans >= 4, content.icans_grade_4.value, np.where(icans == 3, content.icans_grade_3.value, 0)
        ),
        "hlh": np.where(hlh, content.hlh.value, 0.0),
        "organ toxicity": content.organ_toxicity.value * np.maximum(record.latent["tissue_injury"], 0.0),
    }
    return [_crossing(record, hazard, f"death by {cause}") for cause, hazard in hazards.items()]


def _crossing(record: ClinicalRecord, hazard: NDArray, purpose: str) -> Values:
    """Day on which the cumulative hazard passes the subject's exponential threshold, inf when it does not."""
    step = np.diff(record.days)
    cumulative = np.zeros(hazard.shape)
    cumulative[:, 1:] = np.cumsum(0.5 * (hazard[:, 1:] + hazard[:, :-1]) * step[None, :], axis=1)
    threshold = _exponential(record, purpose)
    passed = cumulative >= threshold[:, None]
    after = np.maximum(np.argmax(passed, axis=1), 1)
    rows = np.arange(len(threshold))
    low, high = cumulative[rows, after - 1], cumulative[rows, after]
    share = np.clip((threshold - low) / np.maximum(high - low, 1e-300), 0.0, 1.0)
    day = record.days[after - 1] + share * (record.days[after] - record.days[after - 1])
    return np.where(passed.any(axis=1), day, np.inf)


def _background_death(record: ClinicalRecord, outcomes: Outcomes) -> Values:
    content = outcomes.death
    older = record.age - content.age_reference.value
    rate = content.background.value * np.exp(content.background_age.value * older)
    return _exponential(record, "death by other illness") / rate


def _point(record: ClinicalRecord, event: str, day: Values, detail: NDArray | str = "") -> pd.DataFrame:
    rows = np.flatnonzero(np.isfinite(day))
    details = np.broadcast_to(np.asarray(detail, dtype=object), day.shape)
    return pd.DataFrame({"subject": record.subjects[rows], "event": event, "day": day[rows], "detail": details[rows]})


def _infusions(record: ClinicalRecord, arm_table: pd.DataFrame) -> list[pd.DataFrame]:
    parts = [
        _point(record, "stem_cell_infusion", record.stem_cell_day),
        _point(record, "cart_infusion", record.cart_day),
    ]
    for event, column in (("transplant_not_done", "not_transplanted"), ("cart_not_infused", "not_infused")):
        if column in arm_table:
            reason = arm_table[column].fillna("").astype(str).to_numpy(dtype=object)
            day = arm_table[f"{column}_day"].to_numpy(dtype=float)
            parts.append(_point(record, event, np.where(reason == "", np.nan, day), reason))
    return parts


def _progressions(record: ClinicalRecord, assessments: Assessments, fates: Fates) -> pd.DataFrame:
    share = at(record.measurements["target_negative_share"], assessments.progression_position)
    with_cart = ~np.isnan(record.cart_day) & (record.cart_day <= fates.progression)
    before = np.isnan(assessments.progression_day) | (fates.progression < assessments.progression_day)
    antigen = np.where(share > ANTIGEN_NEGATIVE_ABOVE, "antigen_negative", "antigen_positive")
    detail = np.where(before, "before_treatment", np.where(with_cart, antigen, "no_cart"))
    return _point(record, "progression", fates.progression, detail)


def _true_progressions(record: ClinicalRecord, rules: RuleSet) -> pd.DataFrame:
    """First grid day after treatment on which the tumor itself, seen or not, has grown back."""
    tumor = record.latent["tumor_total"]
    after = record.days[None, :] >= record.day_zero[:, None]
    lowest = np.minimum.accumulate(np.where(after, tumor, np.inf), axis=1)
    threshold = rules.response.true_progression_volume[record.response_criteria]
    grown = after & (tumor >= threshold) & (tumor >= rules.response.true_progression_factor * lowest)
    return _point(record, "true_progression", first_day(record, grown))


def _eradication_day(record: ClinicalRecord) -> Values:
    """First grid day from which no tumor cell is left until the end, inf where one is, (n,)."""
    alive = record.latent["tumor_total"] > 0
    last = np.where(alive.any(axis=1), alive.shape[1] - np.argmax(alive[:, ::-1], axis=1), 0)
    return np.where(last < alive.shape[1], record.days[np.minimum(last, alive.shape[1] - 1)], np.inf)


def _deaths(record: ClinicalRecord, fates: Fates) -> pd.DataFrame:
    return _point(record, "death", fates.death, fates.cause)


def _next_therapies(record: ClinicalRecord, fates: Fates) -> list[pd.DataFrame]:
    return [
        _point(record, "next_therapy", fates.next_therapy, "after_progression"),
        _point(record, "allograft", np.where(fates.allograft, fates.next_therapy + 60.0, np.inf), "after_progression"),
    ]


def _infections(record: ClinicalRecord) -> pd.DataFrame:
    table = record.infections[record.infections["counts_as_infection"].astype(bool)]
    return pd.DataFrame(
        {
            "subject": table["subject"].astype(np.int64),
            "event": "infection",
            "day": table["day"].astype(float),
            "end_day": table["end_day"].astype(float),
            "grade": table["grade"].astype(float),
            "detail": table["kind"],
        }
    )


def _episodes(record: ClinicalRecord, event: str, course: NDArray[np.int8]) -> pd.DataFrame:
    summary = astct2019.episodes(course, record.days)
    part = _point(record, event, summary["onset_day"])
    rows = np.flatnonzero(np.isfinite(summary["onset_day"]))
    part["end_day"], part["grade"] = summary["end_day"][rows], summary["grade"][rows]
    return part


def _finish(record: ClinicalRecord, table: pd.DataFrame, fates: Fates) -> pd.DataFrame:
    """Cut at death and at the end of the simulated time; add the arm and both day-0s."""
    row = rows_of(record, table["subject"].to_numpy())
    end = np.minimum(fates.death[row], record.days[-1])
    table = table.assign(
        arm=record.arm,
        end_day=np.minimum(table.get("end_day", np.nan), end),
        grade=table.get("grade", np.nan),
        stem_cell_day=np.where(record.stem_cell_day[row] <= end, record.stem_cell_day[row], np.nan),
        cart_day=np.where(record.cart_day[row] <= end, record.cart_day[row], np.nan),
    )
    kept = table[(table["day"] <= end).to_numpy()]
    order = ["subject", "arm", "event", "day", "end_day", "grade", "detail", "stem_cell_day", "cart_day"]
    return kept[order].sort_values(["subject", "day", "event"], ignore_index=True, kind="stable")
