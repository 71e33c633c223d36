"""Simulation-based calibration of the synthetic trial: truths from the prior, calibrated blindly, ranked."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

import synthetic_trial as trial

from seedbed.calibration.fit import Budget, Calibration, calibrate
from seedbed.calibration.proof import rank, uniformity_table
from seedbed.calibration.simulator import Work
from seedbed.calibration.space import Latent
from seedbed.calibration.store import Store

SMALL = Budget(
    prior_members=384,
    round_members=256,
    least_rounds=2,
    most_rounds=3,
    subjects=64,
    particles=512,
    ensemble=200,
    wanted_effective=100,
)


def calibrated(truth: np.ndarray, seed: int, budget: Budget = SMALL, settings=trial.ARMS) -> Calibration:
    """Calibrate to data published under a truth."""
    terms = trial.published(truth, seed, settings)
    latent = Latent(trial.space(settings), terms)
    return calibrate(
        latent,
        Work(trial.SyntheticSimulator(settings), latent.space, terms, budget.subjects, seed, Store(None)),
        budget,
    )


def truth_of(seed: int) -> np.ndarray:
    """Draw a truth from the prior."""
    return np.random.default_rng([seed, 3]).standard_normal(Latent(trial.space(), trial.skeleton()).size)


def predicted(latent: Latent, vectors: np.ndarray, seed: int) -> pd.DataFrame:
    """Return the outputs of the combination with a product that is not fitted, for latent vectors."""
    x = latent.coordinates(vectors, None).copy()
    new = np.random.default_rng([seed, 4]).standard_normal((len(x), len(latent.space.varying)))
    x[:, latent.space.varying] += latent.product_deviation(vectors) * new
    return trial.true_outputs(latent.space.values(x), seed=seed)


def replicate(seed: int, budget: Budget = SMALL) -> dict[str, float]:
    """Return the rank of every output and parameter of one truth, and the effective members."""
    truth = truth_of(seed)
    result = calibrated(truth, seed, budget)
    draw = np.random.default_rng([seed, 5])
    skeleton = Latent(trial.space(), trial.skeleton())
    true_outputs, outputs = (
        predicted(skeleton, truth[None, :], seed + 10_000),
        predicted(result.latent, result.vectors, seed),
    )
    ranks = {f"output {name}": rank(true_outputs[name][0], outputs[name].to_numpy(), draw) for name in outputs}
    for i, name in enumerate(result.latent.space.ids):
        ranks[f"parameter {name}"] = rank(truth[i], result.vectors[:, i], draw)
    return {**ranks, "effective": result.effective}


def study(n: int, first_seed: int = 0, budget: Budget = SMALL) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of uniformity and the raw ranks of `n` replicates."""
    ranks = pd.DataFrame([replicate(first_seed + i, budget) for i in range(n)])
    return uniformity_table(ranks.drop(columns="effective")), ranks
