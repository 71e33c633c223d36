"""Charts of a forecast: each is a function of a small table and the words of a language, usable from a notebook.

::

    from seedbed.report import catalogue, forecast_charts
    from seedbed.study.forecast import forecast
    result = forecast("patient.yaml")
    forecast_charts.course(result.tables["courses"], result.tables["before"], result.tables["values"],
                           "platelets", catalogue.load("en"), last_day=result.patient.last_day)
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from seedbed.report import theme
from seedbed.report.catalogue import Catalogue

WIDTH, HEIGHT = 640, 220
MAIN, BEFORE, OWN = "#0072b2", "#6b7580", "#1b2733"
SHOWN_UNTIL_DAY = 120.0


def course(
    courses: pd.DataFrame,
    before: pd.DataFrame,
    values: pd.DataFrame,
    quantity: str,
    t: Catalogue,
    *,
    last_day: float | None,
    description: str = "",
) -> alt.LayerChart:
    """Draw the forecast band of a quantity over the patient's own values, and dashed the band without them.

    Parameters
    ----------
    courses, before : tables of a forecast, with and without the measurements
    values : the measurements
    last_day : where knowledge ends and the forecast begins [day of the clock]
    """
    own = values[values["quantity"] == quantity]
    band = _of(courses, quantity, -2.0 if last_day is None else last_day)
    wide = _of(before, quantity, -2.0)
    smallest = float(min(wide["q05"].min(), own["value"].min() if len(own) else np.inf))
    scale = alt.Scale(type="log", nice=True) if smallest > 0 else alt.Scale()
    x = alt.X("day:Q", title=t("forecast.axis.day"), axis=alt.Axis(grid=False))
    y = alt.Y("q05:Q", title=t(f"forecast.quantity.{quantity}"), scale=scale, axis=alt.Axis(tickCount=5))
    edges = wide.melt(["day"], ["q05", "q95"], "edge", "value")
    dashed = (
        alt.Chart(edges)
        .mark_line(strokeDash=[4, 3], strokeWidth=1.2, color=BEFORE)
        .encode(x=x, y=alt.Y("value:Q", scale=scale), detail=alt.Detail("edge:N"))
    )
    base = alt.Chart(band).encode(x=x)
    outer = base.mark_area(opacity=0.18, color=MAIN).encode(y=y, y2=alt.Y2("q95:Q"))
    inner = base.mark_area(opacity=0.28, color=MAIN).encode(y=alt.Y("q25:Q", scale=scale), y2=alt.Y2("q75:Q"))
    tooltip = [
        alt.Tooltip(f"{name}:Q", title=t(f"forecast.axis.{name}"), format=".3~g")
        for name in ("day", "q05", "q50", "q95")
    ]
    middle = base.mark_line(color=MAIN, strokeWidth=2).encode(y=alt.Y("q50:Q", scale=scale), tooltip=tooltip)
    points = alt.Chart(own).mark_point(filled=True, size=45, color=OWN).encode(x=x, y=alt.Y("value:Q", scale=scale))
    layers = [dashed, outer, inner, middle, points]
    return theme.finish(alt.layer(*layers).properties(width=WIDTH, height=HEIGHT), t, description=description)


def _of(table: pd.DataFrame, quantity: str, first: float) -> pd.DataFrame:
    chosen = table[(table["quantity"] == quantity) & (table["day"] >= first) & (table["day"] <= SHOWN_UNTIL_DAY)]
    return chosen.drop(columns="quantity").dropna()


def chances(table: pd.DataFrame, t: Catalogue, *, description: str = "") -> alt.LayerChart:
    """Draw the probability of each toxicity and response with its interval."""
    named = table.assign(name=[t(f"forecast.outcome.{name}") for name in table["outcome"]])
    y = alt.Y("name:N", sort=list(named["name"]), title=None, axis=alt.Axis(grid=False))
    x = alt.X("probability:Q", title=t("forecast.axis.probability"), axis=alt.Axis(format="%"))
    x.scale = alt.Scale(domain=[0, 1])
    tooltip = [alt.Tooltip("name:N", title=t("forecast.axis.outcome"))]
    tooltip += [
        alt.Tooltip(f"{name}:Q", title=t(f"forecast.axis.{name}"), format=".0%")
        for name in ("probability", "lower", "upper")
    ]
    base = alt.Chart(named).encode(y=y)
    lower = alt.X("lower:Q", title=t("forecast.axis.probability"))
    line = base.mark_rule(strokeWidth=2, color=MAIN).encode(x=lower, x2=alt.X2("upper:Q"))
    point = base.mark_point(filled=True, size=80, color=MAIN, opacity=1).encode(x=x, tooltip=tooltip)
    return theme.finish((line + point).properties(width=460, height=24 * len(named)), t, description=description)


def survival(table: pd.DataFrame, t: Catalogue, *, description: str = "") -> alt.LayerChart:
    """Draw progression-free survival of the virtual patients that resemble the patient, from day 0 of the clock."""
    shown = table.assign(month=table["day"] / (365.25 / 12))
    x = alt.X("month:Q", title=t("forecast.axis.months"), axis=alt.Axis(grid=False, values=list(range(0, 37, 3))))
    y = alt.Y("probability:Q", title=t("axis.survival"), axis=alt.Axis(format="%", tickCount=5))
    y.scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(shown).encode(x=x)
    lower = alt.Y("lower:Q", title=t("axis.survival"))
    band = base.mark_area(opacity=0.2, color=MAIN).encode(y=lower, y2=alt.Y2("upper:Q"))
    tooltip = [
        alt.Tooltip("month:Q", title=t("forecast.axis.months"), format=".1f"),
        alt.Tooltip("probability:Q", title=t("axis.survival"), format=".0%"),
    ]
    line = base.mark_line(color=MAIN, strokeWidth=2.2).encode(y=y, tooltip=tooltip)
    return theme.finish((band + line).properties(width=WIDTH, height=theme.HEIGHT), t, description=description)
