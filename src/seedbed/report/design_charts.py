"""Charts of a trial design: each is a function of a small table, the words of a language and, mostly, the arms.

Usable from a notebook::

    from seedbed.report import catalogue, design_charts
    from seedbed.study import design
    result = design.read(Path("runs/design_asct_cart_tp53"))
    design_charts.power_by_size(result.tables["by_size"], catalogue.load("en"))
"""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from seedbed.report import theme
from seedbed.report.catalogue import Catalogue
from seedbed.report.theme import Arms

PLOT_WIDTH = 640
MAIN = "#0072b2"
SECOND = "#d55e00"
REFERENCE = "#6b7580"
Z95 = 1.959964


def with_interval(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of proportions with the columns lower and upper from its standard error."""
    half = Z95 * table["standard_error"]
    return table.assign(lower=(table["estimate"] - half).clip(0, 1), upper=(table["estimate"] + half).clip(0, 1))


def pool_survival(table: pd.DataFrame, t: Catalogue, arms: Arms, *, description: str = "") -> alt.LayerChart:
    """Draw the survival of the endpoint in the whole pool, arm by arm, as the trial's visits would show it."""
    color = alt.Color("arm_name:N", title=None, scale=arms.scale(table["arm"]))
    last = float(table["month"].max())
    ticks = list(range(0, int(last) + 1, 3 if last <= 30 else 6))
    x = alt.X(
        "month:Q",
        title=t("design.axis.months"),
        axis=alt.Axis(values=ticks, grid=False),
        scale=alt.Scale(domain=[0, last]),
    )
    y_axis = alt.Axis(format="%", tickCount=5)
    base = alt.Chart(arms.named(table)).encode(x=x, color=color)
    y = alt.Y("survival:Q", title=t("axis.survival"), scale=alt.Scale(domain=[0, 1]), axis=y_axis)
    band = base.mark_area(opacity=0.18, interpolate="step-after").encode(
        y=alt.Y("lower:Q", title=t("axis.survival")), y2=alt.Y2("upper:Q")
    )
    tooltip = [
        alt.Tooltip("arm_name:N", title=t("axis.arm")),
        alt.Tooltip("month:Q", title=t("design.axis.months"), format=".1f"),
        alt.Tooltip("survival:Q", title=t("axis.survival"), format=".1%"),
    ]
    line = base.mark_line(strokeWidth=2.2, interpolate="step-after").encode(y=y, tooltip=tooltip)
    chart = (line + band).properties(width=PLOT_WIDTH, height=theme.HEIGHT)
    return theme.finish(chart, t, description=description)


def hazard_ratio_by_period(table: pd.DataFrame, t: Catalogue, arms: Arms, *, description: str = "") -> alt.LayerChart:
    """Draw the hazard ratio in periods of follow-up; a flat row of points would be proportional hazards."""
    low, high = min(0.4, float(table["lower"].min())), max(1.6, float(table["upper"].max()))
    scale = alt.Scale(type="log", domain=[low * 0.95, high * 1.05], nice=False)
    ticks = [tick for tick in (0.1, 0.2, 0.33, 0.5, 0.67, 1, 1.5, 2, 3, 5, 10) if low * 0.9 <= tick <= high * 1.1]
    y = alt.Y("hazard_ratio:Q", title=t("design.axis.hazard_ratio"), scale=scale, axis=alt.Axis(values=ticks))
    x = alt.X("from_month:Q", title=t("design.axis.months"), axis=alt.Axis(grid=False, values=_edges(table)))
    color = alt.Color("arm_name:N", title=None, scale=arms.scale(table["arm"]))
    named = arms.named(table).assign(middle=(table["from_month"] + table["to_month"]) / 2)
    tooltip = [
        alt.Tooltip("arm_name:N", title=t("axis.arm")),
        *(
            alt.Tooltip(f"{name}:Q", title=t(f"design.axis.{name}"), format=".2f")
            for name in ("hazard_ratio", "lower", "upper")
        ),
        alt.Tooltip("events:Q", title=t("design.axis.events"), format=","),
    ]
    base = alt.Chart(named).encode(color=color)
    step = base.mark_rule(strokeWidth=4).encode(x=x, x2=alt.X2("to_month:Q"), y=y, tooltip=tooltip)
    error = base.mark_rule(strokeWidth=1.4).encode(
        x=alt.X("middle:Q"), y=alt.Y("lower:Q", scale=scale), y2=alt.Y2("upper:Q")
    )
    one = (
        alt.Chart(pd.DataFrame({"y": [1.0]}))
        .mark_rule(color=REFERENCE, strokeDash=[4, 3])
        .encode(y=alt.Y("y:Q", scale=scale))
    )
    chart = (one + error + step).properties(width=PLOT_WIDTH, height=200)
    return theme.finish(chart, t, description=description)


def _edges(table: pd.DataFrame) -> list[int]:
    return sorted({*table["from_month"].astype(int), round(float(table["to_month"].max()))})


def power_by_size(table: pd.DataFrame, t: Catalogue, *, description: str = "") -> alt.LayerChart:
    """Draw power against the number of subjects, with its interval and the closed form under proportional hazards."""
    shown = with_interval(table)
    simulated, closed = t("design.simulated_power"), t("design.closed_form")
    lines = pd.concat(
        [
            shown.assign(kind=simulated, y=shown["estimate"]),
            shown.assign(kind=closed, y=shown["closed_form"], lower=np.nan, upper=np.nan),
        ]
    ).dropna(subset=["y"])
    kinds = [kind for kind in (simulated, closed) if kind in set(lines["kind"])]
    color = alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[MAIN, REFERENCE][: len(kinds)]))
    x = alt.X(
        "subjects:Q",
        title=t("design.axis.subjects"),
        scale=alt.Scale(zero=False, nice=False, padding=12),
        axis=alt.Axis(values=sorted(table["subjects"].unique().tolist()), grid=False),
    )
    y = alt.Y(
        "y:Q", title=t("design.axis.power"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)
    )
    base = alt.Chart(lines).encode(x=x, color=color)
    dash = alt.StrokeDash("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[[1, 0], [5, 4]][: len(kinds)]))
    tooltip = [
        alt.Tooltip("kind:N", title=t("design.axis.how")),
        alt.Tooltip("subjects:Q", title=t("design.axis.subjects")),
        alt.Tooltip("y:Q", title=t("design.axis.power"), format=".1%"),
    ]
    line = base.mark_line(strokeWidth=2).encode(y=y, strokeDash=dash)
    points = base.mark_point(filled=True, size=55).encode(y=y, tooltip=tooltip)
    error = (
        base.mark_rule(strokeWidth=1.4)
        .encode(y=alt.Y("lower:Q"), y2=alt.Y2("upper:Q"))
        .transform_filter("isValid(datum.lower)")
    )
    levels = pd.DataFrame({"level": [0.8, 0.9]})
    guide = alt.Chart(levels).mark_rule(color=theme.RULE).encode(y=alt.Y("level:Q"))
    chart = (guide + line + error + points).properties(width=PLOT_WIDTH, height=theme.HEIGHT)
    return theme.finish(chart, t, description=description)


def by_test(table: pd.DataFrame, t: Catalogue, *, alpha: float, description: str = "") -> alt.HConcatChart:
    """Draw how often each test rejects: on the left in the simulated world, on the right under the null world.

    Parameters
    ----------
    table : the table ``by_test`` of one comparison
    alpha : nominal one-sided level, drawn as a line
    """
    shown = with_interval(table).assign(name=table["test"].map(lambda test: t(f"design.test.{test}")))
    order = [t(f"design.test.{test}") for test in dict.fromkeys(table["test"])]
    parts = [
        _test_panel(shown[shown["world"] == world], t, order, (world, color, alpha if world == "null" else None))
        for world, color in (("simulated", MAIN), ("null", SECOND))
    ]
    return theme.finish(alt.hconcat(*parts, spacing=30), t, description=description)


def _test_panel(
    table: pd.DataFrame, t: Catalogue, order: list[str], panel: tuple[str, str, float | None]
) -> alt.LayerChart:
    world, color, alpha = panel
    high = 1.0 if world == "simulated" else max(0.05, float(table["upper"].max()) * 1.15)
    axis = alt.Axis(format="%" if world == "simulated" else ".1%", tickCount=5)
    x = alt.X("estimate:Q", title=t(f"design.axis.rejects_{world}"), scale=alt.Scale(domain=[0, high]), axis=axis)
    left = alt.Axis(title=None, domain=False, ticks=False, labelLimit=180) if world == "simulated" else None
    y = alt.Y("name:N", sort=order, axis=left)
    tooltip = [
        alt.Tooltip("name:N", title=t("design.axis.test")),
        alt.Tooltip("estimate:Q", format=".2%", title=t("design.axis.share_of_trials")),
    ]
    base = alt.Chart(table).encode(y=y)
    layers = [
        base.mark_bar(color=color, opacity=0.75, height=16).encode(x=x, tooltip=tooltip),
        base.mark_rule(color=theme.INK, strokeWidth=1.4).encode(x=alt.X("lower:Q"), x2=alt.X2("upper:Q")),
    ]
    if alpha is not None:
        nominal = alt.Chart(pd.DataFrame({"alpha": [alpha]})).mark_rule(color=theme.INK, strokeDash=[4, 3])
        layers.append(nominal.encode(x=alt.X("alpha:Q")))
    return alt.layer(*layers).properties(width=270, height=alt.Step(28))


def boundaries(table: pd.DataFrame, t: Catalogue, *, description: str = "") -> alt.LayerChart:
    """Draw the efficacy boundary over information and, under it in words, how often the trial stops at each look.

    Parameters
    ----------
    table : the table ``looks`` of the simulated world and one comparison
    """
    finite = table[np.isfinite(table["critical_z"])]
    x = alt.X(
        "information:Q",
        title=t("design.axis.information"),
        scale=alt.Scale(domain=[0, 1.08]),
        axis=alt.Axis(format="%", values=[0, 0.2, 0.4, 0.6, 0.8, 1.0], grid=False),
    )
    high = max(3.0, float(finite["critical_z"].max()) * 1.12)
    y = alt.Y("critical_z:Q", title=t("design.axis.critical_z"), scale=alt.Scale(domain=[0, high]))
    label = finite.apply(
        lambda row: t(
            "design.stops", efficacy=t.percent(row["stops_for_efficacy"]), futility=t.percent(row["stops_for_futility"])
        ),
        axis=1,
    )
    base = alt.Chart(finite.assign(label=label)).encode(x=x, y=y)
    tooltip = [
        alt.Tooltip("look:Q", title=t("design.axis.look")),
        alt.Tooltip("events:Q", title=t("design.axis.events"), format=".0f"),
        alt.Tooltip("critical_z:Q", title=t("design.axis.critical_z"), format=".3f"),
        alt.Tooltip("nominal_p_value:Q", title=t("design.axis.nominal_p"), format=".4f"),
        alt.Tooltip("month:Q", title=t("design.axis.month"), format=".1f"),
    ]
    chart = (
        base.mark_line(color=MAIN, strokeWidth=2)
        + base.mark_point(color=MAIN, filled=True, size=70).encode(tooltip=tooltip)
        + base.mark_text(dy=18, fontSize=11, align="right", dx=6).encode(text=alt.Text("label:N"))
    ).properties(width=PLOT_WIDTH, height=210)
    return theme.finish(chart, t, description=description)


def spread(table: pd.DataFrame, t: Catalogue, panels: Mapping[str, str], *, description: str = "") -> alt.HConcatChart:
    """Draw how results vary from trial to trial: a histogram a column, colored by how the trial ended.

    Parameters
    ----------
    table : the table ``replicates``
    panels : columns of it with the titles of their axes
    """
    ended = np.select(
        [table["power"] > 0, table["stopped_for_futility"] > 0],
        [t("design.ended.success"), t("design.ended.futility")],
        default=t("design.ended.no_success"),
    )
    words = [t("design.ended.success"), t("design.ended.no_success"), t("design.ended.futility")]
    color = alt.Color("ended:N", title=None, scale=alt.Scale(domain=words, range=[MAIN, "#b8c2cc", SECOND]))
    charts = []
    for index, (column, title) in enumerate(panels.items()):
        counts = _histogram(table[column].to_numpy(dtype=float), ended, n_bins=30)
        y = alt.Y(
            "low:Q",
            title=t("design.axis.share_of_trials") if index == 0 else None,
            axis=alt.Axis(format="%"),
        )
        tooltip = [
            alt.Tooltip("ended:N", title=t("design.axis.ended")),
            alt.Tooltip("share:Q", title=t("design.axis.share_of_trials"), format=".1%"),
        ]
        bars = alt.Chart(counts).mark_bar(stroke=theme.PAPER, strokeWidth=0.5)
        x = alt.X("start:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(grid=False, tickCount=6))
        charts.append(
            bars.encode(x=x, x2=alt.X2("stop:Q"), y=y, y2=alt.Y2("high:Q"), color=color, tooltip=tooltip).properties(
                width=290, height=190
            )
        )
    return theme.finish(alt.hconcat(*charts, spacing=24), t, description=description)


def _histogram(values: np.ndarray, ended: np.ndarray, *, n_bins: int) -> pd.DataFrame:
    """Return stacked shares per bin and way of ending; the outer half percent goes into the outer bins."""
    usable = np.isfinite(values)
    values, ended = values[usable], ended[usable]
    low, high = np.quantile(values, [0.005, 0.995])
    edges = np.linspace(low, max(high, low + 1e-6), n_bins + 1)
    clipped = np.clip(values, edges[0], edges[-1])
    floor = np.zeros(n_bins)
    rows = []
    for word in sorted(set(ended)):
        share = np.histogram(clipped[ended == word], edges)[0] / values.size
        bars = {
            "ended": word,
            "start": edges[:-1],
            "stop": edges[1:],
            "share": share,
            "low": floor,
            "high": floor + share,
        }
        rows.append(pd.DataFrame(bars))
        floor = floor + share
    table = pd.concat(rows, ignore_index=True)
    return table[table["share"] > 0]


def bias(table: pd.DataFrame, t: Catalogue, names: Mapping[str, str], *, description: str = "") -> alt.LayerChart:
    """Draw what each analysis estimates against the target estimand's true value.

    Parameters
    ----------
    table : the table ``bias`` of one comparison
    names : words of each analysis, in order
    """
    ratio = (table["summary"] == "hazard_ratio").all()
    rows = pd.concat(
        [
            table.assign(name=table["analysis"].map(names), kind=t("design.in_pool"), x=table["in_pool"]),
            table.assign(name=table["analysis"].map(names), kind=t("design.in_trials"), x=table["in_trials"]),
        ]
    )
    order = [names[analysis] for analysis in table["analysis"]]
    values = [*rows["x"], float(table["target"].iloc[0])]
    scale = _bias_scale(values, ratio=ratio)
    x = alt.X(
        "x:Q", title=t(f"design.summary.{table['summary'].iloc[0]}"), scale=scale, axis=alt.Axis(grid=True, tickCount=6)
    )
    y = alt.Y("name:N", sort=order, axis=alt.Axis(title=None, labelLimit=330, domain=False, ticks=False))
    kinds = [t("design.in_pool"), t("design.in_trials")]
    shape = alt.Shape("kind:N", title=None, scale=alt.Scale(domain=kinds, range=["circle", "diamond"]))
    color = alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[MAIN, SECOND]))
    tooltip = [
        alt.Tooltip("name:N", title=t("design.axis.analysis")),
        alt.Tooltip("x:Q", format=".3f", title=t("design.axis.value")),
    ]
    points = (
        alt.Chart(rows)
        .mark_point(filled=True, size=80, opacity=0.9)
        .encode(x=x, y=y, shape=shape, color=color, tooltip=tooltip)
    )
    target = pd.DataFrame({"x": [float(table["target"].iloc[0])], "label": [t("design.target")]})
    line = alt.Chart(target).mark_rule(color=theme.INK, strokeDash=[5, 3]).encode(x=alt.X("x:Q", scale=scale))
    chart = (line + points).properties(width=430, height=alt.Step(34))
    return theme.finish(chart, t, description=description)


