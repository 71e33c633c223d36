"""Compare ways to calibrate on the synthetic trial of the tests, at the same number of simulated patients.

Methods: emulators with tempered sampling and importance weights (the one seedbed uses); importance weights made of
each member's own simulation; an ensemble smoother with multiple data assimilation (Emerick and Reynolds 2013).
Judged on the outputs of an arm that is not fitted: coverage of the central 90 % and mean interval score.

Run: python validation/calibration_methods.py 30
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "statistics"))

import sbc
import synthetic_trial as trial

from seedbed.calibration.fit import marginal_log_likelihood, prior_design
from seedbed.calibration.sampler import effective_size, systematic
from seedbed.calibration.simulator import Work
from seedbed.calibration.space import Latent, arm_coordinates
from seedbed.calibration.store import Store
from seedbed.calibration.validation import interval_score

PATIENTS = 64
STEPS = 4


def simulate(latent, vectors, seed):
    """Return (K, T) links and their variances from each member's own patients."""
    work = Work(trial.SyntheticSimulator(), latent.space, latent.terms, PATIENTS, seed, Store(None))
    found = work.members(0, arm_coordinates(latent, vectors, latent.terms.arms))
    link, variance = np.empty((len(vectors), len(latent.terms))), np.empty((len(vectors), len(latent.terms)))
    for arm in latent.terms.arms:
        where, s = latent.terms.of_arm(arm), found[arm]
        smooth = (np.nan_to_num(s.estimate) * s.weight + 0.5) / (s.weight + 1.0)
        share = latent.terms.share[where]
        link[:, where] = np.where(share, logit(np.clip(smooth, 1e-4, 1 - 1e-4)), s.estimate)
        variance[:, where] = np.where(
            share, 1 / ((s.weight + 1) * smooth * (1 - smooth)), 1 / np.maximum(s.weight, 1e-9)
        )
    return link, variance


def direct(latent, n, seed):
    """Weigh draws of the prior by the likelihood of their own simulations."""
    vectors = np.random.default_rng([seed, 1]).standard_normal((n, latent.size))
    link, variance = simulate(latent, vectors, seed)
    tau = np.array([latent.space.tau[t.family] for t in latent.terms.items])
    log_weights = marginal_log_likelihood(latent.terms, link, np.sqrt(variance + tau**2)).sum(axis=1)
    chosen = systematic(log_weights, 200, np.random.default_rng([seed, 2]))
    return vectors[chosen], effective_size(log_weights)


def smoother(latent, n, seed):
    """Move an ensemble of the prior to the data in four Kalman steps; rows such as 0/16 get a continuity correction."""
    draw = np.random.default_rng([seed, 3])
    used = latent.place("product").stop
    vectors = prior_design(latent, n, seed)
    terms = latent.terms
    smooth = (terms.observed * terms.size + 0.5) / (terms.size + 1.0)
    data = np.where(terms.share, logit(smooth), terms.observed)
    tau = np.array([latent.space.tau[t.family] for t in terms.items])
    noise = np.where(terms.share, 1 / ((terms.size + 1) * smooth * (1 - smooth)), 1 / terms.size) + tau**2
    for step in range(STEPS):
        link, variance = simulate(latent, vectors, seed * 100 + step)
        x, y = vectors[:, :used] - vectors[:, :used].mean(0), link - link.mean(0)
        cross, own = x.T @ y / (n - 1), y.T @ y / (n - 1)
        gain = cross @ np.linalg.inv(own + STEPS * np.diag(noise + variance.mean(0)))
        target = data + np.sqrt(STEPS * noise) * draw.standard_normal(link.shape)
        vectors[:, :used] += (target - link) @ gain.T
    return vectors[:200], float("nan")


def emulated(latent, seed):
    """Calibrate as seedbed does, at the small budget of the tests."""
    from seedbed.calibration.fit import calibrate

    work = Work(trial.SyntheticSimulator(), latent.space, latent.terms, PATIENTS, seed, Store(None))
    found = calibrate(latent, work, sbc.SMALL)
    return found.vectors, found.effective


def main(n):
    """Print coverage, interval score and effective members of each method over `n` truths."""
    records = []
    for seed in range(900, 900 + n):
        truth = sbc.truth_of(seed)
        latent = Latent(trial.space(), trial.published(truth, seed))
        skeleton = Latent(trial.space(), trial.skeleton())
        true = sbc.predicted(skeleton, truth[None, :], seed + 7).iloc[0]
        members = sbc.SMALL.prior_members + 2 * sbc.SMALL.round_members
        for name, (vectors, effective) in {
            "emulators": emulated(latent, seed),
            "own simulations": direct(latent, members, seed),
            "smoother": smoother(latent, members // STEPS, seed),
        }.items():
            outputs = sbc.predicted(latent, vectors, seed)
            low, high = outputs.quantile(0.05), outputs.quantile(0.95)
            for quantity in outputs:
                ends = (true[quantity], low[quantity], high[quantity])
                inside = low[quantity] <= true[quantity] <= high[quantity]
                records.append(
                    (name, quantity, inside, interval_score(*ends), high[quantity] - low[quantity], effective)
                )
    table = pd.DataFrame(records, columns=["method", "output", "covered", "score", "width", "effective"])
    print(table.groupby(["method", "output"], sort=False).mean().round(3).to_string())
    print(table.groupby("method", sort=False)[["covered", "score", "width", "effective"]].mean().round(3).to_string())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
