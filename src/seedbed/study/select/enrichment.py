"""How much of the benefit a rule keeps that gives the experimental arm only to some patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import streams
from seedbed.analysis.results import normal_quantile
from seedbed.study.select.pairs import Pairs
from seedbed.study.select.plan import Factor, Rule
from seedbed.study.select.strata import effect, labels_of

Floats = NDArray[np.float64]
KEPT = ("progression_free", "crs_grade_3", "icans_grade_3", "days_anc_below_0_5", "non_relapse_mortality")


def kept(pairs: Pairs, chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Return what a rule keeps when only the chosen get the experimental arm.

    Returns
    -------
    dict
        ``share_treated``; ``benefit_if_all`` and ``benefit_by_rule`` (progression-free at the horizon, over everyone);
        ``share_of_benefit`` with ``lower`` and ``upper`` (delta method; NaN where treating all brings nothing);
        ``in_chosen`` and ``in_others`` (mean benefit of each); and for each harm what it costs over everyone.
    """
    difference = pairs.difference("progression_free")
    by_rule = np.where(chosen, difference, 0.0)
    total, part = float(difference.mean()), float(by_rule.mean())
    row = {
        "share_treated": float(chosen.mean()),
        "benefit_if_all": total,
        "benefit_by_rule": part,
        **_ratio(difference, by_rule),
        "in_chosen": float(difference[chosen].mean()) if chosen.any() else float("nan"),
        "in_others": float(difference[~chosen].mean()) if (~chosen).any() else float("nan"),
    }
    return row | {f"{name}_by_rule": float(np.where(chosen, pairs.difference(name), 0).mean()) for name in KEPT[1:]}


def _ratio(difference: Floats, by_rule: Floats) -> dict[str, float]:
    total, n = difference.mean(), difference.size
    error = difference.std(ddof=1) / np.sqrt(n)
    if abs(total) <= normal_quantile(0.95) * error:
        return {"share_of_benefit": float("nan"), "lower": float("nan"), "upper": float("nan")}
    ratio = by_rule.mean() / total
    half = normal_quantile(0.95) * (by_rule - ratio * difference).std(ddof=1) / np.sqrt(n) / abs(total)
    return {"share_of_benefit": float(ratio), "lower": float(ratio - half), "upper": float(ratio + half)}


def rules_table(pairs: Pairs, rules: Sequence[Rule]) -> pd.DataFrame:
    """Return `kept` for each rule of the plan."""
    rows = []
    for rule in rules:
        chosen = np.logical_and.reduce([condition.holds(pairs.subjects) for condition in rule.conditions])
        rows.append({"rule": rule.id, **kept(pairs, chosen)})
    return pd.DataFrame(rows)


def predicted(pairs: Pairs, factors: Sequence[Factor], seed: int, outcome: str = "progression_free") -> Floats:
    """Return the benefit expected of each patient from the strata it is in, fitted on the other half of the patients.

    A linear model with the strata of every covariate as indicators (ridge 1), so that it is additive and readable.
    """
    columns = []
    for factor in factors:
        labels, names = labels_of(factor, pairs.subjects[factor.covariate])
        columns += [(labels == name).astype(float) for name in names[1:]]
    design = np.column_stack([np.ones(pairs.n), *columns])
    half = streams.uniform(seed, "cross fitting", pairs.subjects["subject"].to_numpy()) < 0.5
    difference, found = pairs.difference(outcome), np.empty(pairs.n)
    for fit_on in (half, ~half):
        moments = design[fit_on].T @ design[fit_on] + np.diag([0.0, *np.ones(design.shape[1] - 1)])
        found[~fit_on] = design[~fit_on] @ np.linalg.solve(moments, design[fit_on].T @ difference[fit_on])
    return found


def treated_share_curve(pairs: Pairs, expected: Floats, n_points: int = 20) -> pd.DataFrame:
    """Return the benefit over everyone when the share with the largest expected benefit is treated.

    Returns
    -------
    DataFrame
        ``share_treated``, ``benefit`` with ``lower`` and ``upper``, and ``at_random`` (the same share by lot).
    """
    difference = pairs.difference("progression_free")
    rank = np.argsort(np.argsort(-expected, kind="stable"), kind="stable") / pairs.n
    rows = []
    for share in np.linspace(0, 1, n_points + 1):
        values = np.where(rank < share, difference, 0.0)
        half = normal_quantile(0.95) * values.std(ddof=1) / np.sqrt(pairs.n)
        mean = float(values.mean())
        random = float(share * difference.mean())
        rows.append(
            {"share_treated": share, "benefit": mean, "lower": mean - half, "upper": mean + half, "at_random": random}
        )
    return pd.DataFrame(rows)


def fifths(pairs: Pairs, expected: Floats) -> pd.DataFrame:
    """Return the benefit found in fifths of the patients by the benefit expected of them (cross-fitted).

    Returns
    -------
    DataFrame
        ``fifth`` (1 expects least), ``expected``, and the columns of `strata.effect` for progression-free survival.
    """
    fifth = np.argsort(np.argsort(expected, kind="stable"), kind="stable") * 5 // pairs.n
    rows = [
        {
            "fifth": number + 1,
            "expected": float(expected[fifth == number].mean()),
            **effect(pairs.take(fifth == number), "progression_free"),
        }
        for number in range(5)
    ]
    return pd.DataFrame(rows)
