"""Predict published rows, and score the predictions beside two rivals.

A row is predicted in three steps, each adding its own uncertainty: the parameters (between sets, the Monte Carlo
noise of finitely many virtual patients taken out), the deviation of a study from another, and the sampling of that
study's own patients. The interval score (Gneiting and Raftery 2007, doi 10.1198/016214506000001437) rewards narrow
intervals and punishes misses, so an interval that accepts anything does not win.

Rivals: a random-effects meta-analysis of the therapy class without the study itself, and the null world, in which
a combination does what its reference therapy does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import t as student

from seedbed.analysis import meta_analysis
from seedbed.calibration.readings import Piece
from seedbed.calibration.space import SHARED_PART
from seedbed.calibration.terms import Kind, Term, Terms

Floats = NDArray[np.float64]
Use = Literal["fit", "update", "predict"]
"""Fitted; predicted once and fitted by an update afterwards; predicted."""
LEVEL = 0.90
_LINK_LIMIT = 7.0
FEWEST_RIVAL_STUDIES = 3
RIVALS = {"meta": "meta_analysis", "null": "null_world"}
"""Rivals by the prefix of their columns."""


@dataclass(frozen=True)
class Row:
    """A published row that is predicted.

    Attributes
    ----------
    id : id of its term
    study : cluster of the arm: its cohort group
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
    use: Use


def rows_of(pieces: Sequence[Piece], use: Use) -> list[Row]:
    """Return the published rows behind an arm's terms: conditional terms put together again."""
    terms = {piece.term.id: piece.term for piece in pieces}
    rows = []
    for piece in pieces:
        term, (value, lower, upper) = piece.term, piece.published
        before = float(np.prod([terms[name].observed for name in chain(terms, term.id)[:-1]]))
        size = term.size / before if before > 0 else term.size
        time = piece.time_days if piece.time_days is not None else float("nan")
        rows.append(
            Row(
                term.id,
                term.study,
                term.arm,
                term.endpoint,
                term.family,
                time,
                term.kind,
                value,
                lower,
                upper,
                size,
                use,
            )
        )
    return rows


def chain(terms: Mapping[str, Term], name: str) -> list[str]:
    """Return the ids of the terms that a term is conditional on, the outermost first, and its own."""
    within = terms[name].within
    return [*(chain(terms, within) if within is not None and within in terms else []), name]


def parameter_part(kind: Kind, estimate: Floats, weight: Floats) -> Floats:
    """Return (K,) predictions on the link scale whose spread is that of the parameters alone.

    Parameters
    ----------
    kind : of the term
    estimate, weight : (K,) what each parameter set gave, as `seedbed.calibration.simulator.MemberTerms`

    Notes
    -----
    The spread of simulated members is that of the parameters plus Monte Carlo noise. Members are drawn towards
    their mean by the factor that leaves the parameters' variance; the mean is that of all patients together.
    """
    usable = (weight > 0) & np.isfinite(estimate)
    if usable.sum() < 2:
        return np.full(len(estimate), np.nan)
    seen, patients = estimate[usable], weight[usable]
    if kind == "value":
        values, noise, middle = seen, 1.0 / patients, float(np.average(seen, weights=patients))
    else:
        smooth = (seen * patients + 0.5) / (patients + 1.0)
        values, noise = logit(smooth), 1.0 / (patients * smooth * (1.0 - smooth))
        middle = float(values.mean())
    observed = float(values.var(ddof=1))
    factor = np.sqrt(max(0.0, observed - float(noise.mean())) / observed) if observed > 0 else 0.0
    shrunk = middle + factor * (values - values.mean())
    if kind == "share":
        shrunk = shrunk + _shift_to_mean(shrunk, float(np.average(seen, weights=patients)))
    result = np.full(len(estimate), float(shrunk.mean()))
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
        low, high = np.nanquantile(draws, [0.5 - level / 2.0, 0.5 + level / 2.0])
        return float(low), float(high)


def predict_arm(
    terms: Terms, links: Floats, tau: Mapping[str, Floats], rows: Sequence[Row], seed: int, *, repeats: int = 20
) -> dict[str, Predictive]:
    """Draw the rows of one arm.

    Parameters
    ----------
    terms : the arm's terms
    links : (K, T) predictions of the terms on the link scale, one row a parameter set
    tau : (K,) between-study standard deviation of each family, on the link scale
    rows : the published rows, one a term
    seed : seed of the draws
    repeats : draws of study and sampling for each set

    Returns
    -------
    By id of the row. Terms of one study and family share part of their deviation (`space.SHARED_PART`).
    """
    generator = np.random.default_rng([seed, *terms.items[0].arm.encode()])
    many = np.repeat(links, repeats, axis=0)
    shared = {family: generator.standard_normal(len(many)) for family in terms.families}
    bent = np.empty_like(many)
    for t, term in enumerate(terms.items):
        own = generator.standard_normal(len(many))
        both = np.sqrt(SHARED_PART) * shared[term.family] + np.sqrt(1.0 - SHARED_PART) * own
        bent[:, t] = many[:, t] + np.repeat(tau[term.family], repeats) * both
    plain, with_study = composed(terms, links), composed(terms, bent)
    return {
        row.id: Predictive(plain[row.id], with_study[row.id], _sampled(row, with_study[row.id], generator))
        for row in rows
    }


