r"""Split the spread of weighted patients into its three parts: between patients, from parameters, and Monte Carlo.

As in `seedbed.analysis.uncertainty`, :math:`y_i=\mu+a_{s(i)}+e_i` for patient *i* under parameter set *s*, but patients
have weights :math:`w_i` (sum 1), as those of a forecast do. With :math:`W_s=\sum_{i\in s}w_i`,
:math:`q_s=\sum_{i\in s}w_i^2`, :math:`R=\sum_s q_s/W_s` and :math:`Q=\sum_i w_i^2`, the weighted sums of squares within
sets, *A*, and between them, *B*, have the expectations

.. math:: E(A)=\sigma^2(1-R),\qquad E(B)=\tau^2\Bigl(1-\sum_s W_s^2\Bigr)+\sigma^2(R-Q),

from which :math:`\sigma^2` (between patients) and :math:`\tau^2` (parameters) follow; the second term of *B* is the
luck of few patients a set. With equal weights this is the analysis of variance of `uncertainty.components`. The *Monte
Carlo* error is that of the weighted mean, :math:`\sqrt{V/n_\mathrm{eff}}` with the whole variance *V* and Kish's
effective size :math:`n_\mathrm{eff}=1/Q`: with few patients a set, chance decides how much each set weighs, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.analysis.uncertainty import not_negative
from seedbed.errors import TableError

Floats = NDArray[np.float64]
FEWEST_SETS = 10.0
"""Effective parameter sets below which a spread between them is not resolved."""
LARGEST_HIDDEN = 0.25
"""Variance between sets that chance may feign, as a share of the variance between patients, to call one resolved."""


@dataclass(frozen=True)
class WeightedComponents:
    """A weighted mean and the three parts of its uncertainty, each a standard deviation in the value's unit.

    ``parameter_sd`` is NaN where it is not resolved: one parameter set, or too few effective ones, or so few patients
    within them that chance feigns a large spread; ``between_patient_sd`` then holds both.
    """

    estimate: float
    between_patient_sd: float
    parameter_sd: float
    monte_carlo_se: float
    effective_size: float
    effective_sets: float


@dataclass(frozen=True)
class Moments:
    """Unbiased estimates of the variances within and between sets, and the standard error of the latter.

    ``between`` may be negative by chance; ``hidden`` is its standard error where all variance, 1, is between patients:
    a property of weights and sets alone.
    """

    within: float
    between: float
    between_error: float
    hidden: float


def weighted_components(values: ArrayLike, weights: ArrayLike, sets: ArrayLike) -> WeightedComponents:
    """Return the weighted mean of a number per patient with its three uncertainties.

    Parameters
    ----------
    values : (n,) numbers; a value that is not finite leaves the patient out
    weights : (n,) not negative, of any sum
    sets : (n,) parameter set of each patient

    Raises
    ------
    TableError
        No patient has a value and weight.

    Examples
    --------
    >>> weighted_components([1.0, 2.0, 3.0], [1.0, 1.0, 2.0], [0, 0, 0]).estimate
    2.25
    """
    values, weights, sets = np.asarray(values, dtype=float), np.asarray(weights, dtype=float), np.asarray(sets)
    used = np.isfinite(values) & (weights > 0)
    if not used.any():
        raise TableError("weighted components need at least one value with a weight")
    values, weights = values[used], weights[used] / weights[used].sum()
    set_of = np.unique(sets[used], return_inverse=True)[1]
    squares, effective_sets = float(weights @ weights), float(1.0 / np.sum(np.bincount(set_of, weights=weights) ** 2))
    estimate = float(weights @ values)
    whole = float(weights @ (values - estimate) ** 2) / (1.0 - squares) if squares < 1.0 else float("nan")
    spreads = _spreads(values, weights, set_of, effective_sets, whole)
    return WeightedComponents(estimate, *spreads, float(np.sqrt(whole * squares)), 1.0 / squares, effective_sets)


def _spreads(
    values: Floats, weights: Floats, set_of: NDArray[np.intp], effective_sets: float, whole: float
) -> tuple[float, float]:
    """Return the standard deviations between patients and from parameters, the latter NaN where it is not resolved."""
    if effective_sets >= FEWEST_SETS:
        found = moments(values, weights, set_of)
        if found.hidden <= LARGEST_HIDDEN:
            parameter = not_negative(found.between, found.between_error)
            return float(np.sqrt(found.within)), float(np.sqrt(parameter))
    return float(np.sqrt(whole)), float("nan")


def moments(values: Floats, weights: Floats, set_of: NDArray[np.intp]) -> Moments:
    r"""Return the estimates of the variances within and between sets.

    Parameters
    ----------
    values, weights : (n,) weights above 0, sum 1
    set_of : (n,) number of the set, from 0 without gaps

    Notes
    -----
    Standard errors are those of normal values. With :math:`v_s=\tau^2+\sigma^2q_s/W_s^2`,
    :math:`\mathrm{Var}(B)=2\sum_sW_s^2v_s^2(1-2W_s)+2(\sum_sW_s^2v_s)^2`.
    """
    mass, squares, cubes = (np.bincount(set_of, weights=weights**power) for power in (1, 2, 3))
    means = np.bincount(set_of, weights=weights * values) / mass
    center, repeated, total = float(mass @ means), float(np.sum(squares / mass)), float(squares.sum())
    if repeated >= 1.0 - 1e-9:
        return Moments(float("nan"), float("nan"), float("nan"), float("inf"))
    within = float(weights @ (values - means[set_of]) ** 2) / (1.0 - repeated)
    luck, scale = repeated - total, 1.0 - float(mass @ mass)
    between = (float(mass @ (means - center) ** 2) - within * luck) / scale
    freedom = (1.0 - repeated) ** 2 / float(np.sum(squares - 2.0 * cubes / mass + squares**2 / mass**2))

    def error(of_sets: Floats, of_patients: float) -> float:
        of_between = np.sum(mass**2 * of_sets**2 * (1.0 - 2.0 * mass)) + np.sum(mass**2 * of_sets) ** 2
        return float(np.sqrt(2.0 * max(of_between, 0.0) + 2.0 * of_patients**2 / freedom * luck**2) / scale)

    few = squares / mass**2
    spread = np.maximum(between + within * few, 0.0)
    return Moments(within, between, error(spread, within), error(few, 1.0))
