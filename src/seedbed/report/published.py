"""Published results of the emulated study beside the simulated ones: what is compared with what, and the verdict.

The rule is fixed: a hit is a simulated estimate inside the published 95 % interval, which is the printed one or,
for a share of n patients, the exact binomial one. A result without either is shown and not judged. Each result is
simulated through its own filter: whom the study selected for that arm, who is in its denominator, and from which
day 0 it counts. For arms that give both stem cells and CAR-T cells nothing is shown until the run names a
calibrated ensemble.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from seedbed import evidence, library
from seedbed.analysis.summary import standard_definitions, summarize
from seedbed.protocol import Protocol
from seedbed.report.setting import Setting
from seedbed.report.wording import endpoint

COLUMNS = (
    "arm", "endpoint", "time_days", "statistic", "assessment", "denominator", "clock", "unit", "value", "lower",
    "upper", "n", "seen", "source",
)  # fmt: skip
"""Columns of a table of published results: our arm, then as `seedbed.evidence.rows` has them."""
BEST = {"cr": "best_complete_response", "orr": "best_overall_response"}
AT_DAY = {
    ("cr", 28): "complete_response_d28",
    ("cr", 90): "complete_response_d90",
    ("cr", 180): "complete_response_d180",
    ("orr", 28): "overall_response_d28",
    ("orr", 90): "overall_response_d90",
}
SAME = {
    "crs_any": "crs_any",
    "crs_grade3plus": "crs_grade_3",
    "icans_any": "icans_any",
    "icans_grade3plus": "icans_grade_3",
    "infection_grade3plus": "infection_grade_3",
    "neutrophil_recovery": "anc_engraftment",
    "platelet_recovery": "platelet_engraftment",
    "neutrophil_below_0_5_days": "days_anc_below_0_5",
    "cart_tmax": "cart_tmax",
    "cart_persistence": "cart_persistence",
    "crs_onset": "crs_onset",
    "crs_duration": "crs_duration",
}
"""Published endpoints whose rule is that of one of ours."""
OVER_TIME = {"pfs": "pfs", "os": "os", "efs": "efs", "nrm": "non_relapse_mortality", "trm": "non_relapse_mortality"}
LANDMARKS = (100.0, 183.0, 365.0, 730.0)
CLOSE_DAYS = 15.0
TREATED = {"infused", "evaluable", "transplanted", "mrd_evaluable", "responders", "not_stated"}
"""Denominators of those who were treated; other patients of the arm are left out of the simulated estimate."""
FROM_TREATMENT = {"cart_infusion", "stem_cells", "not_stated"}
"""Clocks that start with treatment, so that times count from day 0 of the arm."""


def of_protocol(trial: Protocol) -> pd.DataFrame:
    """Return the preferred results of the study that a protocol emulates; empty where it emulates none.

    Returns
    -------
    DataFrame with `COLUMNS`, ``arm`` being the arm of the protocol
    """
    if trial.emulates is None:
        return pd.DataFrame(columns=list(COLUMNS))
    study = evidence.read_study(library.find("evidence/studies", trial.emulates.study))
    found = evidence.rows(among=[study], preferred=True)
    found = found[found["subgroup"].isna() | (found["subgroup"] == "")]
    parts = [found[found["arm"] == theirs].assign(arm=ours) for ours, theirs in trial.emulates.arms.items()]
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def ours(row: Mapping[str, Any]) -> tuple[str, float | None] | None:
    """Return our endpoint and landmark [day] of a published result, or None where no rule of ours matches."""
    name, day = str(row["endpoint"]), row["time_days"]
    if name in SAME:
        return SAME[name], None
    if name in OVER_TIME:
        return _over_time(OVER_TIME[name], row, day)
    if name in BEST and (pd.isna(day) or row["assessment"] == "best"):
        return BEST[name], None
    near = [found for (theirs, at), found in AT_DAY.items() if name == theirs and abs(day - at) <= 7]
    return (near[0], None) if near else None


def _over_time(name: str, row: Mapping[str, Any], day: float) -> tuple[str, float | None] | None:
    if row["statistic"] == "median":
        return (f"{name}_median", None) if name != "non_relapse_mortality" else None
    near = [at for at in LANDMARKS if abs(day - at) <= CLOSE_DAYS]
    return (name, near[0]) if near else None


class Comparison:
    """The simulated side of a comparison: summaries of an arm through the filters of published results."""

    def __init__(self, setting: Setting, trial: Protocol) -> None:
        self.setting, self.trial = setting, trial
        self._definitions = standard_definitions()
        self._summaries: dict[tuple[str, bool, bool], pd.DataFrame] = {}

    @cached_property
    def _selected(self) -> dict[str, set[int]]:
        """The subjects that the study would have taken into each arm."""
        subjects = self.setting.run.subjects
        chosen: dict[str, set[int]] = {}
        for name, arm in self.trial.arms.items():
            taken = np.ones(len(subjects), dtype=bool)
            for condition in arm.selection:
                taken &= condition.holds(subjects)
            chosen[name] = set(subjects.loc[taken, "subject"])
        return chosen

    def estimate(self, row: Mapping[str, Any], name: str, time_days: float | None) -> Mapping[str, Any] | None:
        """Return the summary row of our endpoint through the filter of a published result, or None."""
        key = (str(row["arm"]), row["denominator"] in TREATED, row["clock"] in FROM_TREATMENT)
        if key not in self._summaries:
            self._summaries[key] = pd.DataFrame(summarize(self._rows(*key), self._definitions))
        table = self._summaries[key]
        if table.empty:
            return None
        found = table[table["endpoint"] == name]
        found = found if time_days is None else found[found["time_days"] == time_days]
        return None if found.empty or pd.isna(found.iloc[0]["estimate"]) else found.iloc[0].to_dict()

    def _rows(self, arm: str, treated: bool, from_treatment: bool) -> pd.DataFrame:
        rows = self.setting.run.arm(arm)
        rows = rows[rows["subject"].isin(self._selected.get(arm, set(rows["subject"])))]
        if treated:
            given = [f"{element}_day" for element in ("stem_cell", "cart") if self.setting.run.has(element, arm)]
            rows = rows.dropna(subset=given)
        if from_treatment:
            names = {f"{name}_days_from_day_zero": f"{name}_days" for name in ("pfs", "os", "efs")}
            known = {old: new for old, new in names.items() if old in rows}
            rows = rows.drop(columns=list(known.values())).rename(columns=known)
        return rows


def compare(setting: Setting, trial: Protocol) -> pd.DataFrame:
    """Return published results beside simulated ones.

    Returns
    -------
    DataFrame : arm, label, unit, published, published_lower, published_upper, n, seen, source, simulated,
        simulated_lower, simulated_upper, verdict (``hit``, ``miss``, ``no_interval``, ``withheld``)
    """
    simulated = Comparison(setting, trial)
    rows = [_beside(setting, simulated, row) for row in setting.evidence.to_dict("records")]
    table = pd.DataFrame([row for row in rows if row is not None])
    return table.drop_duplicates(["arm", "label", "published"]) if len(table) else table


def _beside(setting: Setting, simulated: Comparison, row: Mapping[str, Any]) -> dict[str, Any] | None:
    matched = ours(row)
    if matched is None or row["arm"] not in setting.arms.labels or pd.isna(row["value"]):
        return None
    found = simulated.estimate(row, *matched)
    if found is None:
        return None
    withheld = setting.combines(row["arm"]) and not setting.is_calibrated
    hidden = {"value": np.nan, "lower": np.nan, "upper": np.nan, "n": None, "source": ""} if withheld else {}
    shown = {**row, **hidden}
    return {
        "arm": row["arm"],
        "label": endpoint(setting.t, *matched),
        "unit": row["unit"],
        "published": shown["value"],
        "published_lower": shown["lower"],
        "published_upper": shown["upper"],
        "n": shown["n"],
        "seen": row["seen"],
        "source": shown["source"],
        "simulated": found["estimate"],
        "simulated_lower": found["lower"],
        "simulated_upper": found["upper"],
        "verdict": "withheld" if withheld else _verdict(row, float(found["estimate"])),
    }


def _verdict(row: Mapping[str, Any], simulated: float) -> str:
    if pd.isna(row["lower"]) or pd.isna(row["upper"]):
        return "no_interval"
    return "hit" if row["lower"] <= simulated <= row["upper"] else "miss"
