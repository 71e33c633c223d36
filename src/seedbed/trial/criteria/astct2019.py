"""Cytokine release syndrome (CRS) and neurotoxicity (ICANS) as graded by the ASTCT consensus of 2019.

Source: Lee DW et al., Biol Blood Marrow Transplant 2019;25:625-638; tables read in PMC9327779 (table 2) and
PMC8021214 (table 1). Rule identifiers ``crs.astct2019`` and ``icans.astct2019``. Everything here is a pure
function of measurements; arrays of any common shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = "1"
FEVER_CELSIUS = 38.0
LONGEST_GAP_DAYS = 3.0
"""Graded days further apart belong to different episodes; the criteria leave this open."""


def crs_grade(
    temperature: ArrayLike,
    treated: ArrayLike,
    prior_crs: ArrayLike,
    blood_pressure_support: ArrayLike,
    oxygen_support: ArrayLike,
    other_cause: ArrayLike = False,
    died_of_crs: ArrayLike = False,
) -> NDArray[np.int8]:
    """Grade one day's signs of cytokine release syndrome.

    Parameters
    ----------
    temperature : body temperature [degree Celsius]; NaN is no fever
    treated : an antipyretic or anti-cytokine drug was given before in this episode (bool)
    prior_crs : an episode is open (bool)
    blood_pressure_support : 0 none, 1 fluids only, 2 one vasopressor with or without vasopressin,
        3 several vasopressors, vasopressin not counted
    oxygen_support : 0 none, 1 low flow up to 6 L/min or blow-by, 2 high flow or any mask, 3 positive pressure
    other_cause : the fever is attributed to something else (bool)
    died_of_crs : death due to the syndrome on that day (bool)

    Returns
    -------
    int8 array
        0 (no syndrome, or resolved) to 5. Without fever only an open, treated episode keeps a grade,
        and hypotension or hypoxia alone drive it.

    Notes
    -----
    Vasopressin as the only agent counts as one vasopressor.
    """
    support = np.maximum(np.asarray(blood_pressure_support), np.asarray(oxygen_support))
    severity = np.asarray(support, dtype=np.int8) + np.int8(1)
    fever = (np.asarray(temperature) >= FEVER_CELSIUS) & ~np.asarray(other_cause, dtype=bool)
    carried = np.asarray(treated, dtype=bool) & np.asarray(prior_crs, dtype=bool) & (severity > 1)
    grade = np.where(fever | carried, severity, 0)
    return np.where(np.asarray(died_of_crs, dtype=bool), 5, grade).astype(np.int8)


def crs_course(
    temperature: NDArray[np.floating],
    blood_pressure_support: NDArray[np.floating],
    oxygen_support: NDArray[np.floating],
    *,
    treated: NDArray[np.bool_],
    other_cause: NDArray[np.bool_],
    may_begin: NDArray[np.bool_],
) -> NDArray[np.int8]:
    """Grade the whole course, visit after visit.

    Parameters
    ----------
    temperature, blood_pressure_support, oxygen_support : (n, V) as in `crs_grade`; NaN is not seen, hence none
    treated : (n, V) an antipyretic or anti-cytokine drug was given before that visit, in the episode or shortly before
    other_cause : (n, V) the fever is attributed to something else
    may_begin : (n, V) an episode may begin (CAR-T on board and within the window of onset)

    Returns
    -------
    (n, V) int8 array
    """
    n_subjects, n_visits = temperature.shape
    pressure = np.nan_to_num(blood_pressure_support)
    oxygen = np.nan_to_num(oxygen_support)
    course = np.zeros((n_subjects, n_visits), dtype=np.int8)
    previous = np.zeros(n_subjects, dtype=bool)
    for visit in range(n_visits):
        grade = crs_grade(
            temperature[:, visit],
            treated[:, visit],
            previous,
            pressure[:, visit],
            oxygen[:, visit],
            other_cause[:, visit],
        )
        course[:, visit] = np.where(previous | may_begin[:, visit], grade, 0)
        previous = course[:, visit] > 0
    return course


def icans_grade(
    ice_score: ArrayLike,
    consciousness: ArrayLike = 0,
    seizure: ArrayLike = 0,
    motor_weakness: ArrayLike = False,
    edema: ArrayLike = 0,
    died_of_icans: ArrayLike = False,
) -> NDArray[np.int8]:
    """Grade one day's signs of immune effector cell-associated neurotoxicity (adults, children from 12 years).

    Parameters
    ----------
    ice_score : 0 to 10 [points]; NaN is not tested
    consciousness : 0 wakes by itself, 1 wakes to voice, 2 to touch only, 3 cannot be aroused
    seizure : 0 none, 1 resolves quickly (or only on the EEG), 2 longer than 5 minutes or repeated
    motor_weakness : deep focal weakness, hemiparesis or paraparesis (bool)
    edema : 0 none, 1 focal on imaging, 2 diffuse, or posturing, papilledema, Cushing's triad
    died_of_icans : death due to the syndrome on that day (bool)

    Returns
    -------
    int8 array
        The worst of the rows, 0 to 5. Awake with an ICE score of 0 is grade 3; not arousable is grade 4. A
        patient who wakes by itself with an ICE score of 7 to 9 is grade 1.
    """
    ice = np.asarray(ice_score, dtype=float)
    by_ice = np.select([np.isnan(ice), ice >= 10, ice >= 7, ice >= 3], [0, 0, 1, 2], default=3)
    by_consciousness = np.asarray([0, 2, 3, 4])[np.asarray(consciousness, dtype=int)]
    by_seizure = np.asarray([0, 3, 4])[np.asarray(seizure, dtype=int)]
    by_edema = np.asarray([0, 3, 4])[np.asarray(edema, dtype=int)]
    by_weakness = np.where(np.asarray(motor_weakness, dtype=bool), 4, 0)
    worst = np.maximum.reduce(np.broadcast_arrays(by_ice, by_consciousness, by_seizure, by_edema, by_weakness))
    return np.where(np.asarray(died_of_icans, dtype=bool), 5, worst).astype(np.int8)


def ice_points(
    orientation: ArrayLike, naming: ArrayLike, command: ArrayLike, writing: ArrayLike, attention: ArrayLike
) -> NDArray[np.int8]:
    """Add up the immune effector cell encephalopathy score.

    Parameters
    ----------
    orientation : year, month, city, hospital [0 to 4 points]
    naming : three objects [0 to 3 points]
    command : follows a simple command [0 or 1 point]
    writing : writes a standard sentence [0 or 1 point]
    attention : counts back from 100 by 10 [0 or 1 point]

    Returns
    -------
    int8 array, 0 to 10

    Raises
    ------
    ValueError
        An item lies outside its range.
    """
    total = np.zeros((), dtype=np.int8)
    for name, item, most in (
        ("orientation", orientation, 4),
        ("naming", naming, 3),
        ("command", command, 1),
        ("writing", writing, 1),
        ("attention", attention, 1),
    ):
        points = np.asarray(item, dtype=np.int8)
        if np.any((points < 0) | (points > most)):
            raise ValueError(f"{name} has {points}: expected 0 to {most} points")
        total = total + points
    return np.asarray(total, dtype=np.int8)


def episodes(course: NDArray[np.integer], days: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
    """Summarize graded courses: highest grade, first day, last day of the first episode.

    Parameters
    ----------
    course : (n, V) grades
    days : (V,) visit days [day], increasing

    Returns
    -------
    dict of (n,) arrays
        ``grade`` over all days; ``onset_day`` and ``end_day`` [day] (NaN without a graded day). The end is the
        day after the last graded day that no more than `LONGEST_GAP_DAYS` separate from the one before, so that a
        single graded day lasts one day and a flare weeks later does not lengthen the episode.
    """
    graded = course > 0
    ever = graded.any(axis=1)
    first = np.where(ever, days[np.argmax(graded, axis=1)], np.nan)
    before = np.maximum.accumulate(np.where(graded, days[None, :], -np.inf), axis=1)
    gap = graded[:, 1:] & np.isfinite(before[:, :-1]) & (days[None, 1:] - before[:, :-1] > LONGEST_GAP_DAYS)
    last_index = np.where(gap.any(axis=1), np.argmax(gap, axis=1), course.shape[1] - 1)
    return {
        "grade": course.max(axis=1, initial=0).astype(float),
        "onset_day": first,
        "end_day": np.where(ever, before[np.arange(len(course)), last_index] + 1.0, np.nan),
    }
