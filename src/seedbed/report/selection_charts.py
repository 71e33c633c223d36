"""Charts of a selection: each is a function of a small table and the words of a language, usable from a notebook.

::

    from seedbed.report import catalogue, selection_charts
    from seedbed.study.select import select
    result = select("select_asct_before_cart_lbcl", subjects=1000)
    selection_charts.treated_share(result.tables["curve"], catalogue.load("en"))
"""

from __future__ import annotations

import altair as alt
import pandas as pd

from seedbed.report import theme
from seedbed.report.catalogue import Catalogue

WIDTH = 430
MAIN, REFERENCE = "#0072b2", "#6b7580"


def covariate_name(t: Catalogue, name: str) -> str:
    """Return the name of a covariate, of the patient or of the product."""
    return t("select.product_memory_fraction") if name == "product_memory_fraction" else t.name("covariate", name)


def _zero(title: str) -> alt.Chart:
    line = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(color=REFERENCE, strokeDash=[4, 3])
    return line.encode(x=alt.X("x:Q", title=title))


def forest(table: pd.DataFrame, t: Catalogue, *, percent: bool = True, description: str = "") -> alt.LayerChart:
    """Draw the difference in every stratum with its interval.

    Parameters
    ----------
    table : ``name`` (what stands left), ``difference``, ``lower``, ``upper``, ``n``, in the order to be drawn
    percent : whether differences are shares
    """
    x_axis = alt.Axis(format="+%" if percent else "+.3~g", tickCount=7)
    y = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(grid=True, labelLimit=360))
    x_title = t("select.axis.difference")
    x = alt.X("difference:Q", title=x_title, axis=x_axis)
    tooltip = [alt.Tooltip("name:N", title=t("select.axis.stratum"))]
    tooltip += [
        alt.Tooltip(f"{name}:Q", title=t(f"select.axis.{name}"), format="+.1%" if percent else "+.3~g")
        for name in ("difference", "lower", "upper")
    ]
    tooltip.append(alt.Tooltip("n:Q", title=t("axis.n"), format=","))
    base = alt.Chart(table).encode(y=y)
    lower = alt.X("lower:Q", title=x_title)
    line = base.mark_rule(strokeWidth=2, color=MAIN).encode(x=lower, x2=alt.X2("upper:Q"))
    point = base.mark_point(filled=True, size=65, opacity=1, color=MAIN).encode(x=x, tooltip=tooltip)
    chart = (_zero(x_title) + line + point).properties(width=WIDTH, height=19 * len(table))
    return theme.finish(chart, t, description=description)


def along(table: pd.DataFrame, t: Catalogue, *, description: str = "") -> alt.TopLevelMixin:
    """Draw the expected benefit along each numeric covariate, in tenths of the patients, with a band."""
    charts = []
    for name in dict.fromkeys(table["covariate"]):
        own = table[table["covariate"] == name]
        wide = own["value"].min() > 0 and own["value"].max() > 30 * own["value"].min()
        scale = alt.Scale(type="log") if wide else alt.Scale(zero=False)
        x = alt.X("value:Q", title=covariate_name(t, name), scale=scale, axis=alt.Axis(grid=False, tickCount=5))
        y_title = t("select.axis.benefit_short")
        y = alt.Y("difference:Q", title=y_title, axis=alt.Axis(format="+%", tickCount=4))
        base = alt.Chart(own).encode(x=x)
        band = base.mark_area(opacity=0.2, color=MAIN).encode(y=alt.Y("lower:Q", title=y_title), y2=alt.Y2("upper:Q"))
        line = base.mark_line(point=True, color=MAIN).encode(y=y)
        zero = alt.Chart(pd.DataFrame({"y": [0.0]})).mark_rule(color=REFERENCE, strokeDash=[4, 3])
        zero = zero.encode(y=alt.Y("y:Q", title=y_title))
        charts.append((zero + band + line).properties(width=300, height=150))
    return theme.finish(alt.concat(*charts, columns=2).resolve_scale(y="shared"), t, description=description)


