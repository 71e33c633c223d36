"""CAR-HEMATOTOX score before lymphodepletion.

Source: Rejeski K et al., Blood 2021;138:2499-2513 (table read at ashpublications.net/view-large/10339075; cut-points
recalled, to be compared with the primary text). Validated for large B-cell lymphoma with axi-cel or tisa-cel only,
not after transplant conditioning: compute it before the first conditioning drug. Rule identifier ``car_hematotox``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = "1"
HIGH_FROM = 2


def score(
    platelets: ArrayLike, neutrophils: ArrayLike, hemoglobin: ArrayLike, crp: ArrayLike, ferritin: ArrayLike
) -> NDArray[np.int8]:
    """Add the points of the five markers.

    Parameters
    ----------
    platelets, neutrophils : [1e9/L]
    hemoglobin : [g/dL]
    crp : C-reactive protein [mg/L] (the score's cut-off is 3 mg/dL)
    ferritin : [ug/L]

    Returns
    -------
    int8 array
        0 to 7; high risk from 2.
    """
    platelets, ferritin = np.asarray(platelets, dtype=float), np.asarray(ferritin, dtype=float)
    points = np.select([platelets < 75, platelets <= 175], [2, 1], default=0)
    points = points + np.select([ferritin > 2000, ferritin >= 650], [2, 1], default=0)
    points = points + (np.asarray(neutrophils) <= 1.2) + (np.asarray(hemoglobin) <= 9) + (np.asarray(crp) >= 30)
    return np.asarray(points, dtype=np.int8)


def is_high(points: ArrayLike) -> NDArray[np.bool_]:
    """Whether a score means a high risk of hematotoxicity (2 points or more)."""
    return np.asarray(points) >= HIGH_FROM
