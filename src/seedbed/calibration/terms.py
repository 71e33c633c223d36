"""What is compared: published results cut into independent pieces, each with an exact likelihood.

A *term* is one such piece. Nested rates become a chain of conditional binomials (response, complete response
among responders), which is the multinomial written as a product; landmark points of one survival curve become
the conditional survivals between them; medians and quartile ratios are normal on the log scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from seedbed.errors import TableError

Floats = NDArray[np.float64]
Kind = Literal["share", "value"]
_Z95 = float(ndtri(0.975))
DEFAULT_LOG_SPREAD = 0.8
"""Between-patient standard deviation of the log assumed for a median published without any interval."""


@dataclass(frozen=True)
class Term:
    """One independent piece of a published result.

    Attributes
    ----------
    id : unique name, ``arm/endpoint`` and, for a landmark, ``@days``
    arm, study : arm of the plan and the cluster it belongs to (the study, or the cohort group)
    family : endpoints that share a between-study deviation: response, survival, toxicity, kinetics, recovery
    endpoint : endpoint of the evidence base
    kind : ``share`` is binomial with a logit link; ``value`` is normal on the link scale (log of a median)
    observed : the share, or the value on the link scale
    size : trials of a share (effective, need not be whole), or 1/variance of a value
    within : id of the term that this one is conditional on, or None
    """

    id: str
    arm: str
    study: str
    family: str
    endpoint: str
    kind: Kind
    observed: float
    size: float
    within: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no likelihood can be made of."""
        if not self.size > 0 or not np.isfinite(self.observed):
            raise TableError(
                f'term "{self.id}": size {self.size:g} and observed {self.observed:g} must be finite, size > 0'
            )
        if self.kind == "share" and not 0 <= self.observed <= 1:
            raise TableError(f'term "{self.id}": a share must lie in 0-1, not {self.observed:g}')


@dataclass(frozen=True)
class Terms:
    """All terms of a calibration as arrays, in a fixed order."""

    items: tuple[Term, ...]

    def __post_init__(self) -> None:
        """Refuse two terms of the same id."""
        ids = [term.id for term in self.items]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise TableError(f"terms stand twice: {', '.join(twice)}")

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def ids(self) -> list[str]:
        """The ids in order."""
        return [term.id for term in self.items]

    @cached_property
    def arms(self) -> list[str]:
        """The arms in order of first appearance."""
        return list(dict.fromkeys(term.arm for term in self.items))

    @cached_property
    def families(self) -> list[str]:
        """The families in order of first appearance."""
        return list(dict.fromkeys(term.family for term in self.items))

    @cached_property
    def clusters(self) -> list[tuple[str, str]]:
        """The pairs of study and family that share a deviation, in order of first appearance."""
        return list(dict.fromkeys((term.study, term.family) for term in self.items))

    @cached_property
    def share(self) -> NDArray[np.bool_]:
        """True where the term is a share."""
        return np.array([term.kind == "share" for term in self.items], bool)

    @cached_property
    def observed(self) -> Floats:
        """Observed shares, or values on the link scale."""
        return np.array([term.observed for term in self.items], float)

    @cached_property
    def size(self) -> Floats:
        """Trials, or 1/variance."""
        return np.array([term.size for term in self.items], float)

    def of_arm(self, arm: str) -> NDArray[np.int64]:
        """Return the positions of an arm's terms."""
        return np.array([i for i, term in enumerate(self.items) if term.arm == arm], np.int64)

    def subset(self, keep: Sequence[str] | set[str], *, by: str = "id") -> Terms:
        """Return the terms whose attribute `by` is in `keep`."""
        return Terms(tuple(term for term in self.items if getattr(term, by) in keep))


def log_likelihood(terms: Terms, prediction: Floats) -> Floats:
    """Return the log likelihood of each term, up to a constant.

    Parameters
    ----------
    prediction : (..., T) predictions on the link scale (logit of a share, log of a value)

    Returns
    -------
    (..., T)
    """
    share = -terms.size * (
        terms.observed * np.logaddexp(0.0, -prediction) + (1.0 - terms.observed) * np.logaddexp(0.0, prediction)
    )
    value = -0.5 * terms.size * (terms.observed - prediction) ** 2
    return np.where(terms.share, share, value)


