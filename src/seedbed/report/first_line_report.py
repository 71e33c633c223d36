"""The report of first line against salvage: curves from diagnosis, who reaches the second chance, the differences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich import box
from rich.table import Table as TerminalTable

from seedbed.report import catalogue, page, sweep_charts
from seedbed.report.blocks import Block, Bullets, Code, Facts, Figure, Head, Notice, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.study_words import ensemble_fact, in_language, informed_sentence, uncertainties, world_name
from seedbed.report.wording import signed
from seedbed.sources import Words
from seedbed.study.first_line import MONTH, STRATEGIES, FirstLine
from seedbed.study.outcomes import Outcome

QUANTITIES = ("alive", "not_failed", "months_alive", "mrd_negative", "reached", "crs_3", "icans_3")


def write(found: FirstLine, folder: Path, language: str = "en") -> Path:
    """Write the report as one HTML file that needs nothing else, and return its path."""
    t = catalogue.load(language)
    name = "report.html" if language == "en" else f"report-{language}.html"
    return page.write(
        in_language(found.study.plan.title, t), sections(found, t), folder / name, language, head=head(found, t)
    )


def head(found: FirstLine, t: Catalogue) -> Head:
    """Return what stands above the sections."""
    facts, plan = found.facts, found.study.plan
    pairs = (
        (t("sweep.fact.plan"), str(facts["plan"])),
        (t("head.subjects"), t.count(facts["subjects"])),
        (t("first_line.fact.horizon"), t("head.days", days=t.count(facts["horizon_days"]))),
        (t("first_line.fact.lead"), t("head.days", days=t.count(plan.diagnosis_to_enrollment.days))),
        (t("head.seed"), str(facts["seed"])),
        *ensemble_fact(t, facts),
        (t("head.version"), str(facts["seedbed_version"])),
    )
    notices = [Notice(t("page.purpose"), "", "quiet")]
    if found.study.worlds[0].knowledge == "typical":
        notices.insert(0, Notice(t("head.uncalibrated_title"), t("study.uncalibrated"), "warn"))
    return Head(t("first_line.kicker"), in_language(plan.question, t), pairs, tuple(notices))


def sections(found: FirstLine, t: Catalogue) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield answer(found, t)
    yield curves(found, t)
    yield second_chance(found, t)
    yield limits(found, t)


def row(found: FirstLine, world: str, quantity: str, strategy: str) -> pd.Series:
    """Return one row of the summary."""
    table = found.summary
    keep = (table["world"] == world) & (table["quantity"] == quantity) & (table["strategy"] == strategy)
    return table[keep].iloc[0]


def value(t: Catalogue, quantity: str, item: pd.Series, *, difference: bool = False) -> str:
    """Return a number of the summary with its interval."""
    if quantity == "months_alive":
        shown = signed(t, item["estimate"]) if difference else t.number(item["estimate"])
        ends = [t.number(item[key]) for key in ("lower", "upper")]
    else:
        points = signed(t, 100 * item["estimate"])
        shown = t("format.points", value=points) if difference else t.percent(item["estimate"], 1)
        low, high = (item["lower"], item["upper"]) if difference else (max(item["lower"], 0), min(item["upper"], 1))
        ends = [t.number(100 * end, 1) for end in (low, high)]
    return t("study.value_interval", value=shown, interval=t.interval(*ends))


def answer(found: FirstLine, t: Catalogue) -> Section:
    """Return the differences between the strategies in every world."""
    first, years = found.study.worlds[0].id, found.study.plan.horizon_days / 365.25
    difference = row(found, first, "alive", "difference")
    told = "apart" if difference["lower"] > 0 or difference["upper"] < 0 else "not_apart"
    said = t(
        "first_line.said",
        years=t.plain(years, 2),
        early=t.percent(row(found, first, "alive", "early")["estimate"]),
        late=t.percent(row(found, first, "alive", "late")["estimate"]),
        reached=t.percent(row(found, first, "reached", "late")["estimate"]),
        difference=value(t, "alive", difference, difference=True),
        told=t(f"first_line.{told}"),
    )
    header = (
        t("first_line.quantity"),
        *(t(f"first_line.strategy.{name}") for name in STRATEGIES),
        t("sweep.difference"),
    )
    rows: list[tuple[str, ...]] = []
    for world in found.study.worlds:
        rows.append((world_name(t, world),))
        for quantity in QUANTITIES:
            cells = [value(t, quantity, row(found, world.id, quantity, name)) for name in STRATEGIES]
            cells.append(value(t, quantity, row(found, world.id, quantity, "difference"), difference=True))
            rows.append((t(f"first_line.quantity.{quantity}", years=t.plain(years, 2)), *cells))
    names = {quantity: t(f"first_line.quantity.{quantity}", years=t.plain(years, 2)) for quantity in QUANTITIES}
    differences = [
        (name, _measure(quantity), row(found, first, quantity, "difference")) for quantity, name in names.items()
    ]
    moved = {name: bool(item["informed"]) for name, _, item in differences}
    informed = informed_sentence(t, first, moved)
    blocks: tuple[Block, ...] = (
        Paragraph(t("first_line.method")),
        Paragraph(said, "strong"),
        Paragraph(informed, "strong"),
        Table(header, tuple(rows), t("first_line.table")),
        uncertainties(t, differences),
    )
    return Section("answer", t("sweep.answer"), blocks)


def _measure(quantity: str) -> Outcome:
    """Return how a quantity is shown: a share of patients, or months."""
    unit, blank = ("month" if quantity == "months_alive" else "1"), Words(en="", zh="")
    return Outcome(title=blank, describes=blank, better="more", unit=unit, kind="number", column=quantity)


def curves(found: FirstLine, t: Catalogue) -> Section:
    """Return the share alive and the share whose therapy has not failed, from diagnosis."""
    names = {name: t(f"first_line.strategy.{name}") for name in STRATEGIES}
    first = found.curves[found.curves["world"] == found.study.worlds[0].id]
    blocks: list[Block] = []
    for endpoint in ("alive", "not_failed"):
        table = first[first["endpoint"] == endpoint]
        said = t(f"first_line.curve_said.{endpoint}")
        chart = sweep_charts.strategies(table, t, names=names, description=said)
        blocks.append(Figure(t(f"first_line.curve.{endpoint}"), chart, said, note=t("first_line.curve_note")))
    return Section("curves", t("first_line.curves"), tuple(blocks))


def second_chance(found: FirstLine, t: Catalogue) -> Section:
    """Return what becomes of those who keep the therapy for relapse."""
    worlds = {world.id: world_name(t, world) for world in found.study.worlds}
    wide = found.flow.pivot(index="step", columns="world", values=["share", "lower", "upper"])
    steps = list(dict.fromkeys(found.flow["step"]))
    rows = tuple(
        (t(f"first_line.step.{step}"), *(_share(t, wide.loc[step], world) for world in worlds)) for step in steps
    )
    table = Table((t("first_line.step"), *worlds.values()), rows)
    return Section(
        "second_chance", t("first_line.second_chance"), (Paragraph(t("first_line.second_chance_text")), table)
    )


def _share(t: Catalogue, row: pd.Series, world: str) -> str:
    """Return a share of the flow with its interval."""
    ends = (t.number(100 * row[key, world], 0) for key in ("lower", "upper"))
    return t("study.value_interval", value=t.percent(row["share", world]), interval=t.interval(*ends))


def limits(found: FirstLine, t: Catalogue) -> Section:
    """Return how it was computed, what it cannot say, and how to repeat it."""
    items = tuple(t(f"first_line.limit.{number}") for number in range(1, 5))
    lead = found.study.plan.diagnosis_to_enrollment
    command = "seedbed sweep {plan} --subjects {subjects} --seed {seed}".format(**found.facts)
    facts = ((t("first_line.fact.lead"), t("first_line.months", months=t.number(lead.days / MONTH))),)
    return Section("limits", t("sweep.limits"), (Bullets(items), Facts(facts), Code(command)))


def terminal(found: FirstLine, language: str = "en") -> TerminalTable:
    """Return the summary of the first world as a table for the terminal."""
    t = catalogue.load(language)
    first, years = found.study.worlds[0].id, t.plain(found.study.plan.horizon_days / 365.25, 2)
    table = TerminalTable(
        title=in_language(found.study.plan.title, t),
        caption=t("study.caption"),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column(t("first_line.quantity"), overflow="fold")
    for name in (*(t(f"first_line.strategy.{item}") for item in STRATEGIES), t("sweep.difference")):
        table.add_column(name, justify="right", overflow="fold")
    for quantity in QUANTITIES:
        cells = [value(t, quantity, row(found, first, quantity, name)) for name in STRATEGIES]
        cells.append(value(t, quantity, row(found, first, quantity, "difference"), difference=True))
        table.add_row(t(f"first_line.quantity.{quantity}", years=years), *cells)
    return table
