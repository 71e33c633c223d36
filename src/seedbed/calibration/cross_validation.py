r"""Predict each study from the others: the posterior without it, at no new simulation and no new sampling.

The emulators do not depend on what was published, so leaving a study out only takes its likelihood out of the
posterior: draws are resampled with weights :math:`1/L_s`, truncated as Ionides 2008 (doi 10.1198/106186008X320456)
proposed. :math:`L_s` is the likelihood of the study's rows with its own deviation, and that of a product nobody else
used, integrated out by Monte Carlo, so that the weights depend on what the studies share. Its product is then drawn
from the between-product distribution, and its deviation is that of a new study.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from seedbed.calibration.fit import marginal_log_likelihood
from seedbed.calibration.posterior import Posterior
from seedbed.calibration.sampler import effective_size, systematic
from seedbed.calibration.validation import Row, predict_arm, score_row

Floats = NDArray[np.float64]
_DEVIATIONS = 32
"""Draws of a study's own deviations over which its likelihood is averaged."""


@dataclass(frozen=True)
class Study:
    """A study, its arms, and the products that no other study used."""

    id: str
    arms: tuple[str, ...]
    products: tuple[str, ...]


def cross_validate(
    posterior: Posterior,
    draws: Floats,
    rows: list[Row],
    seed: int,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Predict the rows of each study from all the others.

    Parameters
    ----------
    posterior : with the last emulators
    draws : (K, D) draws of it
    rows : published rows of the fitted arms
    seed : seed of the resampling

    Returns
    -------
    DataFrame, one row a published row: ``id``, the columns of `validation.score_row`, and ``effective``, the
    effective number of draws that the study's removal left.
    """
    studies = studies_of(posterior)
    scores: list[dict[str, object]] = []
    for done, study in enumerate(studies, start=1):
        generator = np.random.default_rng([seed, *study.id.encode()])
        vectors, effective = without(posterior, study, draws, generator)
        for arm in study.arms:
            own = [row for row in rows if row.arm == arm]
            found = _arm(posterior, arm, own, vectors, seed, generator)
            scores += [score | {"effective": effective} for score in found]
        if progress:
            progress(done, len(studies))
    return pd.DataFrame(scores)


def studies_of(posterior: Posterior) -> list[Study]:
    """Return the studies of a posterior in the order of their terms."""
    terms, product_of = posterior.latent.terms, posterior.latent.space.product_of
    found = []
    for name in dict.fromkeys(term.study for term in terms.items):
        arms = terms.subset({name}, by="study").arms
        shared = {product_of.get(arm) for arm in terms.arms if arm not in arms}
        products = dict.fromkeys(product for arm in arms if (product := product_of.get(arm)) and product not in shared)
        found.append(Study(name, tuple(arms), tuple(products)))
    return found


def without(
    posterior: Posterior, study: Study, draws: Floats, generator: np.random.Generator
) -> tuple[Floats, float]:
    """Return (K, D) draws of the posterior without a study, and their effective number."""
    likelihoods = [_log_likelihood(posterior, study, fresh(posterior, study, draws, generator))
                   for _ in range(_DEVIATIONS)]  # fmt: skip
    log_weights = np.log(_DEVIATIONS) - logsumexp(np.stack(likelihoods), axis=0)
    longest = logsumexp(log_weights) - 0.5 * np.log(len(draws))
    log_weights = np.minimum(log_weights, longest)
    chosen = draws[systematic(log_weights, len(draws), generator)]
    return fresh(posterior, study, chosen, generator), effective_size(log_weights)


def fresh(posterior: Posterior, study: Study, draws: Floats, generator: np.random.Generator) -> Floats:
    """Return draws in which the study's deviations, and its own products', come from their distributions."""
    latent, result = posterior.latent, draws.copy()
    own = np.array([name == study.id for name, _ in latent.terms.clusters])
    columns = [np.flatnonzero(own) + latent.place("study").start]
    columns += [np.arange(latent.size)[latent.product_place(product)] for product in study.products]
    where = np.concatenate(columns)
    result[:, where] = generator.standard_normal((len(draws), len(where)))
    return result


def _log_likelihood(posterior: Posterior, study: Study, vectors: Floats) -> Floats:
    """Return (K,) log likelihoods of a study's terms, the terms' own deviations integrated out."""
    latent, total = posterior.latent, np.zeros(len(vectors))
    deviation, row_sd = posterior.deviation(vectors), posterior.row_sd(vectors)
    for arm in study.arms:
        where, terms = posterior.positions[arm], latent.terms.subset({arm}, by="arm")
        middle = posterior.emulators[arm].predict(latent.of_arm(vectors, arm)) + deviation[:, where]
        total += marginal_log_likelihood(terms, middle, row_sd[:, where]).sum(axis=1)
    return total


def _arm(
    posterior: Posterior, arm: str, rows: list[Row], vectors: Floats, seed: int, generator: np.random.Generator
) -> list[dict[str, object]]:
    latent, emulator = posterior.latent, posterior.emulators[arm]
    links = emulator.predict(latent.of_arm(vectors, arm))
    links = links + emulator.error * generator.standard_normal(links.shape)
    tau = dict(zip(latent.terms.families, latent.tau(vectors).T, strict=True))
    found = predict_arm(latent.terms.subset({arm}, by="arm"), links, tau, rows, seed)
    return [{"id": row.id, **score_row(row, found[row.id])} for row in rows]
