r"""Benefit and harm by stratum, with the three uncertainties apart, and whether strata differ at all.

Multiplicity: one test of equal benefit over the strata of each covariate (Welch 1951), adjusted over covariates by
Holm 1979. With enough virtual patients any difference becomes significant, so a covariate is said to matter only if
the adjusted test rejects *and* its best and worst strata differ by at least the plan's relevant difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from seedbed.analysis.results import normal_quantile
from seedbed.study.select.pairs import OUTCOMES, UNIT, Pairs
from seedbed.study.select.plan import Factor
from seedbed.study.worlds import estimate_mean

FEWEST = 10
"""Patients of a stratum below which it is named but not tested."""


def labels_of(factor: Factor, values: pd.Series) -> tuple[NDArray[np.object_], tuple[str, ...]]:
    """Return the stratum of each patient and the strata in their order; numbers are cut, levels kept."""
    if factor.cuts:
        edges = (-np.inf, *factor.cuts, np.inf)
        names = tuple(_range(low, high) for low, high in pairwise(edges))
        place = np.searchsorted(factor.cuts, values.to_numpy(dtype=float), side="left")
        return np.array(names, dtype=object)[place], names
    shown = values.map({True: "yes", False: "no"}) if values.dtype == bool else values.astype(str)
    order = factor.order or tuple(sorted(shown.unique()))
    return shown.to_numpy(dtype=object), tuple(name for name in order if (shown == name).any())


def _range(low: float, high: float) -> str:
    if np.isneginf(low):
        return f"≤ {high:g}"
    return f"> {low:g}" if np.isposinf(high) else f"> {low:g}–{high:g}"


def effect(pairs: Pairs, outcome: str) -> dict[str, float]:
    """Return the difference of an outcome over all patients of `pairs`, and the parts of its uncertainty.

    Returns
    -------
    dict
        ``n``, ``experimental``, ``control``, ``difference``, ``lower``, ``upper`` (95 %, parameters and Monte Carlo
        together), ``between_patient_sd``, ``parameter_sd`` (NaN with one parameter set), ``monte_carlo_se``.
    """
    kind = "number" if outcome in UNIT else "difference of shares"
    found = estimate_mean(pairs.difference(outcome), pairs.parameter_set, kind)
    return {
        "n": pairs.n,
        "experimental": float(pairs.experimental[outcome].mean()),
        "control": float(pairs.control[outcome].mean()),
        "difference": found.pop("estimate"),
        **found,
    }


def effects(pairs: Pairs, outcomes: Sequence[str] = OUTCOMES) -> pd.DataFrame:
    """Return `effect` of several outcomes, a row each; empty with fewer than two patients."""
    return pd.DataFrame([{"outcome": name, **effect(pairs, name)} for name in outcomes] if pairs.n > 1 else [])


def by_stratum(pairs: Pairs, factors: Sequence[Factor]) -> pd.DataFrame:
    """Return the effects in the strata of each covariate.

    Returns
    -------
    DataFrame
        ``covariate``, ``stratum``, ``share`` of the patients, ``outcome`` and the columns of `effect`.
    """
    parts = []
    for factor in factors:
        labels, names = labels_of(factor, pairs.subjects[factor.covariate])
        for name in names:
            chosen = labels == name
            found = effects(pairs.take(chosen))
            parts.append(found.assign(covariate=factor.covariate, stratum=name, share=float(chosen.mean())))
    return pd.concat(parts, ignore_index=True)


def welch_test(groups: Sequence[NDArray[np.float64]]) -> float:
    """Return the p-value of equal means in groups whose variances may differ (Welch 1951); 1 when none varies."""
    usable = [group for group in groups if group.size >= FEWEST]
    if len(usable) < 2:
        return 1.0
    size, k = np.array([group.size for group in usable]), len(usable)
    mean = np.array([group.mean() for group in usable])
    variance = np.maximum(np.array([group.var(ddof=1) for group in usable]), 1e-12)
    weight = size / variance
    grand = np.sum(weight * mean) / weight.sum()
    spread = np.sum((1 - weight / weight.sum()) ** 2 / (size - 1))
    statistic = np.sum(weight * (mean - grand) ** 2) / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * spread)
    return float(f_distribution.sf(statistic, k - 1, (k**2 - 1) / (3 * spread)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    raw = np.asarray(p_values, dtype=float)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(raw), 1.0)
    return [float(value) for value in adjusted]


def tests_of(pairs: Pairs, factors: Sequence[Factor], outcome: str, *, alpha: float, relevant: float) -> pd.DataFrame:
    """Return, for each covariate, whether the effect differs between its strata.

    Returns
    -------
    DataFrame
        ``covariate``, ``p_value``, ``p_adjusted``, ``worst``, ``best`` (strata), ``spread`` (best minus worst effect),
        ``lower``, ``upper`` (95 % of the spread) and ``differs``.
    """
    rows = []
    difference = pairs.difference(outcome)
    for factor in factors:
        labels, names = labels_of(factor, pairs.subjects[factor.covariate])
        groups = {name: difference[labels == name] for name in names if (labels == name).sum() >= FEWEST}
        rows.append({"covariate": factor.covariate, "p_value": welch_test(list(groups.values())), **_spread(groups)})
    table = pd.DataFrame(rows)
    table["p_adjusted"] = holm(table["p_value"].to_numpy())
    table["differs"] = (table["p_adjusted"] < alpha) & (table["spread"] >= relevant)
    return table


def _spread(groups: dict[str, NDArray[np.float64]]) -> dict[str, float | str]:
    means = {name: float(group.mean()) for name, group in groups.items()}
    worst, best = min(means, key=lambda n: means[n], default=""), max(means, key=lambda n: means[n], default="")
    spread = means[best] - means[worst] if means else 0.0
    error = sum(groups[name].var(ddof=1) / groups[name].size for name in {worst, best} if name in groups)
    half = normal_quantile(0.95) * float(np.sqrt(error)) if worst != best else 0.0
    return {"worst": worst, "best": best, "spread": spread, "lower": spread - half, "upper": spread + half}


def across(pairs: Pairs, factors: Sequence[Factor], outcome: str, n_points: int = 10) -> pd.DataFrame:
    """Return the expected benefit along each numeric covariate: in tenths of the patients, with intervals.

    Returns
    -------
    DataFrame
        ``covariate``, ``value`` (median of the tenth), ``n``, ``difference``, ``lower``, ``upper``.
    """
    rows = []
    for factor in factors:
        values = pairs.subjects[factor.covariate]
        if not factor.cuts or values.nunique() < n_points:
            continue
        rank = np.argsort(np.argsort(values.to_numpy(dtype=float), kind="stable"), kind="stable")
        for tenth in range(n_points):
            chosen = pairs.take(rank * n_points // pairs.n == tenth)
            found = effect(chosen, outcome)
            middle = float(chosen.subjects[factor.covariate].median())
            kept = {name: found[name] for name in ("n", "difference", "lower", "upper")}
            rows.append({"covariate": factor.covariate, "value": middle, **kept})
    return pd.DataFrame(rows, columns=["covariate", "value", "n", "difference", "lower", "upper"])
