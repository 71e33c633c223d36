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
from seedbed.calibration.space import Latent
from seedbed.calibration.validation import Row, predict_arm, score_row

Floats = NDArray[np.float64]
PARTICLES = 512


@dataclass(frozen=True)
class LeftOut:
    """One study left out: what is left, and what is to be predicted."""

    study: str
    posterior: Posterior
    rows: tuple[Row, ...]
    seed: int
    particles: int = PARTICLES


def predictions(task: LeftOut) -> list[dict[str, object]]:
    """Return the scores of the rows of a study that was left out."""
    whole = task.posterior.latent
    rest = whole.terms.subset({term.study for term in whole.terms.items} - {task.study}, by="study")
    left = Posterior(Latent(whole.space, rest), {arm: task.posterior.emulators[arm] for arm in rest.arms})
    generator = np.random.default_rng([task.seed, *task.study.encode()])
    vectors = sample(left, task.particles, generator, n_last_moves=10).vectors
    scores: list[dict[str, object]] = []
    for arm in whole.terms.subset({task.study}, by="study").arms:
        scores += _arm(task, left, arm, vectors, generator)
    return scores


def _arm(
    task: LeftOut, left: Posterior, arm: str, vectors: Floats, generator: np.random.Generator
) -> list[dict[str, object]]:
    terms = task.posterior.latent.terms.subset({arm}, by="arm")
    emulator = task.posterior.emulators[arm]
    links = emulator.predict(left.latent.of_arm(vectors, arm))
    links = links + emulator.error * generator.standard_normal(links.shape)
    families = left.latent.terms.families
    sampled = dict(zip(families, left.latent.tau(vectors).T, strict=True))
    middle = {family: np.full(len(vectors), left.latent.space.tau[family]) for family in terms.families}
    rows = [row for row in task.rows if row.arm == arm]
    found = predict_arm(terms, links, {**middle, **sampled}, rows, task.seed)
    return [{"id": row.id, **score_row(row, found[row.id])} for row in rows]


def cross_validate(
    posterior: Posterior,
    rows: list[Row],
    seed: int,
    *,
    workers: int = 1,
    particles: int = PARTICLES,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Predict the rows of each study from all the others.

    Parameters
    ----------
    posterior : with the last emulators
    rows : published rows of the fitted arms
    seed : seed of the samplers
    workers : processes
    particles : particles of each posterior

    Returns
    -------
    DataFrame, one row a published row: ``id`` and the columns of `validation.score_row`.
    """
    studies = list(dict.fromkeys(term.study for term in posterior.latent.terms.items))
    tasks = [LeftOut(s, posterior, tuple(row for row in rows if row.study == s), seed, particles) for s in studies]
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
