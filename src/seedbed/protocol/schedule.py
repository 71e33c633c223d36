"""When what is given: the scheduled doses of an arm for its subjects, and the regimen as a timeline."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from seedbed.engine import Dose
from seedbed.protocol.catalogue import Drug
from seedbed.protocol.elements import CarT, Clock, DrugElement
from seedbed.protocol.quantities import Numbers, for_patient, in_unit
from seedbed.protocol.schema import Arm, Protocol

CELLS_PER_GIGA_CELL = 1e9
CD34_UNIT = 1e6
_CLOCK_COLUMNS: dict[Clock, str] = {"stem_cells": "stem_cell_day", "cart": "cart_day"}


def drug_inputs(drug: Drug, dose: float, unit: str, *, weight_kg: ArrayLike, bsa_m2: ArrayLike) -> dict[str, Numbers]:
    """Return how much of each intervention of the model one dose is.

    Parameters
    ----------
    drug : from the catalogue
    dose, unit : as a clinician writes it, such as 140 mg/m2
    weight_kg, bsa_m2 : (n,) body weight [kg] and surface [m2]

    Returns
    -------
    intervention id -> (n,) amount in the unit of the intervention
    """
    size = {"weight_kg": weight_kg, "bsa_m2": bsa_m2}
    amounts: dict[str, Numbers] = {}
    for entry in drug.inputs:
        amount = entry.amount / entry.dose * in_unit(dose, unit, entry.unit, **size)
        amounts[entry.intervention] = amounts.get(entry.intervention, 0.0) + amount
    return amounts


def doses(arm: Arm, arm_table: pd.DataFrame, subjects: pd.DataFrame) -> list[Dose]:
    """Return the scheduled doses of an arm.

    Parameters
    ----------
    arm : of a protocol that was read
    arm_table : of `trial.enrollment.enroll`: ``stem_cell_day``, ``cart_day`` [days from enrollment, NaN when not
        given], ``conditioning_day``, ``leaves_day``, ``weight_kg``, ``bsa_m2``, ``cd34_per_kg`` [1e6/kg]
    subjects : the same subjects in the same order; ``parameter:<id>`` where a dose scales with a parameter

    Returns
    -------
    list of Dose
        One for each state and time of the schedule, in the order of the arm's elements; times [days from
        enrollment] are NaN for subjects who do not get it.
    """
    given: list[Dose] = []
    for name, element in arm.elements.items():
        if element.kind == "stem_cells":
            given += _graft_doses(arm, arm_table, subjects)
        elif isinstance(element, CarT):
            given += _cart_doses(arm, name, arm_table, subjects)
        else:
            given += _drug_doses(arm, element, arm_table, subjects)
    return given


def _drug_doses(arm: Arm, element: DrugElement, table: pd.DataFrame, subjects: pd.DataFrame) -> Iterator[Dose]:
    size = {"weight_kg": table["weight_kg"], "bsa_m2": table["bsa_m2"]}
    for entry in arm.protocol.doses_of(element):
        amounts = drug_inputs(arm.protocol.drugs[entry.drug], entry.dose, entry.unit, **size)
        for day in entry.dose_days():
            time = _time(element, start_day(element) + day, table)
            for intervention, amount in amounts.items():
                yield from _boluses(arm.protocol, intervention, time, amount, subjects)


def start_day(element: DrugElement) -> int:
    """Return the day that the days of an element's drugs count from."""
    return getattr(element, "start_day", 0)


def _time(element: DrugElement, day: int, table: pd.DataFrame) -> Numbers:
    """Return the time of a dose (n,); conditioning stands on its planned clock even when no cells follow."""
    if element.clock == "enrollment":
        time = np.full(len(table), float(day))
    elif element.kind in ("conditioning", "lymphodepletion"):
        time = table[f"planned_{_CLOCK_COLUMNS[element.clock]}"].to_numpy(dtype=float) + day
        time = np.where(table["conditioned"], time, np.nan)
    else:
        time = table[_CLOCK_COLUMNS[element.clock]].to_numpy(dtype=float) + day
    return np.where(_still_there(time, table), time, np.nan)


def _still_there(time: Numbers, table: pd.DataFrame) -> Numbers:
    """Return who has not left before a time: by progression or death while waiting for treatment."""
    leaves = table["leaves_day"].to_numpy(dtype=float)
    return np.isnan(leaves) | (time < leaves)


