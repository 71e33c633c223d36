"""The report of a forecast: what is known, how many virtual patients resemble it, and what may follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table as TerminalTable

from seedbed.report import catalogue, forecast_charts, page
from seedbed.report.blocks import Block, Facts, Figure, Head, Notice, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.study_words import ensemble_fact
from seedbed.report.wording import words
from seedbed.study.forecast import Forecast
from seedbed.study.forecast.outlook import LOGARITHMIC, SOURCES, by_month

TABLE_DAYS = (28, 35, 42, 60, 90, 120)


def write(result: Forecast, folder: Path, language: str = "en") -> Path:
    """Write the report of a forecast as one HTML file that needs nothing else, and return its path."""
    t = catalogue.load(language)
    name = "report.html" if language == "en" else f"report-{language}.html"
    title = words(result.plan.title.model_dump(), t)
    return page.write(title, list(sections(result, t)), folder / name, language, head=head(result, t))


def head(result: Forecast, t: Catalogue) -> Head:
    """Return what stands above the sections."""
    facts = (
        (t("head.protocol"), result.patient.protocol),
        (t("axis.arm"), t.name("arm", result.patient.arm)),
        (t("forecast.fact.clock"), t(f"forecast.clock.{result.patient.clock}")),
        (t("forecast.fact.last_day"), t.number(result.patient.last_day, 0)),
        *ensemble_fact(t, result.facts),
        (t("head.version"), result.facts["seedbed_version"]),
    )
    notices = [Notice(t("forecast.research_title"), t("forecast.research"), "bad")]
    if not result.facts["ensemble"]:
        notices.append(Notice(t("head.uncalibrated_title"), t("forecast.uncalibrated"), "warn"))
    return Head(t("forecast.kicker"), "", facts, tuple(notices))


def sections(result: Forecast, t: Catalogue) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield Section("known", t("forecast.known.title"), tuple(known(result, t)))
    yield Section("outcomes", t("forecast.outcomes.title"), tuple(outcomes(result, t)))
    yield Section("courses", t("forecast.courses.title"), tuple(course_figures(result, t)))
    yield Section("survival", t("forecast.survival.title"), tuple(survival(result, t)))
    method = tuple(Paragraph(t(f"forecast.method.{number}")) for number in range(1, 6))
    yield Section("method", t("forecast.method.title"), method)


def known(result: Forecast, t: Catalogue) -> Iterator[Block]:
    """Yield what is known of the patient, and how many virtual patients resemble it."""
    facts = result.facts
    yield Paragraph(resemblance(result, t), "strong")
    yield Facts(
        (
            (t("forecast.fact.virtual"), t.count(facts["virtual_patients"])),
            (t("forecast.fact.alike"), t.number(facts["alike"], 0 if facts["alike"] >= 10 else 1)),
            (t("forecast.fact.widening"), t.number(facts["widening"], 2)),
            (t("forecast.fact.used"), t.count(facts["effective_size"])),
            (t("forecast.fact.sets"), t.number(facts["effective_sets"], 0 if facts["effective_sets"] >= 10 else 1)),
            (t("forecast.fact.misfit"), t.number(facts["misfit"], 2)),
            (t("forecast.fact.values"), t.count(facts["values"])),
        )
    )
    rows = tuple((t.name("covariate", name), value_text(value, t)) for name, value in result.patient.covariates.items())
    yield Table((t("forecast.covariate"), t("forecast.value")), rows, t("forecast.covariates"), folded=True)
    given = tuple(
        (t(f"forecast.quantity.{name}"), "; ".join(f"d{day:g}: {value:g}" for day, value in course.values.items()))
        for name, course in result.patient.measurements.items()
    )
    header = (t("axis.quantity"), t("forecast.by_day"))
    yield Table(header, given, t("forecast.measurements"), n_text=2, layout="prose", folded=True)


def value_text(value: float | bool | str, t: Catalogue) -> str:
    """Return a covariate's value in words."""
    if isinstance(value, bool):
        return t("forecast.yes") if value else t("forecast.no")
    return value if isinstance(value, str) else f"{value:g}"


def resemblance(result: Forecast, t: Catalogue) -> str:
    """Return the sentence that says how many virtual patients resemble this one."""
    facts = result.facts
    return t(
        "forecast.resemblance",
        n=t.count(facts["virtual_patients"]),
        alike=t.number(facts["alike"], 0 if facts["alike"] >= 10 else 1),
        used=t.count(facts["effective_size"]),
        widening=t.number(facts["widening"], 1),
    )


Unit = Literal["share", "number", "logarithm"]


def chance_rows(table: pd.DataFrame, names: Iterable[str], t: Catalogue) -> list[tuple[str, ...]]:
    """Return name, probability, its interval, and the spreads from parameters and Monte Carlo, in words."""
    return [
        (
            name,
            t.percent(row["probability"]),
            t.interval(t.percent(row["lower"]), t.percent(row["upper"])),
            *(spread(row[source], "share", t) for source in SOURCES[1:]),
        )
        for name, (_, row) in zip(names, table.iterrows(), strict=True)
    ]


def outcome_names(table: pd.DataFrame, t: Catalogue) -> list[str]:
    """Return the outcomes of a table in words."""
    return [t(f"forecast.outcome.{name}") for name in table["outcome"]]


