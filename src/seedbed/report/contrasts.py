"""Differences between arms of the same virtual patients, beside what an unpaired trial would see.

Each endpoint gives every subject and arm one number whose mean is the estimate: 0 or 1 for a rate, and for
survival at a milestone the infinitesimal-jackknife pseudo-value, which is that 0 or 1 where nobody is censored.
Paired intervals come from the subjects' own differences, unpaired ones from the two arms as if they held
different patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd

from seedbed.analysis.paired import milestone_values
from seedbed.analysis.results import LEVEL, normal_quantile
from seedbed.analysis.summary import Quantity, Rate, Time, standard_definitions
from seedbed.analysis.uncertainty import components
from seedbed.report.summary import Run

Direction = Literal["benefit", "harm"]


@cache
def _definitions() -> dict[str, Rate | Time | Quantity]:
    """Return the library's definitions of endpoints by name, read once."""
    return {item.endpoint: item for item in standard_definitions() if isinstance(item, Rate | Time | Quantity)}


@dataclass(frozen=True)
class Outcome:
    """One thing to compare between arms: an endpoint of the summary, for survival at a day."""

    endpoint: str
    direction: Direction = "benefit"
    time_days: float | None = None

    @property
    def definition(self) -> Rate | Time | Quantity:
        """How the summary makes the endpoint from the columns of a subject."""
        return _definitions()[self.endpoint]

    @property
    def is_rate(self) -> bool:
        """Whether the number is a share of one."""
        return not isinstance(self.definition, Quantity)


OUTCOMES = (
    Outcome("best_complete_response"),
    Outcome("best_overall_response"),
    Outcome("pfs", time_days=365.0),
    Outcome("pfs", time_days=730.0),
    Outcome("os", time_days=730.0),
    Outcome("crs_grade_3", "harm"),
    Outcome("icans_grade_3", "harm"),
    Outcome("infection_grade_3", "harm"),
    Outcome("days_anc_below_0_5", "harm"),
)
"""What the report compares between arms."""


def values(run: Run, arm: str, outcome: Outcome) -> pd.Series:
    """Return the number of each subject of an arm for an outcome, by subject; NaN where it is not known."""
    definition = outcome.definition
    rows = run.arm(arm, ("subject", *definition.columns())).set_index("subject")
    if isinstance(definition, Time):
        rows = rows.dropna(subset=list(definition.columns()))
        days, event = (rows[name].to_numpy() for name in definition.columns())
        found = milestone_values(days.astype(float), event.astype(bool), float(outcome.time_days or 0.0))
        return pd.Series(found, index=rows.index)
    column = rows[definition.column]
    if isinstance(definition, Quantity):
        return pd.to_numeric(column, errors="coerce").astype(float)
    hit = _hits(definition, column)
    return hit if definition.missing == "counts_as_no" else hit.where(column.notna())


def _hits(definition: Rate, column: pd.Series) -> pd.Series:
    """Return 1.0 where a value counts for a rate, 0.0 where it does not or is missing."""
    if definition.counts:
        return column.isin(definition.counts).astype(float)
    if definition.at_least is not None:
        return (pd.to_numeric(column, errors="coerce").astype(float) >= definition.at_least).astype(float)
    return column.isin([True]).astype(float)


def available(run: Run) -> tuple[Outcome, ...]:
    """Return the outcomes that the run's tables hold and its follow-up reaches."""

    def reached(outcome: Outcome) -> bool:
        if not all(name in run.endpoints for name in outcome.definition.columns()):
            return False
        if isinstance(outcome.definition, Time):
            return bool(run.endpoints[outcome.definition.time].max() >= (outcome.time_days or 0.0))
        return bool(run.endpoints[outcome.definition.column].notna().any())

    return tuple(outcome for outcome in OUTCOMES if reached(outcome))