def _graft_doses(arm: Arm, table: pd.DataFrame, subjects: pd.DataFrame) -> Iterator[Dose]:
    time = table["stem_cell_day"].to_numpy(dtype=float)
    yield from _boluses(arm.protocol, "stem_cells", time, table["cd34_per_kg"].to_numpy(dtype=float), subjects)
    graft = arm.graft
    if graft is not None and graft.lymphocytes is not None:
        cells = _cells(graft.lymphocytes.amount, graft.lymphocytes.unit, table) / CELLS_PER_GIGA_CELL
        yield from _boluses(arm.protocol, "graft_lymphocytes", time, cells, subjects)


def _cart_doses(arm: Arm, name: str, table: pd.DataFrame, subjects: pd.DataFrame) -> Iterator[Dose]:
    element, first = arm.elements[name], arm.cart_elements[0]
    after_first = element.day - (first.day if element.clock == first.clock else 0)
    cells = _cells(element.dose, element.unit, table) / CELLS_PER_GIGA_CELL
    for infusion in element.infusions:
        time = table["cart_day"].to_numpy(dtype=float) + after_first + infusion.day
        yield from _boluses(arm.protocol, "cart", time, cells * infusion.share, subjects)


def _cells(amount: float, unit: str, table: pd.DataFrame) -> Numbers:
    return for_patient(amount, unit, weight_kg=table["weight_kg"], bsa_m2=table["bsa_m2"])


def _boluses(
    protocol: Protocol, intervention: str, time: Numbers, amount: Numbers, subjects: pd.DataFrame
) -> Iterator[Dose]:
    """Yield what an intervention adds to each state it acts on."""
    for dose in protocol.inputs.interventions[intervention].doses:
        scale = dose.per_unit
        if isinstance(scale, str):
            column = f"parameter:{scale}"
            scale = subjects[column].to_numpy() if column in subjects else protocol.inputs.dose_parameters[scale]
        yield Dose(target=dose.target, time=time, amount=np.asarray(amount * scale, dtype=float))


def timeline(arm: Arm) -> pd.DataFrame:
    """Return the regimen of an arm for display, a row for each drug or cell dose and day.

    Returns
    -------
    DataFrame
        ``element``, ``kind``, ``item`` (drug or product id), ``item_title`` (English), ``dose``, ``unit``,
        ``clock``, ``day`` (on that clock), ``day_stem_cells`` and ``day_cart`` (the same day on both clocks, NaN
        where a clock does not run or the day counts from enrollment).
    """
    rows = [row for name in arm.elements for row in _rows(arm, name)]
    columns = ["element", "kind", "item", "item_title", "dose", "unit", "clock", "day"]
    frame = pd.DataFrame(rows, columns=columns)
    offset = arm.cart_offset
    on_stem_cells = frame["clock"].eq("stem_cells")
    frame["day_stem_cells"] = frame["day"].where(on_stem_cells).astype(float)
    frame["day_cart"] = frame["day"].where(frame["clock"].eq("cart")).astype(float)
    if offset is not None:
        frame["day_cart"] = frame["day_cart"].fillna(frame["day_stem_cells"] - offset)
        frame["day_stem_cells"] = frame["day_stem_cells"].fillna(frame["day_cart"] + offset)
    order = frame["day_stem_cells"].fillna(frame["day_cart"]).fillna(frame["day"] - 1e6)
    return frame.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _rows(arm: Arm, name: str) -> Iterator[tuple]:
    element = arm.elements[name]
    if element.kind == "stem_cells":
        dose = (np.nan, "") if element.cd34 == "collected" else (element.cd34.amount, element.cd34.unit)
        yield (name, element.kind, "cd34", "CD34 cells", *dose, "stem_cells", 0)
    elif isinstance(element, CarT):
        title = arm.protocol.products[element.product].title.en
        for infusion in element.infusions:
            dose = element.dose * infusion.share
            day = element.day + infusion.day
            yield (name, element.kind, element.product, title, dose, element.unit, element.clock, day)
    else:
        for drug in arm.protocol.doses_of(element):
            title = arm.protocol.drugs[drug.drug].title.en
            for day in drug.dose_days():
                on = start_day(element) + day
                yield (name, element.kind, drug.drug, title, drug.dose, drug.unit, element.clock, on)
