"""Draw latent vectors from a posterior: particles tempered from the prior, moved by Hamiltonian Monte Carlo.

All particles move at once, so that the emulators work on whole matrices. The temperature rises as fast as the
effective number of particles allows; the step size follows the acceptance; the metric is the particles' own
covariance. Sequential tempering was chosen over single long chains since it starts everywhere the prior allows
and so finds separate modes (Del Moral 2006, doi 10.1111/j.1467-9868.2006.00553.x; Buchholz 2021,
doi 10.1214/20-BA1199).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from seedbed.errors import SimulationError

Floats = NDArray[np.float64]
_KEEP = 0.6
_TARGET_ACCEPTANCE = 0.75
_LONGEST = 400
_FARTHEST = 10.0


class Target(Protocol):
    """A density N(0, I) times a likelihood."""

    @property
    def size(self) -> int:
        """Length of a vector."""
        ...

    def log_likelihood_and_slope(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Return (K,) log likelihoods and their (K, D) slopes."""
        ...


@dataclass(frozen=True)
class Draws:
    """Particles of a posterior.

    Attributes
    ----------
    vectors : (K, D) latent vectors
    log_likelihood : (K,)
    log_evidence : ln of the marginal likelihood, up to the terms' constants
    temperatures : the path from 0 to 1
    acceptance : share of accepted moves at the last temperature
    mixing : largest correlation of a coordinate with its value before the last moves
    """

    vectors: Floats
    log_likelihood: Floats
    log_evidence: float
    temperatures: tuple[float, ...]
    acceptance: float
    mixing: float


@dataclass
class _Particles:
    vectors: Floats
    log_likelihood: Floats
    slope: Floats
    step: float = 0.3

    def take(self, chosen: NDArray[np.int64]) -> None:
        """Keep the chosen particles, which may repeat."""
        for name in ("vectors", "log_likelihood", "slope"):
            setattr(self, name, getattr(self, name)[chosen])

    def accept(self, where: NDArray[np.bool_], moved: tuple[Floats, ...]) -> None:
        """Put what was accepted in place."""
        for name, value in zip(("vectors", "log_likelihood", "slope"), moved, strict=True):
            mask = where[:, None] if value.ndim == 2 else where
            setattr(self, name, np.where(mask, value, getattr(self, name)))


def sample(
    target: Target,
    n: int,
    generator: np.random.Generator,
    *,
    n_moves: int = 3,
    n_last_moves: int = 16,
    progress: Callable[[float], None] | None = None,
) -> Draws:
    """Draw from a posterior.

    Parameters
    ----------
    target : the posterior
    n : number of particles
    generator : random numbers
    n_moves, n_last_moves : least number of Hamiltonian moves at each temperature, and at the last
    progress : called with the temperature (0-1)

    Raises
    ------
    SimulationError
        The temperature cannot rise: the likelihood is not finite anywhere.
    """
    particles = _start(target, n, generator)
    temperature, path, log_evidence = 0.0, [0.0], 0.0
    acceptance, mixing = 0.0, 0.0
    while temperature < 1.0:
        following = _next_temperature(particles.log_likelihood, temperature)
        rise = (following - temperature) * particles.log_likelihood
        log_evidence += float(logsumexp(rise) - np.log(n))
        _resample(particles, rise, generator)
        temperature = following
        path.append(temperature)
        moves = n_last_moves if temperature >= 1.0 else n_moves
        acceptance, mixing = _mix(target, particles, temperature, generator, moves)
        if progress:
            progress(temperature)
        if len(path) > _LONGEST:
            raise SimulationError(
                f"the sampler needs more than {_LONGEST} temperatures; widen the priors or drop terms"
            )
    return Draws(particles.vectors, particles.log_likelihood, log_evidence, tuple(path), acceptance, mixing)


def _start(target: Target, n: int, generator: np.random.Generator) -> _Particles:
    vectors = generator.standard_normal((n, target.size))
    log_likelihood, slope = target.log_likelihood_and_slope(vectors)
    if not np.isfinite(log_likelihood).any():
        raise SimulationError("no draw from the prior has a finite likelihood")
    log_likelihood = np.nan_to_num(log_likelihood, nan=-np.inf)
    return _Particles(vectors, log_likelihood, np.nan_to_num(slope))


def effective_size(log_weights: Floats) -> float:
    """Return the effective number of members of unnormalised log weights (Kish)."""
    return float(np.exp(2.0 * logsumexp(log_weights) - logsumexp(2.0 * log_weights)))


