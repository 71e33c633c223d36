"""Closed-form power and events under proportional hazards, the check on every simulated trial."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from seedbed.errors import TableError


def schoenfeld_power(hazard_ratio: float, n_events: float, *, alpha: float = 0.025, share: float = 0.5) -> float:
    r"""Return the power of the log-rank test with a number of events.

    Parameters
    ----------
    hazard_ratio : experimental to control, < 1 favors the experimental arm
    n_events : expected events in both arms
    alpha : one-sided significance level
    share : share of subjects in the experimental arm

    Notes
    -----
    :math:`\Phi(-\sqrt{d\,p(1-p)}\,\log HR-z_{1-\alpha})`, below the level where the hazard ratio is
    above 1. Source: Schoenfeld 1981, doi 10.1093/biomet/68.1.316.

    Examples
    --------
    >>> round(schoenfeld_power(0.5, 88), 3)
    0.902
    """
    _check(hazard_ratio, alpha, share)
    drift = -np.log(hazard_ratio) * np.sqrt(n_events * share * (1 - share))
    return float(ndtr(drift - ndtri(1 - alpha)))


def _check(hazard_ratio: float, alpha: float, share: float) -> None:
    if not (hazard_ratio > 0 and 0 < alpha < 0.5 and 0 < share < 1):
        given = f"{hazard_ratio:g}, {alpha:g}, {share:g}"
        raise TableError(f"needs hazard ratio > 0, one-sided alpha in (0, 0.5), share in (0, 1); got {given}")
