r"""The share of patients who benefit: only its bounds can be known, for nobody lives through both arms.

With success rates :math:`p_1` and :math:`p_0`, the share that succeeds in the experimental arm only lies between
:math:`\max(0,p_1-p_0)` and :math:`\min(p_1,1-p_0)` (Frechet 1951; Fan and Park 2010). Within strata the bounds are
averaged, which narrows them. The simulation couples the arms by equal luck and therefore gives one number inside the
bounds; that number is a convention of the simulation, not a finding.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.study.select.pairs import Pairs

Floats = NDArray[np.float64]


def frechet(p_experimental: float, p_control: float) -> tuple[float, float]:
    """Return the bounds of the share that succeeds with the experimental arm only.

    Examples
    --------
    >>> frechet(0.6, 0.5)
    (0.1, 0.5)
    """
    return round(max(0.0, p_experimental - p_control), 12), round(min(p_experimental, 1.0 - p_control), 12)


def benefit_shares(pairs: Pairs, strata: NDArray, outcome: str = "progression_free") -> pd.DataFrame:
    """Return bounds of the shares who benefit and who are harmed: over all, and averaged within strata.

    Parameters
    ----------
    strata : (n,) label of each patient, such as its leaf of the tree

    Returns
    -------
    DataFrame
        ``who`` (``benefit``, ``harm``), ``lower``, ``upper``, ``lower_in_strata``, ``upper_in_strata``, ``simulated``
        (under equal luck in both arms).
    """
    rows = []
    one, other = pairs.experimental[outcome], pairs.control[outcome]
    for who, (up, down) in {"benefit": (one, other), "harm": (other, one)}.items():
        lower, upper = frechet(float(up.mean()), float(down.mean()))
        inside = [
            (float((strata == name).mean()), *frechet(up[strata == name].mean(), down[strata == name].mean()))
            for name in np.unique(strata)
        ]
        rows.append(
            {
                "who": who,
                "lower": lower,
                "upper": upper,
                "lower_in_strata": sum(share * low for share, low, _ in inside),
                "upper_in_strata": sum(share * high for share, _, high in inside),
                "simulated": float(((up == 1) & (down == 0)).mean()),
            }
        )
    return pd.DataFrame(rows)
