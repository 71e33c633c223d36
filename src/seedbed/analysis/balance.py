"""Standardized mean differences: how alike two groups of subjects are, without a test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seedbed.errors import TableError


def standardized_mean_differences(
    table: pd.DataFrame, *, groups: tuple[str, str], covariates: Sequence[str], by: str = "arm"
) -> pd.DataFrame:
    r"""Return the standardized mean difference of covariates between two groups, first minus second.

    Parameters
    ----------
    table : DataFrame with a column `by` and the covariates
    groups : two values of `by`
    covariates : columns; numbers as they are, bool as rates, text as one Mahalanobis distance over its levels

    Returns
    -------
    DataFrame, a row a covariate: covariate, first, second (means; missing for text), difference. Below 0.1 in
    absolute value counts as balanced.

    Raises
    ------
    TableError
        A column or group is missing.

    Notes
    -----
    :math:`(\bar x_1-\bar x_2)/\sqrt{(s_1^2+s_2^2)/2}`. Source: Austin 2009, doi 10.1002/sim.3697; several levels as in
    Yang and Dalton 2012.
    """
    for name in (by, *covariates):
        if name not in table:
            raise TableError(f'column "{name}" is missing')
    parts = [table[table[by] == group] for group in groups]
    for group, part in zip(groups, parts, strict=True):
        if part.empty:
            raise TableError(f'group "{group}" has no subject')
    rows = [{"covariate": name, **_difference(parts[0][name], parts[1][name])} for name in covariates]
    return pd.DataFrame(rows, columns=["covariate", "first", "second", "difference"])


def _difference(one: pd.Series, other: pd.Series) -> dict[str, float]:
    one, other = one.dropna(), other.dropna()
    if not (pd.api.types.is_numeric_dtype(one) or pd.api.types.is_bool_dtype(one)):
        return {"first": np.nan, "second": np.nan, "difference": _levels_distance(one, other)}
    first, second = one.to_numpy(dtype=float), other.to_numpy(dtype=float)
    spread = np.sqrt((_variance(first, one) + _variance(second, other)) / 2)
    away = first.mean() - second.mean()
    difference = away / spread if spread > 0 else (0.0 if away == 0 else np.inf * np.sign(away))
    return {"first": first.mean(), "second": second.mean(), "difference": float(difference)}


def _variance(values: np.ndarray, column: pd.Series) -> float:
    if pd.api.types.is_bool_dtype(column):
        return float(values.mean() * (1 - values.mean()))
    return float(values.var(ddof=1)) if values.size > 1 else 0.0


def _levels_distance(one: pd.Series, other: pd.Series) -> float:
    levels = sorted(set(one.astype(str)) | set(other.astype(str)))[1:]
    if not levels:
        return 0.0
    shares = [np.array([(part.astype(str) == level).mean() for level in levels]) for part in (one, other)]
    pooled = sum(np.diag(share) - np.outer(share, share) for share in shares) / 2
    away = shares[0] - shares[1]
    return float(np.sqrt(max(0.0, away @ np.linalg.pinv(pooled) @ away)))
