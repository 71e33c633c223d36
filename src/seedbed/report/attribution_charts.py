"""Charts of an attribution: shares of each mechanism, and the square of neither, ASCT, CAR-T and both."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import altair as alt
import pandas as pd

from seedbed.report import theme
from seedbed.report.catalogue import Catalogue

PLOT_WIDTH = 470
GOOD, BAD, WHOLE])
    base = alt.Chart(shown[shown["world"] == first]).encode(y=y)
    bars = base.mark_bar(height=15, opacity=0.85).encode(
        x=x, color=alt.Color("tone:N", scale=colors, legend=None), tooltip=tooltip
    )
    error = base.mark_rule(strokeWidth=1.6, color=WHOLE).encode(x=alt.X("lower:Q", title=None), x2="upper:Q")
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(color=WHOLE, strokeWidth=1).encode(x="x:Q")
    layers = [bars, error, zero]
    beside = shown[shown["world"] == second]
    if len(beside):
        other = alt.Chart(beside).encode(y=y, yOffset=alt.value(21))
        layers += [
            other.mark_rule(strokeWidth=1.2, color=FAINT, strokeDash=[3, 2]).encode(x="lower:Q", x2="upper:Q"),
            other.mark_point(size=42, filled=False, color=FAINT, strokeWidth=1.6).encode(x=x, tooltip=tooltip),
        ]
    chart = alt.layer(*layers).properties(width=PLOT_WIDTH, height=alt.Step(28))
    return theme.finish(chart, t, description=description)


def _tone(row: object, better: int) -> str:
    if row.part == "total":  # type: ignore[attr-defined]
        return "whole"
    return "good" if row.estimate * better >= 0 else "bad"  # type: ignore[attr-defined]


def _kind(unit: str) -> str:
    return {"1": "points", "log10": "log10"}.get(unit, "value")


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
    x_axis = alt.Axis(orient="top", labelAngle=0, labelLimit=120, ticks=False, domain=False, labelExpr="split(datum.label, '|')")
    base = alt.Chart(table).encode(
        y=alt.Y("part_name:N", sort=parts, title=None, axis=y_axis),
        x=alt.X("outcome_name:N", sort=names, title=None, axis=x_axis),
    )
    scale = alt.Scale(domain=[-1, 0, 1], range=[BAD, theme.PAPER, GOOD])
    cells = base.mark_rect(stroke=theme.RULE).encode(color=alt.Color("tone:Q", scale=scale, legend=None))
    weight = alt.condition("datum.certain", alt.value(700), alt.value(400))
    strong = alt.condition("abs(datum.tone) > 0.6", alt.value(theme.PAPER), alt.value(WHOLE))
    text = base.mark_text(fontSize=11.5).encode(text="text:N", color=strong, fontWeight=weight)
    chart = alt.layer(cells, text).properties(width=100 * len(names), height=30 * len(parts))
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
    tooltip = [alt.Tooltip("corner_name:N", title=t("axis.arm"))] + [
        alt.Tooltip(f"{key}:Q", title=t(f"number.{key}"), format=".1%") for key in ("estimate", "lower", "upper")
    ]
    fill = alt.Color("corner_name:N", scale=scale, legend=None)
    bars = base.mark_bar(width=42).encode(y=y, color=fill, tooltip=tooltip)
    error = base.mark_rule(strokeWidth=1.6, color=WHOLE).encode(y=alt.Y("lower:Q", title=None), y2="upper:Q")
    mark = base.mark_tick(thickness=3, size=56, color=WHOLE).encode(y="expected:Q")
    layers = alt.layer(bars, error, mark).properties(width=330, height=220)
    chart = layers.facet(data=shown, column=alt.Column("outcome_name:N", title=None), spacing=24)
    return theme.finish(chart, t, description=description)
