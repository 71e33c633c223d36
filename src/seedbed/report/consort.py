"""The flow of subjects as boxes: what all arms share, then the steps of each arm, each with the losses before it.

A row of ``flow.parquet`` is a step, or a loss on the way to the next step, written ``excluded: <condition>`` or
``not <step>: <reason>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from seedbed.report.catalogue import Catalogue

SHARED = ("screened", "enrolled")
SIGNS = {">=": "≥", "<=": "≤", " and ": " & "}


@dataclass(frozen=True)
class FlowStep:
    """One box: the arm (empty where all share it), its words, its count, and who was lost on the way to it."""

    arm: str
    label: str
    n: int
    losses: tuple[tuple[str, int], ...] = ()


def steps(flow: pd.DataFrame, arms: Sequence[str], t: Catalogue) -> list[FlowStep]:
    """Return the boxes of a flow table; a step at which no arm lost anybody is left out.

    Parameters
    ----------
    flow : arm, step, n, in order
    arms : the arms to show
    """
    by_arm = {arm: _boxes(flow[flow["arm"] == arm], arm, t) for arm in arms}
    first = next(iter(by_arm.values()), [])
    alike = all(
        [box for box, name in boxes if name in SHARED] == [] or _heads(boxes) == _heads(first)
        for boxes in by_arm.values()
    )
    shared = [FlowStep("", box.label, box.n, box.losses) for box, name in first if name in SHARED] if alike else []
    rest = [box for boxes in by_arm.values() for box, name in boxes if not (shared and name in SHARED)]
    return shared + rest


def _heads(boxes: list[tuple[FlowStep, str]]) -> list[tuple[int, tuple[tuple[str, int], ...]]]:
    return [(box.n, box.losses) for box, name in boxes if name in SHARED]


def _boxes(rows: pd.DataFrame, arm: str, t: Catalogue) -> list[tuple[FlowStep, str]]:
    boxes: list[tuple[FlowStep, str]] = []
    losses: list[tuple[str, int]] = []
    for row in rows.itertuples():
        step, _, reason = str(row.step).partition(": ")
        if reason:
            losses += [(reason_words(reason, t), int(row.n))] if row.n else []
        elif not (step == "selected" and boxes and boxes[-1][0].n == row.n):
            boxes.append((FlowStep(arm, t.name("flow_step", step), int(row.n), tuple(losses)), step))
            losses = []
    return boxes


def reason_words(reason: str, t: Catalogue) -> str:
    """Return a reason in words: one of the catalogue, or a condition such as ``age_years <= 70``."""
    covariate, _, condition = reason.partition(" ")
    if not condition:
        return t.name("reason", reason)
    if condition == "= yes":
        return t("flow.not", covariate=t.name("covariate", covariate))
    for sign, shown in SIGNS.items():
        condition = condition.replace(sign, shown)
    return t("flow.condition", covariate=t.name("covariate", covariate), condition=condition)
