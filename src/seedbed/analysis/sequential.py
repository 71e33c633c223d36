r"""Group-sequential trials: alpha spending, exact boundaries, crossing probabilities, conditional power, futility.

Everything here is in the direction of benefit: :math:`Z_k>0` favors the experimental arm (minus the ``z`` of the
tests). Under information fractions :math:`t_k` and drift :math:`\theta` (the mean of Z at full information),
:math:`Z_k\sim N(\theta\sqrt{t_k},1)` with :math:`cov(Z_j,Z_k)=\sqrt{t_j/t_k}`. All alphas are one-sided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from seedbed.errors import TableError

Floats = NDArray[np.float64]
_FAR = 10.0
_PANELS, _ORDER = 24, 16
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_ORDER)
SPENDING = ("obrien_fleming", "pocock", "none")


def spent(spending: str, fraction: ArrayLike, alpha: float) -> Floats:
    r"""Return the one-sided alpha spent by an information fraction.

    Parameters
    ----------
    spending : ``"obrien_fleming"`` :math:`2-2\Phi(\Phi^{-1}(1-\alpha/2)/\sqrt t)`, ``"pocock"``
        :math:`\alpha\log(1+(e-1)t)`, or ``"none"`` (all at the end)
    fraction : information fractions; above 1 counts as 1
    alpha : one-sided significance level

    Raises
    ------
    TableError
        The name is unknown, or a fraction is not positive.

    Notes
    -----
    Source: Lan and DeMets 1983, doi 10.1093/biomet/70.3.659.
    """
    fraction = np.minimum(np.asarray(fraction, dtype=float), 1.0)
    if (fraction <= 0).any():
        raise TableError("information fractions must be above 0")
    if spending == "obrien_fleming":
        return np.asarray(2.0 * ndtr(-ndtri(1.0 - alpha / 2.0) / np.sqrt(fraction)))
    if spending == "pocock":
        return np.asarray(alpha * np.log1p((np.e - 1.0) * fraction))
    if spending == "none":
        return np.where(fraction >= 1.0, alpha, 0.0)
    raise TableError(f'unknown alpha spending "{spending}"; expected one of {", ".join(SPENDING)}')


@dataclass(frozen=True)
class Boundary:
    """Efficacy boundary: a look's information fraction, critical Z, nominal one-sided p, alpha spent so far."""

    fraction: Floats
    critical: Floats
    spent: Floats

    @property
    def nominal_p_value(self) -> Floats:
        """One-sided p-value at which a look crosses."""
        return np.asarray(ndtr(-self.critical))


def efficacy_boundary(fractions: Sequence[float], *, alpha: float, spending: str) -> Boundary:
    """Return the boundary that spends alpha as asked, by exact recursive integration; futility non-binding.

    Parameters
    ----------
    fractions : increasing information fractions of the looks, the last one the final analysis
    alpha : one-sided significance level
    spending : see `spent`

    Returns
    -------
    Boundary; a look that spends nothing has an infinite critical value.

    Raises
    ------
    TableError
        Fractions do not increase or alpha is not between 0 and 0.5.

    Notes
    -----
    The last look spends all that remains, whatever its fraction. Source: Armitage, McPherson and Rowe 1969;
    Jennison and Turnbull 2000, chapter 19; compared with published tables and R ``rpact`` in
    ``tests/reference/analysis``.

    Examples
    --------
    >>> efficacy_boundary([0.5, 1.0], alpha=0.025, spending="obrien_fleming").critical.round(4).tolist()
    [2.9626, 1.9686]
    """
    fraction = _checked(fractions)
    if not 0 < alpha < 0.5:
        raise TableError(f"alpha = {alpha:g}; expected a one-sided level between 0 and 0.5")
    cumulative = spent(spending, fraction, alpha)
    cumulative[-1] = alpha
    critical = np.full(fraction.size, np.inf)
    density: _Density | None = None
    for look, information in enumerate(fraction):
        step = float(cumulative[look] - (cumulative[look - 1] if look else 0.0))
        walk = _Step(density, float(information), 0.0)
        if step > 1e-15:
            critical[look] = walk.bound_spending(step)
        density = walk.density(-np.inf, critical[look])
    return Boundary(fraction, critical, cumulative)


def crossing_probabilities(
    fractions: Sequence[float], *, upper: Sequence[float], lower: Sequence[float] | None = None, drift: float = 0.0
) -> tuple[Floats, Floats]:
    """Return the probability of first crossing the upper and the lower bound at each look.

    Parameters
    ----------
    fractions : increasing information fractions
    upper, lower : critical Z per look, infinite where there is none
    drift : mean of Z at full information

    Returns
    -------
    (K,) probabilities of stopping above, (K,) of stopping below.
    """
    fraction = _checked(fractions)
    below = np.full(fraction.size, -np.inf) if lower is None else np.asarray(lower, dtype=float)
    above = np.asarray(upper, dtype=float)
    density: _Density | None = None
    crossed = np.zeros((2, fraction.size))
    for look, information in enumerate(fraction):
        walk = _Step(density, float(information), drift)
        crossed[:, look] = walk.above(above[look]), walk.below(below[look])
        density = walk.density(below[look], above[look])
    return crossed[0], crossed[1]


