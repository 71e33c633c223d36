"""Predict each study from the others: the posterior without it, at no new simulation.

The emulators do not depend on what was published, so that leaving a study out only means to sample the posterior
of the remaining terms. Its product, where no other study has it, is then drawn from the between-product
distribution, and its deviation is that of a new study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.calibration.posterior import Posterior
from seedbed.calibration.sampler import sample
from seedbed.calibration.validation import Row, predict_arm, score_row

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LeftOut:
    """One study left out: what is left, and what is to be predicted."""

    study: str
    posterior: Posterior
    draws: Floats
    rows: tuple[Row, ...]
    seed: int


@dataclass(frozen=True)
class Removal:
    """The likelihood of a study's terms to the power of minus one: what takes the study out of a posterior."""

    posterior: Posterior
    terms: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Length of a latent vector."""
        return self.posterior.size

    def log_likelihood_and_slope(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Return minus the log likelihood of the study's terms, and its slope."""
        value, slope = self.posterior.log_likelihood_and_slope(vectors, only=self.terms)
        return -value, -slope


def predictions(task: LeftOut) -> list[dict[str, object]]:
    """Return the scores of the rows of a study that was left out."""
    latent = task.posterior.latent
    own = np.array([term.study == task.study for term in latent.terms.items])
    generator = np.random.default_rng([task.seed, *task.study.encode()])
    removal = Removal(task.posterior, own)
    vectors = sample(removal, len(task.draws), generator, n_last_moves=8, start=task.draws, base=task.posterior).vectors
    scores: list[dict[str, object]] = []
    for arm in latent.terms.subset({task.study}, by="study").arms:
        scores += _arm(task, arm, vectors, generator)
    return scores


def _arm(task: LeftOut, arm: str, vectors: Floats, generator: np.random.Generator) -> list[dict[str, object]]:
    latent = task.posterior.latent
    terms, emulator = latent.terms.subset({arm}, by="arm"), task.posterior.emulators[arm]
    links = emulator.predict(latent.of_arm(vectors, arm))
    links = links + emulator.error * generator.standard_normal(links.shape)
    tau = dict(zip(latent.terms.families, latent.tau(vectors).T, strict=True))
    rows = [row for row in task.rows if row.arm == arm]
    found = predict_arm(terms, links, tau, rows, task.seed)
    return [{"id": row.id, **score_row(row, found[row.id])} for row in rows]


def cross_validate(
    posterior: Posterior,
    draws: Floats,
    rows: list[Row],
    seed: int,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Predict the rows of each study from all the others.

    Parameters
    ----------
    posterior : with the last emulators
    draws : (K, D) draws of it; a study is taken out of them step by step
    rows : published rows of the fitted arms
    seed : seed of the samplers
    workers : processes

    Returns
    -------
    DataFrame, one row a published row: ``id`` and the columns of `validation.score_row`.
    """
    studies = list(dict.fromkeys(term.study for term in posterior.latent.terms.items))
    tasks = [LeftOut(s, posterior, draws, tuple(row for row in rows if row.study == s), seed) for s in studies]
    if workers <= 1:
        return _collected(map(predictions, tasks), len(tasks), progress)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return _collected(pool.map(predictions, tasks), len(tasks), progress)


def _collected(
    results: Iterable[list[dict[str, object]]], total: int, progress: Callable[[int, int], None] | None
) -> pd.DataFrame:
    scores: list[dict[str, object]] = []
    for done, result in enumerate(results, start=1):
        scores += result
        if progress:
            progress(done, total)
    return pd.DataFrame(scores)
