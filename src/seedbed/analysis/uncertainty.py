r"""Split the spread of a result into its three parts: between patients, from parameters, and Monte Carlo.

The model of a value of patient *i* under parameter set *s* (a member of the calibrated ensemble) is
:math:`y_{si}=\mu+a_s+b_i+e_{si}`. *Between patients* is the standard deviation of :math:`b_i+e_{si}`, what one
more patient would differ by; *parameter* is that of :math:`a_s`, what is not known about the biology; *Monte
Carlo* is the error of the estimate because finitely many virtual patients were run, and vanishes with more of
them. They answer different questions and are never added up silently. Source: Searle, Casella and McCulloch
1992, chapter 4 (analysis-of-variance estimators). With few patients a set the estimate of the parameters' variance may
be negative by chance; it is then not cut at zero but given its mean under the knowledge that it is not negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from seedbed.analysis.results import LEVEL, normal_quantile
from seedbed.errors import TableError, nearest


@dataclass(frozen=True)
class VarianceComponents:
    """A mean and the three parts of its uncertainty, each a standard deviation in the value's unit.

    ``parameter_sd`` is None when there is one parameter set, or when no set has two patients to tell the set
    from the patient. ``monte_carlo_se`` is the error of ``estimate`` given the parameter sets at hand.
    """

    estimate: float
    between_patient_sd: float
    parameter_sd: float | None
    monte_carlo_se: float
    n: int
    n_parameter_sets: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the normal interval of the mean from parameters and Monte Carlo together."""
        half = normal_quantile(level) * float(np.hypot(self.parameter_sd or 0.0, self.monte_carlo_se))
        return self.estimate - half, self.estimate + half


def variance_components(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean, between-patient, parameter and Monte Carlo parts for each arm of a table.

    Parameters
    ----------
    table : DataFrame with columns ``subject``, ``arm``, ``parameter_set``, ``value``
        Subjects may be nested in parameter sets or crossed with them (every subject under every set). Missing
        values are left out.

    Returns
    -------
    DataFrame, a row an arm: arm, estimate, between_patient_sd, parameter_sd (missing with one set),
    monte_carlo_se, n, n_parameter_sets.

    Raises
    ------
    TableError
        A column is missing, or an arm has no value.
    """
    _check_columns(table, ("subject", "arm", "parameter_set", "value"))
    rows = []
    for arm, group in table.groupby("arm", sort=False, observed=True):
        parts = components(group)
        rows.append({"arm": arm, **{name: getattr(parts, name) for name in parts.__dataclass_fields__}})
    return pd.DataFrame(rows).astype({"parameter_sd": float})


def paired_components(table: pd.DataFrame, *, arms: tuple[str, str]) -> VarianceComponents:
    """Return the components of the difference between two arms of the same virtual patients.

    Parameters
    ----------
    table : as in `variance_components`
    arms : (experimental, control); the difference is experimental minus control within subject and set
    """
    _check_columns(table, ("subject", "arm", "parameter_set", "value"))
    wide = table.pivot(index=["subject", "parameter_set"], columns="arm", values="value")
    for arm in arms:
        if arm not in wide:
            raise TableError(f'arm "{arm}" has no value')
    return components((wide[arms[0]] - wide[arms[1]]).rename("value").reset_index())


def components(table: pd.DataFrame) -> VarianceComponents:
    """Return the components of one arm; columns ``subject``, ``parameter_set``, ``value``."""
    present = table.dropna(subset=["value"])
    if present.empty:
        raise TableError("variance components need at least one value")
    crossed = present["parameter_set"].nunique() > 1 and bool(present["subject"].duplicated().any())
    if crossed:
        wide = present.pivot(index="subject", columns="parameter_set", values="value").dropna()
        if len(wide) > 1:
            return _crossed(wide.to_numpy(dtype=float))
    return _nested(present["value"].to_numpy(dtype=float), pd.factorize(present["parameter_set"])[0])


def _nested(values: NDArray[np.float64], set_of: NDArray[np.intp]) -> VarianceComponents:
    """Analysis of variance of patients nested in parameter sets; patients weigh equally.

    Sets of one stratum differ in size by chance alone, so a set with one patient is not worth one with twenty.
    """
    sizes = np.bincount(set_of)
    means = np.bincount(set_of, weights=values) / sizes
    n, n_sets = len(values), len(sizes)
    freedom = n - n_sets
    if n_sets == 1 or freedom < 1:
        spread = float(values.std(ddof=1)) if n > 1 else float("nan")
        return VarianceComponents(float(values.mean()), spread, None, spread / np.sqrt(n), n, n_sets)
    center = float(values.mean())
    within = float(((values - means[set_of]) ** 2).sum()) / freedom
    between = float(sizes @ (means - center) ** 2) / (n_sets - 1)
    typical_size = (n - float(sizes @ sizes) / n) / (n_sets - 1)
    error = np.sqrt(2.0 * between**2 / (n_sets - 1) + 2.0 * within**2 / freedom) / typical_size
    parameter = not_negative((between - within) / typical_size, float(error))
    spreads = (float(np.sqrt(within)), float(np.sqrt(parameter)), float(np.sqrt(within / n)))
    return VarianceComponents(center, *spreads, n, n_sets)


def not_negative(variance: float, error: float) -> float:
    r"""Return what a variance is worth, given an unbiased estimate and its standard error, when it cannot be negative.

    Notes
    -----
    The mean of a normal distribution cut at zero, :math:`v+e\,\phi(v/e)/\Phi(v/e)`: a clear estimate stays as it is,
    one that noise has pushed below zero becomes as large as the noise leaves open, and not "no uncertainty".
    """
    if error <= 0:
        return max(0.0, variance)
    score = variance / error
    return max(0.0, variance + error * float(np.exp(norm.logpdf(score) - norm.logcdf(score))))


def _crossed(values: NDArray[np.float64]) -> VarianceComponents:
    """Two-way analysis of variance of (patients, sets), every patient under every set."""
    n, n_sets = values.shape
    patients, sets, grand = values.mean(axis=1), values.mean(axis=0), values.mean()
    residual = values - patients[:, None] - sets + grand
    noise = float((residual**2).sum()) / ((n - 1) * (n_sets - 1))
    patient = max(0.0, float(patients.var(ddof=1)) - noise / n_sets)
    parameter = max(0.0, float(sets.var(ddof=1)) - noise / n)
    error = np.sqrt(patient / n + noise / (n * n_sets))
    return VarianceComponents(
        float(grand), float(np.sqrt(patient + noise)), float(np.sqrt(parameter)), float(error), n * n_sets, n_sets
    )


def _check_columns(table: pd.DataFrame, wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in table:
            near = nearest(name, [str(column) for column in table.columns])
            raise TableError(f'column "{name}" is missing' + (f', did you mean "{near}"?' if near else ""))
