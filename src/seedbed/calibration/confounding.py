r"""Split a non-randomized difference into what selection and what treatment did.

Every virtual patient has outcomes in every arm, so the question has an answer in the simulation. Three numbers:

*with selection* : the difference a non-randomized comparison shows when patients reach the arms as in the study;
*randomized* : the difference in the same population when chance alone decides the arm;
*tipping point* : the strength of selection at which the published difference needs no treatment effect at all.

Selection of strength :math:`s` moves patients by a prognostic score: the weight of a patient in the selected arm
is :math:`\exp(s z)`, in the comparison arm :math:`\exp(-s z)`, with the score :math:`z` standardised to sd 1.
So :math:`s` = 0 is no selection and the arms' mean scores differ by about :math:`2 s` standard deviations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.errors import TableError

Floats = NDArray[np.float64]
STRENGTHS = tuple(np.round(np.linspace(0.0, 1.5, 31), 3))


@dataclass(frozen=True)
class Outcomes:
    """Potential outcomes of the same virtual patients.

    Attributes
    ----------
    treated, control : (n,) outcomes in the two arms: 0/1, or any bounded number of which the mean is compared
    score : (n,) prognostic score; higher patients are drawn into the treated arm. `prognosis` makes one
    parameter_set : (n,) set that each patient took
    chosen_treated, chosen_control : (n,) whom the emulated study took into each arm
    """

    treated: Floats
    control: Floats
    score: Floats
    parameter_set: NDArray[np.int64]
    chosen_treated: NDArray[np.bool_]
    chosen_control: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Refuse tables that do not fit together, or arms without patients."""
        sizes = {len(getattr(self, name)) for name in self.__dataclass_fields__}
        if len(sizes) != 1:
            raise TableError(f"the columns of the outcomes have different lengths: {sorted(sizes)}")
        for name in ("chosen_treated", "chosen_control"):
            if not getattr(self, name).any():
                raise TableError(f"{name}: the emulated study's selection leaves nobody")

    def null_world(self) -> Outcomes:
        """Return the world in which treatment does nothing: everybody has the control outcome in both arms."""
        return Outcomes(
            self.control, self.control, self.score, self.parameter_set, self.chosen_treated, self.chosen_control
        )


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval over parameter sets and patients."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Split:
    """A non-randomized difference taken apart.

    Attributes
    ----------
    with_selection : what the emulated study shows
    randomized : what a randomized trial in the same population would show
    selection : the first minus the second
    share_selection : selection as a share of the difference with selection, or None where that difference may
        be zero: no percentage is printed then
    sensitivity : columns ``strength``, ``score_difference``, ``difference`` and ``null_difference``, each with
        ``_lower`` and ``_upper``: what selection of each strength shows, with treatment and without
    tipping : strength at which selection alone shows the published difference; NaN where no strength does
    tipping_lower, tipping_upper : the same for the ends of the published interval
    """

    with_selection: Interval
    randomized: Interval
    selection: Interval
    share_selection: Interval | None
    sensitivity: pd.DataFrame
    tipping: float
    tipping_lower: float
    tipping_upper: float


def prognosis(covariates: pd.DataFrame, control: Floats, *, degree: float = 1.0) -> Floats:
    """Return a prognostic score: the control outcome predicted linearly from covariates, standardised.

    Parameters
    ----------
    covariates : (n) rows, numeric columns that were known when patients were chosen
    control : (n,) outcome without the treatment
    degree : ridge penalty, in patients
    """
    x = covariates.to_numpy(float)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    centred = control - control.mean()
    coefficients = np.linalg.solve(x.T @ x + degree * np.eye(x.shape[1]), x.T @ centred)
    score = x @ coefficients
    sd = float(score.std())
    if not sd > 0:
        raise TableError("no covariate predicts the outcome; selection by prognosis cannot be studied")
    return (score - score.mean()) / sd


def selected_difference(outcomes: Outcomes, strength: float, weights: Floats) -> Floats:
    """Return the difference that selection of a strength shows, for each of several bootstrap weights, (..., n)."""
    treated = weights * np.exp(strength * outcomes.score)
    control = weights * np.exp(-strength * outcomes.score)
    return _means(outcomes.treated, treated) - _means(outcomes.control, control)


def _means(values: Floats, weights: Floats) -> Floats:
    return (values * weights).sum(axis=-1) / weights.sum(axis=-1)


