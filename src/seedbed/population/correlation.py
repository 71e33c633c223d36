"""A Gaussian copula: which uniform numbers of one patient go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from seedbed import streams
from seedbed.population.distributions import Numbers
from seedbed.population.schema import Correlation


def members(correlations: Mapping[str, Correlation]) -> tuple[str, ...]:
    """Return the names that stand in any correlation, in the order of the file."""
    return tuple(dict.fromkeys(name for correlation in correlations.values() for name in correlation.between))


def matrix(correlations: Mapping[str, Correlation]) -> Numbers:
    """Return the correlation matrix of the normal scores of all `members`.

    A rank correlation r becomes the normal scores' 2 sin(pi r / 6) (Pearson 1907).
    """
    names = members(correlations)
    place = {name: index for index, name in enumerate(names)}
    result = np.eye(len(names))
    for correlation in correlations.values():
        first, second = (place[name] for name in correlation.between)
        result[first, second] = result[second, first] = 2 * np.sin(np.pi * correlation.rank / 6)
    return result


def smallest_eigenvalue(correlations: Mapping[str, Correlation]) -> float:
    """Return the smallest eigenvalue of the matrix; the correlations are possible when it is above 0."""
    return float(np.linalg.eigvalsh(matrix(correlations)).min()) if correlations else 1.0


def uniforms(
    names: Sequence[str], correlations: Mapping[str, Correlation], subjects: ArrayLike, seed: int
) -> dict[str, Numbers]:
    """Return the correlated uniform numbers of each name.

    Parameters
    ----------
    names : covariates and ``parameter:<id>`` to draw
    correlations : those of the population
    subjects : (n,) numbers of the subjects
    seed : seed of the study

    Returns
    -------
    name -> (n,) uniform numbers. A name outside all correlations depends on its own stream only, so that adding a
    covariate shifts no other.
    """
    scores = {name: streams.normal(seed, f"population:{name}", subjects) for name in names}
    linked = members(correlations)
    if linked:
        for name in linked:
            scores.setdefault(name, streams.normal(seed, f"population:{name}", subjects))
        factor = np.linalg.cholesky(matrix(correlations))
        independent = [scores[name] for name in linked]
        for row, name in enumerate(linked):
            scores[name] = sum(factor[row, column] * independent[column] for column in range(row + 1))
    return {name: ndtr(scores[name]) for name in names}
