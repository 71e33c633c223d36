"""Response and minimal residual disease of multiple myeloma, International Myeloma Working Group 2016.

Source: Kumar S et al., Lancet Oncol 2016;17:e328-e346; tables read in PMC9954856 (table 1) and at
ashpublications.net/view-large/7148891. Rule identifier ``mm.imwg2016``. Codes are positions in `CATEGORIES`, a
higher code is a better response; two consecutive assessments confirm it (`confirmed`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = "1"
CATEGORIES = ("NE", "PD", "SD", "MR", "PR", "VGPR", "CR", "sCR")
NE, PD, SD, MR, PR, VGPR, CR, SCR = range(8)
MRD_CATEGORIES = ("INSUFFICIENT", "POS", "NEG")
MRD_INSUFFICIENT, MRD_POS, MRD_NEG = range(3)
EVENTS_FOR_DETECTION = 20
Codes = NDArray[np.int8]


def is_measurable(
    serum_m: ArrayLike, urine_m: ArrayLike = 0.0, involved_chain: ArrayLike = 0.0, ratio_abnormal: ArrayLike = True
) -> NDArray[np.bool_]:
    """Whether disease can be followed: serum M >= 1 g/dL, urine M >= 200 mg/24 h, or free chain >= 10 mg/dL.

    Parameters
    ----------
    serum_m : serum M-protein [g/dL]
    urine_m : urine M-protein [mg/24 h]
    involved_chain : involved free light chain [mg/dL]
    ratio_abnormal : the free light chain ratio is abnormal (bool)

    Returns
    -------
    bool array
    """
    chain = (np.asarray(involved_chain) >= 10) & np.asarray(ratio_abnormal, dtype=bool)
    return (np.asarray(serum_m) >= 1) | (np.asarray(urine_m) >= 200) | chain


def serum_response(
    serum_m: ArrayLike,
    baseline_m: ArrayLike,
    nadir_m: ArrayLike,
    *,
    immunofixation_positive: ArrayLike,
    marrow_plasma_cells: ArrayLike,
    stringent_evidence: ArrayLike = False,
    nadir_marrow: ArrayLike = 0.0,
    new_lesion: ArrayLike = False,
) -> Codes:
    """Judge one assessment of a patient followed by serum M-protein.

    Parameters
    ----------
    serum_m, baseline_m, nadir_m : serum M-protein now, before treatment, and lowest confirmed [g/dL]
    immunofixation_positive : serum or urine immunofixation shows the protein (bool)
    marrow_plasma_cells, nadir_marrow : share of marrow cells now and lowest so far [percent]; NaN is not taken
    stringent_evidence : free light chain ratio normal and no clonal plasma cells in marrow (bool)
    new_lesion : a new plasmacytoma or bone lesion (bool)

    Returns
    -------
    int8 array of codes
    """
    now, marrow = np.asarray(serum_m, dtype=float), np.asarray(marrow_plasma_cells, dtype=float)
    fixed = np.asarray(immunofixation_positive, dtype=bool)
    change = now / np.maximum(np.asarray(baseline_m, dtype=float), 1e-9)
    marrow_clear = np.isnan(marrow) | (marrow < 5)
    complete = ~fixed & marrow_clear
    stringent = complete & np.asarray(stringent_evidence, dtype=bool)
    progressed = serum_progression(now, nadir_m) | marrow_progression(marrow, nadir_marrow)
    progressed = progressed | np.asarray(new_lesion, dtype=bool)
    very_good = ~fixed | (change <= 0.1)
    choices = [np.isnan(now) & ~progressed, progressed, stringent, complete, very_good, change <= 0.5, change <= 0.75]
    return np.select(choices, [NE, PD, SCR, CR, VGPR, PR, MR], default=SD).astype(np.int8)


def chain_response(
    difference: ArrayLike,
    baseline_difference: ArrayLike,
    nadir_difference: ArrayLike,
    *,
    ratio_normal: ArrayLike,
    immunofixation_positive: ArrayLike,
    marrow_plasma_cells: ArrayLike,
    clonal_cells_absent: ArrayLike = False,
) -> Codes:
    """Judge one assessment of a patient followed by free light chains only.

    Parameters
    ----------
    difference, baseline_difference, nadir_difference : involved minus uninvolved free chain now, before
        treatment, and lowest confirmed [mg/dL]
    ratio_normal : the free light chain ratio is normal (bool)
    immunofixation_positive : serum or urine immunofixation shows the protein (bool)
    marrow_plasma_cells : share of marrow cells [percent]; NaN is not taken
    clonal_cells_absent : no clonal plasma cells (bool)

    Returns
    -------
    int8 array of codes
    """
    now, marrow = np.asarray(difference, dtype=float), np.asarray(marrow_plasma_cells, dtype=float)
    change = now / np.maximum(np.asarray(baseline_difference, dtype=float), 1e-9)
    normal = np.asarray(ratio_normal, dtype=bool)
    marrow_clear = np.isnan(marrow) | (marrow < 5)
    complete = normal & ~np.asarray(immunofixation_positive, dtype=bool) & marrow_clear
    lowest = np.asarray(nadir_difference, dtype=float)
    progressed = (now >= 1.25 * lowest) & (now - lowest > 10)
    stringent = complete & np.asarray(clonal_cells_absent, dtype=bool)
    choices = [np.isnan(now), progressed, stringent, complete, change <= 0.1, change <= 0.5]
    return np.select(choices, [NE, PD, SCR, CR, VGPR, PR], default=SD).astype(np.int8)


def serum_progression(serum_m: ArrayLike, nadir_m: ArrayLike) -> NDArray[np.bool_]:
    """Whether serum M-protein rose by a quarter of its lowest value and by 0.5 g/dL (1 g/dL if that was >= 5).

    Parameters
    ----------
    serum_m, nadir_m : now and lowest confirmed [g/dL]

    Returns
    -------
    bool array
    """
    now, lowest = np.asarray(serum_m, dtype=float), np.asarray(nadir_m, dtype=float)
    rise = now - lowest
    return (rise >= 0.25 * lowest) & (rise >= np.where(lowest >= 5, 1.0, 0.5))


def marrow_progression(marrow: ArrayLike, nadir: ArrayLike) -> NDArray[np.bool_]:
    """Whether marrow plasma cells rose by a quarter and by 10 points of percent.

    Parameters
    ----------
    marrow, nadir : share of marrow cells now and lowest so far [percent]; NaN is no progression

    Returns
    -------
    bool array
    """
    now, lowest = np.asarray(marrow, dtype=float), np.asarray(nadir, dtype=float)
    return (now >= 1.25 * lowest) & (now - lowest >= 10)


def confirmed(codes: Codes) -> Codes:
    """Let the next assessment confirm each response and each progression.

    Parameters
    ----------
    codes : (n, S) unconfirmed codes in order of time

    Returns
    -------
    (n, S) int8 array
        A response becomes the lesser of two consecutive evaluable ones (at least SD); a progression that the
        next one does not repeat becomes SD. The last assessment stands as it is.
    """
    result = codes.copy()
    for visit in range(codes.shape[1] - 1):
        here, after = codes[:, visit], codes[:, visit + 1]
        known = (here != NE) & (after != NE)
        lesser = np.maximum(np.minimum(here, after), SD)
        unrepeated = (here == PD) & (after != PD)
        result[:, visit] = np.where(known & (here > SD), lesser, np.where(known & unrepeated, SD, here))
    return result


def mrd_call(clonal_cells: ArrayLike, cells_counted: ArrayLike, sensitivity: float = 1e-5) -> Codes:
    """Call minimal residual disease in marrow from counted cells.

    Parameters
    ----------
    clonal_cells : aberrant (flow) or clonal (sequencing) cells counted; NaN is no sample
    cells_counted : nucleated cells examined
    sensitivity : share of cells that must be detectable, 1e-5 by the IMWG

    Returns
    -------
    int8 array of codes in `MRD_CATEGORIES`
        POS with at least 20 events; INSUFFICIENT when 20 events among the cells counted are more than the
        sensitivity asks for and none made it positive, or without a sample.
    """
    clonal, counted = np.asarray(clonal_cells, dtype=float), np.asarray(cells_counted, dtype=float)
    positive = clonal >= EVENTS_FOR_DETECTION
    deep_enough = sensitivity * counted * (1 + 1e-9) >= EVENTS_FOR_DETECTION
    choices = [np.isnan(clonal), positive, deep_enough]
    return np.select(choices, [MRD_INSUFFICIENT, MRD_POS, MRD_NEG], default=MRD_INSUFFICIENT).astype(np.int8)


def sustained_negative(calls: Codes, days: NDArray[np.floating], apart_days: float = 365.0) -> NDArray[np.bool_]:
    """Whether two negative calls lie at least a year apart with none positive between.

    Parameters
    ----------
    calls : (n, S) codes in `MRD_CATEGORIES`
    days : (n, S) or (S,) days of the samples [day]
    apart_days : time between the first and a later negative call [day]

    Returns
    -------
    (n,) bool array
    """
    when = np.broadcast_to(days, calls.shape).astype(float)
    since = np.full(calls.shape[0], np.nan)
    sustained = np.zeros(calls.shape[0], dtype=bool)
    for visit in range(calls.shape[1]):
        negative, positive = calls[:, visit] == MRD_NEG, calls[:, visit] == MRD_POS
        since = np.where(positive, np.nan, np.where(negative & np.isnan(since), when[:, visit], since))
        sustained |= negative & (when[:, visit] - since >= apart_days)
    return sustained
