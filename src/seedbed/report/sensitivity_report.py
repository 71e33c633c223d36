"""The report of a sensitivity analysis: tornado of parameters, indices, and what goes with outcomes among patients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table as TerminalTable

from seedbed.analysis.results import normal_quantile
from seedbed.report import catalogue, page, sensitivity_charts
from seedbed.report.blocks import Block, Figure, Head, Notice, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.wording import signed, words
from seedbed.study.select.pairs import UNIT
from seedbed.study.sensitivity import Sensitivity
from seedbed.study.sensitivity.points import AMOUNTS

SHOWN = ("progression_free", "crs_grade_3", "icans_grade_3", "days_anc_below_0_5")
SHOWN_INPUTS = 14
PLAIN = {*UNIT, *AMOUNTS}


def write(result: Sensitivity, folder: Path, language: str = "en") -> Path:
    """Write the report of a sensitivity analysis as one HTML file that needs nothing else, and return its path."""
    t = catalogue.load(language)
    name = "report.html" if language == "en" else f"report-{language}.html"
    plan, facts = result.plan, result.facts
    shown = (
        (t("head.protocol"), plan.protocol),
        (t("sensitivity.fact.method"), t(f"sensitivity.method.{plan.design.method}")),
        (t("sensitivity.fact.points"), t.count(facts["points"])),
        (t("sensitivity.fact.panel"), t.count(facts["panel"])),
        (t("sensitivity.fact.screened"), t.count(facts["screened"])),
        (t("head.version"), facts["seedbed_version"]),
    )
    notices = (Notice(t("page.purpose"), "", "quiet"),)
    head = Head(t("sensitivity.kicker"), words(plan.question.model_dump(), t), shown, notices)
    title = words(plan.title.model_dump(), t)
    return page.write(title, list(sections(result, t)), folder / name, language, head=head)


def sections(result: Sensitivity, t: Catalogue) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield Section("effect", t("sensitivity.effect.title"), tuple(design(result, t, "difference")))
    yield Section("arms", t("sensitivity.arms.title"), tuple(design(result, t, "control")))
    yield Section("patients", t("sensitivity.patients.title"), tuple(screening(result, t)))
    limits = tuple(Paragraph(t(f"sensitivity.limit.{number}")) for number in range(1, 4))
    yield Section("limits", t("sensitivity.limits.title"), limits)


def months(result: Sensitivity) -> int:
    """Return the horizon in months."""
    return round(result.plan.horizon_days / (365.25 / 12))


def outcome_name(t: Catalogue, result: Sensitivity, outcome: str) -> str:
    """Return the name of an outcome."""
    if outcome in AMOUNTS:
        return t(f"sensitivity.amount.{outcome}")
    return t(f"select.outcome.{outcome}", months=months(result))


def index_rows(result: Sensitivity, t: Catalogue, outcome: str, where: str) -> pd.DataFrame:
    """Return the indices of one outcome with the names of the factors."""
    table = result.tables["indices"]
    chosen = table[(table["outcome"] == outcome) & (table["where"] == where)]
    names = {key: words(factor.title.model_dump(), t) for key, factor in result.plan.factors.items()}
    return chosen.assign(name=chosen["factor"].map(names))


def leader(result: Sensitivity, t: Catalogue, outcome: str, where: str) -> str:
    """Return the sentence that names what decides an outcome most, of those clear of zero together (Bonferroni)."""
    table = index_rows(result, t, outcome, where)
    widened = normal_quantile(1.0 - 0.05 / len(table)) / normal_quantile(0.95)
    clear = table[table["swing"].abs() > widened * (table["swing_upper"] - table["swing"])]
    name = outcome_name(t, result, outcome)
    if clear.empty:
        return t("sensitivity.no_leader", outcome=name)
    first = clear.loc[clear["swing"].abs().idxmax()]
    if outcome in PLAIN:
        return t("sensitivity.leader", outcome=name, factor=first["name"], move=signed(t, first["swing"], 2))
    move = signed(t, 100 * first["swing"], 1)
    return t("sensitivity.leader_points", outcome=name, factor=first["name"], move=move)


def design(result: Sensitivity, t: Catalogue, where: str) -> Iterator[Block]:
    """Yield tornado and indices of each outcome, of the difference between the arms or in the control arm."""
    yield Paragraph(t(f"sensitivity.text.{where}"))
    method = result.plan.design.method
    for outcome in (*SHOWN, *AMOUNTS):
        table = index_rows(result, t, outcome, where)
        swings = table.rename(columns={"swing": "value", "swing_lower": "lower", "swing_upper": "upper"})
        text = leader(result, t, outcome, where)
        percent = outcome not in PLAIN
        axis = t("sensitivity.axis.swing")
        chart = sensitivity_charts.tornado(
            swings[["name", "value", "lower", "upper"]], t, title=axis, percent=percent, description=text
        )
        yield Figure(outcome_name(t, result, outcome), chart, text, index_table(t, table, method, percent=percent))
    primary = index_rows(result, t, SHOWN[0], where)
    text = t(f"sensitivity.indices.{method}")
    chart = sensitivity_charts.indices(primary, t, method=method, description=text)
    title = t("sensitivity.indices_of", outcome=outcome_name(t, result, SHOWN[0]))
    yield Figure(title, chart, text, index_table(t, primary, method, percent=True))


def index_table(t: Catalogue, table: pd.DataFrame, method: str, *, percent: bool) -> Table:
    """Return swing and indices of each factor as a table."""
    scale = 100 if percent else 1
    kinds = ("first", "total") if method == "sobol" else ("effect",)
    rows = tuple(
        (
            row["name"],
            signed(t, scale * row["swing"], 1),
            t.interval(signed(t, scale * row["swing_lower"], 1), signed(t, scale * row["swing_upper"], 1)),
            *(t("format.plus_minus", value=t.number(row[k], 2), error=t.number(row[f"{k}_error"], 2)) for k in kinds),
        )
        for _, row in table.iterrows()
    )
    header = (t("sensitivity.axis.input"), t("sensitivity.axis.swing"), t("format.level"))
    return Table((*header, *(t(f"sensitivity.index.{kind}") for kind in kinds)), rows, layout="dense")


def input_name(t: Catalogue, name: str) -> str:
    """Return the name of an input of the screening."""
    if name.startswith("parameter:"):
        return t("sensitivity.parameter", name=name.removeprefix("parameter:").replace("_", " "))
    return t.name("covariate", name)


def screening(result: Sensitivity, t: Catalogue) -> Iterator[Block]:
    """Yield the partial rank correlations of the treatment effect and of outcomes of the arms."""
    yield Paragraph(t("sensitivity.screening", n=t.count(result.facts["screened"]), inputs=result.facts["inputs"]))
    for outcome, where in (
        ("progression_free", "difference"),
        ("progression_free", "control"),
        ("crs_grade_3", "control"),
    ):
        table = result.tables["ranks"]
        chosen = table[(table["outcome"] == outcome) & (table["where"] == where)]
        top = chosen.reindex(chosen["correlation"].abs().sort_values(ascending=False).index).head(SHOWN_INPUTS)
        shown = top.rename(columns={"correlation": "value"}).assign(name=[input_name(t, n) for n in top["input"]])
        title = t(f"sensitivity.rank_title.{where}", outcome=outcome_name(t, result, outcome))
        text = t("sensitivity.rank_text")
        chart = sensitivity_charts.tornado(
            shown[["name", "value", "lower", "upper"]],
            t,
            title=t("sensitivity.axis.rank"),
            percent=False,
            description=text,
        )
        rows = tuple(
            (
                row["name"],
                signed(t, row["value"], 2),
                t.interval(signed(t, row["lower"], 2), signed(t, row["upper"], 2)),
                t("select.yes") if row["clear"] else t("select.no"),
            )
            for _, row in shown.iterrows()
        )
        header = (t("sensitivity.axis.input"), t("sensitivity.axis.rank"), t("format.level"), t("sensitivity.clear"))
        yield Figure(title, chart, text, Table(header, rows, layout="dense"))


def terminal(result: Sensitivity, language: str = "en") -> TerminalTable:
    """Return the indices of the treatment effect as a table for the terminal."""
    t = catalogue.load(language)
    found = index_rows(result, t, SHOWN[0], "difference").sort_values("swing", key=abs, ascending=False)
    made = index_table(t, found, result.plan.design.method, percent=True)
    title = words(result.plan.title.model_dump(), t)
    table = TerminalTable(title=title, caption=escape(leader(result, t, SHOWN[0], "difference")), box=box.SIMPLE)
    for place, name in enumerate(made.header):
        table.add_column(escape(str(name)), justify="left" if place == 0 else "right", overflow="fold")
    for row in made.rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    return table