def _bias_scale(values: list[float], *, ratio: bool) -> alt.Scale:
    low, high = min(values), max(values)
    if ratio:
        low, high = min(low, 0.9) * 0.95, max(high, 1.0) * 1.05
        return alt.Scale(type="log", domain=[low, high], nice=False)
    margin = 0.15 * max(high - low, 1e-9)
    return alt.Scale(domain=[min(0.0, low - margin), max(0.0, high + margin)], nice=True)


def assurance(table: pd.DataFrame, t: Catalogue, *, description: str = "") -> alt.LayerChart:
    """Draw the power under each parameter set of the ensemble as a histogram, with its mean, the assurance."""
    counts = _histogram(table["power"].to_numpy(dtype=float), np.array(["all"] * len(table)), n_bins=20)
    x = alt.X(
        "start:Q", title=t("design.axis.power"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", grid=False)
    )
    y = alt.Y("low:Q", title=t("design.axis.share_of_sets"), axis=alt.Axis(format="%"))
    bars = (
        alt.Chart(counts)
        .mark_bar(color=MAIN, opacity=0.75, stroke=theme.PAPER)
        .encode(x=x, x2=alt.X2("stop:Q"), y=y, y2=alt.Y2("high:Q"))
    )
    mean = pd.DataFrame({"mean": [float(table["power"].mean())]})
    rule = alt.Chart(mean).mark_rule(color=SECOND, strokeWidth=2).encode(x=alt.X("mean:Q"))
    return theme.finish((bars + rule).properties(width=PLOT_WIDTH, height=190), t, description=description)
