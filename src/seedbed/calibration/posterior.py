r"""The posterior of the latent vector, with emulators in place of the simulator.

For term t of study s and family f in arm a:

.. math::

    \eta_t = m_t(x_a) + \tau_f\sqrt{\rho}\, b_{s,f} + \sqrt{\tau_f^2 (1 - \rho) + \sigma_t^2}\; e_t

with the emulator :math:`m_t` of error :math:`\sigma_t`, and an exact binomial or a normal likelihood at
:math:`\eta_t`. All latent coordinates are standard normal a priori.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seedbed.calibration.emulator import ArmEmulator
from seedbed.calibration.space import SHARED_PART, SPREAD_SD, Latent, cluster_positions, family_positions
from seedbed.calibration.terms import log_likelihood, log_likelihood_slope

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """The pieces of the predictions that their slope needs again."""

    coordinates: dict[str, Floats]
    tau: Floats
    row_sd: Floats
    emulated: Floats
    prediction: Floats


@dataclass(frozen=True)
class Posterior:
    """Log likelihood and slope of latent vectors.

    Attributes
    ----------
    latent : where each coordinate stands
    emulators : per arm of the terms
    """

    latent: Latent
    emulators: Mapping[str, ArmEmulator]
    family: NDArray[np.int64] = field(init=False)
    cluster: NDArray[np.int64] = field(init=False)
    error: Floats = field(init=False)
    positions: dict[str, NDArray[np.int64]] = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the terms once."""
        terms = self.latent.terms
        positions = {arm: terms.of_arm(arm) for arm in terms.arms}
        error = np.zeros(len(terms))
        for arm, where in positions.items():
            error[where] = self.emulators[arm].error
        for name, value in (
            ("family", family_positions(terms)),
            ("cluster", cluster_positions(terms)),
            ("error", error),
            ("positions", positions),
        ):
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        """Length of a latent vector."""
        return self.latent.size

    def emulated(self, vectors: Floats) -> Floats:
        """Return (K, T) emulated predictions without any between-study deviation."""
        result = np.empty((len(vectors), len(self.latent.terms)))
        for arm, where in self.positions.items():
            result[:, where] = self.emulators[arm].predict(self.latent.of_arm(vectors, arm))
        return result

    def deviation(self, vectors: Floats) -> Floats:
        """Return the (K, T) between-study deviation that each study's terms share."""
        tau = self.latent.tau(vectors)[:, self.family]
        return tau * np.sqrt(SHARED_PART) * vectors[:, self.latent.place("study")][:, self.cluster]

    def row_sd(self, vectors: Floats) -> Floats:
        """Return the (K, T) standard deviation of a term's own deviation, the emulator's error included."""
        tau = self.latent.tau(vectors)[:, self.family]
        return np.sqrt(tau**2 * (1.0 - SHARED_PART) + self.error**2)

    def parts(self, vectors: Floats) -> Parts:
        """Return the predictions and what they are made of."""
        row_sd = self.row_sd(vectors)
        own = row_sd * vectors[:, self.latent.place("row")]
        coordinates = {arm: self.latent.of_arm(vectors, arm) for arm in self.positions}
        emulated = np.empty_like(row_sd)
        for arm, where in self.positions.items():
            emulated[:, where] = self.emulators[arm].predict(coordinates[arm])
        prediction = emulated + self.deviation(vectors) + own
        return Parts(coordinates, self.latent.tau(vectors)[:, self.family], row_sd, emulated, prediction)

    def log_likelihood(self, vectors: Floats) -> Floats:
        """Return (K,) log likelihoods of latent vectors (K, D)."""
        return log_likelihood(self.latent.terms, self.parts(vectors).prediction).sum(axis=1)

    def log_likelihood_and_slope(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Return (K,) log likelihoods and their (K, D) slopes."""
        parts = self.parts(vectors)
        pull = log_likelihood_slope(self.latent.terms, parts.prediction)
        slope = np.zeros_like(vectors)
        self._add_deviation_slope(vectors, parts, pull, slope)
        self._add_parameter_slope(vectors, parts, pull, slope)
        return log_likelihood(self.latent.terms, parts.prediction).sum(axis=1), slope

    def _add_deviation_slope(self, vectors: Floats, parts: Parts, pull: Floats, slope: Floats) -> None:
        place = self.latent.place
        study, row = vectors[:, place("study")][:, self.cluster], vectors[:, place("row")]
        slope[:, place("row")] = pull * parts.row_sd
        shared = parts.tau * np.sqrt(SHARED_PART)
        slope[:, place("study")] = _sum_by(pull * shared, self.cluster, len(self.latent.terms.clusters))
        by_tau = shared * study + parts.tau**2 * (1.0 - SHARED_PART) / parts.row_sd * row
        slope[:, place("tau")] = SPREAD_SD * _sum_by(pull * by_tau, self.family, len(self.latent.terms.families))

    def _add_parameter_slope(self, vectors: Floats, parts: Parts, pull: Floats, slope: Floats) -> None:
        place, space = self.latent.place, self.latent.space
        scale = self.latent.product_deviation(vectors)
        for arm, where in self.positions.items():
            emulator = self.emulators[arm]
            own = emulator.slope(parts.coordinates[arm], parts.emulated[:, where], pull[:, where])
            slope[:, place("shared")] += own
            product = space.product_of.get(arm)
            if product and len(space.varying):
                here = self.latent.product_place(product)
                varying = own[:, space.varying] * scale
                slope[:, here] += varying
                slope[:, place("spread")] += SPREAD_SD * varying * vectors[:, here]


def _sum_by(values: Floats, group: NDArray[np.int64], n_groups: int) -> Floats:
    selector = np.zeros((values.shape[1], n_groups))
    selector[np.arange(values.shape[1]), group] = 1.0
    return values @ selector
