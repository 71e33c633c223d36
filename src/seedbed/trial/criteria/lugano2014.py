"""Response of lymphoma, Lugano classification of 2014.

Source: Cheson BD et al., J Clin Oncol 2014;32:3059-3068; tables read in PMC5298348 (table 2) and at
ashpublications.net/view-large/10674621. Rule identifier ``nhl.lugano2014``. Responses are codes, the position in
`CATEGORIES`; a higher code is a better response.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = "1"
CATEGORIES = ("NE", "PD", "SD", "PR", "CR")
NE, PD, SD, PR, CR = range(5)
Codes = NDArray[np.int8]


def metabolic_response(
    deauville: ArrayLike,
    uptake: ArrayLike,
    baseline_uptake: ArrayLike,
    nadir_uptake: ArrayLike,
    new_lesion: ArrayLike = False,
    *,
    significant_change: float = 0.5,
) -> Codes:
    """Judge one PET scan against the ones before (default for FDG-avid lymphoma).

    Parameters
    ----------
    deauville : five-point score, 1 to 5; NaN is not evaluable
    uptake, baseline_uptake, nadir_uptake : FDG-avid volume now, before treatment, and lowest so far [mL]
    new_lesion : a new avid focus consistent with lymphoma (bool)
    significant_change : relative change of avid volume called significant; the 2014 text leaves it open

    Returns
    -------
    int8 array of codes
        CR: score 1 to 3, whatever mass remains. PD: score 4 to 5 with a rise, or a new focus. PR: score 4 to 5
        with a fall. SD: score 4 to 5, no significant change.
    """
    score, now = np.asarray(deauville, dtype=float), np.asarray(uptake, dtype=float)
    lowest = np.minimum(np.asarray(nadir_uptake, dtype=float), np.asarray(baseline_uptake, dtype=float))
    avid = score >= 4
    worse = avid & (now >= (1 + significant_change) * lowest) & (now > lowest)
    better = avid & (now <= (1 - significant_change) * np.asarray(baseline_uptake, dtype=float))
    new = np.asarray(new_lesion, dtype=bool)
    choices = [np.isnan(score) & ~new, new | worse, ~avid, better]
    return np.select(choices, [NE, PD, CR, PR], default=SD).astype(np.int8)


def size_response(
    product_of_diameters: ArrayLike,
    baseline_product: ArrayLike,
    nadir_product: ArrayLike,
    longest_diameter: ArrayLike,
    nadir_longest_diameter: ArrayLike,
    new_lesion: ArrayLike = False,
) -> Codes:
    """Judge one CT scan against the ones before.

    Parameters
    ----------
    product_of_diameters, baseline_product, nadir_product : sum of the products of the perpendicular diameters of
        up to six target lesions now, before treatment, and lowest so far [cm2]
    longest_diameter, nadir_longest_diameter : of the largest target lesion [cm]
    new_lesion : a new node above 1.5 cm or another new lesion (bool)

    Returns
    -------
    int8 array of codes
        CR: every target node at most 1.5 cm. PR: the sum fell by at least half. PD: a node above 1.5 cm whose
        product rose by half from the nadir and which grew by 0.5 cm (lesions up to 2 cm) or 1.0 cm (larger).
    """
    now, longest = np.asarray(product_of_diameters, dtype=float), np.asarray(longest_diameter, dtype=float)
    before = np.asarray(nadir_longest_diameter, dtype=float)
    needed_growth = np.where(longest <= 2.0, 0.5, 1.0)
    grown = (longest - before >= needed_growth) & (now >= 1.5 * np.asarray(nadir_product, dtype=float))
    progressed = ((longest > 1.5) & grown) | np.asarray(new_lesion, dtype=bool)
    halved = now <= 0.5 * np.asarray(baseline_product, dtype=float)
    choices = [np.isnan(now) & ~progressed, progressed, longest <= 1.5, halved]
    return np.select(choices, [NE, PD, CR, PR], default=SD).astype(np.int8)
