"""Choose between options: which is best and how sure that is, which are dominated, whether the data said so.

Every function takes one number per subject and option, of the same subjects in all options, so that comparisons are
paired. Where subjects take parameter sets, the spread between sets is told from the spread between patients first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
DRAWS = 4000
MOVED_SD, NARROWED_TO = 0.5, 0.8
LEVEL_OF_DOUBT = 0.05


@dataclass(frozen=True)
class Knowledge:
    r"""What is known of the mean of each option under each parameter set, as normal distributions.

    Attributes
    ----------
    mean : (sets, options) posterior means :math:`E(\theta_s)`
    covariance : (sets, options, options) posterior covariances
    """

    mean: Floats
    covariance: Floats

    def draws(self, n: int, seed: int) -> Floats:
        """Return (n, options) draws of the options' means, the sets in turn."""
        generator = np.random.default_rng(seed)
        which = np.arange(n) % len(self.mean)
        roots = np.array([_root(item) for item in self.covariance])
        noise = generator.standard_normal((n, self.mean.shape[1]))
        return self.mean[which] + np.einsum("nij,nj->ni", roots[which], noise)


@dataclass(frozen=True)
class Spread:
    """How the options' values vary: between parameter sets, and between the patients of one set.

    Attributes
    ----------
    means, sizes : (sets, options) mean and (sets,) number of the patients of each set
    sampling, between : (options, options) covariances within and between sets; the latter is zero with one set
    """

    means: Floats
    sizes: Floats
    sampling: Floats
    between: Floats


def spread(values: ArrayLike, sets: ArrayLike) -> Spread:
    """Return the covariance of values within sets, pooled, and that between sets less the sampling error, cut at zero.

    Parameters
    ----------
    values : (n, options) a number per subject and option
    sets : (n,) the parameter set of each subject
    """
    values, sets = np.asarray(values, dtype=float), np.asarray(sets)
    names = np.unique(sets)
    sizes = np.array([(sets == name).sum() for name in names], dtype=float)
    means = np.array([values[sets == name].mean(axis=0) for name in names])
    left = values - means[np.searchsorted(names, sets)]
    sampling = left.T @ left / max(len(values) - len(names), 1)
    if len(names) == 1:
        return Spread(means, sizes, sampling, np.zeros_like(sampling))
    observed = np.cov(means, rowvar=False).reshape(sampling.shape)
    return Spread(means, sizes, sampling, _psd(observed - sampling * np.mean(1.0 / sizes)))


def knowledge(values: ArrayLike, sets: ArrayLike, *, shares: bool = False) -> Knowledge:
    r"""Return what subjects tell about the options' means under each parameter set (empirical Bayes).

    Parameters
    ----------
    values : (n, options) a number per subject and option
    sets : (n,) the parameter set of each subject
    shares : whether the values are 0 or 1; two options then differ as if two more subjects told them apart, one for
        each (Agresti and Min 2005), since the normal distribution trusts one or two discordant subjects too much

    Notes
    -----
    Means of a set's subjects are :math:`m_s\sim N(\theta_s,\Sigma/n_s)` with :math:`\theta_s\sim N(\mu,T)`;
    :math:`\Sigma` is pooled within sets, :math:`T` is the variance between sets less the sampling error, cut at zero.
    With one set :math:`T=0` and only Monte Carlo error is left.
    """
    parts = spread(values, sets)
    means, sizes, sampling, between = parts.means, parts.sizes, parts.sampling, parts.between
    if shares:
        sampling = sampling + _told_apart(np.asarray(values, dtype=float))
    if len(means) == 1:
        return Knowledge(means, sampling[None] / sizes[0])
    center = means.mean(axis=0)
    of_center = (between + sampling * np.mean(1.0 / sizes)) / len(means)
    posterior_means, covariances = [], []
    for mean, size in zip(means, sizes, strict=True):
        gain = between @ np.linalg.pinv(between + sampling / size, hermitian=True)
        rest = np.eye(len(center)) - gain
        posterior_means.append(center + gain @ (mean - center))
        covariances.append(_psd(between - gain @ between) + rest @ of_center @ rest.T)
    return Knowledge(np.array(posterior_means), np.array(covariances))


def _told_apart(values: Floats) -> Floats:
    """Return the covariance that one subject for each of two options adds; options that nobody tells apart share it."""
    _, group = np.unique(values, axis=1, return_inverse=True)
    group = group.reshape(-1)
    return (group[:, None] == group[None, :]) / (2.0 * len(values))


def probability_best(known: Knowledge, sign: int, *, seed: int = 1, n: int = DRAWS) -> Floats:
    """Return the probability that each option is the best of all, ties shared evenly, (options,).

    Parameters
    ----------
    sign : 1 where more is better, -1 where less is
    """
    draws = known.draws(n, seed) * sign
    leading = draws >= draws.max(axis=1, keepdims=True) - _tie(draws)
    return (leading / leading.sum(axis=1, keepdims=True)).mean(axis=0)


