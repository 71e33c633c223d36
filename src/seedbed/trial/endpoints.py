"""Endpoints: one row a subject and arm, derived from the events and the record by a rule set and a data cut.

``derive(events, record, rules, data_cut_days) -> DataFrame`` with the columns of `library/tables/endpoints.yaml`.
Nothing is simulated here: another rule set, visit schedule or data cut gives other rows from the same record.
Times to event count from enrollment; the columns ``..._from_day_zero`` count from day 0 of the arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.errors import TableError
from seedbed.trial.clinic import ClinicalRecord
from seedbed.trial.criteria import astct2019, cibmtr2024, ctcae5, icaht_ehaebmt2023, imwg2016
from seedbed.trial.grading import crs_course, icans_course, neutropenic_fever
from seedbed.trial.measurement import MARROW_DISEASES, MeasurementMap, Values, read_map
from seedbed.trial.response import RESPONSE, Assessments, assess
from seedbed.trial.rules import RuleSet, read_rules
from seedbed.trial.sampling import (
    blood_days,
    daily_values,
    given_before,
    given_on,
    nearest_visit,
    rows_of,
    value_on_day,
)

LANDMARKS = (28, 90, 180)
NEVER = -1e9
Columns = dict[str, NDArray]


def derive(
    events: pd.DataFrame,
    record: ClinicalRecord,
    rules: RuleSet | None = None,
    data_cut_days: float | None = None,
    content: MeasurementMap | None = None,
) -> pd.DataFrame:
    """Return the endpoints of an arm's subjects.

    Parameters
    ----------
    events : events of the arm, see `events.derive`
    record : what the clinic saw and did
    rules : criteria, schedule, censoring; default the library's standard
    data_cut_days : what happens later is not known [days from enrollment]; default the end of the simulated time
    content : the measurement map for the reading of scans; default the record's

    Returns
    -------
    DataFrame
        One row a subject in the record's order.

    Raises
    ------
    TableError
        The events are those of another arm, or the data cut lies outside the simulated time.
    """
    arms = set(events["arm"].unique()) - {record.arm}
    if arms:
        raise TableError(f"events of arm {', '.join(sorted(arms))} given with the record of arm {record.arm}")
    data_cut_days = float(record.days[-1]) if data_cut_days is None else float(data_cut_days)
    if not 0 < data_cut_days <= record.days[-1] + 1e-6:
        raise TableError(f"data cut on day {data_cut_days}: expected above 0 and at most {record.days[-1]}")
    content = content or read_map(record.content_id("measurements"))
    case = _Case(events, record, rules or read_rules(), data_cut_days, content)
    columns: Columns = {}
    for part in (_identity, _responses, _survival, _toxicity, _hematology, _kinetics, _immunity, _treatments):
        columns.update(part(case))
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class _Case:
    """Record, events, rules and cut, and what several endpoints need of them."""

    events: pd.DataFrame
    record: ClinicalRecord
    rules: RuleSet
    cut: float
    content: MeasurementMap

    @cached_property
    def assessments(self) -> Assessments:
        """Response assessments of the rule set's schedule."""
        return assess(self.record, self.rules, self.content.imaging, self.content.marker)

    @cached_property
    def death(self) -> Values:
        """Day of death, inf without one before the cut."""
        return self._known(self.first("death"))

    @cached_property
    def progression(self) -> Values:
        """Day progression was seen by these rules, or before treatment; inf without one before cut and death."""
        seen = np.where(np.isnan(self.assessments.progression_day), np.inf, self.assessments.progression_day)
        seen = np.minimum(seen, self.first("progression", "before_treatment"))
        return np.where(seen <= self.death, self._known(seen), np.inf)

    @cached_property
    def next_therapy(self) -> Values:
        """Day of the next therapy, inf without one before the cut."""
        return self._known(self.first("next_therapy"))

    @cached_property
    def last_day(self) -> Values:
        """Last day a subject is seen: death or data cut."""
        return np.minimum(self.death, self.cut)

    @cached_property
    def drawn(self) -> NDArray[np.bool_]:
        """On which grid days blood is drawn, until death or data cut, (n, V)."""
        return blood_days(self.record, self.rules.schedule) & self.seen

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Which grid days come before death and data cut, (n, V)."""
        return self.record.days[None, :] <= self.last_day[:, None]

    @cached_property
    def treatment_day(self) -> Values:
        """Stem cells, or CAR-T without them: day 0 of recovery, NaN without either, (n,)."""
        return np.where(np.isnan(self.record.stem_cell_day), self.record.cart_day, self.record.stem_cell_day)

    def first(self, event: str, detail: str | None = None) -> Values:
        """Return the day of a subject's first event of a kind, inf without, (n,)."""
        chosen = self.events["event"] == event
        if detail is not None:
            chosen &= self.events["detail"] == detail
        day = np.full(len(self.record.subjects), np.inf)
        table = self.events[chosen]
        np.minimum.at(day, rows_of(self.record, table["subject"].to_numpy()), table["day"].to_numpy(dtype=float))
        return day

    def text(self, event: str) -> NDArray[np.object_]:
        """Return the detail of a subject's event of a kind, None without, (n,)."""
        table = self.events[self.events["event"] == event]
        detail = np.full(len(self.record.subjects), None, dtype=object)
        detail[rows_of(self.record, table["subject"].to_numpy())] = table["detail"].to_numpy()
        return detail

    def _known(self, day: Values) -> Values:
        return np.where(day <= self.cut, day, np.inf)


