"""Clinical units of doses, and what a dose for one patient comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]
Per = Literal["patient", "m2", "kg"]


@dataclass(frozen=True)
class DoseUnit:
    """A unit such as mg/m2: what is given, how much of its base unit, and per what of the patient."""

    what: Literal["mass", "cells", "transfusion", "density"]
    factor: float
    per: Per


UNITS: dict[str, DoseUnit] = {
    f"{name}{suffix}": DoseUnit("mass", factor, per)
    for name, factor in {"g": 1e3, "mg": 1.0, "ug": 1e-3}.items()
    for suffix, per in {"": "patient", "/m2": "m2", "/kg": "kg"}.items()
} | {
    "cell": DoseUnit("cells", 1.0, "patient"),
    "cell/kg": DoseUnit("cells", 1.0, "kg"),
    "transfusion": DoseUnit("transfusion", 1.0, "patient"),
}


def convertible(unit: str, other: str) -> bool:
    """Whether a dose in one unit can be stated in another."""
    return unit in UNITS and other in UNITS and UNITS[unit].what == UNITS[other].what


def for_patient(dose: float, unit: str, *, weight_kg: ArrayLike, bsa_m2: ArrayLike) -> Numbers:
    """Return what a dose comes to in base units (mg, cells), for patients (n,)."""
    return dose * UNITS[unit].factor * _size(UNITS[unit].per, weight_kg, bsa_m2)


def in_unit(dose: float, unit: str, other: str, *, weight_kg: ArrayLike, bsa_m2: ArrayLike) -> Numbers:
    """Return a dose in another unit, for patients (n,); mg/kg becomes mg/m2 through weight and body surface."""
    base = for_patient(dose, unit, weight_kg=weight_kg, bsa_m2=bsa_m2)
    return base / for_patient(1.0, other, weight_kg=weight_kg, bsa_m2=bsa_m2)


def _size(per: Per, weight_kg: ArrayLike, bsa_m2: ArrayLike) -> Numbers:
    weight = np.asarray(weight_kg, dtype=float)
    return {"patient": np.ones_like(weight), "m2": np.asarray(bsa_m2, dtype=float), "kg": weight}[per]
