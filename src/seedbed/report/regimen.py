"""The regimen of a protocol as a table: what is given on which day of which clock, for the timeline."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from seedbed import protocol
from seedbed.protocol import Arm, Protocol
from seedbed.report.catalogue import Catalogue
from seedbed.report.wording import signed

WINDOW = (-35, 63)
"""Days drawn around the infusions; what lies outside is told in words."""
KINDS = {
    "conditioning": "conditioning",
    "lymphodepletion": "lymphodepletion",
    "stem_cells": "stem_cells",
    "cart": "cart",
    "growth_factor": "growth_factor",
    "anti_pd1": "immunotherapy",
    "bispecific": "immunotherapy",
}
"""How the timeline colors the kinds of elements; the rest is supportive."""
COLUMNS = ["arm", "label", "kind", "start", "stop", "text", "clock", "offset"]
Item = dict[str, object]


def table(trial: Protocol, arms: tuple[str, ...], t: Catalogue) -> pd.DataFrame:
    """Return the rows of the timeline: those of `COLUMNS`, days on the lower clock of each arm.

    The lower clock is that of the stem cells where an arm gives them, else that of the CAR-T cells; drugs on the
    clock of enrollment have no fixed place on either and are left to the text (`unplaced`).
    """
    rows = [item for arm in arms if arm in trial.arms for item in _arm_rows(trial.arms[arm], t)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _arm_rows(arm: Arm, t: Catalogue) -> Iterator[Item]:
    offset = arm.cart_offset
    clock = "stem_cell" if arm.has_graft else "cart"
    common = {"arm": arm.id, "clock": clock, "offset": np.nan if offset is None else float(offset)}
    frame = protocol.timeline(arm)
    placed = frame.assign(at=frame["day_stem_cells" if arm.has_graft else "day_cart"]).dropna(subset=["at"])
    for _, rows in placed.groupby(["element", "item"], sort=False):
        yield from (common | item for item in _bars(rows, arm, t))


def _bars(rows: pd.DataFrame, arm: Arm, t: Catalogue) -> Iterator[Item]:
    """Yield a bar for each unbroken run of days; the dose stands behind the last bar that is drawn."""
    first = rows.iloc[0]
    days = [int(day) for day in rows["at"]]
    runs = [run for run in _runs(days) if run[0] <= WINDOW[1] and run[1] >= WINDOW[0]]
    for index, (start, stop) in enumerate(runs):
        yield {
            "label": _label(arm, str(first["kind"]), str(first["item"]), t),
            "kind": KINDS.get(str(first["kind"]), "supportive"),
            "start": max(start, WINDOW[0]),
            "stop": min(stop, WINDOW[1]),
            "text": _text(rows, days, t) if index == len(runs) - 1 else "",
        }


def _label(arm: Arm, kind: str, item: str, t: Catalogue) -> str:
    """Return what is given, in the language of the report."""
    if kind == "stem_cells":
        return t("kind.stem_cells")
    content = arm.protocol.products if kind == "cart" else arm.protocol.drugs
    return str(getattr(content[item].title, t.language))


def _runs(days: list[int]) -> list[tuple[int, int]]:
    ordered = sorted(set(days))
    breaks = [i + 1 for i, (day, following) in enumerate(pairwise(ordered)) if following != day + 1]
    edges = [0, *breaks, len(ordered)]
    return [(ordered[first], ordered[last - 1]) for first, last in pairwise(edges)]


def _text(rows: pd.DataFrame, days: list[int], t: Catalogue) -> str:
    """Return the dose in words: of one day, times the number of days, and how long where it leaves the window."""
    first = rows.iloc[0]
    if first["kind"] == "stem_cells":
        collected = pd.isna(first["dose"])
        return t("regimen.collected") if collected else t("regimen.cd34", dose=cells(t, first["dose"], first["unit"]))
    if first["kind"] == "cart":
        return t("format.plus").join(_dose(row, t) for _, row in rows.iterrows())
    dose = _dose(first, t)
    text = dose if len(days) == 1 else t("regimen.times", dose=dose, n=t.count(len(days)))
    return text if max(days) <= WINDOW[1] else t("regimen.until", text=text, day=t.count(max(days)))


def _dose(row: pd.Series, t: Catalogue) -> str:
    """Return what is given on one day, in words."""
    if row["kind"] == "cart":
        return cells(t, row["dose"], row["unit"])
    return t("format.with_unit", value=t.plain(row["dose"]), unit=t.name("unit", row["unit"]))


def outside(trial: Protocol, arm: str, t: Catalogue) -> list[str]:
    """Return what an arm gives on its clocks only before or after the days drawn, in words."""
    found = trial.arms[arm]
    frame = protocol.timeline(found)
    placed = frame.assign(at=frame["day_stem_cells" if found.has_graft else "day_cart"]).dropna(subset=["at"])
    texts = []
    for (kind, _, item), rows in placed.groupby(["kind", "element", "item"], sort=False):
        first, last = (int(day) for day in (rows["at"].min(), rows["at"].max()))
        if not any(WINDOW[0] <= day <= WINDOW[1] for day in rows["at"]):
            days = {"first": signed(t, first, 0), "last": signed(t, last, 0), "n": t.count(len(rows))}
            named = {"item": _label(found, str(kind), str(item), t), "dose": _dose(rows.iloc[0], t)}
            texts.append(t("regimen.course", **named, **days))
    return texts


def cells(t: Catalogue, amount: float, unit: str) -> str:
    """Return a number of cells in words, such as 3×10⁶ cells/kg."""
    exponent = int(np.floor(np.log10(amount)))
    power = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    value = f"{amount / 10.0**exponent:.1f}".removesuffix(".0")
    return t("format.with_unit", value=f"{value}×10{power}", unit=t.name("unit", unit))


def unplaced(trial: Protocol, arm: str, t: Catalogue) -> list[str]:
    """Return the drugs of an arm that count from enrollment, in words."""
    found = trial.arms[arm]
    frame = protocol.timeline(found)
    rest = frame[frame["day_stem_cells"].isna() & frame["day_cart"].isna()]
    return [
        t("regimen.item", item=_label(found, str(kind), str(item), t), text=_text(rows, list(rows["day"]), t))
        for (kind, _, item), rows in rest.groupby(["kind", "element", "item"], sort=False)
    ]
