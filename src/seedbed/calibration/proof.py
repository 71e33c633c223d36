"""Is the method right? Ranks of known truths among calibrated draws (simulation-based calibration).

Truths drawn from the prior, data simulated from them, each calibrated blindly: then the rank of a truth among its
draws is uniform if, and only if, the calibration is right on average (Cook 2006; Talts 2018, arXiv 1804.06788).
Judged on what decisions use (predictions of an arm that is not fitted), not only on parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2, kstest

Floats = NDArray[np.float64]


def rank(truth: float, draws: Floats, generator: np.random.Generator) -> float:
    """Return the truth's place among the draws as a number in (0, 1); ties are broken at random."""
    below, equal = int((draws < truth).sum()), int((draws == truth).sum())
    return float((below + generator.random() * (equal + 1)) / (len(draws) + 1))


@dataclass(frozen=True)
class Uniformity:
    """Whether ranks are uniform.

    Attributes
    ----------
    n : truths
    p_value : Kolmogorov-Smirnov test against the uniform distribution
    coverage_50, coverage_90 : share of truths inside the central 50 and 90 % of their draws
    mean : mean rank; below 0.5 the draws lie too high
    spread : variance of the ranks over 1/12; above 1 the draws are too narrow, below 1 too wide
    spread_p_value : test of that ratio against 1
    """

    n: int
    p_value: float
    coverage_50: float
    coverage_90: float
    mean: float
    spread: float
    spread_p_value: float


def uniformity(ranks: Floats) -> Uniformity:
    """Judge the ranks of one quantity."""
    ranks = np.asarray(ranks, float)
    n = len(ranks)
    return Uniformity(
        n,
        float(kstest(ranks, "uniform").pvalue),
        float(np.mean(np.abs(ranks - 0.5) < 0.25)),
        float(np.mean(np.abs(ranks - 0.5) < 0.45)),
        float(ranks.mean()),
        float(12.0 * np.mean((ranks - 0.5) ** 2)),
        _spread_p_value(ranks),
    )


def _spread_p_value(ranks: Floats) -> float:
    """Compare the mean of (rank - 1/2)^2 with 1/12; its variance under uniformity is 1/180 per rank."""
    z = (np.mean((ranks - 0.5) ** 2) - 1.0 / 12.0) / np.sqrt(1.0 / 180.0 / len(ranks))
    return float(chi2.sf(z**2, 1))


def uniformity_table(ranks: pd.DataFrame) -> pd.DataFrame:
    """Judge every column of a table of ranks; one row a quantity."""
    rows = [{"quantity": name, **vars(uniformity(column.to_numpy()))} for name, column in ranks.items()]
    return pd.DataFrame(rows)
