"""What the data did to the parameters, and what the fit still misses."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from seedbed.calibration.fit import Calibration
from seedbed.calibration.posterior import Posterior
from seedbed.calibration.space import Latent
from seedbed.calibration.terms import Terms

Floats = NDArray[np.float64]
MOVED_BITS = 0.15
"""Information gain [bit] from which a parameter counts as moved by the data."""
_STUDIES = 20
"""Studies drawn from each parameter set for the tail of a misfit."""


def movement(latent: Latent, vectors: Floats) -> pd.DataFrame:
    """Return how far the data moved each parameter from its prior.

    Parameters
    ----------
    vectors : (K, D) latent vectors of the ensemble

    Returns
    -------
    DataFrame, one row a parameter (also between-product and between-study deviations), most moved first:
        ``parameter``, ``shift`` (posterior mean in prior standard deviations), ``sd_ratio`` (posterior over prior
        standard deviation), ``bits`` (Kullback-Leibler divergence of the posterior from the prior, in bits, with
        both taken as normal in standard normal coordinates), ``moved``.
    """
    names = [*latent.space.ids, *_hyper_names(latent)]
    columns = [*range(len(latent.space.ids)), *_hyper_positions(latent)]
    values = vectors[:, columns]
    mean, sd = values.mean(axis=0), np.maximum(values.std(axis=0, ddof=1), 1e-6)
    bits = (0.5 * (sd**2 + mean**2 - 1.0) - np.log(sd)) / np.log(2.0)
    table = pd.DataFrame({"parameter": names, "shift": mean, "sd_ratio": sd, "bits": bits})
    noise = 1.5 / np.sqrt(len(vectors))
    table["moved"] = (table["bits"] > MOVED_BITS) & ((table["shift"].abs() > noise) | (table["sd_ratio"] < 0.9))
    return table.sort_values("bits", ascending=False, ignore_index=True)


def _hyper_names(latent: Latent) -> list[str]:
    varying = [latent.space.ids[i] for i in latent.space.varying]
    families = latent.terms.families
    return [f"product_sd:{name}" for name in varying] + [f"between_study:{name}" for name in families]


def _hyper_positions(latent: Latent) -> list[int]:
    spread, tau = latent.place("spread"), latent.place("tau")
    return [*range(spread.start, spread.stop), *range(tau.start, tau.stop)]


def correlations(latent: Latent, vectors: Floats, *, least: float = 0.3) -> pd.DataFrame:
    """Return the pairs of parameters whose posterior correlation is at least `least` in size."""
    names = latent.space.ids
    matrix = np.corrcoef(vectors[:, : len(names)], rowvar=False).reshape(len(names), len(names))
    pairs = [
        {"first": names[i], "second": names[j], "correlation": float(matrix[i, j])}
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if abs(matrix[i, j]) >= least
    ]
    table = pd.DataFrame(pairs, columns=["first", "second", "correlation"])
    return table.sort_values("correlation", key=np.abs, ascending=False, ignore_index=True)


def misfits(calibration: Calibration) -> pd.DataFrame:
    """Return how far each fitted term lies from its posterior prediction, worst first.

    Returns
    -------
    DataFrame
        ``term``, ``observed`` and ``fitted`` (share, or value in natural units), ``tail`` (two-sided probability
        of an observation as far out under the posterior predictive with a fresh between-study deviation and the
        study's own sampling), ``emulator_error`` (link scale), ``explained``.
    """
    posterior, vectors = calibration.posterior, calibration.vectors
    terms = calibration.latent.terms
    many = np.repeat(vectors, _STUDIES, axis=0)
    fresh = fresh_predictions(posterior, many, np.random.default_rng(12))
    tail = predictive_tail(terms, fresh, np.random.default_rng(13))
    fitted = posterior.emulated(vectors).mean(axis=0)
    error = np.concatenate([posterior.emulators[arm].error for arm in terms.arms])
    explained = np.concatenate([posterior.emulators[arm].explained for arm in terms.arms])
    order = np.concatenate([terms.of_arm(arm) for arm in terms.arms])
    table = pd.DataFrame(
        {
            "term": terms.ids,
            "observed": np.where(terms.share, terms.observed, np.exp(np.where(terms.share, 0.0, terms.observed))),
            "fitted": np.where(terms.share, expit(fitted), np.exp(np.where(terms.share, 0.0, fitted))),
            "size": terms.size,
            "tail": tail,
        }
    )
    table.loc[order, "emulator_error"], table.loc[order, "explained"] = error, explained
    return table.sort_values("tail", ignore_index=True)


def fresh_predictions(posterior: Posterior, vectors: Floats, generator: np.random.Generator) -> Floats:
    """Return (K, T) predictions with between-study deviations of new studies."""
    fresh = vectors.copy()
    for kind in ("study", "row"):
        place = posterior.latent.place(kind)
        fresh[:, place] = generator.standard_normal((len(vectors), place.stop - place.start))
    return posterior.parts(fresh).prediction


def predictive_tail(terms: Terms, predictions: Floats, generator: np.random.Generator) -> Floats:
    """Return (T,) two-sided mid-p probabilities of the observations under predictions plus sampling."""
    seen = terms.observed
    draws = np.empty_like(predictions)
    for t in range(len(terms)):
        if terms.share[t]:
            n = max(round(terms.size[t]), 1)
            draws[:, t] = generator.binomial(n, expit(predictions[:, t])) / n
        else:
            draws[:, t] = norm.rvs(predictions[:, t], terms.size[t] ** -0.5, random_state=generator)
    below, equal = (draws < seen - 1e-9).mean(axis=0), (np.abs(draws - seen) <= 1e-9).mean(axis=0)
    lower = below + 0.5 * equal
    return np.minimum(1.0, 2.0 * np.minimum(lower, 1.0 - lower))