def _identity(case: _Case) -> Columns:
    record = case.record
    n_subjects = len(record.subjects)
    transplanted, infused = record.stem_cell_day <= case.last_day, record.cart_day <= case.last_day
    counted = [infused & (record.day_zero == record.cart_day), transplanted & (record.day_zero == record.stem_cell_day)]
    return {
        "subject": record.subjects,
        "arm": np.full(n_subjects, record.arm, dtype=object),
        "selected": record.selected,
        "rules": np.full(n_subjects, case.rules.label, dtype=object),
        "data_cut_days": np.full(n_subjects, case.cut),
        "stem_cell_day": np.where(transplanted, record.stem_cell_day, np.nan),
        "cart_day": np.where(infused, record.cart_day, np.nan),
        "day_zero_day": record.day_zero,
        "response_clock": np.select(counted, ["cart", "stem_cells"], "planned").astype(object),
        "transplanted": transplanted,
        "infused": infused,
    }


def _responses(case: _Case) -> Columns:
    found = case.assessments
    names = np.asarray([None, *found.categories[1:]], dtype=object)
    end = np.minimum(case.last_day, case.next_therapy)
    usable = (found.position >= 0) & (found.days <= end[:, None]) & (found.days <= case.progression[:, None])
    codes = np.where(usable, found.codes, 0)
    columns: Columns = {}
    for landmark in LANDMARKS:
        at_landmark = int(np.argmin(np.abs(found.scheduled - landmark)))
        due = case.record.day_zero + landmark
        progressed = (case.progression <= due + 1e-6) & (due <= case.last_day)
        columns[f"response_d{landmark}"] = np.where(progressed, "PD", names[codes[:, at_landmark]])
    best = codes.max(axis=1, initial=0)
    progressed_only = (best <= 1) & np.isfinite(case.progression)
    columns["best_response"] = np.where(progressed_only, "PD", names[best])
    columns["mrd_negative_d90"] = _mrd_negative(case, 90.0)
    columns["relapse_antigen"] = _relapse_antigen(case)
    return columns


def _mrd_negative(case: _Case, day: float) -> NDArray[np.object_]:
    """Marrow or blood without detectable disease on a day; False after progression, None without a sample."""
    record = case.record
    due = record.day_zero + day
    position = nearest_visit(record.days, due, case.rules.schedule.window_days)
    rows = np.arange(len(due))
    if record.response_criteria in MARROW_DISEASES:
        marrow = case.content.marrow
        sensitivity = marrow.mrd_sensitivity if record.response_criteria == "imwg2016" else marrow.leukemia_sensitivity
        counted = record.measurements["clonal_cells"][rows, position].astype(float)
        scale = sensitivity.value / marrow.mrd_sensitivity.value
        calls = imwg2016.mrd_call(counted / scale, marrow.cells_counted.value, marrow.mrd_sensitivity.value)
        negative = calls == imwg2016.MRD_NEG
    else:
        negative = record.measurements["ctdna"][rows, position] <= 0
    negative = negative & ~(case.progression <= due)
    missing = (position < 0) | (record.days[position] > case.last_day)
    return np.where(missing, None, negative.astype(object))


def _relapse_antigen(case: _Case) -> NDArray[np.object_]:
    position = case.assessments.progression_position
    share = case.record.measurements["target_negative_share"][np.arange(len(position)), position]
    seen = np.isfinite(case.progression) & (case.progression == case.assessments.progression_day)
    after_cart = seen & (case.record.cart_day <= case.progression)
    antigen = np.where(share > 0.5, "negative", "positive").astype(object)
    return np.where(after_cart, antigen, np.where(np.isfinite(case.progression), "no_cart", None))