def split(
    outcomes: Outcomes,
    published: tuple[float, float, float],
    seed: int,
    *,
    strengths: Sequence[float] = STRENGTHS,
    n_bootstrap: int = 300,
    level: float = 0.90,
) -> Split:
    """Take a published non-randomized difference apart.

    Parameters
    ----------
    outcomes : potential outcomes of the study's emulated population
    published : published difference and the ends of its interval
    seed : seed of the bootstrap, which draws parameter sets, and patients within them
    strengths : strengths of selection, increasing from 0

    Returns
    -------
    Split
    """
    draws = np.stack([_weights(outcomes.parameter_set, seed, b) for b in range(n_bootstrap)])
    everybody = np.ones(len(outcomes.score))
    with_selection = _with_interval(lambda w: _emulated(outcomes, w), everybody, draws, level)
    randomized = _with_interval(lambda w: selected_difference(outcomes, 0.0, w), everybody, draws, level)
    pairs = np.column_stack([_emulated(outcomes, draws), selected_difference(outcomes, 0.0, draws)])
    middle = float(_emulated(outcomes, everybody) - selected_difference(outcomes, 0.0, everybody))
    low, high = _ends(pairs[:, 0] - pairs[:, 1], level)
    sensitivity = _sensitivity(outcomes, strengths, everybody, draws[: max(50, n_bootstrap // 3)], level)
    null = sensitivity["null_difference"].to_numpy(float)
    tips = [_crossing(np.asarray(strengths, float), null, value) for value in published]
    return Split(
        with_selection,
        randomized,
        Interval(middle, low, high),
        _share(pairs, middle, with_selection, level),
        sensitivity,
        *tips,
    )


def _weights(parameter_set: NDArray[np.int64], seed: int, number: int) -> Floats:
    """Return bootstrap weights: sets are drawn with replacement, then patients by exponential weights."""
    generator = np.random.default_rng([seed, number])
    sets, position = np.unique(parameter_set, return_inverse=True)
    counts = np.bincount(generator.integers(0, len(sets), len(sets)), minlength=len(sets)).astype(float)
    if len(sets) == 1:
        counts = np.ones(1)
    return counts[position] * generator.exponential(1.0, len(position))


def _emulated(outcomes: Outcomes, weights: Floats) -> Floats:
    """Return what the emulated study shows, for each of several weights; NaN where they leave an arm empty."""
    treated, control = weights * outcomes.chosen_treated, weights * outcomes.chosen_control
    with np.errstate(invalid="ignore"):
        return _means(outcomes.treated, treated) - _means(outcomes.control, control)


def _with_interval(statistic: Callable[[Floats], Floats], everybody: Floats, draws: Floats, level: float) -> Interval:
    return Interval(float(statistic(everybody)), *_ends(statistic(draws), level))


def _ends(values: Floats, level: float) -> tuple[float, float]:
    low, high = np.nanquantile(values, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return float(low), float(high)


def _share(pairs: Floats, selection: float, shown: Interval, level: float) -> Interval | None:
    """Return selection's share of the difference, unless the difference may be zero."""
    if shown.lower <= 0.0 <= shown.upper:
        return None
    return Interval(selection / shown.estimate, *_ends((pairs[:, 0] - pairs[:, 1]) / pairs[:, 0], level))


def _sensitivity(
    outcomes: Outcomes, strengths: Sequence[float], everybody: Floats, draws: Floats, level: float
) -> pd.DataFrame:
    null = outcomes.null_world()
    records = []
    for strength in strengths:
        record: dict[str, float] = {
            "strength": float(strength),
            "score_difference": _score_difference(outcomes, strength),
        }
        for name, world in (("difference", outcomes), ("null_difference", null)):
            shown = _with_interval(lambda w, s=strength, o=world: selected_difference(o, s, w), everybody, draws, level)
            record |= {name: shown.estimate, f"{name}_lower": shown.lower, f"{name}_upper": shown.upper}
        records.append(record)
    return pd.DataFrame(records)


def _score_difference(outcomes: Outcomes, strength: float) -> float:
    treated, control = np.exp(strength * outcomes.score), np.exp(-strength * outcomes.score)
    return float(np.average(outcomes.score, weights=treated) - np.average(outcomes.score, weights=control))


def _crossing(strengths: Floats, null: Floats, wanted: float) -> float:
    """Return the first strength at which the null world shows a difference, by linear interpolation.

    Zero where the wanted difference is not above zero already; NaN where no strength reaches it.
    """
    if wanted <= 0.0:
        return 0.0
    above = np.flatnonzero(null >= wanted)
    if not len(above):
        return float("nan")
    i = int(above[0])
    if i == 0:
        return float(strengths[0])
    step = (wanted - null[i - 1]) / (null[i] - null[i - 1])
    return float(strengths[i - 1] + step * (strengths[i] - strengths[i - 1]))