def _checked(fractions: Sequence[float]) -> Floats:
    fraction = np.asarray(fractions, dtype=float)
    if fraction.size == 0 or fraction[0] <= 0 or (np.diff(fraction) <= 0).any():
        raise TableError("information fractions must be positive and increase from look to look")
    return fraction


@dataclass(frozen=True)
class _Density:
    """Sub-density of the score sum sqrt(t) Z among trials that go on, on quadrature nodes."""

    information: float
    node: Floats
    mass: Floats


class _Step:
    """The independent increment from one look to the next."""

    def __init__(self, previous: _Density | None, information: float, drift: float) -> None:
        start = previous or _Density(0.0, np.zeros(1), np.ones(1))
        self.information = information
        self.mean = start.node + drift * (information - start.information)
        self.mass = start.mass
        self.deviation = np.sqrt(information - start.information)

    def above(self, critical: float) -> float:
        """Return the probability that Z exceeds a bound now."""
        return self._tail(critical, -1.0)

    def below(self, critical: float) -> float:
        """Return the probability that Z falls below a bound now."""
        return self._tail(critical, 1.0)

    def bound_spending(self, step: float) -> float:
        """Return the upper bound that is crossed now with a given probability."""
        return float(brentq(lambda bound: self.above(bound) - step, -_FAR, _FAR, xtol=1e-12))

    def _tail(self, critical: float, sign: float) -> float:
        edge = critical * np.sqrt(self.information)
        return float(self.mass @ ndtr(sign * (edge - self.mean) / self.deviation))

    def density(self, lower: float, upper: float) -> _Density:
        """Return the sub-density of those who stay between the bounds."""
        scale = np.sqrt(self.information)
        center = float(np.average(self.mean, weights=self.mass)) if self.mass.sum() > 0 else 0.0
        low = max(lower * scale, center - _FAR * scale)
        high = max(low, min(upper * scale, center + _FAR * scale))
        edges = np.linspace(low, high, _PANELS + 1)
        half = 0.5 * np.diff(edges)
        node = ((edges[:-1] + half)[:, None] + half[:, None] * _NODES).ravel()
        weight = (half[:, None] * _WEIGHTS).ravel()
        kernel = np.exp(-0.5 * ((node[:, None] - self.mean) / self.deviation) ** 2)
        mass = weight * (kernel @ self.mass) / (np.sqrt(2 * np.pi) * self.deviation)
        return _Density(self.information, node, mass)


def conditional_power(z: ArrayLike, fraction: ArrayLike, *, critical: float, drift: ArrayLike | None = None) -> Floats:
    r"""Return the probability of final significance given an interim Z.

    Parameters
    ----------
    z : interim Z, > 0 favors the experimental arm
    fraction : information fraction of the interim, in (0, 1)
    critical : final critical value
    drift : assumed mean of the final Z; None takes the current trend :math:`z/\sqrt t`

    Notes
    -----
    :math:`\Phi\{(z\sqrt t+\theta(1-t)-c)/\sqrt{1-t}\}`. Source: Lan and Wittes 1988 (B-value).
    """
    z, fraction = np.asarray(z, dtype=float), np.asarray(fraction, dtype=float)
    theta = z / np.sqrt(fraction) if drift is None else np.asarray(drift, dtype=float)
    return np.asarray(ndtr((z * np.sqrt(fraction) + theta * (1 - fraction) - critical) / np.sqrt(1 - fraction)))


def predictive_power(
    z: ArrayLike, fraction: ArrayLike, *, critical: float, prior_mean: float = 0.0, prior_sd: float = np.inf
) -> Floats:
    """Return conditional power averaged over the posterior of the drift.

    Parameters
    ----------
    z, fraction, critical : as in `conditional_power`
    prior_mean, prior_sd : normal prior of the drift; infinite spread is the flat prior

    Notes
    -----
    Source: Spiegelhalter, Freedman and Blackburn 1986, doi 10.1016/0197-2456(86)90003-6.
    """
    z, fraction = np.asarray(z, dtype=float), np.asarray(fraction, dtype=float)
    prior_precision = 0.0 if np.isinf(prior_sd) else prior_sd**-2
    precision = fraction + prior_precision
    theta = (z * np.sqrt(fraction) + prior_precision * prior_mean) / precision
    mean = z * np.sqrt(fraction) + theta * (1 - fraction)
    deviation = np.sqrt((1 - fraction) + (1 - fraction) ** 2 / precision)
    return np.asarray(ndtr((mean - critical) / deviation))
