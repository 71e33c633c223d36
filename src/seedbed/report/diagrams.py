"""Diagrams of a report: the regimen on its two clocks, and the flow of subjects in the manner of CONSORT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd

from seedbed.report import theme
from seedbed.report.catalogue import Catalogue
from seedbed.report.consort import FlowStep
from seedbed.report.theme import Arms

KIND_COLORS = {
    "conditioning": "#7a5195",
    "lymphodepletion": "#a889bd",
    "stem_cells": "#009e73",
    "cart": "#d55e00",
    "growth_factor": "#5b9bd5",
    "supportive": "#94a0ab",
    "immunotherapy": "#c58a00",
}


SIGNED_DAYS = {"labelExpr": "datum.value == 0 ? '0' : format(datum.value, '+d')"}


def regimen(table: pd.DataFrame, t: Catalogue, arms: Arms, *, description: str = "") -> alt.VConcatChart:
    """Draw what is given when: a row an item, a panel an arm, days from stem cells below and from CAR-T above.

    Parameters
    ----------
    table : arm, label, kind (a key of `KIND_COLORS`), start, stop [day of the arm's lower clock], text (the dose),
        clock (``stem_cell``, ``cart`` or ``enrollment``, of start and stop), offset (day of the CAR-T cells on
        that clock, NaN when the upper axis is not needed)
    """
    first, last = float(table["start"].min()) - 1.0, float(table["stop"].max()) + 1.0
    domain = (first, last)
    drawn = [kind for kind in KIND_COLORS if kind in set(table["kind"])]
    panels = [
        _regimen_panel(rows, t, arms.labels[arm], domain, drawn) for arm, rows in table.groupby("arm", sort=False)
    ]
    chart = alt.vconcat(*panels, spacing=26).resolve_scale(color="shared")
    return theme.finish(chart, t, description=description)


def _regimen_panel(
    rows: pd.DataFrame, t: Catalogue, title: str, domain: tuple[float, float], drawn: Sequence[str]
) -> alt.LayerChart:
    clock, offset = str(rows["clock"].iloc[0]), float(rows["offset"].iloc[0])
    kinds = {kind: t(f"kind.{kind}") for kind in KIND_COLORS}
    frame = rows.assign(kind_name=rows["kind"].map(kinds), end=rows["stop"] + 0.5, begin=rows["start"] - 0.5)
    scale = alt.Scale(domain=[kinds[kind] for kind in drawn], range=[KIND_COLORS[kind] for kind in drawn])
    ticks = _day_ticks(domain)
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=260))
    title_below = t(f"clock.{clock}")
    axis = alt.Axis(values=ticks, title=title_below, grid=True, labelFlush=False, orient="bottom", **SIGNED_DAYS)
    x = alt.X("begin:Q", scale=alt.Scale(domain=list(domain), nice=False), axis=axis)
    base = alt.Chart(frame)
    tooltip = [alt.Tooltip("label:N", title=t("axis.item")), alt.Tooltip("text:N", title=t("axis.dose"))]
    bars = base.mark_bar(height=13, cornerRadius=2).encode(
        x=x, x2=alt.X2("end:Q"), y=y, color=alt.Color("kind_name:N", scale=scale, title=None), tooltip=tooltip
    )
    text = base.mark_text(align="left", dx=10, fontSize=10.5, color=theme.MUTED).encode(
        x=alt.XValue("width"), y=y, text=alt.Text("text:N")
    )
    zero = alt.Chart().mark_rule(color=theme.INK, strokeWidth=1).encode(x=alt.XDatum(0))
    layers = [zero, bars, text]
    chart = alt.layer(*layers, data=frame)
    if offset == offset:
        chart = alt.layer(chart, _upper_axis(frame, t, domain, offset)).resolve_scale(x="independent")
    return chart.properties(width=430, height=alt.Step(20), title=title)


def _day_ticks(domain: tuple[float, float]) -> list[int]:
    span = domain[1] - domain[0]
    step = next((step for step in (1, 2, 3, 7, 14, 28, 56) if span / step <= 13), 112)
    return [day for day in range(-400, 2000) if day % step == 0 and domain[0] <= day <= domain[1]]


def _upper_axis(frame: pd.DataFrame, t: Catalogue, domain: tuple[float, float], offset: float) -> alt.Chart:
    """Return an invisible mark that carries the axis of days from the CAR-T cells."""
    shifted = (domain[0] - offset, domain[1] - offset)
    axis = alt.Axis(values=_day_ticks(shifted), title=t("clock.cart"), orient="top", grid=False, **SIGNED_DAYS)
    scale = alt.Scale(domain=list(shifted), nice=False)
    return alt.Chart(frame).mark_point(opacity=0, size=0).encode(x=alt.X("start:Q", scale=scale, axis=axis))


BOX_HEIGHT, HEAD_HEIGHT, LINE_HEIGHT, GAP = 42.0, 60.0, 15.0, 26.0
WIDEST_BOX, ARROW_INSET, HEAD_LINE, WIDEST_LOSS = 200.0, 22.0, 14.0, 360.0


def flow(steps: Sequence[FlowStep], t: Catalogue, arms: Arms, *, description: str = "") -> alt.LayerChart:
    """Draw the flow of subjects: what all arms share above, then a column an arm; those lost beside the arrows.

    Parameters
    ----------
    steps : boxes in order, as `seedbed.report.consort.steps` returns; those of arm ``""`` are shared by all
    """
    boxes = _place(steps, t, arms)
    height = float(boxes["y2"].max()) + 8.0
    at = _Canvas(theme.WIDE, height)
    base = alt.Chart(boxes.drop(columns="losses"))
    color = alt.Color("color:N", scale=None)
    frame = base.mark_rect(fill="#ffffff", strokeWidth=1.6, cornerRadius=3)
    frame = frame.encode(
        at.x("x"), at.y("y"), x2=alt.X2("x2:Q"), y2=alt.Y2("y2:Q"), stroke=alt.Stroke("color:N", scale=None)
    )
    label = base.mark_text(fontSize=11, dy=-26).encode(at.x("middle"), at.y("y2"), text=alt.Text("label:N"))
    count = base.mark_text(fontSize=13, dy=-11, fontWeight=600).encode(
        at.x("middle"), at.y("y2"), text=alt.Text("count:N")
    )
    title = base.transform_filter("datum.is_head")
    title = title.mark_text(fontSize=11.5, fontWeight=600, dy=14, lineHeight=HEAD_LINE)
    title = title.encode(at.x("middle"), at.y("y"), color, text=alt.Text("arm_name:N"))
    layers = [*_arrows(boxes, at), frame, label, count, title]
    layers.append(_losses(boxes, at))
    return theme.finish(alt.layer(*layers).properties(width=theme.WIDE, height=height), t, description=description)


@dataclass(frozen=True)
class _Canvas:
    """Places in pixels: channels without axes on a plot of a fixed size, y downward."""

    width: float
    height: float

    def x(self, field: str) -> alt.X:
        return alt.X(f"{field}:Q", axis=None, scale=alt.Scale(domain=[0, self.width], nice=False))

    def y(self, field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", axis=None, scale=alt.Scale(domain=[self.height, 0], nice=False))


def _place(steps: Sequence[FlowStep], t: Catalogue, arms: Arms) -> pd.DataFrame:
    """Return the place and the words of each box; a box comes after the losses on the way to it."""
    columns = [arm for arm in arms.labels if any(step.arm == arm for step in steps)]
    width = theme.WIDE / max(len(columns), 1)
    box = min(WIDEST_BOX, 0.88 * width)
    heads = max((len(theme.lines(arms.labels[arm], box - 12.0)) for arm in columns), default=1)
    bottom: dict[str, float] = {}
    rows = []
    for step in steps:
        shared = step.arm == ""
        is_head = not shared and step.arm not in bottom
        left = (theme.WIDE - WIDEST_BOX) / 2 if shared else columns.index(step.arm) * width + 4.0
        above = bottom.get(step.arm, bottom.get("", 6.0 - GAP))
        losses = _loss_lines(step, t, width - ARROW_INSET - 12.0 if step.arm else WIDEST_LOSS)
        top = above + GAP + LINE_HEIGHT * len(losses) + (8.0 if is_head else 0.0)
        bottom[step.arm] = top + (HEAD_HEIGHT + HEAD_LINE * (heads - 1) if is_head else BOX_HEIGHT)
        place = (left, top, WIDEST_BOX if shared else box, bottom[step.arm])
        rows.append(_box(step, t, arms, place) | {"is_head": is_head, "above": above, "losses": losses})
    return pd.DataFrame(rows)


def _loss_lines(step: FlowStep, t: Catalogue, width: float) -> list[str]:
    """Return those lost on the way to a box in words, in lines that end before the next arm begins."""
    texts = [t("flow.lost", reason=reason, n=t.count(n)) for reason, n in step.losses]
    return [line for text in texts for line in theme.lines(text, width)]


def _box(step: FlowStep, t: Catalogue, arms: Arms, place: tuple[float, float, float, float]) -> dict[str, object]:
    left, top, width, bottom = place
    return {
        "arm": step.arm,
        "arm_name": theme.lines(arms.labels.get(step.arm, ""), width - 12.0),
        "color": arms.colors.get(step.arm, theme.INK),
        "label": step.label,
        "count": t("format.n", n=t.count(step.n)),
        "x": left,
        "x2": left + width,
        "middle": left + width / 2,
        "arrow": left + (width / 2 if step.arm == "" else ARROW_INSET),
        "y": top,
        "y2": bottom,
    }


def _arrows(boxes: pd.DataFrame, at: _Canvas) -> list[alt.Chart]:
    """Return the arrows to each box; those that leave the shared boxes run sideways first."""
    shared = boxes[boxes["arm"] == ""]
    trunk = float(shared["arrow"].iloc[-1]) if len(shared) else 0.0
    frame = boxes[boxes["above"] > 0].drop(columns="losses")
    is_branch = frame["is_head"] & (len(shared) > 0)
    bend = frame["above"] + 9.0
    frame = frame.assign(
        tip=frame["y"] - 4.0, bend=bend, begin=frame["above"].where(~is_branch, bend), trunk=trunk, is_branch=is_branch
    )
    base = alt.Chart(frame)
    branch = base.transform_filter("datum.is_branch").mark_rule(color=theme.MUTED, strokeWidth=1.3)
    return [
        base.mark_rule(color=theme.MUTED, strokeWidth=1.3).encode(at.x("arrow"), at.y("begin"), y2=alt.Y2("tip:Q")),
        base.mark_point(shape="triangle-down", size=50, filled=True, color=theme.MUTED, opacity=1).encode(
            at.x("arrow"), at.y("tip")
        ),
        branch.encode(at.x("trunk"), at.y("bend"), x2=alt.X2("arrow:Q")),
        branch.encode(at.x("trunk"), at.y("above"), y2=alt.Y2("bend:Q")),
    ]


def _losses(boxes: pd.DataFrame, at: _Canvas) -> alt.Chart:
    """Return the words beside the arrows: who did not take the step, and why."""
    rows = [
        (row.arrow + 9.0, row.y - 11.0 - LINE_HEIGHT * (len(row.losses) - 1 - index), text)
        for row in boxes.itertuples()
        for index, text in enumerate(row.losses)
    ]
    frame = pd.DataFrame(rows, columns=["x", "y", "text"]).astype({"x": float, "y": float})
    mark = alt.Chart(frame).mark_text(align="left", fontSize=10.5, color=theme.MUTED, baseline="middle")
    return mark.encode(at.x("x"), at.y("y"), text=alt.Text("text:N"))


def kinds_drawn(table: pd.DataFrame, t: Catalogue) -> Mapping[str, str]:
    """Return the kinds of items that a regimen holds, with their words."""
    return {kind: t(f"kind.{kind}") for kind in KIND_COLORS if kind in set(table["kind"])}
