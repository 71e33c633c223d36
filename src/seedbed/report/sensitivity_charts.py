"""Charts of a sensitivity analysis: each is a function of a small table and the words of a language.

::

    from seedbed.report import catalogue, sensitivity_charts
    from seedbed.study.sensitivity import sensitivity
    result = sensitivity("sensitivity_asct_before_cart_lbcl", samples=8)
    sensitivity_charts.indices(table, catalogue.load("en"), method="sobol")   # table: rows of one outcome, with `name`
"""

from __future__ import annotations

import altair as alt
import pandas as pd

from seedbed.report import theme
from seedbed.report.catalogue import Catalogue

UP, DOWN, REFERENCE = "#0072b2", "#d55e00", "#6b7580"


def tornado(
    table: pd.DataFrame, t: Catalogue, *, title: str, percent: bool = True, description: str = ""
) -> alt.LayerChart:
    """Draw signed bars with intervals, the longest first.

    Parameters
    ----------
    table : ``name``, ``value``, ``lower``, ``upper``
    title : of the axis
    percent : whether values are shares
    """
    order = list(table.reindex(table["value"].abs().sort_values(ascending=False).index)["name"])
    form = "+%" if percent else "+.2~f"
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=360))
    color = alt.condition("datum.value >= 0", alt.value(UP), alt.value(DOWN))
    tooltip = [alt.Tooltip("name:N", title=t("sensitivity.axis.input"))]
    tooltip += [
        alt.Tooltip(f"{name}:Q", title=t(f"sensitivity.axis.{name}"), format=form)
        for name in ("value", "lower", "upper")
    ]
    base = alt.Chart(table).encode(y=y)
    bars = base.mark_bar(height=11, opacity=0.8).encode(
        x=alt.X("value:Q", title=title, axis=alt.Axis(format=form)), color=color, tooltip=tooltip
    )
    errors = base.mark_rule(color=theme.INK).encode(x=alt.X("lower:Q"), x2=alt.X2("upper:Q"))
    return theme.finish((bars + errors).properties(width=400, height=19 * len(table)), t, description=description)


def indices(table: pd.DataFrame, t: Catalogue, *, method: str, description: str = "") -> alt.LayerChart:
    """Draw Sobol's first-order and total indices, or Morris' mean effects, with their errors.

    Parameters
    ----------
    table : ``name`` and the columns of `study.sensitivity.indices` for one outcome
    """
    kinds = ("first", "total") if method == "sobol" else ("effect",)
    parts = [
        pd.DataFrame(
            {
                "name": table["name"],
                "kind": t(f"sensitivity.index.{kind}"),
                "value": table[kind],
                "lower": table[kind] - table[f"{kind}_error"],
                "upper": table[kind] + table[f"{kind}_error"],
            }
        )
        for kind in kinds
    ]
    order = list(table.sort_values(kinds[-1], ascending=False)["name"])
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=360))
    offset = alt.YOffset("kind:N", sort=[t(f"sensitivity.index.{kind}") for kind in kinds])
    scale = alt.Scale(domain=[t(f"sensitivity.index.{kind}") for kind in kinds], range=["#56b4e9", UP][-len(kinds) :])
    base = alt.Chart(pd.concat(parts)).encode(y=y, yOffset=offset)
    x = alt.X("value:Q", title=t(f"sensitivity.axis.{method}"))
    bars = base.mark_bar(height=8).encode(x=x, color=alt.Color("kind:N", title=None, scale=scale))
    errors = base.mark_rule(color=REFERENCE).encode(x=alt.X("lower:Q"), x2=alt.X2("upper:Q"))
    height = (15 + 11 * len(kinds)) * len(table)
    return theme.finish((bars + errors).properties(width=400, height=height), t, description=description)
