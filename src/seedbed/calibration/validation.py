"""Predict published rows, and score the predictions beside two rivals.

A row is predicted in three steps, each adding its own uncertainty: the parameters (between sets, the Monte Carlo
noise of finitely many virtual patients taken out), the deviation of a study from another, and the sampling of that
study's own patients. The interval score (Gneiting and Raftery 2007, doi 10.1198/016214506000001437) rewards narrow
intervals and punishes misses, so an interval that accepts anything does not win.

Rivals: a random-effects meta-analysis of the therapy class without the study itself, and the null world, in which
a combination does what its reference therapy does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import t as student

from seedbed.analysis import meta_analysis
from seedbed.calibration.terms import Kind

Floats = NDArray[np.float64]
LEVEL = 0.90
_LINK_LIMIT = 7.0
FEWEST_RIVAL_STUDIES = 3


@dataclass(frozen=True)
class Row:
    """A published row that is predicted.

    Attributes
    ----------
    observed : share, or value in natural units (days, cells per microliter)
    lower, upper : published interval; NaN where there is none
    size : patients behind a share (effective, for a curve), or 1/variance of the log of a value
    """

    id: str
    study: str
    arm: str
    endpoint: str
    family: str
    time_days: float
    kind: Kind
    observed: float
    lower: float
    upper: float
    size: float
    use: Literal["fit", "predict"]


@dataclass(frozen=True)
class Members:
    """What each parameter set gave for a row; as `seedbed.calibration.simulator.MemberTerms`, one column."""

    estimate: Floats
    weight: Floats


def parameter_part(kind: Kind, members: Members) -> Floats:
    """Return (K,) predictions on the link scale whose spread is that of the parameters alone.

    Notes
    -----
    The spread of simulated members is that of the parameters plus Monte Carlo noise. Members are drawn towards
    their mean by the factor that leaves the parameters' variance; the mean is that of all patients together.
    """
    usable = (members.weight > 0) & np.isfinite(members.estimate)
    estimate, weight = members.estimate[usable], members.weight[usable]
    if len(estimate) < 2:
        return np.full(len(members.estimate), np.nan)
    if kind == "value":
        values, noise, middle = estimate, 1.0 / weight, float(np.average(estimate, weights=weight))
    else:
        smooth = (estimate * weight + 0.5) / (weight + 1.0)
        values, noise = logit(smooth), 1.0 / (weight * smooth * (1.0 - smooth))
        middle = float(values.mean())
    observed = float(values.var(ddof=1))
    factor = np.sqrt(max(0.0, observed - float(noise.mean())) / observed) if observed > 0 else 0.0
    shrunk = middle + factor * (values - values.mean())
    if kind == "share":
        shrunk = shrunk + _shift_to_mean(shrunk, float(np.average(estimate, weights=weight)))
    result = np.full(len(members.estimate), float(shrunk.mean()))
    result[usable] = shrunk
    return result


def _shift_to_mean(link: Floats, mean: float) -> float:
    """Return the shift on the logit scale that gives a mean share."""
    inside = float(np.clip(mean, 1e-4, 1.0 - 1e-4))
    return float(brentq(lambda shift: float(expit(link + shift).mean()) - inside, -20.0, 20.0))


@dataclass(frozen=True)
class Predictive:
    """Draws of a row, each step with the uncertainty of those before it; natural units."""

    parameters: Floats
    with_study: Floats
    with_sampling: Floats

    def interval(self, draws: Floats, level: float = LEVEL) -> tuple[float, float]:
        """Return the central interval of draws."""
        low, high = np.quantile(draws, [0.5 - level / 2.0, 0.5 + level / 2.0])
        return float(low), float(high)


def predict(row: Row, members: Members, tau: Floats, seed: int, *, repeats: int = 20) -> Predictive:
    """Draw a row.

    Parameters
    ----------
    members : what each parameter set gave
    tau : (K,) between-study standard deviation of the row's family in each set, on the link scale
    seed : seed of the draws
    repeats : draws of study and sampling for each set
    """
    generator = np.random.default_rng([seed, *row.id.encode()])
    link = parameter_part(row.kind, members)
    many = np.repeat(link, repeats)
    bent = many + np.repeat(tau, repeats) * generator.standard_normal(len(many))
    natural = _natural(row.kind, link)
    with_study = _natural(row.kind, bent)
    if row.kind == "share":
        n = max(round(row.size), 1)
        with_sampling = generator.binomial(n, with_study) / n
    else:
        with_sampling = with_study * np.exp(generator.standard_normal(len(many)) / np.sqrt(row.size))
    return Predictive(natural, with_study, with_sampling)


def _natural(kind: Kind, link: Floats) -> Floats:
    return expit(np.clip(link, -_LINK_LIMIT, _LINK_LIMIT)) if kind == "share" else np.exp(link)


def interval_score(observed: float, lower: float, upper: float, level: float = LEVEL) -> float:
    """Return the interval score: the width, plus 2/(1 - level) times the distance of a miss; less is better."""
    beyond = max(0.0, lower - observed) + max(0.0, observed - upper)
    return float(upper - lower + 2.0 / (1.0 - level) * beyond)


def _scale(kind: Kind, value: float) -> float:
    """Return a value on the scale of its score: shares as they are, positive values as logarithms."""
    return float(value) if kind == "share" else float(np.log(max(value, 1e-12)))


def score_row(row: Row, predictive: Predictive) -> dict[str, float | bool]:
    """Return interval, widths that each part adds, hit and score of a predicted row.

    Widths and score of a median are on the log scale: 0.7 is a factor of two.
    """
    steps = [
        predictive.interval(draws) for draws in (predictive.parameters, predictive.with_study, predictive.with_sampling)
    ]
    widths = [_scale(row.kind, high) - _scale(row.kind, low) for low, high in steps]
    lower, upper = steps[-1]
    return {
        "median": float(np.median(predictive.with_sampling)),
        "lower": lower,
        "upper": upper,
        "width_parameters": widths[0],
        "width_study": max(0.0, widths[1] - widths[0]),
        "width_sampling": max(0.0, widths[2] - widths[1]),
        "hit": bool(lower - 1e-9 <= row.observed <= upper + 1e-9),
        "score": interval_score(*(_scale(row.kind, v) for v in (row.observed, lower, upper))),
    }


def meta_analysis_rival(row: Row, others: pd.DataFrame, seed: int, *, n_draws: int = 8000) -> dict[str, float | bool]:
    """Predict a row from the other studies of its therapy class.

    Parameters
    ----------
    others : the same endpoint at about the same time in other studies: columns ``value``, ``n``, ``lower``,
        ``upper`` (published intervals or NaN) and ``study``; studies that share patients with the row's left out

    Returns
    -------
    ``lower``, ``upper``, ``hit``, ``score``, ``k``; NaN and False where fewer than three studies remain.
    """
    usable = others.dropna(subset=["value", "n"])
    if usable["study"].nunique() < FEWEST_RIVAL_STUDIES:
        return {"lower": np.nan, "upper": np.nan, "hit": False, "score": np.nan, "k": float(len(usable))}
    generator = np.random.default_rng([seed, 1, *row.id.encode()])
    if row.kind == "share":
        draws = _pooled_shares(row, usable, generator, n_draws)
    else:
        draws = _pooled_values(row, usable, generator, n_draws)
    lower, upper = (float(v) for v in np.quantile(draws, [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0]))
    score = interval_score(*(_scale(row.kind, v) for v in (row.observed, lower, upper)))
    hit = bool(lower - 1e-9 <= row.observed <= upper + 1e-9)
    return {"lower": lower, "upper": upper, "hit": hit, "score": score, "k": float(len(usable))}


def _pooled_shares(row: Row, usable: pd.DataFrame, generator: np.random.Generator, n_draws: int) -> Floats:
    pooled = meta_analysis.pool(usable["value"].to_numpy(float), usable["n"].to_numpy(float), transform="logit")
    middle = float(logit(np.clip(pooled.estimate, 1e-4, 1.0 - 1e-4)))
    high = float(logit(np.clip(pooled.prediction_upper, 1e-4, 1.0 - 1e-4)))
    freedom = max(pooled.k - 2, 1)
    spread = (high - middle) / float(student.ppf(0.975, freedom))
    true = expit(np.clip(middle + spread * generator.standard_t(freedom, n_draws), -_LINK_LIMIT, _LINK_LIMIT))
    n = max(round(row.size), 1)
    return generator.binomial(n, true) / n


def _pooled_values(row: Row, usable: pd.DataFrame, generator: np.random.Generator, n_draws: int) -> Floats:
    """Draw from the between-study distribution of the logarithms, unweighted (errors are rarely published)."""
    logs = np.log(usable["value"].to_numpy(float))
    k = len(logs)
    spread = float(logs.std(ddof=1)) * np.sqrt(1.0 + 1.0 / k)
    return np.exp(float(logs.mean()) + np.hypot(spread, row.size**-0.5) * generator.standard_t(k - 1, n_draws))


def totals(table: pd.DataFrame) -> pd.DataFrame:
    """Sum a validation table up, fitted and predicted rows apart.

    Parameters
    ----------
    table : one row a published row: ``use``, ``study``, ``hit``, ``score`` and the same of rivals with the
        prefixes ``meta_`` and ``null_``

    Returns
    -------
    DataFrame, one row for each use and rival: ``rows``, ``studies``, ``hits``, ``coverage``, ``score`` (mean over
    the rows that both can predict), ``rival_score``, ``difference`` (negative favors the model) and its standard
    error clustered by study.
    """
    records = []
    for use, group in table.groupby("use", sort=False):
        for rival in ("meta", "null"):
            if f"{rival}_score" not in group:
                continue
            both = group.dropna(subset=["score", f"{rival}_score"])
            difference = both["score"] - both[f"{rival}_score"]
            records.append(
                {
                    "use": use,
                    "rival": rival,
                    "rows": len(group),
                    "studies": group["study"].nunique(),
                    "hits": int(group["hit"].sum()),
                    "coverage": float(group["hit"].mean()),
                    "compared": len(both),
                    "score": float(both["score"].mean()),
                    "rival_score": float(both[f"{rival}_score"].mean()),
                    "rival_coverage": float(both[f"{rival}_hit"].astype(bool).mean()) if len(both) else np.nan,
                    "difference": float(difference.mean()),
                    "standard_error": clustered_error(difference.to_numpy(float), both["study"].tolist()),
                }
            )
    return pd.DataFrame(records)


def clustered_error(values: Floats, clusters: Sequence[str]) -> float:
    """Return the standard error of a mean whose values are correlated within clusters.

    Notes
    -----
    Sandwich estimator with the factor G/(G-1); NaN with fewer than two clusters.
    """
    groups = pd.Series(values - values.mean()).groupby(pd.Series(list(clusters))).sum() if len(values) else pd.Series()
    g = len(groups)
    if g < 2:
        return float("nan")
    return float(np.sqrt(g / (g - 1.0) * np.sum(groups.to_numpy(float) ** 2)) / len(values))
