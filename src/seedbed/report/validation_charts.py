"""Charts and report of a validation: published rows beside predictive intervals, hits and misses, and totals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import altair as alt
import pandas as pd
from rich.console import Group

from seedbed.calibration.validation_run import Validation
from seedbed.report import catalogue, page, theme
from seedbed.report.blocks import Block, Figure, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.terminal import as_table

ROW_HEIGHT = 15
VALUE_KIND = "value"


def intervals(table: pd.DataFrame, t: Catalogue, *, kind: str = "share", description: str = "") -> alt.LayerChart:
    """Draw published rows beside their predictions, one line a row, grouped by arm.

    Parameters
    ----------
    table : rows of one `kind` of a validation (see `seedbed.calibration.validation_run`): ``arm``, ``label``,
        ``observed``, ``published_lower``, ``published_upper``, ``lower``, ``upper``, ``parameters_lower``,
        ``parameters_upper``, ``hit``
    kind : ``share`` has an axis from 0 to 1, ``value`` a logarithmic one
    """
    shown = table[table["kind"] == kind].copy()
    shown["result"] = shown["hit"].map({True: t("validation.hit"), False: t("validation.miss")})
    shown["row"] = shown["arm"] + " · " + shown["label"]
    scale = alt.Scale(type="log") if kind == VALUE_KIND else alt.Scale(domain=[0, 1])
    title = t("validation.axis.value" if kind == VALUE_KIND else "validation.axis.share")
    axis = alt.Axis(format="%") if kind != VALUE_KIND else alt.Axis()
    y = alt.Y("row:N", sort=None, title=None, axis=alt.Axis(labelLimit=340, grid=True, ticks=False))
    x = alt.X("lower:Q", scale=scale, title=title, axis=axis)
    base = alt.Chart(shown).encode(y=y)
    whole = base.mark_rule(strokeWidth=2, color=theme.MUTED).encode(x=x, x2=alt.X2("upper:Q"))
    parameters = base.mark_rule(strokeWidth=6, opacity=0.55, color="#0072b2").encode(
        x=alt.X("parameters_lower:Q", scale=scale, title=title), x2=alt.X2("parameters_upper:Q")
    )
    color = alt.Color(
        "result:N",
        title=None,
        scale=alt.Scale(domain=[t("validation.hit"), t("validation.miss")], range=[theme.HIT, theme.MISS]),
    )
    published = base.mark_rule(strokeWidth=1).encode(
        x=alt.X("published_lower:Q", scale=scale, title=title), x2=alt.X2("published_upper:Q"), color=color
    )
    points = base.mark_point(shape="diamond", filled=True, size=55, opacity=1).encode(
        x=alt.X("observed:Q", scale=scale, title=title), color=color, tooltip=_tooltips(t)
    )
    chart = (whole + parameters + published + points).properties(width=430, height=alt.Step(ROW_HEIGHT))
    return theme.finish(chart, t, description=description)


def _tooltips(t: Catalogue) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("row:N", title=t("validation.row")),
        alt.Tooltip("observed:Q", title=t("validation.published"), format=".3g"),
        alt.Tooltip("lower:Q", title="5 %", format=".3g"),
        alt.Tooltip("upper:Q", title="95 %", format=".3g"),
    ]


def write(found: Validation, name: str, out: Path, language: str = "en") -> Path:
    """Write the report of a validation as one HTML file and return its path."""
    t = catalogue.load(language)
    return page.write(t("validation.title", name=name), list(_sections(found, t)), out, language)


def terminal(found: Validation, language: str = "en") -> Group:
    """Return every row and the totals as tables for the terminal."""
    t = catalogue.load(language)
    rows = [
        replace(rows_table(group, t), title=t(f"validation.section.{use}"))
        for use, group in found.rows.groupby("use", sort=False)
    ]
    totals = replace(totals_table(found.totals, t), title=t("validation.section.totals"))
    return Group(*(as_table(table) for table in (*rows, totals)))


def _sections(found: Validation, t: Catalogue) -> Iterator[Section]:
    summary = (Paragraph(t("validation.how")), totals_table(found.totals, t), studies_table(found.studies, t))
    yield Section("totals", t("validation.section.totals"), summary)
    for use in found.rows["use"].unique():
        yield Section(use, t(f"validation.section.{use}"), tuple(_blocks(found.rows[found.rows["use"] == use], use, t)))


def _blocks(rows: pd.DataFrame, use: str, t: Catalogue) -> Iterator[Block]:
    for kind in ("share", VALUE_KIND):
        if (rows["kind"] == kind).any():
            title = t("validation.axis.value" if kind == VALUE_KIND else "validation.axis.share")
            caption = t("validation.caption")
            chart = intervals(rows, t, kind=kind, description=f"{t(f'validation.section.{use}')}. {caption}")
            yield Figure(title, chart, caption)
    yield rows_table(rows, t)


def totals_table(totals: pd.DataFrame, t: Catalogue) -> Table:
    """Return hits and scores, fitted and predicted rows apart, beside both rivals."""
    names = ("use", "rival", "rows", "studies", "hits", "width", "rival_width", "score", "rival_score", "difference")
    rows = [
        (
            t(f"validation.use.{row.use}"),
            t(f"validation.rival.{row.rival}"),
            f"{row.compared}/{row.rows}",
            str(row.studies),
            f"{row.hits} ({100 * row.coverage:.0f}%)",
            *(f"{value:.2f}" for value in (row.width, row.rival_width)),
            *(f"{value:.3f}" for value in (row.score, row.rival_score)),
            f"{row.difference:+.3f} ({row.standard_error:.3f})",
        )
        for row in totals.itertuples()
    ]
    header = tuple(t(f"validation.column.{name}") for name in names)
    return Table(header, tuple(rows), note=t("validation.rule"), n_text=2)


def studies_table(studies: pd.DataFrame, t: Catalogue) -> Table:
    """Return the scores study by study."""
    names = ("use", "study", "rival", "rows", "hits", "score", "rival_score", "difference")
    rows = [
        (
            t(f"validation.use.{row.use}"),
            str(row.study),
            t(f"validation.rival.{row.rival}"),
            f"{row.compared}/{row.rows}",
            str(row.hits),
            *(f"{value:.3f}" for value in (row.score, row.rival_score)),
            f"{row.difference:+.3f}",
        )
        for row in studies.itertuples()
    ]
    header = tuple(t(f"validation.column.{name}") for name in names)
    return Table(header, tuple(rows), folded=True, n_text=3)


def rows_table(rows: pd.DataFrame, t: Catalogue) -> Table:
    """Return every row with its interval and what each part adds to its width."""
    header = (
        *(t(f"validation.{name}") for name in ("row", "published", "predicted", "parameters", "study", "sampling")),
        t("validation.result"),
        t("validation.meta"),
        t("validation.null"),
    )
    body: list[tuple[str, ...]] = []
    for arm, group in rows.groupby("arm", sort=False):
        body.append((str(arm),))
        body += [_row(row, t) for row in group.itertuples()]
    return Table(header, tuple(body), folded=True, layout="dense wide")


def _row(row: object, t: Catalogue) -> tuple[str, ...]:
    def interval(low: float, high: float) -> str:
        return "–" if pd.isna(low) or pd.isna(high) else f"{low:.3g}–{high:.3g}"

    lower, upper = row.published_lower, row.published_upper  # type: ignore[attr-defined]
    own = interval(lower, upper)
    return (
        str(row.label),  # type: ignore[attr-defined]
        f"{row.observed:.3g}" + ("" if own == "–" else f" ({own})"),  # type: ignore[attr-defined]
        f"{row.median:.3g} ({interval(row.lower, row.upper)})",  # type: ignore[attr-defined]
        *(f"{getattr(row, f'width_{part}'):.2f}" for part in ("parameters", "study", "sampling")),
        t("validation.hit" if row.hit else "validation.miss"),  # type: ignore[attr-defined]
        interval(row.meta_lower, row.meta_upper),  # type: ignore[attr-defined]
        interval(row.null_lower, row.null_upper),  # type: ignore[attr-defined]
    )