def composed(terms: Terms, links: Floats) -> dict[str, Floats]:
    """Return the rows of terms on their natural scale: the product of the conditional shares, or the value."""
    by_id = {term.id: term for term in terms.items}
    clipped = np.clip(links, -_LINK_LIMIT, _LINK_LIMIT)
    own = {t.id: expit(clipped[:, i]) if t.kind == "share" else np.exp(links[:, i]) for i, t in enumerate(terms.items)}
    return {name: np.prod([own[part] for part in chain(by_id, name)], axis=0) for name in own}


def _sampled(row: Row, true: Floats, generator: np.random.Generator) -> Floats:
    if row.kind == "share":
        n = max(round(row.size), 1)
        return generator.binomial(n, np.clip(np.nan_to_num(true), 0.0, 1.0)) / n
    return true * np.exp(generator.standard_normal(len(true)) / np.sqrt(row.size))


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
        "median": float(np.nanmedian(predictive.with_sampling)),
        "lower": lower,
        "upper": upper,
        "parameters_lower": steps[0][0],
        "parameters_upper": steps[0][1],
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
        draws = _pooled_values(usable, generator, n_draws)
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


def _pooled_values(usable: pd.DataFrame, generator: np.random.Generator, n_draws: int) -> Floats:
    """Draw from the distribution of published logarithms, unweighted (errors are rarely published).

    Their spread holds the sampling of studies of usual size, so that none is added.
    """
    logs = np.log(usable["value"].to_numpy(float))
    k = len(logs)
    spread = float(logs.std(ddof=1)) * np.sqrt(1.0 + 1.0 / k)
    return np.exp(float(logs.mean()) + spread * generator.standard_t(k - 1, n_draws))


def by_study(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores study by study, in the columns of `totals`: the yardstick before it is summed up."""
    groups = table.groupby(["use", "study"], sort=False)
    records = [
        {"use": use, "study": study, "rows": len(group), "hits": int(group["hit"].sum()), **_compared(group, rival)}
        for (use, study), group in groups
        for rival in RIVALS
        if f"{rival}_score" in group
    ]
    return pd.DataFrame(records).query("compared > 0").reset_index(drop=True)


def _compared(group: pd.DataFrame, rival: str) -> dict[str, object]:
    """Return the mean scores and interval widths of the rows that model and rival both predict."""
    both = group.dropna(subset=["score", f"{rival}_score"])
    return {
        "rival": RIVALS[rival],
        "compared": len(both),
        "score": float(both["score"].mean()),
        "rival_score": float(both[f"{rival}_score"].mean()),
        "difference": float((both["score"] - both[f"{rival}_score"]).mean()),
    }


def totals(table: pd.DataFrame) -> pd.DataFrame:
    """Sum a validation table up, fitted and predicted rows apart.

    Parameters
    ----------
    table : one row a published row: ``use``, ``study``, ``hit``, ``score`` and the same of rivals with the
        prefixes ``meta_`` and ``null_``

    Returns
    -------
    DataFrame, one row for each use and rival that can predict some of its rows:
        ``rows``, ``studies``, ``hits``, ``coverage``, ``compared`` (rows that both predict), and over those the
        means of ``score`` and ``rival_score``, ``width`` and ``rival_width`` (of the intervals, on the scale of the
        score), ``difference`` (negative favors the model) and its ``standard_error`` clustered by study.
    """
    records = []
    for use, group in table.groupby("use", sort=False):
        for rival in RIVALS:
            if f"{rival}_score" not in group or group[["score", f"{rival}_score"]].dropna().empty:
                continue
            both = group.dropna(subset=["score", f"{rival}_score"])
            difference = (both["score"] - both[f"{rival}_score"]).to_numpy(float)
            records.append(
                {
                    "use": use,
                    "rows": len(group),
                    "studies": group["study"].nunique(),
                    "hits": int(group["hit"].sum()),
                    "coverage": float(group["hit"].mean()),
                    **_compared(group, rival),
                    "width": _mean_width(both, ""),
                    "rival_width": _mean_width(both, f"{rival}_"),
                    "rival_coverage": float(both[f"{rival}_hit"].astype(bool).mean()),
                    "standard_error": clustered_error(difference, both["study"].tolist()),
                }
            )
    return pd.DataFrame(records)


def _mean_width(table: pd.DataFrame, who: str) -> float:
    """Return the mean width of the intervals on the scale of the score."""
    ends = zip(table["kind"], table[f"{who}lower"], table[f"{who}upper"], strict=True)
    return float(np.mean([_scale(kind, high) - _scale(kind, low) for kind, low, high in ends]))


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