def treated_share(table: pd.DataFrame, t: Catalogue, *, description: str = "") -> alt.LayerChart:
    """Draw the benefit over everyone against the share treated, largest expected benefit first, and by lot."""
    x = alt.X("share_treated:Q", title=t("select.axis.share_treated"), axis=alt.Axis(format="%", grid=False))
    y_title = t("select.axis.benefit")
    y = alt.Y("benefit:Q", title=y_title, axis=alt.Axis(format="+%", tickCount=5))
    base = alt.Chart(table).encode(x=x)
    band = base.mark_area(opacity=0.2, color=MAIN).encode(y=alt.Y("lower:Q", title=y_title), y2=alt.Y2("upper:Q"))
    line = base.mark_line(strokeWidth=2.2, color=MAIN).encode(y=y)
    lot = base.mark_line(strokeDash=[4, 3], color=REFERENCE).encode(y=alt.Y("at_random:Q", title=y_title))
    return theme.finish((band + lot + line).properties(width=520, height=230), t, description=description)


def tree(table: pd.DataFrame, edges: pd.DataFrame, t: Catalogue, *, description: str = "") -> alt.LayerChart:
    """Draw a decision tree: boxes of text, and the answers on the lines between them.

    Parameters
    ----------
    table : ``x``, ``y`` (depth), ``text`` (list of lines), ``difference`` (missing inside the tree)
    edges : ``x``, ``y``, ``x2``, ``y2``, ``answer``
    """
    shown = table.assign(
        left=table["x"] - 0.44, right=table["x"] + 0.44, top=table["y"] - 0.27, bottom=table["y"] + 0.27
    )
    across = alt.Scale(domain=[float(shown["left"].min()) - 0.05, float(shown["right"].max()) + 0.05], nice=False)
    down = alt.Scale(reverse=True, domain=[-0.35, float(shown["y"].max()) + 0.35], nice=False)
    position = {"x": alt.X("x:Q", axis=None, scale=across), "y": alt.Y("y:Q", axis=None, scale=down)}
    lines = alt.Chart(edges).mark_rule(color=REFERENCE).encode(**position, x2=alt.X2("x2:Q"), y2=alt.Y2("y2:Q"))
    middle = edges.assign(x=(edges["x"] + edges["x2"]) / 2, y=(edges["y"] + edges["y2"]) / 2)
    halo = alt.Chart(middle).mark_point(filled=True, opacity=1, size=420, color=theme.PAPER).encode(**position)
    answers = (
        alt.Chart(middle).mark_text(color=theme.MUTED, fontSize=10.5).encode(**position, text=alt.Text("answer:N"))
    )
    limit = max(0.01, float(table["difference"].abs().max(skipna=True)))
    color = alt.Color(
        "difference:Q",
        title=t("select.axis.difference"),
        scale=alt.Scale(domain=[-limit, 0, limit], range=["#e0a07a", "#f5f6f7", "#8dbfe0"], interpolate="rgb"),
        legend=alt.Legend(format="+%"),
    )
    corners = {
        "x": alt.X("left:Q", axis=None, scale=across),
        "x2": "right:Q",
        "y": alt.Y("top:Q", axis=None, scale=down),
        "y2": "bottom:Q",
    }
    leaf = shown["difference"].notna()  # a missing number in a color scale would leave the box out
    boxes = alt.Chart(shown[leaf]).mark_rect(cornerRadius=4, stroke=theme.RULE).encode(**corners, color=color)
    inner = alt.Chart(shown[~leaf]).mark_rect(cornerRadius=4, stroke=theme.RULE, color="#e9edf1").encode(**corners)
    texts = alt.Chart(shown).mark_text(fontSize=10.5, lineHeight=13, dy=-9).encode(**position, text=alt.Text("text:N"))
    rows = int(table["y"].max()) + 1
    chart = lines + halo + answers + inner + boxes + texts
    return theme.finish(chart.properties(width=780, height=105 * rows), t, description=description)
