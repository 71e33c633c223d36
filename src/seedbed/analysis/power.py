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
    :math:`\Phi(\sqrt{d\,p(1-p)}\,|\log HR|-z_{1-\alpha})`. Source: Schoenfeld 1981, doi 10.1093/biomet/68.1.316.

    Examples
    --------
    >>> round(schoenfeld_power(0.5, 88), 3)
    0.902
    """
    _check(hazard_ratio, alpha, share)
    drift = -np.log(hazard_ratio) * np.sqrt(n_events * share * (1 - share))
    return float(ndtr(drift - ndtri(1 - alpha)))


def schoenfeld_events(hazard_ratio: float, power: float, *, alpha: float = 0.025, share: float = 0.5) -> float:
    """Return the number of events at which the log-rank test has a power; see `schoenfeld_power`."""
    _check(hazard_ratio, alpha, share)
    if not 0 < power < 1 or hazard_ratio >= 1:
        raise TableError(f"needs a power in (0, 1) and a hazard ratio below 1; got {power:g} and {hazard_ratio:g}")
    return float((ndtri(1 - alpha) + ndtri(power)) ** 2 / (share * (1 - share) * np.log(hazard_ratio) ** 2))


def exponential_event_share(
    hazard: float, *, accrual_days: float, follow_up_days: float, dropout_hazard: float = 0.0
) -> float:
    r"""Return the share of subjects with an observed event, uniform accrual, exponential events and drop-out.

    Parameters
    ----------
    hazard : of the event [1/day]
    accrual_days : length of the uniform accrual
    follow_up_days : time from the last entry to the analysis
    dropout_hazard : of drop-out [1/day]

    Notes
    -----
    :math:`\frac{\lambda}{\lambda+\eta}\{1-\frac{e^{-(\lambda+\eta)F}-e^{-(\lambda+\eta)(F+A)}}{(\lambda+\eta)A}\}`.
    Source: Lachin and Foulkes 1986.
    """
    total = hazard + dropout_hazard
    if total <= 0 or accrual_days < 0 or follow_up_days < 0:
        raise TableError("an event share needs a positive hazard and times >= 0")
    if accrual_days == 0:
        return hazard / total * float(-np.expm1(-total * follow_up_days))
    youngest, oldest = np.exp(-total * follow_up_days), np.exp(-total * (follow_up_days + accrual_days))
    survivors = (youngest - oldest) / (total * accrual_days)
    return float(hazard / total * (1.0 - survivors))


def _check(hazard_ratio: float, alpha: float, share: float) -> None:
    if not (hazard_ratio > 0 and 0 < alpha < 0.5 and 0 < share < 1):
        given = f"{hazard_ratio:g}, {alpha:g}, {share:g}"
        raise TableError(f"needs hazard ratio > 0, one-sided alpha in (0, 0.5), share in (0, 1); got {given}")
