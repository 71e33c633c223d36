"""What the library and the evidence base offer to a plan."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from seedbed import evidence, library
from seedbed.calibration.plan import Checked, Surroundings, read, with_base
from seedbed.calibration.readings import ROW_COLUMNS
from seedbed.documents import load
from seedbed.model import read_model
from seedbed.population.parameter_sets import FACTORS

STRETCHABLE = ("lognormal", "logitnormal")
MIDDLES = ("median", "mean", "geometric_mean", "population_mean")
DAYS = {"day": 1.0, "week": 7.0, "month": 30.4375, "year": 365.25}


def read_plan(name_or_path: str | Path) -> Checked:
    """Return a plan checked against the library and the evidence base.

    Raises
    ------
    ContentError
        Lists every problem with its line.
    """
    data = with_base(load(library.find("plans", name_or_path)))[0].data
    model = data.get("model") if isinstance(data, dict) else None
    return read(name_or_path, surroundings(model if model in library.names("models") else "asct_cart"))


def surroundings(model: str) -> Surroundings:
    """Return what a plan for a model is checked against."""
    protocols = {name: tuple(load(library.find("protocols", name)).data["arms"]) for name in library.names("protocols")}
    return Surroundings(
        evidence_rows(),
        fact_rows(),
        protocols,
        tuple(library.names("populations")),
        tuple(library.names("products")),
        {**_model_targets(model), "effect": _effects(), "factor": FACTORS},
    )


def evidence_rows() -> pd.DataFrame:
    """Return all published values in the columns that a calibration reads, with their printed spread."""
    table = evidence.rows().assign(spread_kind=None, spread_lower=math.nan, spread_upper=math.nan)
    spreads = {
        (study.id, arm.id, row.id): row.spread
        for study in evidence.studies()
        for arm in study.arms
        for row in arm.endpoints
    }
    for index, key in zip(table.index, zip(table.study, table.arm, table.row, strict=True), strict=True):
        spread = spreads[key]
        if spread is not None:
            factor = table.at[index, "value"] / table.at[index, "published_value"]
            table.loc[index, ["spread_kind", "spread_lower", "spread_upper"]] = [
                spread.kind,
                spread.lower * factor,
                spread.upper * factor,
            ]
    diseases = evidence.vocabulary().diseases
    table["disease_family"] = [diseases[disease].family if disease in diseases else "" for disease in table.disease]
    return table.reindex(columns=[*ROW_COLUMNS, "disease_family"])


def fact_rows() -> pd.DataFrame:
    """Return kinetic facts with one number in the columns of evidence rows; times are in days."""
    records = [_fact_record(fact) for fact in evidence.kinetics().to_dict("records")]
    return pd.DataFrame(records).reindex(columns=list(ROW_COLUMNS))


def _fact_record(fact: dict[str, Any]) -> dict[str, Any]:
    factor = DAYS.get(str(fact["unit"]), 1.0)
    known = pd.notna(fact["lower"]) and pd.notna(fact["upper"])
    kind = str(fact["bounds"] or "") if known else ""
    ends = [fact["lower"] * factor, fact["upper"] * factor] if known else [math.nan, math.nan]
    nowhere = [math.nan, math.nan]
    lower, upper = ends if kind == "interval" else nowhere
    spread_lower, spread_upper = ends if kind in {"range", "interquartile"} else nowhere
    return {
        "row": fact["id"] + (f":{fact['group']}" if fact["group"] else ""),
        "therapy": fact["therapy"],
        "use": fact["use"],
        "cohort_group": f"fact {fact['id']}",
        "part": "",
        "statistic": "median" if fact["statistic"] in MIDDLES else fact["statistic"],
        "value": float(fact["value"]) * factor if pd.notna(fact["value"]) else math.nan,
        "lower": lower,
        "upper": upper,
        "interval_kind": "published" if kind == "interval" else "",
        "spread_kind": kind if kind in {"range", "interquartile"} else None,
        "spread_lower": spread_lower,
        "spread_upper": spread_upper,
        "events": fact["events"],
        "n": fact["n"],
        "time_days": math.nan,
        "unit": fact["unit"],
        "clock": "cart_infusion" if fact["therapy"] == "cart" else "stem_cells",
        "denominator": "evaluable",
        "preferred": True,
    }


def _model_targets(model: str) -> dict[str, tuple[str, ...]]:
    parameters = read_model(model).parameters
    stretchable = [
        name
        for name, parameter in parameters.items()
        if parameter.between_patient is not None and parameter.between_patient.distribution in STRETCHABLE
    ]
    return {"median": tuple(parameters), "spread": tuple(stretchable)}


def _effects() -> tuple[str, ...]:
    names: set[str] = set()
    files = sorted(library.path("populations").rglob("*.yaml"))
    for file in files:
        effects = load(file).data.get("effects", {})
        names |= {name for name, effect in effects.items() if effect.get("form") not in {"set", "levels"}}
    return tuple(sorted(names))
