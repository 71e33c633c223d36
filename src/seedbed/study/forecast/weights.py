r"""Weigh virtual patients by how well they resemble one patient.

The weight of virtual patient *i* is the product of a kernel for each covariate and of a likelihood for each course,

.. math:: w_i\propto\prod_c K_c(x_{ic})\,\prod_q\prod_k
    t_\nu\!\left(\frac{\log y_{qk}-\log m_{iq}(d_k)}{s_q}\right)^{\min(1,c_q/n_q)}

with Student's *t*, :math:`s_q` the assay's noise and the plan's discrepancy together, :math:`n_q` values of which
:math:`c_q` count as independent. Values below the plan's floor count as the floor. The effective sample size is
:math:`1/\sum w_i^2` (Kish 1965).

A finite population holds hardly anyone who is alike in everything. All tolerances are therefore widened by one common
factor :math:`h\ge1`, :math:`w_i^{1/h^2}`, the smallest that gives the plan's effective size, as the bandwidth of
approximate Bayesian computation by nearest neighbors (Beaumont 2002). Widening makes bands wider, never narrower, and
beyond the plan's limit the forecast is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import SimulationError
from seedbed.study.forecast.patient import Patient
from seedbed.study.forecast.plan import Covariate, Plan, Quantity
from seedbed.study.forecast.population import VirtualPopulation
from seedbed.trial.measurement import MeasurementMap, read_map

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """Weights of the virtual patients, and how much they are to be trusted.

    Attributes
    ----------
    values : (n,) not negative, sum 1
    effective_size : how many equally weighted patients they are worth
    alike : the same at the plan's own tolerances, before widening
    widening : factor on all tolerances, 1 where none was needed
    misfit : root mean square of the residuals of the weighted patients in units of their scale; NaN without values
    misfits : quantity -> the same for one quantity
    n_alive : virtual patients alive on the last day that is known
    """

    values: Floats
    effective_size: float
    alike: float
    widening: float
    misfit: float
    misfits: Mapping[str, float]
    n_alive: int


def weigh(patient: Patient, population: VirtualPopulation, plan: Plan, *, without: int | None = None) -> Weights:
    """Return the weights of the virtual patients for a patient, trustworthy or not; see `refuse`.

    Parameters
    ----------
    without : row of a virtual patient who is left out, as in `proof`
    """
    content = read_map()
    logs = np.zeros(population.n)
    for name, value in patient.covariates.items():
        logs += log_kernel(plan.covariates[name], population.subjects[name].to_numpy(), value)
    squares: dict[str, Floats] = {}
    for name, course in patient.measurements.items():
        days, measured = (np.array(list(part), dtype=float) for part in (course.values, course.values.values()))
        residuals = standardized(plan.quantities[name], content, measured, population.at(name, days))
        logs += log_likelihood(residuals, plan.quantities[name].counts_as, plan.student_degrees)
        squares[name] = np.mean(residuals**2, axis=1)
    alive = _alive(patient, population)
    if without is not None:
        alive[without] = False
    logs = np.where(alive & np.isfinite(logs), logs, -np.inf)
    if not np.isfinite(logs).any():
        return Weights(np.zeros(population.n), 0.0, 0.0, np.inf, np.inf, {}, int(alive.sum()))
    widening = widened(logs, plan.needed(population.n), plan.largest_widening)
    values, alike = _normalized(logs, widening), _size(_normalized(logs, 1.0))
    each = {name: float(np.sqrt(np.nansum(values * square))) for name, square in squares.items()}
    overall = float(np.sqrt(np.mean([size**2 for size in each.values()]))) if each else float("nan")
    return Weights(values, _size(values), alike, widening, overall, each, int(alive.sum()))


def _normalized(logs: Floats, widening: float) -> Floats:
    values = np.exp((logs - logs.max()) / widening**2)
    return values / values.sum()


def _size(values: Floats) -> float:
    return float(1.0 / np.sum(values**2))


def widened(logs: Floats, effective_size: float, largest: float) -> float:
    """Return the smallest common factor on all tolerances that gives an effective size; `largest` if none does."""
    factors = np.exp(np.linspace(0.0, np.log(largest), 60))
    enough = (factor for factor in factors if _size(_normalized(logs, factor)) >= effective_size)
    return float(next(enough, largest))


def _alive(patient: Patient, population: VirtualPopulation) -> NDArray[np.bool_]:
    last = patient.last_day
    died = population.endpoints["os_event"].to_numpy(dtype=bool)
    until = np.where(died, population.since_origin("os_days"), np.inf)
    return until > (0.0 if last is None else max(last, 0.0))


def log_kernel(rule: Covariate, theirs: NDArray, value: float | bool | str) -> Floats:
    """Return the logarithm of a covariate's kernel for each virtual patient, 0 for one that is equal."""
    if rule.scale == "level":
        equal = theirs.astype(str) == str(value)
        return np.where(equal, 0.0, np.log(rule.mismatch))
    own, other = float(value), theirs.astype(float)
    if rule.scale == "log":
        own, other = np.log(max(own, rule.floor)), np.log(np.maximum(other, rule.floor))
    return -0.5 * ((other - own) / rule.tolerance) ** 2


def standardized(quantity: Quantity, content: MeasurementMap, measured: Floats, virtual: Floats) -> Floats:
    """Return the residuals of a course in units of its scale, (n, number of values)."""
    own, theirs = (np.log(np.maximum(values, quantity.floor)) for values in (measured[None, :], virtual))
    return (own - theirs) / quantity.scale(content)


def log_likelihood(residuals: Floats, counts_as: float, degrees: float) -> Floats:
    """Return the log-likelihood of a course for each virtual patient, up to a constant."""
    each = -0.5 * (degrees + 1.0) * np.log1p(residuals**2 / degrees)
    return each.sum(axis=1) * min(1.0, counts_as / residuals.shape[1])


def refuse(weights: Weights, plan: Plan, n: int) -> None:
    """Raise an error when too few virtual patients resemble the patient.

    Raises
    ------
    SimulationError
        Even at the widest tolerances the effective size is below the plan's, or the nearest virtual patients miss the
        measurements.
    """
    cure = "choose a protocol and arm whose patients are like this one"
    if weights.misfit > plan.largest_misfit:
        worst = max(weights.misfits, key=lambda name: weights.misfits[name], default="the course so far")
        raise SimulationError(
            f"no virtual patient resembles this one: even the nearest miss the measurements by {weights.misfit:.1f} "
            f"times their scale (at most {plan.largest_misfit:g}), most of all {worst}; check unit and days of "
            f"{worst}, or {cure}"
        )
    if weights.effective_size < 0.99 * plan.needed(n):
        raise SimulationError(
            f"of {n} virtual patients {weights.alike:.1f} resemble this one (effective number), and "
            f"{weights.effective_size:.1f} even at {plan.largest_widening:g} times the tolerances; at least "
            f"{plan.needed(n):.0f} are needed: run more with --subjects, check the values, or {cure}"
        )
