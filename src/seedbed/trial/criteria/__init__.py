"""Versioned grading and response rules: pure functions of measurements, the same in every arm.

Each rule has an identifier; `module` finds the code for it, so that a table can say by which rule a row was graded.
"""

from __future__ import annotations

from types import ModuleType

from seedbed.errors import ContentError, unknown
from seedbed.trial.criteria import (
    astct2019,
    ball_marrow2020,
    car_hematotox2021,
    cibmtr2024,
    ctcae5,
    icaht_ehaebmt2023,
    imwg2016,
    ipcg2005,
    lugano2014,
)

RULES: dict[str, ModuleType] = {
    "crs.astct2019": astct2019,
    "icans.astct2019": astct2019,
    "heme.ctcae5": ctcae5,
    "icaht.ehaebmt2023": icaht_ehaebmt2023,
    "eng.cibmtr": cibmtr2024,
    "nhl.lugano2014": lugano2014,
    "cns.ipcg2005": ipcg2005,
    "mm.imwg2016": imwg2016,
    "ball.marrow2020": ball_marrow2020,
    "car_hematotox": car_hematotox2021,
}


def module(rule: str) -> ModuleType:
    """Return the module that holds a rule.

    Raises
    ------
    ContentError
        No such rule; names the nearest.
    """
    if rule not in RULES:
        raise ContentError(unknown("rule", rule, list(RULES)))
    return RULES[rule]


def version(rule: str) -> str:
    """Return a rule's identifier with its version, such as ``"crs.astct2019/1"``."""
    return f"{rule}/{module(rule).VERSION}"
