"""Forecast one patient: weigh the virtual population by what is known, and tell what it goes on to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seedbed import __version__
from seedbed.errors import ContentError, Problem, nearest
from seedbed.study.arms_of_protocol import Report, silent
from seedbed.study.forecast import adjustment, outlook, patient, plan, population
from seedbed.study.forecast.patient import Patient
from seedbed.study.forecast.plan import Plan
from seedbed.study.forecast.population import VirtualPopulation
from seedbed.study.forecast.weights import Weights, refuse, weigh
from seedbed.trial import disk
from seedbed.trial.execution import Where

TABLES = ("courses", "before", "numbers", "chances", "survival", "values")
SHORT = ("numbers", "chances", "survival")
RESULT = "forecast.json"


@dataclass(frozen=True)
class Forecast:
    """The forecast of one patient.

    Attributes
    ----------
    patient, plan : what was given and how it was compared
    tables : ``courses`` (bands by day), ``before`` (the same without the measurements), ``numbers``, ``chances``,
        ``survival``, each with the three uncertainties apart (`outlook`), and ``values`` (the measurements)
    facts : counts, effective size, misfit, marks
    """

    patient: Patient
    plan: Plan
    tables: dict[str, pd.DataFrame]
    facts: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write the tables as Parquet files, and the facts with the short tables as `forecast.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
        short = {name: json.loads(self.tables[name].to_json(orient="records")) for name in SHORT}
        data = {"patient": self.patient.model_dump(mode="json"), "facts": self.facts, **short}
        disk.write_atomically(folder / RESULT, json.dumps(data, indent=1, ensure_ascii=False, default=str))


def forecast(
    patient_file: str | Path,
    *,
    plan_name: str | Path = "forecast_standard",
    subjects: int | None = None,
    populations: Path = Path("runs"),
    workers: int = 2,
    where: Where = "threads",
    progress: Report = silent,
) -> Forecast:
    """Forecast the patient of a file.

    Parameters
    ----------
    patient_file : YAML file without names or identifiers, see `examples/patient.yaml`
    plan_name : plan in the library, or a file
    subjects : size of the virtual population, instead of the plan's
    populations : folder in which virtual populations are kept and found again
    where : ``"threads"``, which suits notebooks, or ``"processes"``, which is faster

    Raises
    ------
    ContentError
        The file identifies a person, or is wrong.
    SimulationError
        Too few virtual patients resemble this one.

    Examples
    --------
    >>> from seedbed.study.forecast import forecast
    >>> result = forecast("examples/patient.yaml")           # doctest: +SKIP
    >>> result.tables["chances"]                             # doctest: +SKIP
    """
    rules = plan.read(plan_name)
    if subjects is not None:
        rules = rules.model_copy(update={"subjects": subjects})
    one = patient.read(patient_file, rules)
    folder = population.build(
        populations, rules, one.protocol, one.arm, workers=workers, where=where, progress=progress
    )
    return from_population(one, population.read(folder, rules, one.clock), rules, str(patient_file))


def from_population(one: Patient, people: VirtualPopulation, rules: Plan, source: str = "") -> Forecast:
    """Forecast a patient from a virtual population that stands ready; errors as in `forecast`."""
    check_covariates(one, people, source)
    weights = weigh(one, people, rules)
    refuse(weights, rules, people.n)
    bare = one.model_copy(update={"measurements": {}, "seen_until_day": one.last_day})
    before = weigh(bare, people, rules)
    adjusted = adjustment.fit(one, people, rules, weights.values)
    names = tuple(dict.fromkeys((*rules.shown, *one.measurements)))
    tables = {
        "courses": outlook.courses(people, adjusted, rules, names),
        "before": outlook.courses(people, adjustment.fit(bare, people, rules, before.values), rules, names),
        "numbers": outlook.numbers(people, adjusted),
        "chances": outlook.chances(people, weights.values, weights.effective_size),
        "survival": outlook.progression_free(people, weights.values, weights.effective_size),
        "values": _values(one),
    }
    return Forecast(one, rules, tables, _facts(one, people, weights, before))


def check_covariates(one: Patient, people: VirtualPopulation, source: str = "") -> None:
    """Raise an error where a covariate or level is not one of the virtual population."""
    problems = []
    for name, value in one.covariates.items():
        if name not in people.subjects:
            near = nearest(name, [str(column) for column in people.subjects.columns])
            problems.append(Problem(f"the virtual population has no {name}", source, nearest=near, cure="remove it"))
        elif isinstance(value, str | bool) and str(value) not in (theirs := people.subjects[name].astype(str).unique()):
            what = f'no virtual patient has {name} "{value}"'
            problems.append(Problem(what, source, expected=f"one of {', '.join(sorted(theirs))}"))
    if problems:
        raise ContentError(problems)


def _values(one: Patient) -> pd.DataFrame:
    rows = [
        {"quantity": name, "day": day, "value": value, "unit": course.unit}
        for name, course in one.measurements.items()
        for day, value in course.values.items()
    ]
    return pd.DataFrame(rows, columns=["quantity", "day", "value", "unit"])


def _facts(one: Patient, people: VirtualPopulation, weights: Weights, before: Weights) -> dict[str, Any]:
    return {
        "research_use_only": True,
        "virtual_patients": people.n,
        "alive_so_far": weights.n_alive,
        "effective_size": weights.effective_size,
        "alike": weights.alike,
        "widening": weights.widening,
        "parameter_sets": int(np.unique(people.sets).size),
        "effective_sets": float(1.0 / np.sum(np.bincount(people.sets, weights=weights.values) ** 2)),
        "effective_size_without_measurements": before.effective_size,
        "misfit": weights.misfit if one.measurements else None,
        "misfits": dict(weights.misfits),
        "last_day": one.last_day,
        "values": one.n_values,
        "ensemble": people.ensemble,
        "ensemble_fits_model": people.ensemble_fits_model,
        "seedbed_version": __version__,
    }