def _survival(case: _Case) -> Columns:
    record = case.record
    pfs_day = np.minimum(case.progression, case.death)
    censored = case.last_day if case.rules.survival.censor_at == "data_cut" else _last_assessment(case)
    efs_day, efs_cause = _event_free(case)
    columns: Columns = {}
    for name, day, censor in (
        ("pfs", pfs_day, censored),
        ("os", case.death, np.full(len(censored), case.cut)),
        ("efs", efs_day, censored),
    ):
        event = np.isfinite(day)
        until = np.where(event, day, censor)
        columns[f"{name}_days"], columns[f"{name}_event"] = until, event
        columns[f"{name}_days_from_day_zero"] = np.where(until >= record.day_zero, until - record.day_zero, np.nan)
    first = np.where(case.progression <= case.death, "progression", "death").astype(object)
    columns["pfs_cause"] = np.where(np.isfinite(pfs_day), first, None)
    columns["efs_cause"] = efs_cause
    columns["death_cause"] = np.where(np.isfinite(case.death), case.text("death"), None)
    true_day = case.first("true_progression")
    columns["true_progression_day"] = np.where(true_day <= case.last_day, true_day, np.nan)
    return columns


def _last_assessment(case: _Case) -> Values:
    """Last response assessment before death, next therapy and data cut; 0, the baseline, without any."""
    days = case.assessments.days
    end = np.minimum(case.last_day, case.next_therapy)
    return np.nan_to_num(np.where(days <= end[:, None], days, 0.0)).max(axis=1, initial=0.0)


def _event_free(case: _Case) -> tuple[Values, NDArray[np.object_]]:
    """Progression, death, next therapy, or no response by the rule set's day."""
    no_response = np.full(len(case.record.subjects), np.inf)
    by_day = case.rules.survival.efs_response_by_day
    if by_day is not None:
        found, due = case.assessments, case.record.day_zero + by_day
        good = found.codes >= found.code(RESPONSE[found.rule])
        responded = (good & (found.days <= due[:, None])).any(axis=1)
        no_response = np.where(responded | (due > case.cut), np.inf, due)
    days = np.stack([case.progression, case.death, case.next_therapy, no_response])
    causes = np.asarray(["progression", "death", "next_therapy", "no_response"], dtype=object)
    first = days.min(axis=0)
    return first, np.where(np.isfinite(first), causes[np.argmin(days, axis=0)], None)


def _toxicity(case: _Case) -> Columns:
    record = case.record
    columns: Columns = {}
    courses = {
        "crs": (crs_course(record, case.rules, by_true_cause=True), ""),
        "crs_clinician": (crs_course(record, case.rules, by_true_cause=False), "_clinician"),
        "icans": (icans_course(record), ""),
    }
    with_cart = record.cart_day <= case.last_day
    for name, (course, suffix) in courses.items():
        kind = name.removesuffix("_clinician")
        summary = astct2019.episodes(np.where(case.seen, course, 0), record.days)
        died = case.text("death") == kind if not suffix else np.zeros(len(with_cart), dtype=bool)
        grade = np.where(died & np.isfinite(case.death), 5.0, summary["grade"])
        columns[f"{kind}_grade{suffix}"] = np.where(with_cart, grade, 0.0)
        columns[f"{kind}_onset_day{suffix}"] = summary["onset_day"] - record.cart_day
        columns[f"{kind}_duration_days{suffix}"] = summary["end_day"] - summary["onset_day"]
    columns["neutropenic_fever"] = (neutropenic_fever(record) & case.seen).any(axis=1)
    columns["engraftment_fever"] = record.engraftment_fever_day <= case.last_day
    infections = case.events[case.events["event"] == "infection"]
    columns["infections"] = _count(case, infections)
    columns["infections_grade3"] = _count(case, infections[infections["grade"] >= 3])
    return columns


def _count(case: _Case, table: pd.DataFrame) -> NDArray[np.int64]:
    row = rows_of(case.record, table["subject"].to_numpy())
    known = table["day"].to_numpy(dtype=float) <= case.last_day[row]
    return np.bincount(row[known], minlength=len(case.record.subjects))


