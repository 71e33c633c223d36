"""Doses of the usual treatments as state, day and amount, for tests of the model asct_cart; day 0 falls on `DAY_0`."""

from __future__ import annotations

DAY_0 = 20.0
Doses = list[tuple[float, str, float]]


def _on(days: dict[int, float], state: str) -> Doses:
    return [(DAY_0 + day, state, amount) for day, amount in days.items()]


def beam() -> Doses:
    """Carmustine, four days of etoposide and cytarabine, melphalan 140."""
    antimetabolite = dict.fromkeys((-5, -4, -3, -2), 0.25)
    return [
        *_on({-6: 1.0}, "cns_alkylator_drug"),
        *_on(antimetabolite, "antimetabolite_drug"),
        *_on({-1: 0.7}, "alkylator_drug"),
    ]


def melphalan(day: int = -2) -> Doses:
    """Melphalan 200."""
    return _on({day: 1.0}, "alkylator_drug")


def fludarabine_cyclophosphamide() -> Doses:
    """Three days of fludarabine 30 and cyclophosphamide 500."""
    days = (-5, -4, -3)
    return [
        *_on(dict.fromkeys(days, 0.17), "antimetabolite_drug"),
        *_on(dict.fromkeys(days, 0.065), "alkylator_drug"),
    ]


def graft(cd34: float = 5.0, lymphocytes: float = 25.0) -> Doses:
    """CD34 cells in 1e6/kg and viable lymphocytes in 1e9, on day 0."""
    shares = {"t_memory": 0.55, "t_naive": 0.25, "nk_cells": 0.15, "t_regulatory": 0.05}
    return [(DAY_0, "graft_cd34", cd34), *((DAY_0, state, share * lymphocytes) for state, share in shares.items())]


def filgrastim(first: int = 5, last: int = 12) -> Doses:
    """300 ug a day."""
    return _on(dict.fromkeys(range(first, last + 1), 300.0), "filgrastim_depot")


def cart(day: float = 0.0, cells: float = 0.15) -> Doses:
    """CAR-T cells in 1e9."""
    return [(DAY_0 + day, "cart_infused_blood", cells)]
