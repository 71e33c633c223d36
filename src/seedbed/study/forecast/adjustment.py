r"""Correct weighted virtual patients for what still distinguishes them from the patient (Beaumont 2002).

Within the weighted patients a value depends on how their covariates and courses differ from the patient's,
:math:`y_i=\alpha+(s_i-s)^{\mathsf T}\beta+e_i`, by weighted ridge regression; the corrected value is
:math:`\alpha+c\,e_i/(1-h_i)`, where :math:`h_i` is the leverage of a patient, since residuals are smaller than errors,
and :math:`c=\sqrt{1+(1+\bar s^{\mathsf T}M^{-1}\bar s)/n}` widens for the error of :math:`\alpha` itself, with *n* the
effective size. Without differences nothing changes. Virtual courses are compared as an assay would have seen them, with
noise and discrepancy, so that the regression learns how little a noisy value tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedbed import streams
from seedbed.study.forecast.patient import Patient
from seedbed.study.forecast.plan import Covariate, Plan, Quantity
from seedbed.study.forecast.population import VirtualPopulation
from seedbed.trial.measurement import read_map

Floats = NDArray[np.float64]
COMPONENTS = 2
"""Principal components kept of the differences of each course, beside the difference of its last value."""
SMALLEST_SPREAD, NEGLIGIBLE = 1e-6, 1e-5


@dataclass(frozen=True)
class Adjustment:
    """A regression on the differences from one patient, ready for any number of values.

    Attributes
    ----------
    differences : (n, p) standardized, 0 is equal to the patient
    weights : (n,) of the virtual patients, sum 1
    """

    differences: Floats
    weights: Floats

    @property
    def effective_size(self) -> float:
        """Return how many equally weighted patients the weights are worth."""
        return float(1.0 / np.sum(self.weights**2))

    def apply(self, values: Floats) -> Floats:
        """Return values (n, T) corrected to the patient; columns with a value that is not finite stay as they are."""
        rows = self.weights > NEGLIGIBLE * self.weights.max()
        known = np.isfinite(values[rows]).all(axis=0)
        corrected = values.copy()
        if self.differences.shape[1] and known.any():
            part = Adjustment(self.differences[rows], self.weights[rows] / self.weights[rows].sum())
            corrected[np.ix_(rows, known)] = part._corrected(values[np.ix_(rows, known)])
        return corrected

    def _corrected(self, values: Floats) -> Floats:
        weights, differences = self.weights[:, None], self.differences
        middle, mean = (weights * differences).sum(axis=0), (weights * values).sum(axis=0)
        centered = differences - middle
        moments = centered.T @ (weights * centered)
        penalty = differences.shape[1] / self.effective_size
        inverse = np.linalg.inv(moments + penalty * np.eye(len(moments)))
        slopes = inverse @ (centered.T @ (weights * (values - mean)))
        leverage = self.weights * (1.0 + np.einsum("ij,jk,ik->i", centered, inverse, centered))
        residuals = (values - mean - centered @ slopes) / (1.0 - np.minimum(leverage, 0.9))[:, None]
        own_error = np.sqrt(1.0 + (1.0 + middle @ inverse @ middle) / self.effective_size)
        return mean - middle @ slopes + own_error * residuals


def fit(patient: Patient, population: VirtualPopulation, plan: Plan, weights: Floats) -> Adjustment:
    """Return the adjustment of weighted virtual patients to a patient."""
    content = read_map()
    columns = [
        covariate_difference(plan.covariates[name], population.subjects[name].to_numpy(), value)
        for name, value in patient.covariates.items()
        if plan.covariates[name].scale != "level"
    ]
    for name, course in patient.measurements.items():
        days, measured = (np.array(list(part), dtype=float) for part in (course.values, course.values.values()))
        quantity = plan.quantities[name]
        luck = streams.normal(plan.seed, f"adjustment of {name}", np.arange(population.n), np.arange(len(days)))
        seen = population.at(name, days) * np.exp(quantity.scale(content) * luck)
        columns += course_differences(quantity, measured, seen, weights)
    if not columns:
        return Adjustment(np.zeros((population.n, 0)), weights)
    differences = np.where(np.isfinite(stacked := np.column_stack(columns)), stacked, 0.0)
    spread = np.sqrt(np.maximum(_variance(differences, weights), 0.0))
    kept = spread > SMALLEST_SPREAD
    return Adjustment(differences[:, kept] / spread[kept], weights)


def _variance(values: Floats, weights: Floats) -> Floats:
    mean = weights @ values
    return weights @ (values - mean) ** 2


def covariate_difference(rule: Covariate, theirs: NDArray, value: float | bool | str) -> Floats:
    """Return by how much virtual patients differ in a numeric covariate, on its scale, (n,)."""
    own, other = float(value), theirs.astype(float)
    if rule.scale == "log":
        return np.log(np.maximum(other, rule.floor)) - np.log(max(own, rule.floor))
    return other - own


def course_differences(quantity: Quantity, measured: Floats, virtual: Floats, weights: Floats) -> list[Floats]:
    """Return the differences of a course: of its last value, and its principal components, (n,) each."""
    own, theirs = (np.log(np.maximum(values, quantity.floor)) for values in (measured[None, :], virtual))
    differences = np.where(np.isfinite(theirs), theirs - own, 0.0)
    found = [differences[:, -1]]
    if differences.shape[1] > 1:
        centered = differences - weights @ differences
        _, axes = np.linalg.eigh(centered.T @ (weights[:, None] * centered))
        found += list((differences @ axes[:, -min(COMPONENTS, differences.shape[1]) :]).T)
    return found
