"""Draw the wiring of a model as SVG: a panel for each mechanism, a box for each state, and what acts on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from seedbed.model.influences import Influence, Wiring
from seedbed.model.structure import Mechanism, Model, State

PANEL_WIDTH = 600
COLUMNS = 3
GAP = 24
HEADER = 46
BOX_WIDTH = 190
BOX_LEFT = 74
TEXT_LEFT = BOX_LEFT + BOX_WIDTH + 14
LINE = 16
CHARACTER = 6.1
COLORS = {1: "#1b7837", -1: "#b2182b", 0: "#737373"}
MARKS = {1: "+", -1: "\N{MINUS SIGN}", 0: "\N{PLUS-MINUS SIGN}"}
PLACES = {
    "marrow": "#f4e3d3",
    "blood": "#fbe3e4",
    "plasma": "#fdf3d0",
    "lymphoid tissue": "#e2eefa",
    "thymus": "#e2eefa",
    "tumor": "#ece4f4",
    "CNS": "#e3f2ec",
    "endothelium": "#fbe3e4",
}
_STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;font-size:12px;fill:#222}"
    ".title{font-size:15px;font-weight:bold}.place{font-size:11px;fill:#555}"
    ".head{font-size:22px;font-weight:bold}.box{fill:#fff;stroke:#444;stroke-width:1}"
    ".panel{stroke:#999;stroke-width:1}.arc{fill:none;stroke-width:1.4}"
)


SPELLED = {
    "b": "B", "t": "T", "cart": "CAR-T", "cd34": "CD34", "cns": "CNS", "crp": "CRP", "gcsf": "G-CSF",
    "gmcsf": "GM-CSF", "igg": "IgG", "nk": "NK", "pd1": "PD-1", "chemo": "chemotherapy",
    "IL1": "IL-1", "IL2": "IL-2", "IL6": "IL-6", "IL7": "IL-7", "IL15": "IL-15",
}  # fmt: skip
"""Parts of ids that the field writes otherwise."""


def words(name: str) -> str:
    """Return an id as words of the field: ``IL15_plasma`` as ``IL-15 plasma``."""
    return " ".join(SPELLED.get(part, part) for part in name.split("_"))


@dataclass(frozen=True)
class Row:
    """A state in its panel, with the influences that come from elsewhere, broken into lines."""

    state: State
    lines: tuple[tuple[tuple[str, int], ...], ...]

    @property
    def height(self) -> int:
        """Height in pixels."""
        return max(30, LINE * len(self.lines) + 8) + 8


@dataclass(frozen=True)
class Panel:
    """A mechanism with its rows."""

    mechanism: Mechanism
    rows: tuple[Row, ...]
    inside: tuple[Influence, ...]

    @property
    def height(self) -> int:
        """Height in pixels."""
        return HEADER + sum(row.height for row in self.rows) + 10


def draw(model: Model) -> str:
    """Return the wiring of a model as an SVG text.

    Green (+) makes more of a state, red (minus) less; arrows at the left run between the states of one mechanism, and
    the words at the right name what comes from other mechanisms.
    """
    influences = list(Wiring(model).influences())
    panels = [_panel(mechanism, influences) for mechanism in model.mechanisms if mechanism.states]
    columns = _columns(panels)
    width = len(columns) * (PANEL_WIDTH + GAP) + GAP
    height = max(sum(panel.height + GAP for panel in column) for column in columns) + 110
    body = [_heading(model), _legend()]
    for index, column in enumerate(columns):
        top = 96
        for panel in column:
            body.append(_draw_panel(panel, GAP + index * (PANEL_WIDTH + GAP), top))
            top += panel.height + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<style>{_STYLE}</style>{_markers()}"
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(body)}</svg>\n'
    )


def _panel(mechanism: Mechanism, influences: Sequence[Influence]) -> Panel:
    mine = [influence for influence in influences if influence.target_mechanism == mechanism.id]
    rows = tuple(_row(state, [i for i in mine if i.target == state.id]) for state in mechanism.states)
    return Panel(mechanism, rows, tuple(i for i in mine if i.stays_inside))


def _row(state: State, influences: Sequence[Influence]) -> Row:
    room = (PANEL_WIDTH - TEXT_LEFT - 8) / CHARACTER
    lines: list[list[tuple[str, int]]] = [[]]
    used = 0.0
    for influence in sorted((i for i in influences if not i.stays_inside), key=lambda i: -i.sign):
        text = f"{MARKS[influence.sign]} {words(influence.source)}"
        if used and used + len(text) + 2 > room:
            lines.append([])
            used = 0.0
        lines[-1].append((text, influence.sign))
        used += len(text) + 2
    return Row(state, tuple(tuple(line) for line in lines if line))


def _columns(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Fill the columns in the order of the mechanisms, about equally high."""
    n_columns = min(COLUMNS, len(panels))
    target = sum(panel.height + GAP for panel in panels) / n_columns
    columns: list[list[Panel]] = [[]]
    filled = 0.0
    for panel in panels:
        if columns[-1] and filled + panel.height / 2 > target and len(columns) < n_columns:
            columns.append([])
            filled = 0.0
        columns[-1].append(panel)
        filled += panel.height + GAP
    return columns


