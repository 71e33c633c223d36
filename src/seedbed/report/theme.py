"""Colors, fonts and sizes that all charts share, so that an arm looks the same wherever it is drawn.

The arm colors are those of Okabe and Ito, which readers with any common color blindness can tell apart. In gray some
are alike, so that lines also differ by their dashes. Grades and responses use one ordered scale each.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import altair as alt
import pandas as pd

from seedbed.report.catalogue import Catalogue

WIDE = 780
HALF = 365
HEIGHT = 260
LEGEND_WIDTH = 720.0
LABEL_WIDTH = 190.0
"""Width [px] that the legends, and the lines of an arm's name on an axis, may take."""

INK = "#1b2733"
MUTED = "#5b6875"
RULE = "#d5dbe1"
PAPER = "#ffffff"
HIT = "#2a6f5e"
MISS = "#b3261e"

ARM_COLORS = {"asct_cart": "#0072b2", "cart": "#d55e00", "asct": "#009e73", "neither": "#6b7580"}
FURTHER_COLORS = ("#cc79a7", "#e69f00", "#56b4e9", "#7b4fa3", "#8c6d31", "#1b2733", "#a6761d", "#4d9de0")
DASHES = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3), (14, 4), (5, 2, 1, 2, 1, 2))
"""Dashes of the arms' lines in their order, which tell them apart where a page is printed in gray."""
GRADE_COLORS = {0: "#f0f2f4", 1: "#f8d8a4", 2: "#f5b26b", 3: "#dd6b3d", 4: "#a3301f", 5: "#4a1019"}
RESPONSE_COLORS = {
    "sCR": "#08306b",
    "CR": "#08519c",
    "CRu": "#2f79b5",
    "VGPR": "#4f9bcb",
    "PR": "#8cc0de",
    "MR": "#c6dbef",
    "SD": "#d5dbe1",
    "PD": "#e08214",
    "NE": "#f1f3f5",
}
FONTS = {
    "en": "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif",
    "zh": "'PingFang SC', 'Hiragino Sans GB', 'Microsoft YaHei', 'Source Han Sans SC', 'Noto Sans CJK SC', "
    "'WenQuanYi Micro Hei', sans-serif",
}
LINES = {"symbolType": "stroke", "symbolStrokeWidth": 2.5, "symbolSize": 500}
"""Keys of a legend of lines."""
AnyChart = TypeVar("AnyChart", bound=alt.TopLevelMixin)


@dataclass(frozen=True)
class Arms:
    """The arms of a report in their order, each with the name and the color it has in every chart."""

    labels: dict[str, str]
    colors: dict[str, str]

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Arms:
        """Return arms from their names; the arms of the square have fixed colors, others the next free one."""
        further = iter(FURTHER_COLORS * (1 + len(labels) // len(FURTHER_COLORS)))
        colors = {arm: ARM_COLORS.get(arm) or next(further) for arm in labels}
        return cls(dict(labels), colors)

    def scale(self, present: Iterable[str]) -> alt.Scale:
        """Return the color scale of the arms that a table holds, in the order of the report."""
        there = set(present)
        shown = [arm for arm in self.labels if arm in there]
        return alt.Scale(domain=[self.labels[arm] for arm in shown], range=[self.colors[arm] for arm in shown])

    def color(self, present: Iterable[str], **legend: object) -> alt.Color:
        """Return the color of the arms that a table holds, with a legend that fits the page."""
        scale = self.scale(present)
        return alt.Color("arm_name:N", title=None, scale=scale, legend=legend_of(scale.domain, **legend))

    def dash(self, present: Iterable[str]) -> alt.StrokeDash:
        """Return the dashes of the lines of the arms that a table holds; the legend is that of the colors."""
        there = set(present)
        shown = {label: DASHES[i % len(DASHES)] for i, (arm, label) in enumerate(self.labels.items()) if arm in there}
        scale = alt.Scale(domain=list(shown), range=[list(dash) for dash in shown.values()])
        return alt.StrokeDash("arm_name:N", title=None, scale=scale, legend=legend_of(list(shown), **LINES))

    def named(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with the column ``arm_name``."""
        return table.assign(arm_name=table["arm"].map(self.labels))


def text_width(text: str) -> float:
    """Return about how wide a label is [px]: Chinese characters are twice as wide as Latin ones."""
    return sum(11.0 if character > "\u2e80" else 5.9 for character in text)


def legend_of(labels: Sequence[str], **keys: object) -> alt.Legend:
    """Return a legend of as many columns as the page is wide."""
    widest = max(map(text_width, labels), default=1.0) + 34.0
    return alt.Legend(columns=max(1, min(len(labels), int(LEGEND_WIDTH // widest))), **keys)


def lines(label: str, limit: float = LABEL_WIDTH) -> list[str]:
    """Return a label broken into lines of at most a width [px], at blanks where it has some."""
    per_character = text_width(label) / max(len(label), 1)
    return textwrap.wrap(label, max(4, int(limit / max(per_character, 1.0)))) or [label]


def broken(labels: Iterable[str]) -> dict[str, object]:
    """Return the keys of an axis that writes long labels in several lines."""
    table = {label: lines(label) for label in labels}
    return {"labelExpr": f"({json.dumps(table, ensure_ascii=False)})[datum.label]", "labelLimit": LABEL_WIDTH + 20.0}


def finish(chart: AnyChart, t: Catalogue, *, description: str = "") -> AnyChart:
    """Return a chart with the fonts, axes and legends of the report, and a text for screen readers.

    The chart is changed in place: a copy of a composed chart costs a quarter of a second.
    """
    chart.config = config(t.language)
    if description:
        chart.description = description
    return chart


def config(language: str) -> dict[str, object]:
    """Return the configuration of all charts in a language."""
    font = FONTS[language]
    label = {"labelFont": font, "titleFont": font, "labelFontSize": 11, "titleFontSize": 11.5}
    quiet = {"labelColor": INK, "titleColor": MUTED, "titleFontWeight": 500}
    symbols = {"symbolType": "square", "symbolSize": 110, "symbolOpacity": 1, "columnPadding": 16, "offset": 10}
    top = {"orient": "top", "direction": "horizontal", "labelLimit": 320, "titleLimit": 320}
    lines = {"gridColor": "#edf0f3", "domainColor": MUTED, "tickColor": MUTED, "tickSize": 4}
    return {
        "background": PAPER,
        "font": font,
        "padding": 6,
        "view": {"stroke": None},
        "axis": {**label, **quiet, **lines, "labelPadding": 4, "titlePadding": 8, "labelLimit": 320},
        "legend": {**label, **quiet, **top, **symbols},
        "header": {**label, **quiet, "labelFontWeight": 600, "labelLimit": 400},
        "text": {"font": font, "fontSize": 11, "color": INK},
        "title": {"font": font, "fontSize": 12.5, "fontWeight": 600, "color": INK, "anchor": "start", "frame": "group",
                  "offset": 8},
    }  # fmt: skip