def _hematology(case: _Case) -> Columns:
    record = case.record
    seen = record.measurements
    since = record.days[None, :] - record.stem_cell_day[:, None]
    neutrophils = np.where(case.drawn, seen["neutrophils"], np.nan).astype(float)
    platelets = np.where(case.drawn, seen["platelets"], np.nan).astype(float)
    transfused = given_on(record, ("transfusion",)) & case.seen
    grafted = record.stem_cell_day <= case.last_day
    by_subject = np.where(np.isnan(since), NEVER, since)
    engrafted = cibmtr2024.neutrophil_engraftment_day(by_subject, neutrophils)
    columns = {"anc_engraftment_day": np.where(grafted, engrafted, np.nan)}
    for threshold, name in ((20.0, "platelet_engraftment_day"), (50.0, "platelet_50_day")):
        day = cibmtr2024.platelet_engraftment_day(by_subject, platelets, transfused, threshold=threshold)
        columns[name] = np.where(grafted, day, np.nan)
    columns["platelets_below_20"] = ((seen["platelets"] < 20) & case.drawn | transfused).any(axis=1)
    columns["graft_failure"] = grafted & cibmtr2024.primary_graft_failure(by_subject, neutrophils, platelets)
    return columns | _neutropenia(case) | _icaht(case)


def _neutropenia(case: _Case) -> Columns:
    window = case.rules.kinetics.neutropenia_window_days
    daily = _daily(case, "neutrophils", case.treatment_day, window, case.drawn)
    treated = ~np.isnan(case.treatment_day)
    day_30 = value_on_day(case.record, "neutrophils", case.drawn, case.treatment_day + 30.0, 4.0)
    return {
        "days_anc_below_0_5": np.where(treated, (daily < 0.5).sum(axis=1), np.nan),
        "days_anc_below_0_1": np.where(treated, (daily < 0.1).sum(axis=1), np.nan),
        "neutropenia_grade_d30": np.where(np.isnan(day_30), np.nan, ctcae5.laboratory_grade("neutrophils", day_30)),
    }


def _daily(case: _Case, name: str, origin: Values, window: int, drawn: NDArray[np.bool_]) -> NDArray[np.float64]:
    gap = case.rules.kinetics.interpolation_gap_days
    values = case.record.measurements[name].astype(float)
    return daily_values(case.record.days, values, drawn, origin, np.arange(window + 1), gap)


def _icaht(case: _Case) -> Columns:
    """Hematotoxicity after CAR-T, counted until progression, next therapy, death or data cut."""
    record, last = case.record, icaht_ehaebmt2023.EARLY_LAST_DAY
    end = np.minimum(np.minimum(case.progression, case.next_therapy), case.last_day)
    drawn = case.drawn & (record.days[None, :] <= end[:, None])
    neutrophils = _daily(case, "neutrophils", record.cart_day, last, drawn)
    platelets = _daily(case, "platelets", record.cart_day, last, drawn)
    low, very_low = neutrophils <= 0.5, neutrophils <= 0.1
    known = ~np.isnan(neutrophils)
    never = known.all(axis=1) & low.all(axis=1)
    count = icaht_ehaebmt2023.days_in_episodes
    early = icaht_ehaebmt2023.early_grade(count(low), count(very_low), never)
    early_platelets = icaht_ehaebmt2023.early_thrombocytopenia_grade(count(platelets < 50), count(platelets < 20))
    late = (record.days[None, :] - record.cart_day[:, None] > last) & drawn
    values = np.sort(np.where(late, record.measurements["neutrophils"].astype(float), np.inf), axis=1)
    second = values[:, 1] if values.shape[1] > 1 else np.full(len(end), np.inf)
    with_cart = record.cart_day <= case.last_day
    offset = record.cart_day - record.stem_cell_day
    return {
        "icaht_grade": np.where(with_cart, early, np.nan),
        "icaht_late_grade": np.where(with_cart, icaht_ehaebmt2023.late_grade(second), np.nan),
        "icaht_platelet_grade": np.where(with_cart, early_platelets, np.nan),
        "icaht_confounded_by_transplant": with_cart & (offset >= 0) & (offset <= last),
    }


def _kinetics(case: _Case) -> Columns:
    record, windows = case.record, case.rules.kinetics
    since = record.days[None, :] - record.cart_day[:, None]
    level = record.measurements["cart"].astype(float)
    inside = case.drawn & (since >= 0) & (since <= windows.peak_window_days)
    with_cart = inside.any(axis=1)
    in_window = np.where(inside, level, -1.0)
    peak = np.argmax(in_window, axis=1)
    rows = np.arange(len(peak))
    expanded = in_window[rows, peak] >= 2 * np.max(np.where(inside & (since <= 1.5), level, 0.0), axis=1)
    detectable = case.drawn & (since >= 0) & (level > 0)
    last = np.max(np.where(detectable, since, -np.inf), axis=1)
    columns = {
        "cart_cmax_per_ul": np.where(with_cart, in_window[rows, peak], np.nan),
        "cart_tmax_days": np.where(with_cart & expanded & (in_window[rows, peak] > 0), since[rows, peak], np.nan),
        "cart_auc_0_28": np.where(with_cart, _area(case, level, since, 28.0), np.nan),
        "cart_persistence_days": np.where(with_cart, np.maximum(last, 0.0), np.nan),
        "cart_exhausted_share_d28": _exhausted(case),
    }
    for name, column in (
        ("interleukin6", "il6_peak_pg_ml"),
        ("ferritin", "ferritin_peak_ug_l"),
        ("crp", "crp_peak_mg_l"),
    ):
        columns[column] = _peak(case, name, windows.cytokine_window_days, case.drawn)
    untreated = ~given_before(record, ("anti_cytokine",), -NEVER)
    columns["il6_peak_untreated_pg_ml"] = _peak(
        case, "interleukin6", windows.cytokine_window_days, case.drawn & untreated
    )
    return columns