def _text(x: float, y: float, content: str, kind: str = "", color: str = "", anchor: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    style = f' style="fill:{color}"' if color else ""
    anchor = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}{style}{anchor}>{escape(content)}</text>'


def _heading(model: Model) -> str:
    return _text(GAP, 40, model.content.title, "head")


def _legend() -> str:
    parts = [
        (f"{MARKS[1]} makes more of it", COLORS[1]),
        (f"{MARKS[-1]} makes less of it", COLORS[-1]),
        ("arrows: within the mechanism; words: from other mechanisms", "#444"),
    ]
    x, drawn = float(GAP), []
    for content, color in parts:
        drawn.append(_text(x, 68, content, color=color))
        x += len(content) * CHARACTER + 30
    return "".join(drawn)


def _markers() -> str:
    heads = (
        f'<marker id="head{sign + 1}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{color}"/></marker>'
        for sign, color in COLORS.items()
    )
    return f"<defs>{''.join(heads)}</defs>"


def _draw_panel(panel: Panel, left: float, top: float) -> str:
    color = PLACES.get(panel.mechanism.content.place, "#f2f2f2")
    body = [
        f'<rect class="panel" x="{left}" y="{top}" width="{PANEL_WIDTH}" height="{panel.height}" rx="8" '
        f'fill="{color}"/>',
        _text(left + 12, top + 22, panel.mechanism.content.title, "title"),
        _text(left + 12, top + 38, panel.mechanism.content.place, "place"),
    ]
    middles: dict[str, float] = {}
    y = top + HEADER
    for row in panel.rows:
        middles[row.state.id] = y + (row.height - 8) / 2
        body.append(_draw_row(row, left, y))
        y += row.height
    arcs = sorted(panel.inside, key=lambda i: abs(middles[i.source] - middles[i.target]))
    body.extend(_arc(arc, middles, left + BOX_LEFT, place) for place, arc in enumerate(arcs))
    return "".join(body)


def _draw_row(row: Row, left: float, top: float) -> str:
    height = row.height - 8
    middle = top + height / 2
    body = [
        f'<rect class="box" x="{left + BOX_LEFT}" y="{top}" width="{BOX_WIDTH}" height="{height}" rx="5">'
        f"<title>{escape(row.state.describes)}</title></rect>",
        _text(left + BOX_LEFT + BOX_WIDTH / 2, middle + 4, words(row.state.id), anchor="middle"),
    ]
    first = middle + 4 - LINE * (len(row.lines) - 1) / 2
    for number, line in enumerate(row.lines):
        x = left + TEXT_LEFT
        for content, sign in line:
            body.append(_text(x, first + number * LINE, content, color=COLORS[sign]))
            x += (len(content) + 2) * CHARACTER
    return "".join(body)


def _arc(influence: Influence, middles: dict[str, float], edge: float, place: int) -> str:
    start, end = middles[influence.source], middles[influence.target]
    down = 1 if end > start else -1
    start, end = start + 3 * down, end - 5 * down
    bulge = edge - 8 - min(60.0, 6 + abs(end - start) / 9 + 3 * (place % 5))
    return (
        f'<path class="arc" stroke="{COLORS[influence.sign]}" marker-end="url(#head{influence.sign + 1})" '
        f'd="M{edge:.1f},{start:.1f} C{bulge:.1f},{start:.1f} {bulge:.1f},{end:.1f} {edge - 1:.1f},{end:.1f}"/>'
    )
