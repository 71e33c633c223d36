r"""Screen a run by partial rank correlation: which features of the virtual patients go with an outcome.

Of ranks, :math:`\rho_j=\beta_j/\sqrt{\beta_j^2+(1-R^2)V_{jj}}` with :math:`V` the inverse correlation matrix of the
inputs (Saltelli and Marivoet 1990): the correlation that is left when every other input is held. It costs nothing
beyond a run, sees monotone influence only, and only of what differs between patients. Intervals by Fisher's z.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from seedbed.analysis.results import normal_quantile
from seedbed.errors import TableError

Floats = NDArray[np.float64]
SAME = 0.97
"""Rank correlation above which two inputs are one; the first by order is kept."""


def inputs_of(subjects: pd.DataFrame) -> pd.DataFrame:
    """Return the numeric inputs of a table of subjects: covariates first, constant and doubled ones left out."""
    covariates = [name for name in subjects if not name.startswith("parameter:") and name not in _NOT_INPUTS]
    parameters = [name for name in subjects if name.startswith("parameter:")]
    numeric = {}
    for name in (*covariates, *parameters):
        values = _as_number(subjects[name])
        if values is not None and np.isfinite(values).all() and np.ptp(values) > 0:
            numeric[name] = values
    ranks = _standardized(np.column_stack([rankdata(values) for values in numeric.values()]))
    correlation = np.abs(ranks.T @ ranks) / len(ranks)
    kept: list[int] = []
    for column in range(len(numeric)):
        if not any(correlation[column, other] > SAME for other in kept):
            kept.append(column)
    names = list(numeric)
    return pd.DataFrame({names[column]: numeric[names[column]] for column in kept})


_NOT_INPUTS = ("subject", "parameter_set", "transplant_eligible", "bsa_m2")
_LEVELS = {"PD": 0.0, "SD": 1.0, "PR": 2.0, "CR": 3.0}


def _as_number(values: pd.Series) -> Floats | None:
    if values.dtype == object:
        values = values.map(_LEVELS)
    return values.to_numpy(dtype=float) if values.notna().all() else None


def _standardized(values: Floats) -> Floats:
    centered = values - values.mean(axis=0)
    spread = centered.std(axis=0)
    return centered / np.where(spread > 0, spread, 1.0)


def fewest_patients(n_inputs: int) -> int:
    """Return how many patients the screening of so many inputs needs."""
    return 2 * n_inputs + 10


def partial_rank_correlations(inputs: pd.DataFrame, outcome: Floats) -> pd.DataFrame:
    """Return the partial rank correlation of an outcome with each input.

    Returns
    -------
    DataFrame
        ``input``, ``correlation``, ``lower``, ``upper`` (95 %), ``clear``: the interval at a level corrected for the
        number of inputs (Bonferroni) does not hold 0. All zero when the outcome does not vary.

    Raises
    ------
    TableError
        There are too few patients for so many inputs.
    """
    n, k = inputs.shape
    if n < fewest_patients(k):
        raise TableError(f"{n} patients are too few for {k} inputs; run at least {fewest_patients(k)}")
    if np.ptp(outcome) == 0:
        found = np.zeros(k)
    else:
        ranks = _standardized(np.column_stack([rankdata(column) for column in inputs.to_numpy(dtype=float).T]))
        target = _standardized(rankdata(outcome)[:, None])[:, 0]
        inverse = np.linalg.inv(ranks.T @ ranks / n)
        slopes = inverse @ (ranks.T @ target / n)
        left = max(1.0 - float((ranks @ slopes) @ target / n), 1e-12)
        found = slopes / np.sqrt(slopes**2 + left * np.diag(inverse))
    error = 1.0 / np.sqrt(n - k - 2)
    z = np.arctanh(np.clip(found, -0.999999, 0.999999))
    half, wide = (normal_quantile(level) * error for level in (0.95, 1.0 - 0.05 / k))
    return pd.DataFrame(
        {
            "input": list(inputs.columns),
            "correlation": found,
            "lower": np.tanh(z - half),
            "upper": np.tanh(z + half),
            "clear": np.abs(z) > wide,
        }
    )