def number_rows(result: Forecast, t: Catalogue) -> list[tuple[str, ...]]:
    """Return outcome, median, 90 % range and the three spreads in words."""
    table = result.tables["numbers"]
    return [
        (
            name,
            reached(row["q50"], t),
            t.interval(reached(row["q05"], t), reached(row["q95"], t)),
            *(spread(row[key], "logarithm" if row["outcome"] in LOGARITHMIC else "number", t) for key in SOURCES),
        )
        for name, (_, row) in zip(outcome_names(table, t), table.iterrows(), strict=True)
    ]


def spread(value: float, unit: Unit, t: Catalogue) -> str:
    """Return a standard deviation: points of a share, a number, or the factor that a logarithm comes to."""
    if not np.isfinite(value):
        return t("forecast.not_resolved")
    if unit == "share":
        return t("format.points", value=t.number(100.0 * value, 1))
    return t("forecast.factor", value=t.significant(np.exp(value))) if unit == "logarithm" else t.significant(value, 2)


def spread_header(t: Catalogue, first: int = 0) -> tuple[str, ...]:
    """Return the headings of the three spreads, or of those after the first."""
    return tuple(t(f"spread.{source.removesuffix('_sd').removesuffix('_se')}") for source in SOURCES[first:])


def reached(value: float, t: Catalogue) -> str:
    """Return a number, or that it was never reached."""
    return t("forecast.not_reached") if np.isposinf(value) else t.significant(value)


def outcomes(result: Forecast, t: Catalogue) -> Iterator[Block]:
    """Yield toxicity, recovery and response."""
    table = result.tables["chances"]
    header = (t("forecast.axis.outcome"), t("forecast.axis.probability"), t("forecast.chance_only"))
    rows = tuple(chance_rows(table, outcome_names(table, t), t))
    text = t("format.semicolon").join(f"{row[0]} {row[1]}" for row in rows) + t("format.stop")
    yield Figure(
        t("forecast.chances"),
        forecast_charts.chances(table, t, description=text),
        text,
        note=t("forecast.chances_note"),
    )
    yield Table((*header, *spread_header(t, 1)), rows, t("uncertainty.title"), t("forecast.spreads_note"))
    header = (t("forecast.axis.outcome"), t("forecast.median"), t("forecast.range"), *spread_header(t))
    yield Table(header, tuple(number_rows(result, t)), t("forecast.numbers"), t("forecast.numbers_note"))


def course_figures(result: Forecast, t: Catalogue) -> Iterator[Block]:
    """Yield a figure for each quantity that is shown."""
    yield Paragraph(t("forecast.courses.text"))
    last = result.patient.last_day
    for name in dict.fromkeys(result.tables["courses"]["quantity"]):
        chart = forecast_charts.course(
            result.tables["courses"], result.tables["before"], result.tables["values"], name, t, last_day=last
        )
        rows = course_rows(result.tables["courses"], name, -np.inf if last is None else last, t)
        header = (t("forecast.axis.day"), t("forecast.median"), t("forecast.range"), *spread_header(t))
        title = t(f"forecast.quantity.{name}")
        yield Figure(title, chart, t("forecast.course_text", quantity=title), Table(header, rows))


def course_rows(table: pd.DataFrame, name: str, after: float, t: Catalogue) -> tuple[tuple[str, ...], ...]:
    """Return day, median, band and the three spreads of a course on a few days to come."""
    chosen = table[(table["quantity"] == name) & table["day"].isin(TABLE_DAYS) & (table["day"] > after)]
    return tuple(
        (
            t.count(row["day"]),
            t.significant(row["q50"]),
            t.interval(t.significant(row["q05"]), t.significant(row["q95"])),
            *(spread(row[key], "logarithm", t) for key in SOURCES),
        )
        for _, row in chosen.iterrows()
    )


def survival(result: Forecast, t: Catalogue) -> Iterator[Block]:
    """Yield progression-free survival."""
    rows = tuple(survival_rows(result, t, [t.count(month) for month in by_month(result.tables["survival"])]))
    header = (t("forecast.axis.months"), t("axis.survival"), t("forecast.chance_only"), *spread_header(t, 1))
    text = t("forecast.survival.text")
    chart = forecast_charts.survival(result.tables["survival"], t, description=text)
    yield Figure(t("forecast.survival.figure"), chart, text)
    yield Table(header, rows, t("uncertainty.title"), t("forecast.spreads_note"))


def survival_rows(result: Forecast, t: Catalogue, names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the rows of progression-free survival by month under given names; see `chance_rows`."""
    return chance_rows(pd.DataFrame(list(by_month(result.tables["survival"]).values())), names, t)


def terminal(result: Forecast, language: str = "en") -> TerminalTable:
    """Return the results as a table for the terminal."""
    t = catalogue.load(language)
    table = TerminalTable(title=t("forecast.research_title"), caption=resemblance(result, t), box=box.SIMPLE)
    table.add_column(t("forecast.axis.outcome"), overflow="fold")
    table.add_column(t("forecast.value"), justify="right", overflow="fold")
    table.add_column("", overflow="fold")
    for name in spread_header(t, 1):
        table.add_column(name, justify="right", overflow="fold")
    rows = chance_rows(result.tables["chances"], outcome_names(result.tables["chances"], t), t)
    rows += [(*row[:3], *row[4:]) for row in number_rows(result, t)]
    months = [t("forecast.pfs_at", months=month) for month in by_month(result.tables["survival"])]
    for row in (*rows, *survival_rows(result, t, months)):
        table.add_row(*(escape(text) for text in row))
    return table
