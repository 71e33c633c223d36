"""Charts of an attribution: all shares at a glance, the shares of one outcome, and the square of the treatments."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import altair as alt
import pandas as pd

from seedbed.report import theme
from seedbed.report.catalogue import Catalogue

PLOT_WIDTH = 470
GOOD, BAD, WHOLE, FAINT = theme.HIT, theme.MISS, theme.INK, theme.MUTED


def shares(
    table: pd.DataFrame,
    t: Catalogue,
    *,
    labels: Mapping[str, str],
    unit: str,
    compared: tuple[str, str],
    description: str = "",
) -> alt.LayerChart:
    """Draw what each part contributes to the difference between the arms, with intervals; the whole on top.

    Parameters
    ----------
    table : rows of ``Attribution.shares`` of one outcome: ``world``, ``part``, ``estimate``, ``lower``, ``upper``, and
        ``tone`` (good or bad for the patient, or whole)
    labels : name of each part, in the order of the rows
    unit : of the outcome; shares of subjects are drawn in percentage points
    compared : the world drawn as bars and the one drawn as hollow points beside them, which may be absent
    """
    scale = 100.0 if unit == "1" else 1.0
    scaled = {key: table[key] * scale for key in ("estimate", "lower", "upper")}
    shown = table.assign(name=table["part"].map(labels), **scaled).dropna(subset=["name"])
    order = [name for part, name in labels.items() if part in set(table["part"])]
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=270, ticks=False, domain=False))
    kind = {"1": "points", "log10": "log10"}.get(unit, "value")
    label = t(f"attribution.axis.{kind}")
    tooltip = [alt.Tooltip("name:N", title=t("attribution.part")), *_numbers(t, ".2f")]
    main, beside = (shown[shown["world"] == world] for world in compared)
    layers = [*_bars(main, label, y, tooltip), *_beside(beside, label, y, tooltip)]
    chart = alt.layer(*layers).properties(width=PLOT_WIDTH, height=alt.Step(28))
    return theme.finish(chart, t, description=description)


def _numbers(t: Catalogue, form: str) -> list[alt.Tooltip]:
    names = ("estimate", "lower", "upper")
    return [alt.Tooltip(f"{key}:Q", title=t(f"number.{key}"), format=form) for key in names]


def _x(column: str, label: str) -> alt.X:
    return alt.X(f"{column}:Q", title=label)


def _bars(table: pd.DataFrame, label: str, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    base = alt.Chart(table).encode(y=y)
    scale = alt.Scale(domain=["good", "bad", "whole"], range=[GOOD, BAD, WHOLE])
    color = alt.Color("tone:N", scale=scale, legend=None)
    bars = base.mark_bar(height=15, opacity=0.85).encode(x=_x("estimate", label), color=color, tooltip=tooltip)
    error = base.mark_rule(strokeWidth=1.6, color=theme.MUTED).encode(x=_x("lower", label), x2=alt.X2("upper:Q"))
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(color=WHOLE, strokeWidth=1).encode(x=_x("x", label))
    return [bars, error, zero]


def _beside(table: pd.DataFrame, label: str, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    if table.empty:
        return []
    other = alt.Chart(table).encode(y=y, yOffset=alt.value(21))
    line = other.mark_rule(strokeWidth=1.2, color=FAINT, strokeDash=[3, 2])
    line = line.encode(x=_x("lower", label), x2=alt.X2("upper:Q"))
    point = other.mark_point(size=42, filled=False, color=FAINT, strokeWidth=1.6)
    point = point.encode(x=_x("estimate", label), tooltip=tooltip)
    return [line, point]


def overview(table: pd.DataFrame, t: Catalogue, *, description: str = "") -> alt.LayerChart:
    """Draw all shares in one picture: a row a part, a column an outcome, colored by what is good for the patient.

    Parameters
    ----------
    table : ``part_name``, ``outcome_name``, ``text``, ``tone`` (-1 to 1, above 0 is good for the patient) and
        ``certain`` (whether the interval excludes zero)
    """
    broken = {name: "|".join(textwrap.wrap(name, 17)) for name in table["outcome_name"].unique()}
    table = table.assign(outcome_name=table["outcome_name"].map(broken))
    parts, names = (list(dict.fromkeys(table[column])) for column in ("part_name", "outcome_name"))
    y_axis = alt.Axis(labelLimit=270, ticks=False, domain=False)
    lines = "split(datum.label, '|')"
    x_axis = alt.Axis(
        orient="top", labelAngle=0, labelLimit=120, labelPadding=20, ticks=False, domain=False, labelExpr=lines
    )
    base = alt.Chart(table).encode(
        y=alt.Y("part_name:N", sort=parts, title=None, axis=y_axis),
        x=alt.X("outcome_name:N", sort=names, title=None, axis=x_axis),
    )
    scale = alt.Scale(domain=[-1, 0, 1], range=[BAD, theme.PAPER, GOOD], interpolate="rgb")
    cells = base.mark_rect(stroke=theme.RULE).encode(color=alt.Color("tone:Q", scale=scale, legend=None))
    strong = alt.condition("abs(datum.tone) > 0.6", alt.value(theme.PAPER), alt.value(WHOLE))
    plain = base.transform_filter("!datum.certain").mark_text(fontSize=11.5)
    bold = base.transform_filter("datum.certain").mark_text(fontSize=11.5, fontWeight="bold")
    texts = [layer.encode(text=alt.Text("text:N"), color=strong) for layer in (plain, bold)]
    chart = alt.layer(cells, *texts).properties(width=100 * len(names), height=30 * len(parts))
    return theme.finish(chart, t, description=description)


def square(
    table: pd.DataFrame, expected: Mapping[str, float], t: Catalogue, *, description: str = ""
) -> alt.FacetChart:
    """Draw success in the four corners, and what independent action would give with both.

    Parameters
    ----------
    table : ``outcome_name``, ``corner``, ``estimate``, ``lower``, ``upper``
    expected : outcome name -> success expected with both
    """
    corners = {corner: t(f"attribution.corner.{corner}") for corner in ("neither", "asct", "cart", "both")}
    color = {"neither": "neither", "asct": "asct", "cart": "cart", "both": "asct_cart"}
    shown = table.assign(corner_name=table["corner"].map(corners), expected=table["outcome_name"].map(expected))
    shown["expected"] = shown["expected"].where(shown["corner"] == "both")
    scale = alt.Scale(domain=list(corners.values()), range=[theme.ARM_COLORS[color[key]] for key in corners])
    x = alt.X("corner_name:N", sort=list(corners.values()), title=None, axis=alt.Axis(labelAngle=0))
    y = alt.Y("estimate:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))
    base = alt.Chart().encode(x=x)
    tooltip = [alt.Tooltip("corner_name:N", title=t("axis.arm")), *_numbers(t, ".1%")]
    fill = alt.Color("corner_name:N", scale=scale, legend=None)
    bars = base.mark_bar(width=42).encode(y=y, color=fill, tooltip=tooltip)
    error = base.mark_rule(strokeWidth=1.6, color=WHOLE).encode(y=alt.Y("lower:Q", title=None), y2=alt.Y2("upper:Q"))
    mark = base.mark_tick(thickness=3, size=56, color=WHOLE).encode(y=alt.Y("expected:Q"))
    layers = alt.layer(bars, error, mark).properties(width=330, height=220)
    chart = layers.facet(data=shown, column=alt.Column("outcome_name:N", title=None), spacing=24)
    return theme.finish(chart, t, description=description)
