"""What the CAR-T products of an arm mean for the model: their parameters for each patient."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import streams
from seedbed.population import PREFIX, Population
from seedbed.population.distributions import Beta, LogNormal
from seedbed.protocol.catalogue import Product
from seedbed.protocol.quantities import for_patient
from seedbed.protocol.schema import Arm

Numbers = NDArray[np.float64]
FACTOR = "product_factor:"
_MEMORY_BOUNDS = (0.01, 0.95)


def product_parameters(
    arm: Arm, population: Population, patients: pd.DataFrame, model_values: Mapping[str, float], seed: int
) -> dict[str, Numbers]:
    """Return the model parameters that the CAR-T products of an arm decide.

    Parameters
    ----------
    arm : an arm with CAR-T cells
    population : which of the model's antigens a target is on this tumor
    patients : (n) rows of `population.draw`; ``product_factor:<id>`` scale what a patient's cells are worth
    model_values : typical value of each parameter
    seed : seed of the study

    Returns
    -------
    ``parameter:<id>`` -> (n,)
        A batch has the same luck in every arm. Several products of one arm act as one whose targets are those of
        all, whose other properties are averages weighted by dose: the model holds one kind of CAR-T cell.
    """
    product_inputs, n = arm.protocol.inputs.product, len(patients)
    products = [arm.protocol.products[element.product] for element in arm.cart_elements]
    weights = np.array([_cells(arm, index, patients) for index in range(len(products))])
    values: dict[str, Numbers | float] = {
        product_inputs.antigen_1: _share_on_tumor(products, population, 1),
        product_inputs.antigen_2: _share_on_tumor(products, population, 2),
        product_inputs.b_cell_weight: _normal_weight(arm, products, "b_cell_weight"),
        product_inputs.plasma_cell_weight: _normal_weight(arm, products, "plasma_cell_weight"),
        **product_inputs.costimulation[products[0].costimulation],
    }
    for parameter, batch in (
        (product_inputs.potency, _batch(products, weights, "potency", patients, seed)),
        (product_inputs.expansion, _batch(products, weights, "expansion", patients, seed)),
    ):
        values[parameter] = batch * _of_patient(parameter, patients, model_values)
    memory = _memory(products, weights, patients, seed) * _factor(product_inputs.memory_fraction, patients)
    values[product_inputs.memory_fraction] = np.clip(memory, *_MEMORY_BOUNDS)
    return {PREFIX + name: np.broadcast_to(np.asarray(value, dtype=float), (n,)) for name, value in values.items()}


def cart_cells(arm: Arm, patients: pd.DataFrame) -> Numbers:
    """Return the CAR-T cells of all infusions of an arm for each patient [1e9]."""
    total = np.zeros(len(patients))
    for index, element in enumerate(arm.cart_elements):
        total = total + _cells(arm, index, patients) * sum(infusion.share for infusion in element.infusions)
    return total / 1e9


def _cells(arm: Arm, index: int, patients: pd.DataFrame) -> Numbers:
    element = arm.cart_elements[index]
    size = {"weight_kg": patients["weight_kg"], "bsa_m2": patients["bsa_m2"]}
    return for_patient(element.dose, element.unit, **size)


def _share_on_tumor(products: list[Product], population: Population, position: int) -> float:
    shares = [
        population.antigens[name].share
        for product in products
        for name in product.antigens
        if name in population.antigens and population.antigens[name].position == position
    ]
    return max(shares, default=0.0)


def _normal_weight(arm: Arm, products: list[Product], which: str) -> float:
    return max(getattr(arm.protocol.antigens[name], which) for product in products for name in product.antigens)


def _batch(products: list[Product], weights: Numbers, which: str, patients: pd.DataFrame, seed: int) -> Numbers:
    u = streams.uniform(seed, f"product:{which}", patients["subject"])
    spreads = [getattr(product, which) for product in products]
    drawn = [LogNormal(distribution="lognormal", median=s.median, cv=s.cv).quantile(u) for s in spreads]
    return np.average(drawn, axis=0, weights=weights)


def _memory(products: list[Product], weights: Numbers, patients: pd.DataFrame, seed: int) -> Numbers:
    u = streams.uniform(seed, "product:memory_fraction", patients["subject"])
    drawn = [
        Beta(distribution="beta", **product.memory_fraction.model_dump(exclude={"source"})).quantile(u)
        for product in products
    ]
    return np.average(drawn, axis=0, weights=weights)


def _of_patient(parameter: str, patients: pd.DataFrame, model_values: Mapping[str, float]) -> Numbers:
    """Return the patient's own value of a parameter times what covariates do to a product made from the patient."""
    column = PREFIX + parameter
    own = patients[column].to_numpy(dtype=float) if column in patients else model_values[parameter]
    return own * _factor(parameter, patients)


def _factor(parameter: str, patients: pd.DataFrame) -> Numbers:
    column = FACTOR + parameter
    return patients[column].to_numpy(dtype=float) if column in patients else np.ones(len(patients))
