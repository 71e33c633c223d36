"""Charts of a sweep: response along a factor, benefit against harm, probability of being best, two options compared."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from seedbed.report import theme
from seedbed.report.catalogue import Catalogue

WORLD_COLORS = ("#0072b2", "#8a939c", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
PERCENT, PLAIN = ".1~%", ".3~r"
APART = 0.008
"""How far the worlds of one option stand apart along a number, as a share of its range."""
MOST_LABELS = 12


def _worlds(table: pd.DataFrame, names: Mapping[str, str]) -> tuple[pd.DataFrame, alt.Color]:
    """Return the table with names of worlds, and their color in the order of `names`."""
    shown = [name for world, name in names.items() if world in set(table["world"])]
    colors = [WORLD_COLORS[k % len(WORLD_COLORS)] for k, world in enumerate(names) if world in set(table["world"])]
    legend = alt.Legend(columns=2, labelLimit=380)
    color = alt.Color("world_name:N", title=None, scale=alt.Scale(domain=shown, range=colors), legend=legend)
    return table.assign(world_name=table["world"].map(names)), color


def along(
    points: pd.DataFrame,
    curve: pd.DataFrame,
    t: Catalogue,
    *,
    worlds: Mapping[str, str],
    axis: str,
    unit: str,
    label: str,
    description: str = "",
) -> alt.LayerChart:
    """Draw an outcome along a number: the options' means with intervals, and the fitted response as a band.

    Worlds of one option stand a little apart.

    Parameters
    ----------
    points : ``world``, ``value``, ``estimate``, ``lower``, ``upper``
    curve : of the first world, the same columns; may be empty
    axis, label : titles of the factor and of the outcome
    unit : of the outcome
    """
    form = PERCENT if unit == "1" else PLAIN
    named, color = _worlds(_apart(points, worlds), worlds)
    x = alt.X("value:Q", title=axis, axis=alt.Axis(grid=False), scale=alt.Scale(padding=12, nice=False))
    y = alt.Y("estimate:Q", title=label, axis=alt.Axis(format=form, tickCount=5, titleLimit=230))
    base = alt.Chart(named).encode(x=x, color=color)
    tooltip = [alt.Tooltip("world_name:N", title=t("sweep.world")), alt.Tooltip("at:Q", title=axis)]
    tooltip += [
        alt.Tooltip(f"{key}:Q", title=t(f"number.{key}"), format=".1%" if unit == "1" else ".2f")
        for key in ("estimate", "lower", "upper")
    ]
    error = base.mark_rule(strokeWidth=1.2, opacity=0.7).encode(y=alt.Y("lower:Q", title=label), y2=alt.Y2("upper:Q"))
    line = base.mark_line(strokeWidth=1.8).encode(y=y)
    dots = base.mark_point(filled=True, size=45).encode(y=y, tooltip=tooltip)
    layers = [line, error, dots]
    if len(curve):
        band = alt.Chart(curve).mark_area(opacity=0.14, color=WORLD_COLORS[0])
        layers.insert(0, band.encode(x=x, y=alt.Y("lower:Q", title=label), y2=alt.Y2("upper:Q")))
    chart = alt.layer(*layers).properties(width=620, height=230)
    return theme.finish(chart, t, description=description)


def _apart(points: pd.DataFrame, worlds: Mapping[str, str]) -> pd.DataFrame:
    """Return the points with the worlds a little apart, so that their intervals do not lie on each other."""
    present = [world for world in worlds if world in set(points["world"])]
    step = APART * float(points["value"].max() - points["value"].min())
    offset = {world: step * (k - (len(present) - 1) / 2) for k, world in enumerate(present)}
    return points.assign(at=points["value"], value=points["value"] + points["world"].map(offset))


def levels(
    points: pd.DataFrame, t: Catalogue, *, worlds: Mapping[str, str], unit: str, label: str, description: str = ""
) -> alt.FacetChart:
    """Draw an outcome by option: the means with intervals, a point a world.

    Parameters
    ----------
    points : ``world``, ``option_name``, ``estimate``, ``lower``, ``upper``
    """
    named, color = _worlds(points, worlds)
    order = list(dict.fromkeys(named["option_name"]))
    y = alt.Y("option_name:N", sort=order, title=None, axis=alt.Axis(labelLimit=300, ticks=False))
    offset = alt.YOffset("world_name:N", sort=list(worlds.values()))
    x = alt.X("estimate:Q", title=label, axis=alt.Axis(format=PERCENT if unit == "1" else PLAIN, tickCount=6))
    base = alt.Chart(named).encode(y=y, yOffset=offset, color=color)
    tooltip = [
        alt.Tooltip("world_name:N", title=t("sweep.world")),
        alt.Tooltip("option_name:N", title=t("sweep.option")),
    ]
    tooltip += [
        alt.Tooltip(f"{key}:Q", title=t(f"number.{key}"), format=".3f") for key in ("estimate", "lower", "upper")
    ]
    error = base.mark_rule(strokeWidth=1.4).encode(x=alt.X("lower:Q", title=label), x2=alt.X2("upper:Q"))
    dots = base.mark_point(filled=True, size=45).encode(x=x, tooltip=tooltip)
    chart = alt.layer(error, dots).properties(width=430, height=alt.Step(11))
    return theme.finish(chart, t, description=description)


def pareto(
    table: pd.DataFrame, t: Catalogue, *, titles: tuple[str, str], shares: tuple[bool, bool], description: str = ""
) -> alt.LayerChart:
    """Draw benefit against harm, an option a point with its intervals; the front is joined.

    Parameters
    ----------
    table : ``option_name``, ``on_front``, and ``benefit`` and ``harm`` each with ``_lower`` and ``_upper``
    titles, shares : names of benefit and harm, and whether each is a share
    """
    forms = [PERCENT if share else PLAIN for share in shares]
    scales = [_room(table, key, share) for key, share in zip(("benefit", "harm"), shares, strict=True)]
    x = alt.X("harm:Q", title=titles[1], axis=alt.Axis(format=forms[1]), scale=scales[1])
    y = alt.Y("benefit:Q", title=titles[0], axis=alt.Axis(format=forms[0]), scale=scales[0])
    base = alt.Chart(table)
    faint = {"color": theme.RULE, "strokeWidth": 1.2}
    bars = [
        base.mark_rule(**faint).encode(x=x, y=alt.Y("benefit_lower:Q", title=titles[0]), y2=alt.Y2("benefit_upper:Q")),
        base.mark_rule(**faint).encode(y=y, x=alt.X("harm_lower:Q", title=titles[1]), x2=alt.X2("harm_upper:Q")),
    ]
    front = base.transform_filter("datum.on_front").mark_line(color=theme.HIT, strokeDash=[4, 3])
    fill = alt.condition("datum.on_front", alt.value(theme.HIT), alt.value(theme.MUTED))
    tooltip = [alt.Tooltip("option_name:N", title=t("sweep.option"))]
    tooltip += [alt.Tooltip(f"{key}:Q", title=title) for key, title in zip(("benefit", "harm"), titles, strict=True)]
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(x=x, y=y, color=fill, tooltip=tooltip)
    labeled = base if len(table) <= MOST_LABELS else base.transform_filter("datum.on_front")
    text = labeled.mark_text(align="left", dx=7, dy=-7, fontSize=11).encode(x=x, y=y, text=alt.Text("option_name:N"))
    line = front.encode(x=x, y=y, order=alt.Order("harm:Q"))
    chart = alt.layer(*bars, line, dots, text).properties(width=620, height=330)
    return theme.finish(chart, t, description=description)


def _room(table: pd.DataFrame, key: str, share: bool) -> alt.Scale:
    """Return a scale that holds the intervals, with a little room, and no share below 0 or above 1."""
    low, high = float(table[f"{key}_lower"].min()), float(table[f"{key}_upper"].max())
    room = 0.06 * max(high - low, 1e-3)
    low, high = low - room, high + room
    return alt.Scale(domain=[max(low, 0.0), min(high, 1.0)] if share else [low, high], nice=False)


def best(table: pd.DataFrame, t: Catalogue, *, worlds: Mapping[str, str], description: str = "") -> alt.Chart:
    """Draw the probability that each option is best, a row an option, a block an outcome, a color a world.

    Parameters
    ----------
    table : ``world``, ``outcome_name``, ``option_name``, ``probability``
    """
    named, color = _worlds(table, worlds)
    order = list(dict.fromkeys(named["option_name"]))
    chart = (
        alt.Chart(named)
        .mark_bar()
        .encode(
            x=alt.X(
                "probability:Q",
                title=t("sweep.probability_best"),
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%", tickCount=3),
            ),
            y=alt.Y("option_name:N", sort=order, title=None, axis=alt.Axis(labelLimit=260, ticks=False)),
            yOffset=alt.YOffset("world_name:N", sort=list(worlds.values())),
            color=color,
            tooltip=[
                alt.Tooltip("option_name:N", title=t("sweep.option")),
                alt.Tooltip("world_name:N", title=t("sweep.world")),
                alt.Tooltip("probability:Q", title=t("sweep.probability_best"), format=".0%"),
            ],
        )
        .properties(width=165, height=alt.Step(7))
        .facet(
            facet=alt.Facet("outcome_name:N", title=None, sort=list(dict.fromkeys(table["outcome_name"]))), columns=3
        )
    )
    return theme.finish(chart, t, description=description)


def compared(table: pd.DataFrame, t: Catalogue, *, worlds: Mapping[str, str], description: str = "") -> alt.FacetChart:
    """Draw the difference between two options in every world, a block an outcome on its own scale.

    Parameters
    ----------
    table : ``world``, ``outcome_name``, ``estimate``, ``lower``, ``upper``, in the units of the axis
    """
    named, color = _worlds(table, worlds)
    y = alt.Y("world_name:N", sort=list(worlds.values()), title=None, axis=alt.Axis(labelLimit=300, ticks=False))
    x = alt.X("estimate:Q", title=t("sweep.difference"), axis=alt.Axis(tickCount=5))
    base = alt.Chart().encode(y=y, color=color.legend(None))
    tooltip = [
        alt.Tooltip(f"{key}:Q", title=t(f"number.{key}"), format=".2f") for key in ("estimate", "lower", "upper")
    ]
    lower = alt.X("lower:Q", title=t("sweep.difference"))
    error = base.mark_rule(strokeWidth=1.8).encode(x=lower, x2=alt.X2("upper:Q"))
    dots = base.mark_point(filled=True, size=60).encode(x=x, tooltip=tooltip)
    zero = alt.Chart().mark_rule(color=theme.INK, strokeDash=[3, 3]).encode(x=alt.datum(0.0))
    layers = alt.layer(zero, error, dots).properties(width=220, height=alt.Step(18))
    facet = alt.Facet("outcome_name:N", title=None, sort=list(dict.fromkeys(table["outcome_name"])))
    chart = layers.facet(data=named, facet=facet, columns=2).resolve_scale(x="independent")
    return theme.finish(chart, t, description=description)


def strategies(table: pd.DataFrame, t: Catalogue, *, names: Mapping[str, str], description: str = "") -> alt.LayerChart:
    """Draw a share over time from diagnosis for each strategy, with its interval.

    Parameters
    ----------
    table : ``strategy``, ``month``, ``estimate``, ``lower``, ``upper``
    names : strategy -> name, in order
    """
    shown = table.assign(name=table["strategy"].map(names))
    colors = [theme.ARM_COLORS["asct_cart"], theme.ARM_COLORS["cart"]]
    color = alt.Color("name:N", title=None, scale=alt.Scale(domain=list(names.values()), range=colors))
    x = alt.X("month:Q", title=t("first_line.axis"), axis=alt.Axis(grid=False), scale=alt.Scale(nice=False))
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format="%", tickCount=5)
    base = alt.Chart(shown[["name", "month", "estimate", "lower", "upper"]]).encode(x=x, color=color)
    band = base.mark_area(opacity=0.14).encode(
        y=alt.Y("lower:Q", title=None, scale=scale, axis=axis), y2=alt.Y2("upper:Q")
    )
    tooltip = [
        alt.Tooltip("name:N", title=t("axis.arm")),
        alt.Tooltip("month:Q", title=t("first_line.axis"), format=".1f"),
    ]
    tooltip += [alt.Tooltip("estimate:Q", title=t("number.estimate"), format=".1%")]
    line = base.mark_line(strokeWidth=2.2).encode(y=alt.Y("estimate:Q", scale=scale), tooltip=tooltip)
    chart = alt.layer(band, line).properties(width=600, height=theme.HEIGHT)
    return theme.finish(chart, t, description=description)
