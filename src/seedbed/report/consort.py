"""The flow of subjects as boxes: what all arms share, then the steps of each arm, each with the losses before it.

Screening comes from ``flow.parquet``, whose row ``excluded: <condition>`` is a loss. What was given to those whom an
arm took is counted in the endpoints, so that who died after conditioning began is among the losses too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from seedbed.report.catalogue import Catalogue
from seedbed.report.summary import Run
from seedbed.report.wording import RESPONSE_LEVELS

GIVEN = {
    "stem_cell": ("transplanted", "transplant_not_done", "stem_cell_day"),
    "cart": ("infused", "cart_not_infused", "cart_day"),
}
"""Element of an arm: its step, the event that tells why it was not given, and the day on which it was."""
NEGATED = {">=": "<", "<=": ">", "<": "≥", ">": "≤"}
DIED, CUT = "death_before_cells", "data_cut"


@dataclass(frozen=True)
class FlowStep:
    """One box: the arm (empty where all share it), its words, its count, and who was lost on the way to it."""

    arm: str
    label: str
    n: int
    losses: tuple[tuple[str, int], ...] = ()


def steps(run: Run, t: Catalogue) -> list[FlowStep]:
    """Return the boxes of a run: screening and enrollment once, then what each arm gave."""
    screening = run.flow[run.flow["arm"] == run.arms[0]]
    return _screening(screening, t) + [box for arm in run.arms for box in _arm(run, arm, t)]


def _screening(rows: pd.DataFrame, t: Catalogue) -> list[FlowStep]:
    n = {str(row.step): int(row.n) for row in rows.itertuples()}
    excluded = [(step.removeprefix("excluded: "), k) for step, k in n.items() if step.startswith("excluded: ")]
    losses = tuple((reason_words(reason, t), k) for reason, k in excluded if k)
    screened = FlowStep("", t("flow_step.screened"), n["screened"])
    return [screened, FlowStep("", t("flow_step.enrolled"), n["enrolled"], losses)]


def _arm(run: Run, arm: str, t: Catalogue) -> list[FlowStep]:
    """Return the steps of one arm; the emulated study's selection is a step where it took not everybody."""
    rows = run.arm(arm, ("subject", "selected", "stem_cell_day", "cart_day", "os_event"))
    events = run.events[run.events["arm"] == arm]
    taken = rows[rows["selected"].astype(bool)]
    boxes = []
    if len(taken) < len(rows):
        losses = ((t("flow.not_taken"), len(rows) - len(taken)),)
        boxes.append(FlowStep(arm, t("flow_step.selected"), len(taken), losses))
    for element, (step, event, day) in GIVEN.items():
        if run.has(element, arm):
            given = taken[taken[day].notna()]
            reasons = _reasons(taken[taken[day].isna()], events[events["event"] == event])
            losses = tuple((reason_words(reason, t), n) for reason, n in reasons.items())
            boxes.append(FlowStep(arm, t(f"flow_step.{step}"), len(given), losses))
            taken = given
    return boxes or [FlowStep(arm, t("flow_step.untreated"), len(taken))]


def _reasons(lost: pd.DataFrame, events: pd.DataFrame) -> dict[str, int]:
    """Return how many were lost for which reason; whom no event explains died before the cells, or was cut off."""
    known = events.drop_duplicates("subject").set_index("subject")["detail"].astype(str)
    rest = lost["os_event"].map({True: DIED, False: CUT})
    found = lost["subject"].map(known).astype(object)
    return {str(reason): int(n) for reason, n in found.where(found.notna(), rest).value_counts().items()}


def reason_words(reason: str, t: Catalogue) -> str:
    """Return a reason in words: one of the catalogue, or what did not hold, such as ``age <= 70``."""
    covariate, _, condition = reason.partition(" ")
    if not condition:
        return t.name("reason", reason)
    name = t.name("covariate", covariate)
    if condition == "= yes":
        return t("flow.not", covariate=name)
    sign, _, value = condition.partition(" ")
    if sign in ("in", "="):
        return t("flow.none_of", covariate=name, levels=_levels(value.split(", "), t))
    parts = [part.partition(" ") for part in condition.split(" and ")]
    outside = t("flow.or").join(f"{NEGATED[sign]} {bound}" for sign, _, bound in parts)
    return t("flow.condition", covariate=name, condition=outside)


def _levels(values: Sequence[str], t: Catalogue) -> str:
    """Return levels in words, responses by their abbreviations and the best first."""
    order = {level: index for index, level in enumerate(RESPONSE_LEVELS)}
    ranked = sorted(values, key=lambda value: order.get(value, len(order)))
    return t("flow.or").join(value if value in order else t.name("level", value) for value in ranked)
