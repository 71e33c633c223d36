"""Words that the reports of studies share: values of outcomes with units, worlds, content in a language."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from seedbed.report.blocks import Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.wording import signed as with_sign
from seedbed.sources import Words
from seedbed.study.outcomes import Outcome
from seedbed.study.worlds import World

SOURCES = ("between_patient", "parameter", "monte_carlo")


def in_language(text: Words, t: Catalogue) -> str:
    """Return a text of the content in the language of the report."""
    return text.zh if t.language == "zh" else text.en


def shown(t: Catalogue, outcome: Outcome, value: float, *, signed: bool = False) -> str:
    """Return a value of an outcome: shares in percent, differences of shares in percentage points."""
    if value is None or not math.isfinite(value):
        return t("format.missing")
    if outcome.is_share:
        return t("format.points", value=with_sign(t, 100.0 * value)) if signed else t.percent(value, 1)
    digits = 2 if outcome.unit == "log10" else 1
    return with_sign(t, value, digits) if signed else t.number(value, digits)


def measure(t: Catalogue, outcome: Outcome) -> str:
    """Return the title of an outcome, with the unit where the title does not hold it."""
    title = in_language(outcome.title, t)
    return t("study.in_log10", outcome=title) if outcome.unit == "log10" else title


def between(t: Catalogue, outcome: Outcome, lower: float, upper: float) -> str:
    """Return an interval of an outcome without units."""
    factor, digits = (100.0, 1) if outcome.is_share else (1.0, 2 if outcome.unit == "log10" else 1)
    return t.interval(t.number(factor * lower, digits), t.number(factor * upper, digits))


def width(t: Catalogue, outcome: Outcome, value: float) -> str:
    """Return a standard deviation or error of an outcome: shares in percentage points."""
    if value is None or not math.isfinite(value):
        return t("format.missing")
    digits = 2 if outcome.unit == "log10" else 1
    return t("format.points", value=t.number(100.0 * value, 1)) if outcome.is_share else t.number(value, digits)


def ensemble_fact(t: Catalogue, facts: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return the calibrated ensemble of a study as a fact of its head, or nothing."""
    if not facts["ensemble"]:
        return ()
    name, fits = str(facts["ensemble"]), facts.get("ensemble_fits_model", True)
    return ((t("study.ensemble"), name if fits else t("study.ensemble_of_other_model", name=name)),)


def informed_sentence(t: Catalogue, best: str, moved: Mapping[str, bool]) -> str:
    """Say of which answers the data moved the prior, and which are not informed by the data.

    Parameters
    ----------
    best : knowledge of the world that is shown first
    moved : name of an answer -> whether the data moved it
    """
    if best != "posterior":
        return t("study.not_informed_at_all")
    names = {flag: t("format.comma").join(name for name, is_so in moved.items() if is_so == flag) for flag in (1, 0)}
    if not names[1]:
        return t("study.not_informed")
    return t("study.informed", moved=names[1], still=names[0]) if names[0] else t("study.all_informed", moved=names[1])


def uncertainties(t: Catalogue, rows: Iterable[tuple[str, Outcome, pd.Series]]) -> Table:
    """Return the three uncertainties of differences, apart: between patients, from parameters, Monte Carlo.

    Parameters
    ----------
    rows : name, outcome, and ``estimate``, ``between_patient_sd``, ``parameter_sd``, ``monte_carlo_se``
    """
    header = (t("sweep.outcome"), t("sweep.difference"), *(t(f"spread.{name}") for name in SOURCES))
    columns = ("between_patient_sd", "parameter_sd", "monte_carlo_se")
    made = tuple(
        (name, shown(t, outcome, row["estimate"], signed=True), *(width(t, outcome, row[key]) for key in columns))
        for name, outcome, row in rows
    )
    return Table(header, made, t("study.uncertainties"), t("study.uncertainties_note"))


def world_name(t: Catalogue, world: World) -> str:
    """Return the name of a world: its knowledge, or its rival structure."""
    return in_language(world.title, t) if world.title is not None else t(f"study.world.{world.knowledge}")
