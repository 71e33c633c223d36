"""Marrow response of acute B-lymphoblastic leukemia.

The usual definition (NCCN and the CAR-T registration trials: complete remission is fewer than 5 % blasts in the
marrow and none elsewhere; relapse is 5 % or more, or disease outside the marrow), recalled; no rule of the design
papers covers it. Rule identifier ``ball.marrow2020``. Recovery of counts is left out (CR includes CRi).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = "1"
CATEGORIES = ("NE", "PD", "SD", "CR")
NE, PD, SD, CR = range(4)
REMISSION_BELOW_PERCENT = 5.0


def response(
    blasts: ArrayLike, nadir_blasts: ArrayLike, extramedullary: ArrayLike = False, new_site: ArrayLike = False
) -> NDArray[np.int8]:
    """Judge one marrow sample.

    Parameters
    ----------
    blasts, nadir_blasts : share of marrow cells now and lowest so far, baseline included [percent]; NaN not taken
    extramedullary : leukemia outside the marrow (bool)
    new_site : newly outside the marrow (bool)

    Returns
    -------
    int8 array of codes
        PD is a relapse (5 % or more after less than 5 %), a rise by half and 5 points, or a new site.
    """
    now, lowest = np.asarray(blasts, dtype=float), np.asarray(nadir_blasts, dtype=float)
    outside = np.asarray(extramedullary, dtype=bool)
    relapsed = (now >= REMISSION_BELOW_PERCENT) & (lowest < REMISSION_BELOW_PERCENT)
    risen = (now >= 1.5 * lowest) & (now - lowest >= 5)
    progressed = relapsed | risen | np.asarray(new_site, dtype=bool)
    choices = [np.isnan(now) & ~progressed, progressed, (now < REMISSION_BELOW_PERCENT) & ~outside]
    return np.select(choices, [NE, PD, CR], default=SD).astype(np.int8)