def log_likelihood_slope(terms: Terms, prediction: Floats) -> Floats:
    """Return the derivative of `log_likelihood` with respect to the prediction; same shape."""
    return terms.size * (terms.observed - np.where(terms.share, expit(prediction), prediction))


def effective_trials(share: float, lower: float, upper: float, n: float, *, level: float = 0.95) -> float:
    """Return the number of trials whose binomial interval is as wide as a published one, at most `n`.

    Parameters
    ----------
    share, lower, upper : published estimate and interval, 0-1
    n : patients at the start

    Notes
    -----
    The width is compared on the probability scale; a share of 0 or 1 is moved by half a patient first.
    """
    inside = float(np.clip(share, 0.5 / n, 1.0 - 0.5 / n))
    error = (upper - lower) / (2.0 * float(ndtri(0.5 + level / 2.0)))
    if not error > 0:
        raise TableError(f"an interval {lower:g}-{upper:g} has no width")
    return float(min(n, inside * (1.0 - inside) / error**2))


def conditional_survival(shares: Sequence[float], trials: Sequence[float]) -> list[tuple[float, float]]:
    """Cut landmark points of one survival curve into conditional survivals.

    Parameters
    ----------
    shares : survival at increasing times, 0-1, not increasing
    trials : effective trials behind each point (`effective_trials`, or the patients at the start)

    Returns
    -------
    (conditional share, effective trials) for each interval. Without an interval of its own, an interval starts
    with those still at risk, as in a curve without censoring before the last landmark.
    """
    pieces: list[tuple[float, float]] = []
    before, variance = 1.0, 0.0
    for share, n in zip(shares, trials, strict=True):
        if share > before + 1e-9:
            raise TableError(f"a survival curve rises from {before:g} to {share:g}")
        at_risk = max(before * n, 0.5)
        conditional = min(1.0, share / before) if before > 0 else 0.0
        inside = float(np.clip(share, 0.5 / n, 1.0 - 0.5 / n))
        total = (1.0 - inside) / (inside * n)
        informative = 0.0 < conditional < 1.0 and total > variance
        own = (1.0 - conditional) / (conditional * (total - variance)) if informative else at_risk
        pieces.append((conditional, float(np.clip(own, 0.5, at_risk))))
        before, variance = share, total
    return pieces


def median_error(
    n: float,
    *,
    interval: tuple[float, float] | None = None,
    quartiles: tuple[float, float] | None = None,
    extremes: tuple[float, float] | None = None,
) -> float:
    r"""Return the standard error of the logarithm of a published median.

    Parameters
    ----------
    n : patients
    interval : 95 % confidence interval of the median
    quartiles : first and third quartile
    extremes : smallest and largest value

    Notes
    -----
    The best of what is given is used, in that order; the error of a normal sample's median is
    :math:`1.2533\,\sigma/\sqrt n`. Extremes give :math:`\sigma` by Blom's expected range. With nothing
    given, :math:`\sigma` = `DEFAULT_LOG_SPREAD`.
    """
    if interval is not None and min(interval) > 0 and interval[1] > interval[0]:
        return float(np.log(interval[1] / interval[0]) / (2.0 * _Z95))
    spread = DEFAULT_LOG_SPREAD
    if quartiles is not None and min(quartiles) > 0 and quartiles[1] > quartiles[0]:
        spread = float(np.log(quartiles[1] / quartiles[0]) / 1.349)
    elif extremes is not None and min(extremes) > 0 and extremes[1] > extremes[0] and n > 2:
        spread = float(np.log(extremes[1] / extremes[0]) / (2.0 * ndtri((n - 0.375) / (n + 0.25))))
    return float(1.2533 * spread / np.sqrt(n))
