"""Grades of a record by a rule set: CRS as a clinician grades it and by true cause, ICANS, fever under neutropenia."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seedbed.trial.clinic import ClinicalRecord
from seedbed.trial.criteria import astct2019
from seedbed.trial.measurement import Values
from seedbed.trial.rules import RuleSet
from seedbed.trial.sampling import given_before

Course = NDArray[np.int8]


def crs_course(record: ClinicalRecord, rules: RuleSet, *, by_true_cause: bool) -> Course:
    """Grade cytokine release syndrome over all visits, (n, V).

    Parameters
    ----------
    record : what the clinic saw
    rules : windows of onset and treatment
    by_true_cause : take only the signs that cytokines cause once CAR-T cells have expanded; else every sign, and
        every fever that no documented infection explains, as at the bedside

    Returns
    -------
    (n, V) int8 array
        0 throughout without CAR-T, on either reading.
    """
    seen, suffix = record.measurements, "_by_cytokines" if by_true_cause else ""
    since = record.days[None, :] - record.cart_day[:, None]
    may_begin = (since >= 0) & (since <= rules.crs.onset_window_days)
    if by_true_cause:
        may_begin &= record.latent["cart_blood"] >= rules.crs.true_cause_cart_per_ul
    documented = seen["documented_infection"] > 0
    return astct2019.crs_course(
        seen[f"temperature{suffix}"],
        seen[f"blood_pressure_support{suffix}"],
        seen[f"oxygen_support{suffix}"],
        treated=given_before(record, ("anti_cytokine", "steroid"), rules.crs.treated_window_days),
        other_cause=np.zeros_like(documented) if by_true_cause else documented,
        may_begin=may_begin,
    )


def icans_course(record: ClinicalRecord) -> Course:
    """Grade neurotoxicity over all visits, (n, V); 0 before CAR-T and without it."""
    seen = record.measurements
    consciousness, seizure = seen["consciousness"].astype(int), seen["seizure"].astype(int)
    grade = astct2019.icans_grade(seen["ice_score"], consciousness, seizure, False, seen["edema"].astype(int))
    return np.where(record.days[None, :] >= record.cart_day[:, None], grade, 0).astype(np.int8)


def neutropenic_fever(record: ClinicalRecord) -> NDArray[np.bool_]:
    """Whether a subject has fever with neutrophils below 0.5e9/L on a day, whatever the cause, (n, V)."""
    seen = record.measurements
    treated = np.fmin(record.stem_cell_day, record.cart_day) - 10.0
    after = record.days[None, :] >= treated[:, None]
    return after & (seen["temperature"] >= astct2019.FEVER_CELSIUS) & (seen["neutrophils"] < 0.5)


def first_day(record: ClinicalRecord, happened: NDArray[np.bool_]) -> Values:
    """Return the first grid day on which something happened, NaN when never, (n,) [day from enrollment]."""
    return np.where(happened.any(axis=1), record.days[np.argmax(happened, axis=1)], np.nan)