def differences(run: Run, arms: tuple[str, str], outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return the difference of each outcome, first arm minus second.

    Returns
    -------
    DataFrame : endpoint, time_days, experimental, control, one, other (the two means), difference, lower,
        upper (paired), unpaired_lower, unpaired_upper, n (pairs), gain (how many times more subjects an unpaired
        comparison needs for the same precision), rate (bool), parameter_sd (of the difference between parameter
        sets), total_lower, total_upper (paired, chance and parameters together); the last three are NaN where the
        run has no ensemble
    """
    rows, sets = [], _parameter_sets(run)
    for outcome in outcomes:
        one, other = (values(run, arm, outcome) for arm in arms)
        pairs = pd.concat([one, other], axis=1, join="inner", keys=["one", "other"]).dropna()
        if len(pairs) > 1:
            rows.append(_difference(pairs, outcome, arms, sets))
    return pd.DataFrame(rows)


def _parameter_sets(run: Run) -> pd.Series | None:
    """Return the parameter set of each subject, or None where the run used no ensemble."""
    name = "parameter_set"
    return run.subjects.set_index("subject")[name] if run.ensemble and name in run.subjects else None


def _parameter_sd(own: pd.Series, sets: pd.Series | None) -> float:
    """Return the spread of a mean difference between parameter sets; NaN where it cannot be told."""
    if sets is None:
        return np.nan
    found = components(pd.DataFrame({"subject": own.index, "parameter_set": sets.loc[own.index], "value": own}))
    return np.nan if found.parameter_sd is None else found.parameter_sd


def _difference(
    pairs: pd.DataFrame, outcome: Outcome, arms: tuple[str, str], sets: pd.Series | None
) -> dict[str, object]:
    n, z = len(pairs), normal_quantile(LEVEL)
    own = pairs["one"] - pairs["other"]
    paired = float(own.std(ddof=1) / np.sqrt(n))
    unpaired = float(np.sqrt((pairs["one"].var(ddof=1) + pairs["other"].var(ddof=1)) / n))
    middle, parameter_sd = float(own.mean()), _parameter_sd(own, sets)
    total = float(np.hypot(parameter_sd, paired))
    return {
        "endpoint": outcome.endpoint,
        "time_days": outcome.time_days,
        "experimental": arms[0],
        "control": arms[1],
        "one": float(pairs["one"].mean()),
        "other": float(pairs["other"].mean()),
        "difference": middle,
        "lower": middle - z * paired,
        "upper": middle + z * paired,
        "unpaired_lower": middle - z * unpaired,
        "unpaired_upper": middle + z * unpaired,
        "n": n,
        "gain": (unpaired / paired) ** 2 if paired > 0 else np.nan,
        "rate": outcome.is_rate,
        "direction": outcome.direction,
        "parameter_sd": parameter_sd,
        "total_lower": middle - z * total,
        "total_upper": middle + z * total,
    }


SQUARE = ("neither", "asct", "cart", "asct_cart")


def square_arms(run: Run) -> dict[str, str] | None:
    """Return the arms that are neither, ASCT alone, CAR-T alone and both, or None when one is absent."""
    found: dict[str, str] = {}
    for arm in run.arms:
        kind = {(False, False): "neither", (True, False): "asct", (False, True): "cart", (True, True): "asct_cart"}
        found.setdefault(kind[run.has("stem_cell", arm), run.has("cart", arm)], arm)
    return {name: found[name] for name in SQUARE} if set(found) == set(SQUARE) else None


def excess(run: Run, square: dict[str, str], outcomes: Sequence[Outcome]) -> pd.DataFrame:
    r"""Return how far the combination departs from independent action of its parts.

    With F the share without the outcome, parts that act independently of each other give
    :math:`F_{both}=F_{asct}F_{cart}/F_{neither}`; the excess is the observed share of the combination minus the
    share expected so. Positive is more than independent action, for benefit and harm alike.

    Returns
    -------
    DataFrame : endpoint, time_days, neither, asct, cart, both, expected, excess, lower, upper, n
    """
    rows = []
    for outcome in outcomes:
        columns = [values(run, square[name], outcome) for name in SQUARE]
        table = pd.concat(columns, axis=1, join="inner", keys=SQUARE).dropna()
        if len(table) > 1 and outcome.is_rate and table["neither"].mean() < 1.0:
            rows.append({"endpoint": outcome.endpoint, "time_days": outcome.time_days, **_excess(table)})
    return pd.DataFrame(rows)


def _excess(table: pd.DataFrame) -> dict[str, float]:
    lost = 1.0 - table
    nothing, graft, cells, both = (float(lost[name].mean()) for name in SQUARE)
    expected = graft * cells / nothing
    slopes = pd.Series({"neither": -expected / nothing, "asct": cells / nothing, "cart": graft / nothing})
    influence = (lost[list(slopes.index)] * slopes).sum(axis=1) - lost["asct_cart"]
    error = float(influence.std(ddof=1) / np.sqrt(len(table)))
    middle, z = expected - both, normal_quantile(LEVEL)
    return {
        "neither": 1 - nothing,
        "asct": 1 - graft,
        "cart": 1 - cells,
        "both": 1 - both,
        "expected": 1 - expected,
        "excess": middle,
        "lower": middle - z * error,
        "upper": middle + z * error,
        "n": len(table),
    }
