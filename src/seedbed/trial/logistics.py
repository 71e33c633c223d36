"""How each patient gets from enrollment to treatment in an arm: collection, manufacturing, waiting, leaving.

The luck of a patient (how long a harvest or a product takes, whether it fails, when disease or death comes first) is
drawn once and is the same in every arm; what it leads to depends on the arm. All days count from enrollment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import streams
from seedbed.population.distributions import LogNormal
from seedbed.protocol.catalogue import Manufacturing
from seedbed.protocol.quantities import for_patient
from seedbed.protocol.schema import Arm, Protocol

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
MOBILIZATION, MANUFACTURING, PROGRESSION, DEATH = (
    "mobilization_failure",
    "manufacturing_failure",
    "progression",
    "death",
)
CD34_UNIT = 1e6


@dataclass(frozen=True)
class Luck:
    """What chance gives each patient (n,), whatever the arm.

    Attributes
    ----------
    collection, manufacturing_time, manufacturing_failure : uniform numbers
    progression_day, death_day : when disease or death would end the wait for treatment [days from enrollment]
    """

    collection: Numbers
    manufacturing_time: Numbers
    manufacturing_failure: Numbers
    progression_day: Numbers
    death_day: Numbers


def luck_of(patients: pd.DataFrame, seed: int) -> Luck:
    """Return the luck of patients drawn by `population.draw`."""
    subjects = patients["subject"].to_numpy()

    def waiting_time(reason: str) -> Numbers:
        hazard = patients[f"hazard:{reason}"].to_numpy(dtype=float)
        with np.errstate(divide="ignore"):
            return -np.log(streams.uniform(seed, f"logistics:{reason}", subjects)) / hazard

    return Luck(
        collection=streams.uniform(seed, "logistics:stem_cell_collection", subjects),
        manufacturing_time=streams.uniform(seed, "logistics:manufacturing_time", subjects),
        manufacturing_failure=streams.uniform(seed, "logistics:manufacturing_failure", subjects),
        progression_day=waiting_time(PROGRESSION),
        death_day=waiting_time(DEATH),
    )


@dataclass(frozen=True)
class Readiness:
    """When what an arm needs is ready (n,) [days from enrollment], and who never gets it."""

    graft_day: Numbers
    cells_day: Numbers
    mobilization_fails: Flags
    manufacturing_fails: Flags


def readiness(arm: Arm, patients: pd.DataFrame, luck: Luck) -> Readiness:
    """Return when stem cells and CAR-T cells are ready for an arm; 0 for what it does not need."""
    n, logistics = len(patients), arm.protocol.logistics
    graft_day, cells_day = np.zeros(n), np.zeros(n)
    mobilization_fails, manufacturing_fails = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    if arm.has_graft:
        collection = logistics.stem_cell_collection
        graft_day = np.ceil(_lognormal(collection.median_days, collection.cv, luck.collection))
        minimum = collection.minimum_cd34
        size = {"weight_kg": patients["weight_kg"], "bsa_m2": patients["bsa_m2"]}
        needed = for_patient(minimum.amount, minimum.unit, **size) / patients["weight_kg"].to_numpy() / CD34_UNIT
        mobilization_fails = patients["cd34_collected"].to_numpy(dtype=float) < needed
    if arm.has_cart:
        made = _manufacturing(arm.protocol, arm)
        cells_day = logistics.apheresis_day + np.ceil(_lognormal(made.median_days, made.cv, luck.manufacturing_time))
        chance = made.failure_probability * patients["factor:manufacturing_failure"].to_numpy(dtype=float)
        manufacturing_fails = luck.manufacturing_failure < chance
    return Readiness(graft_day, cells_day, mobilization_fails, manufacturing_fails)


def _manufacturing(protocol: Protocol, arm: Arm) -> Manufacturing:
    """Return the slowest manufacturing among the products of an arm."""
    made = [protocol.products[element.product].manufacturing for element in arm.cart_elements]
    return max(made, key=lambda item: item.median_days)


def _lognormal(median: float, cv: float, u: Numbers) -> Numbers:
    return LogNormal(distribution="lognormal", median=median, cv=cv).quantile(u)


def schedule(arm: Arm, patients: pd.DataFrame, luck: Luck) -> pd.DataFrame:
    """Return when each patient of an arm is treated, and why some are not.

    Returns
    -------
    DataFrame
        ``conditioning_day``, ``planned_stem_cell_day``, ``planned_cart_day``, ``stem_cell_day``, ``cart_day`` [days
        from enrollment; NaN when not given or not part of the arm], ``conditioned``, ``day_zero_day``
        (planned day 0 of the arm: CAR-T cells, else stem cells, else what the arm it derives from would count from),
        ``leaves_day``, ``progression_before_day``, ``death_before_day`` (NaN when the patient stays),
        ``not_transplanted``, ``not_infused`` (reason, empty when given or not part of the arm) with
        ``..._day`` of the reason.
    """
    ready = readiness(arm, patients, luck)
    plan = _planned(arm, ready) if arm.therapy != "neither" else _plan_of_reference(arm, patients, luck)
    leaves = np.ceil(np.minimum(luck.progression_day, luck.death_day))
    left = leaves < plan["conditioning_day"]
    died = luck.death_day <= luck.progression_day
    table = pd.DataFrame(plan)
    table["leaves_day"] = np.where(left, leaves, np.nan)
    table["progression_before_day"] = np.where(left & ~died, leaves, np.nan)
    table["death_before_day"] = np.where(left & died, leaves, np.nan)
    return _outcomes(arm, table, ready, left, died)


def _plan_of_reference(arm: Arm, patients: pd.DataFrame, luck: Luck) -> dict[str, Numbers]:
    """Return when an arm without cells would have been treated: as the arm it is derived from, or the first other."""
    arms = arm.protocol.arms
    reference = arms.get(arm.content.derived_from or "") or next(
        (other for other in arms.values() if other.therapy == "asct_cart"),
        next((other for other in arms.values() if other.therapy != "neither"), arm),
    )
    plan = _planned(reference, readiness(reference, patients, luck))
    nobody = np.full(len(patients), np.nan)
    return plan | {"planned_stem_cell_day": nobody, "planned_cart_day": nobody}


def _planned(arm: Arm, ready: Readiness) -> dict[str, Numbers]:
    """Return the planned days of an arm, before anybody leaves or fails; counted from enrollment."""
    logistics = arm.protocol.logistics
    nobody = np.full(ready.graft_day.shape, np.nan)
    if arm.has_graft:
        waits = arm.has_cart and logistics.wait_for_cells
        start = np.maximum(ready.graft_day, ready.cells_day) if waits else ready.graft_day
        start = start + logistics.preparation_days
        stem_cells = start - arm.first_drug_day("stem_cells")
        cart = nobody
        if arm.has_cart:
            cart = np.maximum(stem_cells + arm.cart_elements[0].day, ready.cells_day)
    else:
        start = np.maximum(ready.cells_day, logistics.apheresis_day) + logistics.preparation_days
        stem_cells = nobody
        cart = start - arm.first_drug_day("cart") if arm.has_cart else nobody
    return {
        "conditioning_day": start,
        "planned_stem_cell_day": stem_cells,
        "planned_cart_day": cart,
        "day_zero_day": cart if arm.has_cart else stem_cells if arm.has_graft else start,
    }


def _outcomes(arm: Arm, table: pd.DataFrame, ready: Readiness, left: Flags, died: Flags) -> pd.DataFrame:
    """Add who is treated, and the reasons and days of those who are not."""
    leaving = np.where(left, np.where(died, DEATH, PROGRESSION), "")
    no_graft = np.where(ready.mobilization_fails & (leaving == ""), MOBILIZATION, leaving)
    no_cells = np.where(ready.manufacturing_fails & (no_graft == ""), MANUFACTURING, no_graft)
    stops = arm.protocol.logistics.without_cart == "stop" or not arm.has_graft
    if arm.has_graft and arm.has_cart and stops:
        no_graft = no_cells
    day_of = {
        PROGRESSION: table["leaves_day"],
        DEATH: table["leaves_day"],
        MOBILIZATION: ready.graft_day,
        MANUFACTURING: ready.cells_day,
    }
    for part, reasons, own in (
        ("transplanted", no_graft, arm.has_graft),
        ("infused", no_cells, arm.has_cart),
    ):
        reasons = reasons if own else np.full(len(table), "")
        table[f"not_{part}"] = reasons.astype(object)
        table[f"not_{part}_day"] = np.select([reasons == name for name in day_of], list(day_of.values()), np.nan)
    graft, infused = table["not_transplanted"] == "", table["not_infused"] == ""
    table["stem_cell_day"] = table["planned_stem_cell_day"].where(graft)
    table["cart_day"] = table["planned_cart_day"].where(infused)
    table["conditioned"] = (graft if arm.has_graft else infused) & ~left & (arm.has_graft or arm.has_cart)
    return table
