"""The report of a forecast: what is known, how many virtual patients resemble it, and what may follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table as TerminalTable

from seedbed.report import catalogue, forecast_charts, page
from seedbed.report.blocks import Block, Facts, Figure, Head, Notice, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.wording import words
from seedbed.study.forecast import Forecast
from seedbed.study.forecast.outlook import by_month

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
        (t("head.version"), result.facts["seedbed_version"]),
    )
    notices = [Notice(t("forecast.research_title"), t("forecast.research"), "bad")]
    if not result.facts["calibrated"]:
        notices.append(Notice(t("head.uncalibrated_title"), t("forecast.uncalibrated"), "warn"))
    return Head(t("forecast.kicker"), "", facts, tuple(notices))


def sections(result: Forecast, t: Catalogue) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield Section("known", t("forecast.known.title"), tuple(known(result, t)))
    yield Section("outcomes", t("forecast.outcomes.title"), tuple(outcomes(result, t)))
    yield Section("courses", t("forecast.courses.title"), tuple(course_figures(result, t)))
    yield Section("survival", t("forecast.survival.title"), tuple(survival(result, t)))
    method = tuple(Paragraph(t(f"forecast.method.{number}")) for number in range(1, 5))
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


def chance_rows(result: Forecast, t: Catalogue) -> list[tuple[str, str, str]]:
    """Return outcome, probability and interval in words."""
    return [
        (
            t(f"forecast.outcome.{row['outcome']}"),
            t.percent(row["probability"]),
            t.interval(t.percent(row["lower"]), t.percent(row["upper"])),
        )
        for _, row in result.tables["chances"].iterrows()
    ]


def number_rows(result: Forecast, t: Catalogue) -> list[tuple[str, str, str]]:
    """Return outcome, median and 90 % range in words."""
    return [
        (
            t(f"forecast.outcome.{row['outcome']}"),
            reached(row["q50"], t),
            t.interval(reached(row["q05"], t), reached(row["q95"], t)),
        )
        for _, row in result.tables["numbers"].iterrows()
    ]


def reached(value: float, t: Catalogue) -> str:
    """Return a number, or that it was never reached."""
    return t("forecast.not_reached") if np.isposinf(value) else t.significant(value)


def outcomes(result: Forecast, t: Catalogue) -> Iterator[Block]:
    """Yield toxicity, recovery and response."""
    header = (t("forecast.axis.outcome"), t("forecast.axis.probability"), t("format.level"))
    rows = tuple(chance_rows(result, t))
    text = t("format.semicolon").join(f"{name} {share}" for name, share, _ in rows)
    yield Figure(
        t("forecast.chances"),
        forecast_charts.chances(result.tables["chances"], t, description=text),
        text,
        Table(header, rows),
        t("forecast.chances_note"),
    )
    header = (t("forecast.axis.outcome"), t("forecast.median"), t("forecast.range"))
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
        header = (t("forecast.axis.day"), t("forecast.median"), t("forecast.range"))
        title = t(f"forecast.quantity.{name}")
        yield Figure(title, chart, t("forecast.course_text", quantity=title), Table(header, rows))


def course_rows(table: pd.DataFrame, name: str, after: float, t: Catalogue) -> tuple[tuple[str, ...], ...]:
    """Return day, median and band of a course on a few days to come."""
    chosen = table[(table["quantity"] == name) & table["day"].isin(TABLE_DAYS) & (table["day"] > after)]
    middle, bounds = chosen["q50"], zip(chosen["q05"], chosen["q95"], strict=True)
    bands = [t.interval(t.significant(low), t.significant(high)) for low, high in bounds]
    return tuple(zip(map(t.count, chosen["day"]), map(t.significant, middle), bands, strict=True))


def survival(result: Forecast, t: Catalogue) -> Iterator[Block]:
    """Yield progression-free survival."""
    rows = tuple(
        (t.count(month), t.percent(row["probability"]), t.interval(t.percent(row["lower"]), t.percent(row["upper"])))
        for month, row in by_month(result.tables["survival"]).items()
    )
    header = (t("forecast.axis.months"), t("axis.survival"), t("format.level"))
    text = t("forecast.survival.text")
    chart = forecast_charts.survival(result.tables["survival"], t, description=text)
    yield Figure(t("forecast.survival.figure"), chart, text, Table(header, rows))


def terminal(result: Forecast, language: str = "en") -> TerminalTable:
    """Return the results as a table for the terminal."""
    t = catalogue.load(language)
    table = TerminalTable(title=t("forecast.research_title"), caption=resemblance(result, t), box=box.SIMPLE)
    table.add_column(t("forecast.axis.outcome"))
    table.add_column(t("forecast.value"), justify="right")
    table.add_column("")
    for row in (*chance_rows(result, t), *number_rows(result, t)):
        table.add_row(*(escape(text) for text in row))
    for month, row in by_month(result.tables["survival"]).items():
        name = t("forecast.pfs_at", months=month)
        share = t.interval(t.percent(row["lower"]), t.percent(row["upper"]))
        table.add_row(name, t.percent(row["probability"]), share)
    return table