def _area(case: _Case, level: NDArray, since: NDArray, until: float) -> Values:
    """Area by the linear-up log-down rule over the drawn values up to a day, (n,)."""
    area = np.zeros(len(level))
    last_time, last_level = np.zeros(len(level)), np.zeros(len(level))
    for visit in range(level.shape[1]):
        use = case.drawn[:, visit] & (since[:, visit] >= 0) & (since[:, visit] <= until)
        step = since[:, visit] - last_time
        now = level[:, visit]
        falls = (now < last_level) & (now > 0)
        ratio = np.where(falls, last_level / np.where(now > 0, now, 1.0), np.e)
        logarithmic = step * (last_level - now) / np.log(ratio)
        area = np.where(use, area + np.where(falls, logarithmic, 0.5 * step * (last_level + now)), area)
        last_time, last_level = np.where(use, since[:, visit], last_time), np.where(use, now, last_level)
    return area


def _exhausted(case: _Case) -> Values:
    record = case.record
    position = nearest_visit(record.days, record.cart_day + 28.0, 4.0)
    rows = np.arange(len(position))
    share = record.latent["cart_exhausted_share"][rows, position].astype(float)
    seen = (
        (position >= 0) & (record.days[position] <= case.last_day) & (record.measurements["cart"][rows, position] > 0)
    )
    return np.where(seen, share, np.nan)


def _peak(case: _Case, name: str, window: float, drawn: NDArray[np.bool_]) -> Values:
    """Highest drawn value from day 0 of the arm over a window, NaN without one, (n,)."""
    since = case.record.days[None, :] - case.record.day_zero[:, None]
    inside = drawn & (since >= 0) & (since <= window)
    highest = np.max(np.where(inside, case.record.measurements[name].astype(float), -np.inf), axis=1)
    return np.where(np.isfinite(highest), highest, np.nan)


def _immunity(case: _Case) -> Columns:
    record, day_0 = case.record, case.treatment_day
    columns = {
        "alc_d15": value_on_day(record, "lymphocytes", case.drawn, day_0 + 15.0, 2.0),
        "alc_d30": value_on_day(record, "lymphocytes", case.drawn, day_0 + 30.0, 4.0),
        "cd4_d100": value_on_day(record, "cd4", case.drawn, day_0 + 100.0, 20.0),
        "igg_d180": value_on_day(record, "igg", case.drawn, day_0 + 180.0, 30.0),
    }
    since = record.days[None, :] - record.cart_day[:, None]
    counts = record.measurements["b_cells"].astype(float)
    level = case.rules.kinetics.b_cell_recovery_per_ul
    began = np.maximum.accumulate(case.drawn & (since >= 0) & (counts < level), axis=1)
    recovered = case.drawn & began & (counts >= level)
    ever = recovered.any(axis=1)
    end = np.where(ever, since[np.arange(len(ever)), np.argmax(recovered, axis=1)], case.last_day - record.cart_day)
    aplastic = began.any(axis=1)
    columns["b_cell_aplasia_days"] = np.where(record.cart_day <= case.last_day, np.where(aplastic, end, 0.0), np.nan)
    columns["b_cells_recovered"] = np.where(aplastic, ever, record.cart_day <= case.last_day)
    return columns


def _treatments(case: _Case) -> Columns:
    table = case.record.treatments
    target = table["target"].astype(str)
    return {
        "platelet_transfusions": _count(case, table[table["kind"] == "transfusion"]),
        "tocilizumab_doses": _count(case, table[target == "tocilizumab_central"]),
        "dexamethasone_days": _count(case, table[target == "dexamethasone"]),
        "immunoglobulin_infusions": _count(case, table[table["kind"] == "immunoglobulin"]),
    }
