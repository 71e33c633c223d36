"""Response of primary CNS lymphoma, International PCNSL Collaborative Group 2005.

Source: Abrey LE et al., J Clin Oncol 2005;23:5034-5043; table read at ashpublications.net/view-large/6498253.
Rule identifier ``cns.ipcg2005``. Codes are positions in `CATEGORIES`, a higher code is a better response.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = "1"
CATEGORIES = ("NE", "PD", "SD", "PR", "CRu", "CR")
NE, PD, SD, PR, CRU, CR = range(6)


def response(
    enhancing_area: ArrayLike,
    baseline_area: ArrayLike,
    nadir_area: ArrayLike,
    *,
    on_steroids: ArrayLike = False,
    csf_positive: ArrayLike = False,
    eye_involved: ArrayLike = False,
    new_site: ArrayLike = False,
    minimal_area: float = 0.0,
) -> NDArray[np.int8]:
    """Judge one assessment of brain, fluid and eyes.

    Parameters
    ----------
    enhancing_area, baseline_area, nadir_area : product of diameters of contrast enhancement now, before
        treatment, and lowest so far [cm2]; 0 is none, NaN is not evaluable
    on_steroids : corticosteroids at that time (bool); they turn a CR into a CRu
    csf_positive : lymphoma cells in the cerebrospinal fluid (bool)
    eye_involved : more than a minor change of the retinal pigment epithelium (bool)
    new_site : any new lesion, in the CNS or outside (bool)
    minimal_area : enhancement up to this area counts as minimal [cm2]

    Returns
    -------
    int8 array of codes
        CR no enhancement, no steroids, fluid and eyes clear. CRu none or minimal enhancement, or steroids. PR at
        least half smaller, or no enhancement with fluid or eyes not clear. PD a quarter larger, or a new site.
    """
    area, nadir = np.asarray(enhancing_area, dtype=float), np.asarray(nadir_area, dtype=float)
    clear = ~np.asarray(csf_positive, dtype=bool) & ~np.asarray(eye_involved, dtype=bool)
    grown = (area >= 1.25 * nadir) & (area > nadir) & (area > minimal_area)
    progressed = grown | np.asarray(new_site, dtype=bool)
    complete = (area <= 0) & clear & ~np.asarray(on_steroids, dtype=bool)
    unconfirmed = (area <= minimal_area) & clear
    partial = area <= 0.5 * np.asarray(baseline_area, dtype=float)
    choices = [np.isnan(area) & ~progressed, progressed, complete, unconfirmed, partial]
    return np.select(choices, [NE, PD, CR, CRU, PR], default=SD).astype(np.int8)
