"""Response surfaces: how the mean of an outcome runs along a factor, the others averaged over the design."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
POINTS = 21
FEWEST_LEVELS = 3


@dataclass(frozen=True)
class Curve:
    """A fitted response along a factor.

    Attributes
    ----------
    value : (P,) of the factor
    weights : (P, options) whose sum with the options' means is the response
    scatter : (P,) standard error of the response by the scatter of the means about the surface
    """

    value: Floats
    weights: Floats
    scatter: Floats


@dataclass(frozen=True)
class Surface:
    """A quadratic fitted by weighted least squares to the options' means.

    Attributes
    ----------
    solution : (terms, options) what turns the options' means into coefficients
    covariance : (terms, terms) of the coefficients, by the scatter of the means about the surface
    """

    numeric: tuple[str, ...]
    design: pd.DataFrame
    centers: dict[str, tuple[float, float]]
    interactions: tuple[tuple[str, str], ...]
    solution: Floats
    covariance: Floats

    def basis(self, points: pd.DataFrame) -> Floats:
        """Return the terms at design points, (points, terms)."""
        scaled = {name: (points[name].to_numpy(float) - c) / s for name, (c, s) in self.centers.items()}
        columns = [np.ones(len(points))]
        columns += [scaled[name] for name in self.numeric] + [scaled[name] ** 2 for name in self.numeric]
        columns += [scaled[one] * scaled[other] for one, other in self.interactions]
        for name in self.design:
            if name not in self.numeric:
                levels = list(dict.fromkeys(self.design[name]))
                columns += [(points[name] == level).to_numpy(float) for level in levels[1:]]
        return np.stack(columns, axis=1)

    def along(self, factor: str) -> Curve:
        """Return the weights of the options' means along a factor, averaged over the design's other values."""
        low, high = float(self.design[factor].min()), float(self.design[factor].max())
        values = np.linspace(low, high, POINTS)
        average = np.array([self.basis(self.design.assign(**{factor: value})).mean(axis=0) for value in values])
        variance = np.einsum("pi,ij,pj->p", average, self.covariance, average)
        return Curve(values, average @ self.solution, np.sqrt(np.maximum(variance, 0.0)))


def fit(design: pd.DataFrame, means: Floats, errors: Floats) -> Surface | None:
    """Return the surface of an outcome, or None when there are too few points for one.

    Parameters
    ----------
    design : (options) rows, a column a factor; numbers, or names of levels
    means, errors : (options,) mean of the outcome and its Monte Carlo standard error

    Notes
    -----
    Terms: linear and square in each number with at least three values, products of pairs where points allow, a
    constant a level. The options share their patients, so the scatter about the surface says nothing of its height.
    """
    numeric = tuple(name for name in design if _is_numeric(design[name]))
    centers = {name: (float(design[name].mean()), float(design[name].std(ddof=0))) for name in numeric}
    pairs = tuple((one, other) for k, one in enumerate(numeric) for other in numeric[k + 1 :])
    for interactions in (pairs, ()):
        found = Surface(numeric, design, centers, interactions, np.empty((0, 0)), np.empty((0, 0)))
        terms = found.basis(design)
        if numeric and len(design) >= terms.shape[1] + 2 and np.linalg.matrix_rank(terms) == terms.shape[1]:
            return _fitted(found, terms, means, errors)
    return None


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and column.nunique() >= FEWEST_LEVELS


def _fitted(empty: Surface, terms: Floats, means: Floats, errors: Floats) -> Surface:
    known = np.maximum(errors, max(float(np.median(errors)), 1e-9) * 0.25)
    weighted, target = terms / known[:, None], means / known
    covariance = np.linalg.inv(weighted.T @ weighted)
    solution = covariance @ (weighted / known[:, None]).T
    scatter = float(((target - weighted @ (solution @ means)) ** 2).sum() / max(len(means) - terms.shape[1], 1))
    return replace(empty, solution=solution, covariance=covariance * scatter)
