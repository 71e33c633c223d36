"""Charts of reports: each is a function of a small table, the words of a language and the arms.

Usable from a notebook as well as from a page::

    from seedbed.report import catalogue, charts, summary, theme
    run = summary.read("runs/mine")
    arms = theme.Arms.of({arm: arm for arm in run.arms})
    charts.survival(*summary.survival(run, "pfs"), catalogue.load("en"), arms)

Tables are aggregated before they come here, so that a page stays small. The diagrams of a regimen and of the flow
of subjects stand in `seedbed.report.diagrams`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from seedbed.report import theme
from seedbed.report.catalogue import Catalogue
from seedbed.report.theme import Arms

CELLS_PER_UNIT = 1e9
"""The model counts cells in this unit."""
NO_CELLS = -1.0
"""Where the tumor chart draws a burden of zero, on its axis of log10 cells."""


def survival(
    curves: pd.DataFrame, at_risk: pd.DataFrame, t: Catalogue, arms: Arms, *, description: str = ""
) -> alt.VConcatChart:
    """Draw Kaplan-Meier curves with confidence bands and the numbers at risk below.

    Parameters
    ----------
    curves, at_risk : the two tables of `summary.survival`
    """
    stop = max(float(at_risk["time"].max()), float(curves["time"].max()))
    ticks = sorted(int(month) for month in at_risk["time"].unique())
    x_scale = alt.Scale(domain=[0, stop], nice=False)
    color = arms.color(curves["arm"], **theme.LINES)
    frame = arms.named(curves)[["arm_name", "time", "estimate", "lower", "upper"]]
    base = alt.Chart(frame).encode(
        x=alt.X("time:Q", scale=x_scale, axis=alt.Axis(values=ticks, title=t("axis.months"), grid=False)), color=color
    )
    y = alt.Y(
        "lower:Q", title=t("axis.survival"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)
    )
    band = base.mark_area(opacity=_faint(0.16, curves), interpolate="step-after").encode(y=y, y2=alt.Y2("upper:Q"))
    tooltip = [
        alt.Tooltip("arm_name:N", title=t("axis.arm")),
        alt.Tooltip("time:Q", title=t("axis.months"), format=".1f"),
        *(alt.Tooltip(f"{name}:Q", title=t(f"number.{name}"), format=".1%") for name in ("estimate", "lower", "upper")),
    ]
    line = base.mark_line(strokeWidth=2.2, interpolate="step-after")
    line = line.encode(y=alt.Y("estimate:Q"), strokeDash=arms.dash(curves["arm"]), tooltip=tooltip)
    curve = (band + line).properties(width=600, height=theme.HEIGHT)
    chart = alt.vconcat(curve, _risk_table(at_risk, t, arms, x_scale, color), spacing=14)
    return theme.finish(chart, t, description=description)


def _faint(opacity: float, table: pd.DataFrame) -> float:
    """Return the opacity of a band: fainter where more than two arms lie over each other."""
    return opacity * min(1.0, 2.0 / max(table["arm"].nunique(), 1))


def _risk_table(at_risk: pd.DataFrame, t: Catalogue, arms: Arms, x_scale: alt.Scale, color: alt.Color) -> alt.Chart:
    """Draw the numbers at risk as text under the ticks of the curve above."""
    names = [name for arm, name in arms.labels.items() if arm in set(at_risk["arm"])]
    axis = alt.Axis(title=None, domain=False, ticks=False, grid=False, labelPadding=24, **theme.broken(names))
    title = alt.TitleParams(t("survival.at_risk"), fontSize=11, color=theme.MUTED, fontWeight="normal", offset=4)
    return (
        alt.Chart(arms.named(at_risk), title=title)
        .mark_text(fontSize=11)
        .encode(
            x=alt.X("time:Q", scale=x_scale, axis=None),
            y=alt.Y("arm_name:N", sort=names, axis=axis),
            text=alt.Text("n:Q", format=","),
            color=color,
            tooltip=[alt.Tooltip(f"{name}:Q", title=t(f"number.{name}")) for name in ("n", "events", "censored")],
        )
        .properties(width=600, height=(19 if max(map(len, map(theme.lines, names))) == 1 else 29) * len(names))
    )


def stacked_shares(
    table: pd.DataFrame,
    t: Catalogue,
    arms: Arms,
    *,
    groups: Mapping[str, str],
    levels: Mapping[object, str],
    colors: Mapping[object, str],
    description: str = "",
) -> alt.VConcatChart:
    """Draw horizontal bars of shares that add to one, a bar an arm, a block of bars a group.

    Parameters
    ----------
    table : arm, column (the group), level, n, of, share; as `summary.share_table` returns
    groups : the groups in order, with their titles
    levels : the levels in order, with their words
    colors : color of each level
    """
    frame = _with_ends(arms.named(table), list(levels))
    frame = frame.assign(
        level_name=frame["level"].map(levels),
        text=frame["share"].map(t.percent),
    )
    order = [column for column in groups if column in set(table["column"])]
    used = [level for level in levels if level in set(table["level"])]
    scale = alt.Scale(domain=[levels[level] for level in used], range=[colors[level] for level in used])
    color = alt.Color("level_name:N", scale=scale, title=None, legend=theme.legend_of(scale.domain))
    dark = [level for level in used if _is_dark(colors[level])]
    panels = []
    for column in order:
        rows = frame[frame["column"] == column]
        names = [name for arm, name in arms.labels.items() if arm in set(rows["arm"])]
        layers = _share_layers(rows, t, names, color, dark, with_axis=column == order[-1])
        panels.append(layers.properties(width=600, height=alt.Step(30), title=groups[column]))
    chart = alt.vconcat(*panels, spacing=10).resolve_scale(color="shared")
    return theme.finish(chart, t, description=description)


def _share_layers(
    frame: pd.DataFrame, t: Catalogue, names: list[str], color: alt.Color, dark: list[object], *, with_axis: bool
) -> alt.LayerChart:
    """Return the bars of one group and the percentages written in them, light on dark colors."""
    axis = alt.Axis(title=None, ticks=False, domain=False, **theme.broken(names))
    base = alt.Chart(frame).encode(y=alt.Y("arm_name:N", sort=names, axis=axis))
    shown = {} if with_axis else {"labels": False, "ticks": False, "domain": False}
    title = t("axis.share") if with_axis else None
    x_axis = alt.Axis(format="%", tickCount=5, **shown)
    x = alt.X("start:Q", scale=alt.Scale(domain=[0, 1]), title=title, axis=x_axis)
    tooltip = [
        alt.Tooltip("arm_name:N", title=t("axis.arm")),
        alt.Tooltip("level_name:N", title=t("axis.level")),
        alt.Tooltip("n:Q", title=t("axis.n")),
        alt.Tooltip("share:Q", title=t("axis.share"), format=".1%"),
    ]
    bars = base.mark_bar(stroke="#ffffff", strokeWidth=1, height=22)
    on_dark = alt.when(alt.FieldOneOfPredicate("level", dark))
    ink = on_dark.then(alt.value("#ffffff")).otherwise(alt.value(theme.INK))
    text = base.mark_text(fontSize=11).transform_filter("datum.share >= 0.045")
    return alt.layer(
        bars.encode(x=x, x2=alt.X2("stop:Q"), color=color, tooltip=tooltip),
        text.encode(x=alt.X("middle:Q"), text=alt.Text("text:N"), color=ink),
    )


def _with_ends(table: pd.DataFrame, levels: Sequence[object]) -> pd.DataFrame:
    """Return the table with the place of each share in its bar: start, middle, stop."""
    position = {level: index for index, level in enumerate(levels)}
    ordered = table.assign(order=table["level"].map(position)).sort_values("order", kind="stable")
    stop = ordered.groupby(["arm", "column"], sort=False)["share"].cumsum()
    return ordered.assign(stop=stop, start=stop - ordered["share"], middle=stop - ordered["share"] / 2)


def _is_dark(color: str) -> bool:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140


@dataclass(frozen=True)
class Panel:
    """One panel of a band chart.

    ``floor`` is the lower end of its log axis, on which values below it are drawn; ``thresholds`` are horizontal
    lines as (value, label).
    """

    observable: str
    title: str
    floor: float
    thresholds: tuple[tuple[float, str], ...] = ()


def bands(
    table: pd.DataFrame,
    t: Catalogue,
    arms: Arms,
    panels: Sequence[Panel],
    *,
    x_title: str,
    columns: int = 1,
    description: str = "",
) -> alt.ConcatChart:
    """Draw medians with bands of half and of nine tenths of the patients over time, on a log axis.

    Parameters
    ----------
    table : arm, observable, time [day], q05 to q95; as `summary.bands` returns
    panels : in order; those whose observable the table lacks are left out
    columns : panels side by side
    """
    width = {1: 690, 2: 330}.get(columns, 220)
    parts = [(panel, table[table["observable"] == panel.observable]) for panel in panels]
    charts = [
        _band_panel(rows, t, arms, panel, x_title).properties(width=width, height=190)
        for panel, rows in parts
        if len(rows)
    ]
    chart = alt.concat(*charts, columns=columns, spacing=22).resolve_scale(color="shared")
    return theme.finish(chart, t, description=description)


def _band_panel(table: pd.DataFrame, t: Catalogue, arms: Arms, panel: Panel, x_title: str) -> alt.LayerChart:
    floor = panel.floor
    names = ["q05", "q25", "q50", "q75", "q95"]
    frame = arms.named(table.assign(**{name: table[name].clip(lower=floor) for name in names}))
    frame = frame[["arm_name", "time", *names]]
    top = float(frame["q95"].max()) * 1.15
    decades = [10.0**k for k in range(int(np.floor(np.log10(floor))), int(np.floor(np.log10(top))) + 1)]
    base = alt.Chart(frame, title=panel.title).encode(
        x=alt.X("time:Q", title=x_title, scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickCount=8)),
        color=arms.color(table["arm"], **theme.LINES),
    )
    scale = alt.Scale(type="log", domain=[floor, max(top, floor * 10)], clamp=True, nice=False)
    y = alt.Y("q05:Q", title=None, scale=scale, axis=alt.Axis(values=decades, format="~g"))
    wide = base.mark_area(opacity=_faint(0.13, table)).encode(y=y, y2=alt.Y2("q95:Q"))
    half = base.mark_area(opacity=_faint(0.22, table)).encode(
        y=alt.Y("q25:Q", title=None, scale=scale), y2=alt.Y2("q75:Q")
    )
    tooltip = [
        alt.Tooltip("arm_name:N", title=t("axis.arm")),
        alt.Tooltip("time:Q", title=x_title),
        *(alt.Tooltip(f"{name}:Q", title=t(f"quantile.{name}"), format=".3~g") for name in names),
    ]
    middle = alt.Y("q50:Q", title=None, scale=scale)
    line = base.mark_line(strokeWidth=2).encode(y=middle, strokeDash=arms.dash(table["arm"]), tooltip=tooltip)
    return alt.layer(wide, half, line, *_threshold_lines(panel.thresholds, floor))


def _threshold_lines(thresholds: Sequence[tuple[float, str]], floor: float) -> list[alt.Chart]:
    frame = pd.DataFrame([(value, label) for value, label in thresholds if value >= floor], columns=["value", "label"])
    base = alt.Chart(frame).encode(y=alt.Y("value:Q"))
    rule = base.mark_rule(strokeDash=[4, 3], color=theme.INK, strokeWidth=1)
    text = base.mark_text(align="right", baseline="bottom", dx=-3, dy=-3, fontSize=10.5, color=theme.INK)
    return [rule, text.encode(text=alt.Text("label:N"), x=alt.XValue("width"))] if len(frame) else []


def cumulative(
    table: pd.DataFrame, t: Catalogue, arms: Arms, *, panels: Mapping[str, str], x_title: str, description: str = ""
) -> alt.ConcatChart:
    """Draw the share that has reached an event by each day, a panel an event.

    Parameters
    ----------
    table : arm, column (the event), time [day], share; rows of `summary.cumulative_share`
    panels : the events in order, with their titles
    """
    frame = arms.named(table)
    color, dash = arms.color(table["arm"], **theme.LINES), arms.dash(table["arm"])
    charts = []
    for column, title in panels.items():
        base = alt.Chart(frame[frame["column"] == column], title=title)
        y = alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))
        x = alt.X("time:Q", title=x_title, scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickCount=8))
        tooltip = [
            alt.Tooltip("arm_name:N", title=t("axis.arm")),
            alt.Tooltip("time:Q", title=x_title),
            alt.Tooltip("share:Q", title=t("axis.share"), format=".1%"),
        ]
        line = base.mark_line(interpolate="step-after", strokeWidth=2.2)
        line = line.encode(x=x, y=y, color=color, strokeDash=dash, tooltip=tooltip)
        charts.append(line.properties(width=330, height=170))
    chart = alt.concat(*charts, columns=2, spacing=22).resolve_scale(color="shared")
    return theme.finish(chart, t, description=description)


def tumor_burden(
    courses: pd.DataFrame,
    depths: pd.DataFrame,
    t: Catalogue,
    arms: Arms,
    *,
    limits: Sequence[tuple[float, str]],
    levels: Mapping[str, str],
    description: str = "",
) -> alt.ConcatChart:
    """Draw tumor cells of single patients down to the last one, and beside them how many lie how deep; a row an arm.

    Parameters
    ----------
    courses : arm, subject, time [day], value [1e9 cells], as `summary.courses` returns
    depths : arm, time [day], level, share, as `summary.depths` returns
    limits : detection limits as (cells, label); what lies below each is shaded
    levels : words of the levels in order, keys of `DEPTH_COLORS`
    """
    panels = []
    for arm in (arm for arm in arms.labels if arm in set(courses["arm"])):
        rows, shares = courses[courses["arm"] == arm], depths[depths["arm"] == arm]
        burden = _burden_panel(rows, t, arms.labels[arm], arms.colors[arm], limits)
        panels.append(burden.properties(width=370, height=215))
        panels.append(_depth_panel(shares, t, levels).properties(width=270, height=215))
    return theme.finish(alt.concat(*panels, columns=2, spacing=22), t, description=description)


DEPTH_COLORS = {
    "visible": "#b35806",
    "below_imaging": "#fdb863",
    "below_mrd": "#b2abd2",
    "none": "#542788",
    "dead": "#d9dde1",
}


def _burden_panel(
    rows: pd.DataFrame, t: Catalogue, title: str, color: str, limits: Sequence[tuple[float, str]]
) -> alt.LayerChart:
    frame = rows.assign(cells=_log_cells(rows["value"]))[["subject", "time", "cells"]]
    top = max(12.0, float(np.ceil(frame["cells"].max())))
    axis = alt.Axis(values=[-1, *range(0, int(top) + 1, 2)], labelExpr=_power_labels(t("tumor.none")))
    y = alt.Y("cells:Q", title=t("axis.tumor_cells"), scale=alt.Scale(domain=[NO_CELLS, top], nice=False), axis=axis)
    x = alt.X(
        "time:Q", title=t("axis.days_enrollment"), scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickCount=6)
    )
    line = alt.Chart(frame, title=title).mark_line(strokeWidth=1, opacity=0.4, color=color, interpolate="step-after")
    return alt.layer(*_unseen(limits), line.encode(x=x, y=y, detail=alt.Detail("subject:N")))


def _depth_panel(shares: pd.DataFrame, t: Catalogue, levels: Mapping[str, str]) -> alt.Chart:
    frame = shares.assign(level_name=shares["level"].map(levels), order=shares["level"].map(list(levels).index))
    frame = frame[["time", "share", "level_name", "order"]]
    scale = alt.Scale(domain=list(levels.values()), range=[DEPTH_COLORS[level] for level in levels])
    x = alt.X(
        "time:Q", title=t("axis.days_enrollment"), scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickCount=5)
    )
    y = alt.Y(
        "share:Q", title=None, stack="zero", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)
    )
    color = alt.Color("level_name:N", title=None, scale=scale, legend=alt.Legend(columns=5))
    area = alt.Chart(frame, title=t("tumor.depth")).mark_area(interpolate="step-after", opacity=1)
    return area.encode(x=x, y=y, color=color, order=alt.Order("order:O"))


def _log_cells(burden: pd.Series) -> pd.Series:
    cells = burden * CELLS_PER_UNIT
    return np.log10(cells.where(cells >= 1.0, 10.0**NO_CELLS))


def _power_labels(none: str) -> str:
    """Return a Vega expression that writes a tick of log10 cells as a power of ten, and the lowest as a word."""
    powers = ["'1'", "'10'"] + [
        f"'10{str(k).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}'" for k in range(2, 19)
    ]
    return f"datum.value < 0 ? '{none}' : [{','.join(powers)}][datum.value]"


def _unseen(limits: Sequence[tuple[float, str]]) -> list[alt.Chart]:
    frame = pd.DataFrame(limits, columns=["cells", "label"])
    frame = frame.assign(limit=np.log10(frame["cells"]), bottom=NO_CELLS)
    base = alt.Chart(frame)
    shade = base.mark_rect(color="#8b98a5", opacity=0.09).encode(y=alt.Y("bottom:Q"), y2=alt.Y2("limit:Q"))
    rule = base.mark_rule(strokeDash=[4, 3], color=theme.MUTED).encode(y=alt.Y("limit:Q"))
    text = base.mark_text(align="right", baseline="bottom", dx=-4, dy=-3, fontSize=10.5, color=theme.MUTED)
    return [shade, rule, text.encode(y=alt.Y("limit:Q"), x=alt.XValue("width"), text=alt.Text("label:N"))]


def differences(
    table: pd.DataFrame, t: Catalogue, arms: Arms, *, labels: Mapping[str, str], description: str = ""
) -> alt.FacetChart:
    """Draw differences between arms in percentage points: thick paired intervals, thin unpaired ones.

    Parameters
    ----------
    table : rows of `contrasts.differences` that are rates
    labels : words of the outcomes, in order
    """
    ends = ["difference", "lower", "upper", "unpaired_lower", "unpaired_upper"]
    frame = table.assign(**{name: 100.0 * table[name] for name in ends})
    against = frame["control"].map(lambda arm: t("difference.against", arm=arms.labels[arm]))
    frame = frame.assign(
        label=frame["outcome"].map(labels),
        against=against,
        direction=frame["direction"].map({name: t(f"direction.{name}") for name in ("benefit", "harm")}),
    )
    y = alt.Y("label:N", sort=list(labels.values()), title=None, axis=alt.Axis(grid=True, ticks=False, domain=False))
    x = alt.X("lower:Q", title=t("axis.points"), axis=alt.Axis(tickCount=7))
    tooltip = [alt.Tooltip("label:N", title=t("axis.endpoint"))]
    tooltip += [alt.Tooltip(f"{name}:Q", title=t(f"difference_field.{name}"), format="+.1f") for name in ends]
    scale = alt.Scale(domain=[t("direction.benefit"), t("direction.harm")], range=["#0b4f7d", "#b3541e"])
    color = alt.Color("direction:N", scale=scale, title=None)
    base = alt.Chart().encode(y=y, color=color, tooltip=tooltip)
    zero = alt.Chart().mark_rule(color=theme.INK, strokeWidth=1).encode(x=alt.XDatum(0))
    unpaired = base.mark_rule(strokeWidth=1.2).encode(x=alt.X("unpaired_lower:Q"), x2=alt.X2("unpaired_upper:Q"))
    paired = base.mark_rule(strokeWidth=6, opacity=0.45).encode(x=x, x2=alt.X2("upper:Q"))
    point = base.mark_point(filled=True, size=60, opacity=1).encode(x=alt.X("difference:Q"))
    layers = alt.layer(zero, unpaired, paired, point).properties(width=520, height=alt.Step(26))
    header = alt.Header(title=None, labelAnchor="start", labelOrient="top")
    chart = layers.facet(
        data=frame, row=alt.Row("against:N", sort=list(dict.fromkeys(frame["against"])), header=header), spacing=18
    )
    return theme.finish(chart, t, description=description)


def square(
    table: pd.DataFrame,
    t: Catalogue,
    *,
    labels: Mapping[str, str],
    names: Mapping[str, str],
    description: str = "",
) -> alt.ConcatChart:
    """Draw neither, ASCT alone, CAR-T alone and both, with what independent action would give for both.

    Parameters
    ----------
    table : rows of `contrasts.excess`
    labels : words of the outcomes, in order
    names : words of the four corners, in order ``neither``, ``asct``, ``cart``, ``asct_cart``
    """
    panels = [_square_panel(row, t, labels[row["outcome"]], names) for row in table.to_dict("records")]
    columns = 3 if len(panels) > 2 else 2
    return theme.finish(alt.concat(*panels, columns=columns, spacing=26), t, description=description)


def _square_panel(row: Mapping[str, object], t: Catalogue, title: str, names: Mapping[str, str]) -> alt.LayerChart:
    corners = {"neither": row["neither"], "asct": row["asct"], "cart": row["cart"], "asct_cart": row["both"]}
    above = {corner: max(share, row["expected"] if corner == "asct_cart" else 0.0) for corner, share in corners.items()}
    frame = pd.DataFrame(
        [(names[key], theme.ARM_COLORS[key], share, above[key], t.percent(share)) for key, share in corners.items()],
        columns=["corner", "color", "share", "above", "text"],
    )
    y = alt.Y(
        "share:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1.08], nice=False),
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
    )
    x = alt.X("corner:N", sort=list(names.values()), title=None, axis=alt.Axis(labelAngle=0, labelLimit=70))
    bars = alt.Chart(frame, title=title).mark_bar(width=32).encode(x=x, y=y, color=alt.Color("color:N", scale=None))
    text = alt.Chart(frame).mark_text(dy=-8, fontSize=11).encode(x=x, y=alt.Y("above:Q"), text=alt.Text("text:N"))
    expected = pd.DataFrame(
        {"corner": [names["asct_cart"]], "share": [row["expected"]], "name": [t("square.expected")]}
    )
    tick = (
        alt.Chart(expected)
        .mark_tick(color=theme.INK, thickness=2.5, size=44)
        .encode(x=x, y=alt.Y("share:Q"), tooltip=[alt.Tooltip("share:Q", title=t("square.expected"), format=".1%")])
    )
    return alt.layer(bars, tick, text).properties(width=212, height=170)


def published(table: pd.DataFrame, t: Catalogue, arms: Arms, *, description: str = "") -> alt.VConcatChart:
    """Draw published results with their intervals beside the simulated ones, hits and misses marked alike.

    Parameters
    ----------
    table : arm, label (endpoint and time), published, published_lower, published_upper, simulated,
        simulated_lower, simulated_upper (shares of one), verdict (``hit``, ``miss``, ``no_interval``, ``withheld``)
    """
    frame = _published_points(arms.named(table), t)
    present = [name for name in arms.labels.values() if name in set(frame["arm_name"])]
    panels = [_published_panel(frame[frame["arm_name"] == name], t, name) for name in present]
    return theme.finish(alt.vconcat(*panels, spacing=18), t, description=description)


def _published_panel(frame: pd.DataFrame, t: Catalogue, title: str) -> alt.LayerChart:
    order = list(dict.fromkeys(frame["label"]))
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=250))
    sources = [t("result.published"), t("result.simulated")]
    offset = alt.YOffset("source:N", sort=sources, scale=alt.Scale(paddingOuter=0.35))
    color = alt.Color("source:N", title=None, scale=alt.Scale(domain=sources, range=[theme.INK, "#0072b2"]))
    shape = alt.Shape("source:N", title=None, scale=alt.Scale(domain=sources, range=["diamond", "circle"]))
    base = alt.Chart(frame, title=title).encode(y=y, yOffset=offset, color=color)
    x = alt.X("lower:Q", scale=alt.Scale(domain=[0, 1]), title=t("axis.share"), axis=alt.Axis(format="%", tickCount=5))
    bounds = [alt.Tooltip(f"{n}:Q", title=t(f"number.{n}"), format=".1%") for n in ("estimate", "lower", "upper")]
    tooltip = [alt.Tooltip("label:N", title=t("axis.endpoint")), alt.Tooltip("source:N", title=t("published.source"))]
    rule = base.mark_rule(strokeWidth=1.6).encode(x=x, x2=alt.X2("upper:Q"))
    point = base.mark_point(filled=True, size=62, opacity=1)
    point = point.encode(x=alt.X("estimate:Q"), shape=shape, tooltip=tooltip + bounds)
    verdicts = alt.Chart(frame.drop_duplicates("label")).mark_text(align="left", fontWeight=600)
    words = verdicts.encode(
        y=y, x=alt.XValue(458), text=alt.Text("verdict_word:N"), color=alt.Color("verdict_color:N", scale=None)
    )
    return alt.layer(rule, point, words).properties(width=450, height=36 * len(order))


VERDICT_COLORS = {"hit": theme.HIT, "miss": theme.MISS, "no_interval": theme.MUTED, "withheld": theme.MUTED}


def _published_points(table: pd.DataFrame, t: Catalogue) -> pd.DataFrame:
    """Return two rows an endpoint: the published and the simulated estimate, the latter absent where withheld."""
    parts = []
    for source in ("published", "simulated"):
        ends = {"estimate": table[source], "lower": table[f"{source}_lower"], "upper": table[f"{source}_upper"]}
        parts.append(table[["arm_name", "label", "verdict"]].assign(source=t(f"result.{source}"), **ends))
    frame = pd.concat(parts, ignore_index=True)
    words = frame["verdict"].map({verdict: t(f"verdict.{verdict}") for verdict in VERDICT_COLORS})
    frame = frame.assign(verdict_word=words, verdict_color=frame["verdict"].map(VERDICT_COLORS))
    return frame.dropna(subset=["estimate"])


SOURCES_OF_SPREAD = ("between_patient", "parameter", "monte_carlo")


def spreads(table: pd.DataFrame, t: Catalogue, arms: Arms, *, description: str = "") -> alt.ConcatChart:
    """Draw the three uncertainties of several endpoints, each endpoint on its own axis.

    Parameters
    ----------
    table : arm, endpoint (words with unit), spread (one of `SOURCES_OF_SPREAD`), lower, upper, middle
    """
    names = {source: t(f"spread.{source}") for source in SOURCES_OF_SPREAD}
    frame = arms.named(table).assign(spread_name=table["spread"].map(names))
    y = alt.Y("spread_name:N", sort=list(names.values()), title=None, axis=alt.Axis(ticks=False, domain=False))
    offset = alt.YOffset("arm_name:N", sort=list(arms.labels.values()), scale=alt.Scale(paddingOuter=0.3))
    color = arms.color(table["arm"])
    panels = []
    for endpoint in dict.fromkeys(frame["endpoint"]):
        base = alt.Chart(frame[frame["endpoint"] == endpoint], title=endpoint).encode(y=y, yOffset=offset, color=color)
        x = alt.X("lower:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
        tooltip = [alt.Tooltip("arm_name:N", title=t("axis.arm"))]
        tooltip += [alt.Tooltip(f"{n}:Q", title=t(f"number.{n}"), format=".3~g") for n in ("middle", "lower", "upper")]
        bar = base.mark_bar(height=5, opacity=0.6).encode(x=x, x2=alt.X2("upper:Q"), tooltip=tooltip)
        tick = base.mark_tick(thickness=2.5, size=11).encode(x=alt.X("middle:Q"))
        panels.append((bar + tick).properties(width=245, height=alt.Step(13)))
    chart = alt.concat(*panels, columns=2, spacing=22).resolve_scale(color="shared")
    return theme.finish(chart, t, description=description)