def _next_temperature(log_likelihood: Floats, temperature: float) -> float:
    wanted = _KEEP * len(log_likelihood)
    if effective_size((1.0 - temperature) * log_likelihood) >= wanted:
        return 1.0
    low, high = temperature, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        enough = effective_size((middle - temperature) * log_likelihood) >= wanted
        low, high = (middle, high) if enough else (low, middle)
    return max(low, temperature + 1e-9)


def systematic(log_weights: Floats, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return `n` positions drawn by systematic resampling."""
    weights = np.exp(log_weights - logsumexp(log_weights))
    steps = (generator.random() + np.arange(n)) / n
    return np.minimum(np.searchsorted(np.cumsum(weights), steps), len(weights) - 1)


def _resample(particles: _Particles, log_weights: Floats, generator: np.random.Generator) -> None:
    particles.take(systematic(log_weights, len(log_weights), generator))


def _mix(
    target: Target, particles: _Particles, temperature: float, generator: np.random.Generator, n_moves: int
) -> tuple[float, float]:
    """Move until coordinates have forgotten where they were, or four times `n_moves` are done."""
    before = particles.vectors.copy()
    metric = _metric(before)
    acceptance, mixing = 0.0, 1.0
    for move in range(4 * n_moves):
        acceptance = _move(target, particles, temperature, metric, generator)
        particles.step = float(np.clip(particles.step * np.exp(0.7 * (acceptance - _TARGET_ACCEPTANCE)), 1e-3, 1.2))
        if move + 1 >= n_moves:
            mixing = _largest_correlation(before, particles.vectors)
            if mixing < 0.3:
                break
    return acceptance, mixing


def _metric(vectors: Floats) -> Floats:
    """Return the Cholesky factor of the particles' covariance, shrunk to its diagonal."""
    n, size = vectors.shape
    covariance = np.cov(vectors, rowvar=False).reshape(size, size)
    keep = n / (n + 4.0 * size)
    shrunk = keep * covariance + (1.0 - keep) * np.diag(np.diag(covariance))
    return np.linalg.cholesky(shrunk + 1e-6 * np.eye(size))


def _move(
    target: Target, particles: _Particles, temperature: float, factor: Floats, generator: np.random.Generator
) -> float:
    """Make one Hamiltonian move of every particle; return the mean acceptance probability.

    Works in coordinates whitened by the metric: x = factor @ u, so the kinetic energy is |p|^2 / 2.
    """
    n, size = particles.vectors.shape
    momentum = generator.standard_normal((n, size))
    step = particles.step * generator.uniform(0.7, 1.1, (n, 1))
    n_steps = max(2, round(1.5 / particles.step * generator.uniform(0.6, 1.0)))
    now = (particles.vectors, particles.log_likelihood, particles.slope)
    energy = _energy(now, temperature) + 0.5 * (momentum**2).sum(1)
    x, lost = particles.vectors, np.zeros(n, bool)
    pull = _pull(now, temperature) @ factor
    for _ in range(min(n_steps, 24)):
        momentum = momentum + 0.5 * step * pull
        x = x + (step * momentum) @ factor.T
        lost |= np.abs(x).max(1) > _FARTHEST
        x[lost], momentum[lost] = particles.vectors[lost], 0.0
        now = (x, *target.log_likelihood_and_slope(x))
        pull = _pull(now, temperature) @ factor
        momentum = momentum + 0.5 * step * pull
    drop = energy - _energy(now, temperature) - 0.5 * (momentum**2).sum(1)
    chance = np.where(lost, 0.0, np.exp(np.minimum(0.0, np.nan_to_num(drop, nan=-np.inf))))
    particles.accept(generator.random(n) < chance, now)
    return float(chance.mean())


def _energy(now: tuple[Floats, ...], temperature: float) -> Floats:
    x, log_likelihood, _ = now
    return 0.5 * (x**2).sum(1) - temperature * log_likelihood


def _pull(now: tuple[Floats, ...], temperature: float) -> Floats:
    x, _, slope = now
    return temperature * slope - x


def _largest_correlation(before: Floats, after: Floats) -> float:
    left, right = before - before.mean(0), after - after.mean(0)
    scale = np.sqrt((left**2).sum(0) * (right**2).sum(0))
    return float(np.max((left * right).sum(0) / np.maximum(scale, 1e-12)))
