r"""The fate of small clones: exact birth-death counts from visit to visit; fractions of a cell never breed.

Between two visits a clone of :math:`N` cells is a linear birth-death process with per-cell rates b(t), d(t) along
the integrated path. With :math:`\rho=\int(d-b)\,dt` and :math:`J=\int d\,e^{\rho}\,dt` over the window, a lineage
survives with probability 1/(1+J), and the size of a survivor is geometric with success probability
:math:`q=e^{\rho}/(1+J)` (Kendall 1948, doi 10.1214/aoms/1177730285, eqs. 9-12). New cells that arrive by mutation
or seeding in proportion :math:`\kappa` to births add a negative binomial count with shape :math:`\kappa` and the
same q. The chance that a clone of one visit is extinct at a later one is therefore exactly
:math:`(J/(1+J))^{N}` along the whole path, whatever the visits are.

Counts above `Limits.stochastic_below` behave as their mean and stay with the differential equation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from seedbed import streams

Array = NDArray[np.float64]
CELLS_PER_UNIT = 1e9
_EXACT_BINOMIAL_BELOW = 1e6


@dataclass(frozen=True)
class Limits:
    """Below how many cells a clone is counted cell by cell."""

    stochastic_below: float = 1e4


@dataclass(frozen=True)
class Window:
    r"""What the integration of clones between two visits has left, arrays of one shape.

    Attributes
    ----------
    start, end : cells at the start and, by the differential equation, at the end of the window
    net_loss : :math:`\rho`, the integral of death minus birth rate per cell
    weighted_death : :math:`J`, the integral of the death rate times exp(rho)
    """

    start: Array
    end: Array
    net_loss: Array
    weighted_death: Array


def founding_counts(mean_cells: Array, uniform: Array, limits: Limits) -> Array:
    """Return whole cells at enrollment: a Poisson count of the mean where it is small, else the mean itself."""
    small = mean_cells < limits.stochastic_below
    return np.where(small, stats.poisson.ppf(uniform, np.where(small, mean_cells, 0.0)), mean_cells)


def counts_after(window: Window, draws: Sequence[Array]) -> Array:
    """Return the whole cells of small clones at the end of a window, (n,).

    Parameters
    ----------
    window : the integrated course of the clones, (n,) each
    draws : three (n,) arrays of uniform numbers: survival of lineages, their sizes, arrivals
    """
    return _descendants(window, draws[0], draws[1]) + _arrivals(window, draws[2])


def _descendants(window: Window, survival_draw: Array, size_draw: Array) -> Array:
    start = np.round(window.start)
    survives = 1 / (1 + window.weighted_death)
    survivors = np.zeros_like(start)
    exact = (start > 0) & (start < _EXACT_BINOMIAL_BELOW)
    survivors[exact] = stats.binom.ppf(survival_draw[exact], start[exact], survives[exact])
    many = start >= _EXACT_BINOMIAL_BELOW
    survivors[many] = stats.poisson.ppf(survival_draw[many], start[many] * survives[many])
    alive = survivors > 0
    offspring = np.zeros_like(start)
    success = _geometric_success(window)
    offspring[alive] = stats.nbinom.ppf(size_draw[alive], survivors[alive], success[alive])
    return survivors + offspring


def _arrivals(window: Window, draw: Array) -> Array:
    """Return the cells descended from arrivals; their mean is what the path holds beyond the founders' mean."""
    mean = window.end - window.start * np.exp(-window.net_loss)
    noticeable = mean > 1e-6 * window.end
    spread = 1 / _geometric_success(window) - 1
    count = np.zeros_like(mean)
    breeding = noticeable & (spread > 1e-9)
    shape = mean[breeding] / spread[breeding]
    count[breeding] = stats.nbinom.ppf(draw[breeding], shape, 1 / (1 + spread[breeding]))
    still = noticeable & ~breeding
    count[still] = stats.poisson.ppf(draw[still], mean[still])
    return count


def _geometric_success(window: Window) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the largest double nobody survives to be counted
        return np.clip(np.exp(window.net_loss) / (1 + window.weighted_death), 1e-15, 1.0)


def step_clones(
    names: Sequence[str], window: Window, *, seed: int, subjects: NDArray[np.int64], day: int, limits: Limits
) -> Array:
    """Return the cells of k clones at a visit, with the luck of these subjects on this day; cells, (k, n).

    A clone with few cells at the start or the end of the window is counted cell by cell; any other keeps its mean.

    Parameters
    ----------
    names : of the clones
    window : their courses, (k, n) each
    """
    result = window.end.copy()
    few = np.minimum(window.start, window.end) < limits.stochastic_below
    few &= (window.start > 0) | (window.end > 0)
    if few.any():
        clone, row = np.nonzero(few)
        purposes = [f"clone {name} {decision}" for decision in ("survival", "size", "arrival") for name in names]
        which = clone + len(names) * np.arange(3)[:, None]
        draws = streams.uniform_of(seed, purposes, which, subjects[row], day)
        part = Window(*(getattr(window, field)[few] for field in ("start", "end", "net_loss", "weighted_death")))
        result[few] = counts_after(part, draws)
    return result
