"""Random-effects pooling of rates and of survival at landmarks, one scale at a time.

Rates are pooled on the logit: its inverse keeps estimate and interval between 0 and 1 whatever the sample sizes,
while the inverse of the Freeman-Tukey double arcsine depends on one "mean" sample size and can leave every study's
own rate (Schwarzer et al. 2019, Res Synth Methods 10:476). The price is a half event added where a study has none
or only events; Freeman-Tukey needs none and is offered to see what that does. Survival is pooled on log(-log S),
the scale of its published intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from seedbed.analysis.results import LEVEL, normal_quantile
from seedbed.errors import TableError

Transform = Literal["logit", "freeman_tukey", "complementary_log_log"]
Array = NDArray[np.float64]
STRATUM = ("endpoint", "time_days", "unit", "scale", "clock")
"""Rows that differ in one of these are never pooled."""
UNKNOWN = "not_stated"
LEAST = 2


@dataclass(frozen=True)
class Pooled:
    """A pooled rate and how much the studies differ.

    Attributes
    ----------
    estimate, lower, upper : fractions; Hartung-Knapp interval, never narrower than the usual one
    prediction_lower, prediction_upper : where the true rate of a new study lies; NaN below three studies
    tau2 : variance between studies on the transformed scale (Paule-Mandel)
    i2 : share of the variation that is not chance, 0 to 1
    q, q_p_value : Cochran's test of homogeneity
    weights : weight of each study, summing to 1
    """

    k: int
    n: float
    estimate: float
    lower: float
    upper: float
    prediction_lower: float
    prediction_upper: float
    tau2: float
    i2: float
    q: float
    q_p_value: float
    transform: Transform
    weights: tuple[float, ...]


def effects(
    rates: Array, sizes: Array, transform: Transform, *, lower: Array | None = None, upper: Array | None = None
) -> tuple[Array, Array]:
    """Return the transformed rates and their variances.

    Parameters
    ----------
    rates : (k,) fractions
    sizes : (k,) patients; for survival blind to censoring, so used only where no interval is given
    lower, upper : (k,) published 95 % intervals, NaN where absent; used by ``complementary_log_log`` only

    Returns
    -------
    (effect, variance), each (k,)
    """
    if transform == "freeman_tukey":
        events = rates * sizes
        effect = np.arcsin(np.sqrt(events / (sizes + 1))) + np.arcsin(np.sqrt((events + 1) / (sizes + 1)))
        return effect, 1 / (sizes + 0.5)
    safe = np.where((rates <= 0) | (rates >= 1), (rates * sizes + 0.5) / (sizes + 1), rates)
    if transform == "logit":
        grown = np.where(safe == rates, sizes, sizes + 1)
        return np.log(safe / (1 - safe)), 1 / (grown * safe * (1 - safe))
    effect = np.log(-np.log(safe))
    variance = (1 - safe) / (sizes * safe * np.log(safe) ** 2)
    return effect, _from_interval(variance, lower, upper)


def _from_interval(variance: Array, lower: Array | None, upper: Array | None) -> Array:
    if lower is None or upper is None:
        return variance
    known = (lower > 0) & (upper < 1) & (lower < upper)
    low, high = np.where(known, lower, 0.4), np.where(known, upper, 0.6)
    width = np.log(-np.log(low)) - np.log(-np.log(high))
    return np.where(known, (width / (2 * normal_quantile(LEVEL))) ** 2, variance)


def back(effect: float, sizes: Array, transform: Transform) -> float:
    """Return the rate of a transformed effect; sizes matter to Freeman-Tukey only (harmonic mean, Miller 1978)."""
    if transform == "logit":
        return float(1 / (1 + np.exp(-effect)))
    if transform == "complementary_log_log":
        return float(np.exp(-np.exp(effect)))
    return _miller(effect, float(len(sizes) / np.sum(1 / sizes)))


def _miller(effect: float, n: float) -> float:
    lowest = np.arcsin(np.sqrt(1 / (n + 1)))
    if effect <= lowest:
        return 0.0
    if effect >= np.pi - lowest:
        return 1.0
    sine = np.sin(effect)
    inner = 1 - (sine + (sine - 1 / sine) / n) ** 2
    return float(0.5 * (1 - np.sign(np.cos(effect)) * np.sqrt(max(inner, 0.0))))


@dataclass(frozen=True)
class RandomEffects:
    """A random-effects mean on the scale of the effects; half widths are those of 95 % intervals."""

    k: int
    mean: float
    standard_error: float
    half_width: float
    prediction_half_width: float
    tau2: float
    i2: float
    q: float
    weights: tuple[float, ...]


def random_effects(effect: Array, variance: Array) -> RandomEffects:
    """Return the random-effects mean of effects with known variances.

    Parameters
    ----------
    effect, variance : (k,) on any scale, k >= 2

    Notes
    -----
    ``statsmodels.stats.meta_analysis.combine_effects``, variance between studies by Paule and Mandel. The
    Hartung-Knapp factor is kept at 1 or above (Röver et al. 2015), t with k - 1 degrees of freedom; prediction
    interval of Higgins et al. 2009, t with k - 2, NaN for two studies.
    """
    with np.errstate(divide="ignore"):  # statsmodels divides by Q for its own I², which is 0 where all effects agree
        fit = combine_effects(effect, variance, method_re="pm", use_t=True)
    k, tau2, q = len(effect), max(float(fit.tau2), 0.0), float(fit.q)
    weights = 1 / (variance + tau2)
    mean = float(np.sum(weights * effect) / np.sum(weights))
    factor = max(1.0, float(np.sum(weights * (effect - mean) ** 2) / (k - 1)))
    error = float(np.sqrt(factor / np.sum(weights)))
    tail = (1 - LEVEL) / 2
    ahead = float(stats.t.isf(tail, k - 2) * np.sqrt(tau2 + error**2)) if k > LEAST else float("nan")
    return RandomEffects(
        k=k,
        mean=mean,
        standard_error=error,
        half_width=float(stats.t.isf(tail, k - 1)) * error,
        prediction_half_width=ahead,
        tau2=tau2,
        i2=max(0.0, 1 - (k - 1) / q) if q > 0 else 0.0,
        q=q,
        weights=tuple(float(weight) for weight in weights / weights.sum()),
    )


def pool(
    rates: Sequence[float],
    sizes: Sequence[float],
    *,
    transform: Transform = "logit",
    lower: Sequence[float] | None = None,
    upper: Sequence[float] | None = None,
) -> Pooled:
    """Return the random-effects mean of rates or survival fractions.

    Parameters
    ----------
    rates, sizes : (k,) fractions and patients of each study, k >= 2
    transform : ``logit`` for rates, ``complementary_log_log`` for survival, ``freeman_tukey`` to compare
    lower, upper : (k,) published 95 % intervals, NaN where absent; they carry the censoring of survival

    Raises
    ------
    TableError
        Fewer than two studies, a rate outside 0 to 1, or a study without patients.
    """
    rate, size = np.asarray(rates, float), np.asarray(sizes, float)
    _check(rate, size)
    bounds = [None if each is None else np.asarray(each, float) for each in (lower, upper)]
    effect, variance = effects(rate, size, transform, lower=bounds[0], upper=bounds[1])
    fit = random_effects(effect, variance)
    ends = _ends(fit.mean, fit.half_width, lambda x: back(x, size, transform))
    ahead = _ends(fit.mean, fit.prediction_half_width, lambda x: back(x, size, transform))
    known = fit.k > LEAST
    return Pooled(
        k=fit.k,
        n=float(size.sum()),
        estimate=back(fit.mean, size, transform),
        lower=ends[0],
        upper=ends[1],
        prediction_lower=ahead[0] if known else np.nan,
        prediction_upper=ahead[1] if known else np.nan,
        tau2=fit.tau2,
        i2=fit.i2,
        q=fit.q,
        q_p_value=float(stats.chi2.sf(fit.q, fit.k - 1)),
        transform=transform,
        weights=fit.weights,
    )


def _check(rate: Array, size: Array) -> None:
    if len(rate) < LEAST or len(rate) != len(size):
        raise TableError(f"pooling needs at least two studies with a size each; got {len(rate)} and {len(size)}")
    if not (np.all((rate >= 0) & (rate <= 1)) and np.all(size > 0)):
        raise TableError("pooling needs rates from 0 to 1 and sizes above 0")


def _ends(mean: float, half: float, inverse: Callable[[float], float]) -> tuple[float, float]:
    one, other = inverse(mean - half), inverse(mean + half)
    return min(one, other), max(one, other)


def pool_strata(rows: pd.DataFrame, *, by: Sequence[str] = (), transform: Transform | None = None) -> pd.DataFrame:
    """Return one pooled rate for each stratum of a table of published rates.

    Parameters
    ----------
    rows : DataFrame, one row a study and arm
        `STRATUM` columns, ``value`` [1], ``n``, ``lower``, ``upper``, ``interval_kind``, ``kind`` (``rate`` or
        ``survival``)
    by : further columns that keep rows apart, such as the disease
    transform : for rates; ``logit`` by default. Survival is always pooled on log(-log S).

    Returns
    -------
    DataFrame, one row a stratum
        The stratum, the fields of `Pooled`, and ``not_pooled``: why a stratum has no estimate. Rows graded on a
        scale that is not stated are not pooled with anything, each other included.
    """
    keys = list(dict.fromkeys([*STRATUM, *by]))
    missing = [column for column in (*keys, "value", "n", "kind") if column not in rows]
    if missing:
        raise TableError("a table to pool lacks " + ", ".join(missing))
    records = [
        {**dict(zip(keys, values, strict=True)), **_pool_group(group, transform)}
        for values, group in rows.groupby(keys, dropna=False, sort=False)
    ]
    return pd.DataFrame(records, columns=[*keys, *_FIELDS])


_FIELDS = (
    "k", "n", "estimate", "lower", "upper", "prediction_lower", "prediction_upper", "tau2", "i2", "q",
    "q_p_value", "transform", "not_pooled",
)  # fmt: skip


def _pool_group(group: pd.DataFrame, transform: Transform | None) -> dict[str, object]:
    usable = group[group["value"].notna() & group["n"].notna()]
    reason = _reason(group, usable)
    nothing = {"k": len(usable), "n": float(usable["n"].sum()), "not_pooled": reason}
    if reason:
        return nothing
    survival = (usable["kind"] == "survival").all()
    printed = usable["interval_kind"].eq("published").to_numpy() if "interval_kind" in usable else np.zeros(len(usable))
    bounds = [np.where(printed, usable[side].astype(float), np.nan) for side in ("lower", "upper")]
    chosen: Transform = "complementary_log_log" if survival else transform or "logit"
    sizes = usable["n"].astype(float).to_numpy()
    result = pool(usable["value"].to_numpy(float), sizes, transform=chosen, lower=bounds[0], upper=bounds[1])
    return {name: getattr(result, name) for name in _FIELDS if name != "not_pooled"} | {"not_pooled": ""}


def _reason(group: pd.DataFrame, usable: pd.DataFrame) -> str:
    if (group["scale"] == UNKNOWN).any():
        return "scale_not_stated"
    if not (group["unit"] == "1").all():
        return "not_a_rate"
    return "too_few" if len(usable) < LEAST else ""