def probability_better(known: Knowledge, option: int, other: int, sign: int, *, seed: int = 1, n: int = DRAWS) -> float:
    """Return the probability that one option is better than another, ties counted half."""
    draws = known.draws(n, seed)
    difference, tie = (draws[:, option] - draws[:, other]) * sign, _tie(draws)
    return float((difference > tie).mean() + 0.5 * (np.abs(difference) <= tie).mean())


def on_front(benefit: ArrayLike, harm: ArrayLike) -> NDArray[np.bool_]:
    """Return which options no other dominates: none has at least as much benefit with no more harm, and differs.

    Parameters
    ----------
    benefit, harm : (..., options)
    """
    benefit, harm = np.asarray(benefit, dtype=float), np.asarray(harm, dtype=float)
    more = benefit[..., None, :] >= benefit[..., :, None]
    safer = harm[..., None, :] <= harm[..., :, None]
    differs = (benefit[..., None, :] > benefit[..., :, None]) | (harm[..., None, :] < harm[..., :, None])
    return ~(more & safer & differs).any(axis=-1)


def probability_on_front(values: tuple[Knowledge, Knowledge], signs: tuple[int, int], *, n: int = DRAWS) -> Floats:
    """Return the probability that each option is on the Pareto front of benefit and harm, (options,).

    Parameters
    ----------
    values : of benefit and of harm
    signs : 1 where more of it is better, -1 where less is
    """
    draws = [known.draws(n, seed) * sign for known, sign, seed in zip(values, signs, (1, 2), strict=True)]
    return on_front(draws[0], -draws[1]).mean(axis=0)


@dataclass(frozen=True)
class Answer:
    """An answer under the prior or the posterior: its mean, the spread over parameter sets, and Monte Carlo error."""

    mean: float
    parameter_sd: float
    monte_carlo_se: float

    @property
    def spread(self) -> float:
        """Standard deviation of what is not known of the answer."""
        return float(np.hypot(self.parameter_sd, self.monte_carlo_se))


def informed(prior: Answer, posterior: Answer, n_sets: int, n_answers: int = 1) -> bool:
    r"""Tell whether the data moved an answer: its mean by half a prior deviation, or its spread to below 80 %.

    Either must be so beyond the 5 % error of finitely many sets and patients: the mean of *K* sets has variance
    :math:`\sigma^2/K` beside its Monte Carlo variance, the log ratio of two spreads about :math:`1/(K-1)`.

    Parameters
    ----------
    n_sets : parameter sets behind each of the two
    n_answers : answers of which any one would be called informed; the 5 % are shared among them (Bonferroni)
    """
    doubt = float(-ndtri(LEVEL_OF_DOUBT / n_answers))
    error = np.hypot(prior.parameter_sd, posterior.parameter_sd) / np.sqrt(n_sets)
    error = float(np.sqrt(error**2 + prior.monte_carlo_se**2 + posterior.monte_carlo_se**2))
    moved = abs(posterior.mean - prior.mean) - doubt * error
    largest_spread = posterior.spread * float(np.exp(doubt / np.sqrt(max(n_sets - 1, 1))))
    return moved > MOVED_SD * prior.spread or largest_spread < NARROWED_TO * prior.spread


def with_verdict(
    table: pd.DataFrame, keys: Sequence[str], n_sets: int, *, together: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return a table of answers with the column ``informed``: whether the data moved the posterior's answer.

    Parameters
    ----------
    table : ``world``, the keys, ``estimate``, ``parameter_sd`` and ``monte_carlo_se``
    keys : columns that name an answer; it is held against that of the world ``prior``
    n_sets : parameter sets in each world
    together : the keys that rows have in common of which any one will be spoken of; None where each stands alone
    """
    if table.empty:
        return table.assign(informed=pd.Series(dtype=bool))
    numbers = ["estimate", "parameter_sd", "monte_carlo_se"]
    prior = table.loc[table["world"] == "prior", [*keys, *numbers]]
    both = table[["world", *keys, *numbers]].merge(prior, on=list(keys), how="left", suffixes=("", "_prior"))
    family = 1 if together is None else both.groupby(["world", *together])["estimate"].transform("size")
    flags = []
    for row in both.assign(family=family).to_dict("records"):
        mine, before = ([np.nan_to_num(row[f"{name}{end}"]) for name in numbers[1:]] for end in ("", "_prior"))
        known = row["world"] == "posterior" and np.isfinite(row["estimate_prior"])
        answers = Answer(row["estimate_prior"], *before), Answer(row["estimate"], *mine)
        flags.append(bool(known and informed(*answers, n_sets, row["family"])))
    return table.assign(informed=flags)


def _tie(draws: Floats) -> float:
    """Return the difference below which two means are equal: far below their spread, above rounding."""
    return 1e-6 * float(draws.std()) + 1e-12


def _psd(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def _root(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return vectors * np.sqrt(np.maximum(values, 0.0))
