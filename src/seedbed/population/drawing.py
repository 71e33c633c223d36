"""Draw virtual patients: covariates, then the model parameters that the covariates and chance give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from seedbed.population.correlation import uniforms
from seedbed.population.distributions import (
    BetweenPatients,
    Conditional,
    Fixed,
    LogitNormalAround,
    LogNormalAround,
    Numbers,
)
from seedbed.population.formulas import FORMULAS, INPUTS
from seedbed.population.parameter_sets import Adjustments, ParameterSets
from seedbed.population.schema import Population, drawing_order

PREFIX = "parameter:"
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Parameter:
    """A model parameter as the model's content describes it.

    Attributes
    ----------
    value : typical value, in the unit of the model
    between_patient : its distribution between patients, or None where all share the value. A log-normal keeps its
        spread and moves with the typical value; every other kind stands as it is.
    """

    value: float
    between_patient: BetweenPatients | None = None


def draw(
    population: Population,
    model_parameters: Mapping[str, Parameter],
    subjects: ArrayLike,
    seed: int,
    sets: ParameterSets | None = None,
) -> pd.DataFrame:
    """Return virtual patients.

    Parameters
    ----------
    population : who they are
    model_parameters : id -> description, of every parameter of the model
    subjects : (n,) numbers; a subject's row depends on its number and the seed only
    seed : seed of the study
    sets : calibrated parameter sets; without them every number is the one of the content

    Returns
    -------
    DataFrame
        ``subject``, a column for each covariate, ``parameter:<id>`` for each parameter that differs between
        patients or from the model's value, ``hazard:<reason>`` [1/day] of leaving before treatment, and
        ``factor:manufacturing_failure`` on the product's probability to fail.
    """
    numbers = np.atleast_1d(np.asarray(subjects, dtype=np.int64))
    luck = uniforms(_names(population, model_parameters), population.correlations, numbers, seed)
    adjusted = sets.adjustments(numbers, population.disease) if sets is not None else Adjustments()
    columns = _covariates(population, luck)
    columns |= _parameters(population, model_parameters, luck, columns, adjusted)
    columns |= _hazards(population, columns, numbers.size, adjusted)
    return pd.DataFrame({"subject": numbers} | columns)


def _names(population: Population, model_parameters: Mapping[str, Parameter]) -> list[str]:
    """Return what luck is needed for: covariates with a distribution, and parameters that differ by chance."""
    drawn = [name for name, covariate in population.covariates.items() if covariate.distribution is not None]
    setters = {effect.changes for effect in population.effects.values() if effect.sets_value}
    return drawn + [
        PREFIX + name
        for name, parameter in model_parameters.items()
        if name not in setters and _described(population, name, parameter).between_patient is not None
    ]


def _covariates(population: Population, luck: Mapping[str, Numbers]) -> Columns:
    columns: Columns = {}
    for name in drawing_order(population.covariates):
        covariate = population.covariates[name]
        distribution = covariate.distribution
        if distribution is None:
            inputs = {need: columns[need] for need in INPUTS[covariate.formula]}
            columns[name] = FORMULAS[covariate.formula](**inputs)
        elif isinstance(distribution, Conditional):
            columns[name] = distribution.quantile_given(luck[name], columns[distribution.given])
        else:
            columns[name] = distribution.quantile(luck[name])
    return {name: columns[name] for name in population.covariates}


def _parameters(
    population: Population,
    model_parameters: Mapping[str, Parameter],
    luck: Mapping[str, Numbers],
    covariates: Columns,
    adjusted: Adjustments,
) -> Columns:
    setters = {effect.changes: effect for effect in population.effects.values() if effect.sets_value}
    columns: Columns = {}
    for name, parameter in model_parameters.items():
        described = _described(population, name, parameter)
        if name in setters:
            values = setters[name].apply(covariates[setters[name].covariate])
        else:
            values = _spread(described, luck.get(PREFIX + name))
        if adjusted.touches(name):
            own = None if name in setters else described.between_patient
            values = adjusted.value(name, described.value if values is None else values, described.value, own)
        factor = _factor(population, name, covariates, adjusted)
        if factor is not None:
            values = (parameter.value if values is None else values) * factor
        if values is not None:
            columns[PREFIX + name] = values
    return columns


def _described(population: Population, name: str, parameter: Parameter) -> Parameter:
    """Return the parameter with the disease's typical value and spread in place of the model's."""
    typical = population.parameters.get(name)
    if typical is None:
        return parameter
    spread = typical.between_patient
    if spread is None and isinstance(parameter.between_patient, LogNormalAround | LogitNormalAround):
        spread = parameter.between_patient
    return Parameter(typical.value, spread or Fixed(distribution="fixed", value=typical.value))


def _spread(parameter: Parameter, u: Numbers | None) -> Numbers | None:
    spread = parameter.between_patient
    if spread is None or u is None:
        return None
    if isinstance(spread, LogNormalAround | LogitNormalAround):
        spread = spread.around(parameter.value)
    return np.asarray(spread.quantile(u), dtype=float)


def _factor(population: Population, name: str, covariates: Columns, adjusted: Adjustments) -> Numbers | None:
    factors = [
        effect.apply(covariates[effect.covariate], adjusted.effects.get(effect_id))
        for effect_id, effect in population.effects.items()
        if effect.changes == name and not effect.sets_value
    ]
    return np.prod(factors, axis=0) if factors else None


def _hazards(population: Population, covariates: Columns, n: int, adjusted: Adjustments) -> Columns:
    columns: Columns = {}
    for reason in ("progression", "death"):
        hazard = np.full(n, getattr(population.attrition, reason).hazard_per_day)
        factor = _factor(population, f"attrition.{reason}", covariates, adjusted)
        columns[f"hazard:{reason}"] = hazard if factor is None else hazard * factor
    failure = _factor(population, "attrition.manufacturing_failure", covariates, adjusted)
    columns["factor:manufacturing_failure"] = np.ones(n) if failure is None else failure
    return columns
