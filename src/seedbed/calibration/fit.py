r"""Calibrate: design, simulate, emulate, sample, look where the posterior sits, correct, resample.

1. A space-filling design of the prior is simulated in every arm, and emulators are fitted to it.
2. The posterior with emulators is sampled, and some of its particles, the members, are simulated afresh.
3. The members' simulations judge the emulators that had not seen them: how far the mean of each term is off (its
   *drift*, in units of what the term's data and deviation leave open), and the spread of the residuals.
4. The members get importance weights from the emulated to their own prediction, which is the emulator's combined
   with the member's own simulation.
5. With much drift, or too few effective members, the emulators learn from the new members and 2 to 4 are repeated.

An update of a frozen calibration begins at its last members instead, with its emulators: only new arms are simulated.

Why the weights are not made of the simulations alone: a member's own simulation is so noisy that the weights of
a hundred terms collapse on one member. The emulator pools the patients of all members; its error is in the
likelihood. See ``docs/decisions/calibration_method.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import expit, logsumexp, ndtri
from scipy.stats import qmc

from seedbed.calibration.emulator import Simulated
from seedbed.calibration.emulator import fit as fit_emulators
from seedbed.calibration.posterior import Posterior
from seedbed.calibration.sampler import Draws, effective_size, sample
from seedbed.calibration.simulator import Work
from seedbed.calibration.space import Latent, arm_coordinates
from seedbed.calibration.terms import Terms, log_likelihood
from seedbed.documents import Content

Floats = NDArray[np.float64]
_LAST = 97
"""Number of the random stream of the last posterior."""


class Budget(Content):
    """How much is simulated.

    Attributes
    ----------
    prior_members : members of the first, space-filling design
    round_members : members of each refinement round; the last ones become the ensemble
    least_rounds, most_rounds : refinement rounds
    subjects : virtual patients a member and arm
    particles : particles of the sampler
    ensemble : parameter sets of the result
    wanted_effective, allowed_drift : effective members, and root mean squared drift, at which the rounds may stop
    """

    prior_members: int = Field(1024, ge=16)
    round_members: int = Field(512, ge=16)
    least_rounds: int = Field(2, ge=1)
    most_rounds: int = Field(4, ge=1)
    subjects: int = Field(64, ge=1)
    particles: int = Field(1024, ge=64)
    ensemble: int = Field(256, ge=2)
    wanted_effective: float = Field(200, gt=0)
    allowed_drift: float = Field(0.25, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.most_rounds < self.least_rounds:
            raise ValueError(f"most_rounds ({self.most_rounds}) must be at least least_rounds ({self.least_rounds})")
        if self.round_members > self.particles:
            raise ValueError(f"round_members ({self.round_members}) cannot exceed particles ({self.particles})")
        return self


@dataclass(frozen=True)
class Round:
    """What one refinement round found.

    Attributes
    ----------
    number : 1, 2, ...
    draws : particles of the posterior that was sampled
    effective : effective members after correction
    drift : (T,) mean difference of the members' simulations from the emulators that had not seen them, over the
        standard deviation that the term's data and between-study deviation leave; NaN for arms not simulated
    residual_mean, residual_sd : (T,) of the members' standardised residuals; 0 and 1 for a perfect emulator
    """

    number: int
    draws: Draws
    effective: float
    drift: Floats
    residual_mean: Floats
    residual_sd: Floats

    @property
    def overall_drift(self) -> float:
        """Root mean squared drift of the terms that were simulated."""
        return float(np.sqrt(np.nanmean(self.drift**2)))

    def is_enough(self, budget: Budget) -> bool:
        """Tell whether the rounds may stop here."""
        enough = self.effective >= budget.wanted_effective and self.overall_drift <= budget.allowed_drift
        return self.number >= budget.least_rounds and enough


@dataclass(frozen=True)
class Earlier:
    """A frozen calibration that an update goes on from: its simulations are used again.

    Attributes
    ----------
    latent : its coordinates
    members : (M, D) its last members; in place of a design of the prior, the arms that are new are simulated there
    simulated : per arm, all its simulations
    """

    latent: Latent
    members: Floats
    simulated: Mapping[str, Simulated]


@dataclass(frozen=True)
class Calibration:
    """The result of a calibration, before it is written as content.

    Attributes
    ----------
    latent : coordinates
    draws : (M, D) latent vectors of the last posterior
    posterior : the last posterior, with emulators that have seen every member
    rounds : one entry a round
    size : how many of the draws become the ensemble
    """

    latent: Latent
    draws: Floats
    posterior: Posterior
    rounds: tuple[Round, ...]
    size: int

    @property
    def effective(self) -> float:
        """Effective number of parameter sets of the ensemble: those that never moved apart count once."""
        _, copies = np.unique(self.vectors, axis=0, return_counts=True)
        return effective_size(np.log(copies))

    @property
    def vectors(self) -> Floats:
        """The (K, D) latent vectors of the ensemble."""
        return self.draws[: self.size]


def prior_design(latent: Latent, n: int, seed: int) -> Floats:
    """Return an (n, D) scrambled Sobol design of the prior; coordinates of studies and rows are 0."""
    used = latent.place("product").stop
    power = int(np.ceil(np.log2(n)))
    points = qmc.Sobol(used, scramble=True, rng=np.random.default_rng([seed, 0])).random_base2(power)[:n]
    vectors = np.zeros((n, latent.size))
    vectors[:, :used] = ndtri(np.clip(points, 1e-6, 1.0 - 1e-6))
    return vectors


def widened(earlier: Earlier, latent: Latent, n: int, seed: int) -> Floats:
    """Return (n, D) vectors of a wider calibration: members of the earlier one, and draws for new products."""
    vectors = np.zeros((n, latent.size))
    old = earlier.members[np.resize(np.arange(len(earlier.members)), n)]
    product = latent.place("product")
    vectors[:, product] = np.random.default_rng([seed, 0]).standard_normal((n, latent.sizes["product"]))
    for kind in ("shared", "spread"):
        vectors[:, latent.place(kind)] = old[:, earlier.latent.place(kind)]
    for name in earlier.latent.space.products:
        vectors[:, latent.product_place(name)] = old[:, earlier.latent.product_place(name)]
    return vectors


def _design(latent: Latent, n: int, seed: int, earlier: Earlier | None) -> Floats:
    return prior_design(latent, n, seed) if earlier is None else widened(earlier, latent, n, seed)


def calibrate(
    latent: Latent,
    work: Work,
    budget: Budget,
    progress: Callable[[str, float], None] | None = None,
    earlier: Earlier | None = None,
) -> Calibration:
    """Calibrate the parameters of a space to terms.

    Parameters
    ----------
    latent : parameters and terms
    work : the simulator and how it is run
    budget : how much
    progress : called with what the sampler is doing and its temperature
    earlier : a calibration to fewer arms; only the others are simulated then

    Returns
    -------
    Calibration
        Its `effective` may lie below the wanted number when the rounds are used up; callers say so.
    """
    arms = [arm for arm in latent.terms.arms if earlier is None or arm not in earlier.simulated]
    vectors = _stored(work, "members-0", lambda: _design(latent, budget.prior_members, work.seed, earlier))
    simulated = work.members(0, arm_coordinates(latent, vectors, arms))
    importance = None
    if earlier is not None:
        simulated |= earlier.simulated
        importance = _near(latent, vectors, simulated)
    posterior = Posterior(latent, fit_emulators(latent.terms, simulated, importance=importance))
    rounds: list[Round] = []
    for number in range(1, budget.most_rounds + 1):
        draws = _draw(posterior, budget, work, number, progress)
        members = _stored(work, f"members-{number}", lambda draws=draws: _members(draws, budget, work.seed))
        fresh = work.members(number, arm_coordinates(latent, members, arms))
        log_weights = correction(posterior, members, fresh)
        rounds.append(_judged(number, draws, posterior, members, fresh, log_weights))
        simulated |= {arm: simulated[arm] + fresh[arm] for arm in arms}
        importance = _near(latent, members, simulated)
        posterior = Posterior(latent, fit_emulators(latent.terms, simulated, importance=importance))
        if rounds[-1].is_enough(budget):
            break
    draws = _stored(work, "posterior", lambda: _last_draws(posterior, budget, work, progress))
    return Calibration(latent, draws, posterior, tuple(rounds), budget.ensemble)


def _near(latent: Latent, vectors: Floats, simulated: Mapping[str, Simulated]) -> dict[str, Floats]:
    """Return by arm how much each simulated member counts in emulators that must be right among `vectors`."""
    near = arm_coordinates(latent, vectors, latent.terms.arms)
    return {arm: closeness(simulated[arm].coordinates, near[arm]) for arm in latent.terms.arms}


def _stored(work: Work, name: str, make: Callable[[], Floats]) -> Floats:
    found = work.store.read_array(name)
    if found is None:
        found = make()
        work.store.write_array(name, found)
    return found


def _draw(
    posterior: Posterior, budget: Budget, work: Work, number: int, progress: Callable[[str, float], None] | None
) -> Draws:
    def report(temperature: float) -> None:
        if progress:
            progress(f"posterior {number}", temperature)

    generator = np.random.default_rng([work.seed, number])
    return sample(posterior, budget.particles, generator, progress=report)


def _last_draws(
    posterior: Posterior, budget: Budget, work: Work, progress: Callable[[str, float], None] | None
) -> Floats:
    """Return draws of the posterior whose emulators have seen every member, in random order."""
    found = _draw(posterior, budget, work, _LAST, progress).vectors
    return found[np.random.default_rng([work.seed, 99]).permutation(len(found))]


def _members(draws: Draws, budget: Budget, seed: int) -> Floats:
    order = np.random.default_rng([seed, 50]).permutation(len(draws.vectors))
    return draws.vectors[order[: budget.round_members]]


def closeness(coordinates: Floats, near: Floats) -> Floats:
    """Return how much each member counts in an emulator that must be right among the members `near`.

    A member as far out as the members `near` themselves counts 1; further out it counts less, by the squared
    distance in units of their covariance.
    """
    middle, dimension = near.mean(axis=0), near.shape[1]
    covariance = np.cov(near, rowvar=False).reshape(dimension, dimension) + 1e-6 * np.eye(dimension)
    offset = coordinates - middle
    distance = np.einsum("kd,dk->k", offset, np.linalg.solve(covariance, offset.T)) / dimension
    return 1.0 / np.maximum(1.0, distance / 1.5)


def correction(posterior: Posterior, members: Floats, simulated: Mapping[str, Simulated]) -> Floats:
    """Return the (M,) log importance weights of members from the emulators towards their own simulations.

    The rows' own deviations are integrated out. A member's own prediction is the emulator's combined with its
    simulation, by their precisions.
    """
    terms, deviation = posterior.latent.terms, posterior.deviation(members)
    row_sd = posterior.row_sd(members)
    before = marginal_log_likelihood(terms, posterior.emulated(members) + deviation, row_sd)
    prediction, error = combined(posterior, members, simulated)
    own_sd = np.sqrt(np.maximum(row_sd**2 - posterior.error**2 + error**2, 1e-12))
    return (marginal_log_likelihood(terms, prediction + deviation, own_sd) - before).sum(axis=1)


def combined(posterior: Posterior, members: Floats, simulated: Mapping[str, Simulated]) -> tuple[Floats, Floats]:
    """Return (M, T) predictions from emulator and own simulation together, and their standard deviations."""
    prediction = posterior.emulated(members)
    error = np.broadcast_to(posterior.error, prediction.shape).copy()
    for arm in simulated:
        where = posterior.positions[arm]
        target, weight = _on_link(posterior, where, prediction[:, where], simulated[arm])
        gain = weight * error[:, where] ** 2 / (1.0 + weight * error[:, where] ** 2)
        prediction[:, where] += gain * (target - prediction[:, where])
        error[:, where] *= np.sqrt(1.0 - gain)
    return prediction, error


def _on_link(
    posterior: Posterior, where: NDArray[np.int64], prediction: Floats, simulated: Simulated
) -> tuple[Floats, Floats]:
    """Return simulations and their precision on the link scale, expanded about the prediction."""
    share = posterior.latent.terms.share[where]
    chance = expit(prediction)
    variance = np.maximum(chance * (1.0 - chance), 1e-4)
    estimate = np.where(simulated.weight > 0, simulated.estimate, 0.0)
    target = np.where(share, prediction + (estimate - chance) / variance, estimate)
    weight = np.where(share, simulated.weight * variance, simulated.weight)
    return np.where(simulated.weight > 0, target, prediction), weight


def _judged(
    number: int,
    draws: Draws,
    posterior: Posterior,
    members: Floats,
    fresh: Mapping[str, Simulated],
    log_weights: Floats,
) -> Round:
    """Compare the members' simulations with emulators that had not seen them."""
    prediction = posterior.emulated(members)
    mean, sd, drift = (np.full(prediction.shape[1], np.nan) for _ in range(3))
    for arm in fresh:
        where = posterior.positions[arm]
        target, weight = _on_link(posterior, where, prediction[:, where], fresh[arm])
        scale = np.sqrt(1.0 / np.maximum(weight, 1e-12) + posterior.error[where] ** 2)
        standardised = (target - prediction[:, where]) / scale
        mean[where], sd[where] = standardised.mean(axis=0), standardised.std(axis=0)
        tau = posterior.latent.tau(members).mean(axis=0)[posterior.family[where]]
        terms = posterior.latent.terms.subset({arm}, by="arm")
        drift[where] = _drift(terms, prediction[:, where], fresh[arm], tau)
    return Round(number, draws, effective_size(log_weights), drift, mean, sd)


def _drift(terms: Terms, prediction: Floats, simulated: Simulated, tau: Floats) -> Floats:
    """Return by how much simulations lie above predictions, all members' patients together.

    In units of the standard deviation that a term's data and the deviation `tau` of its study leave; shares are
    compared as shares, for the logit of one that is nearly 0 or 1 means little.
    """
    weight = np.where(simulated.weight > 0, simulated.weight, 1e-12)
    estimate = np.where(simulated.weight > 0, simulated.estimate, 0.0)
    natural = np.where(terms.share, expit(prediction), prediction)
    seen, expected = ((weight * value).sum(axis=0) / weight.sum(axis=0) for value in (estimate, natural))
    smooth = (np.clip(expected, 0.0, 1.0) * terms.size + 0.5) / (terms.size + 1.0)
    binomial = smooth * (1.0 - smooth)
    variance = np.where(terms.share, binomial / terms.size + (binomial * tau) ** 2, 1.0 / terms.size + tau**2)
    return (seen - expected) / np.sqrt(variance)


def marginal_log_likelihood(terms: Terms, middle: Floats, sd: Floats, n_nodes: int = 41) -> Floats:
    """Return (M, T) log likelihoods with a normal deviation of each prediction integrated out.

    Parameters
    ----------
    middle, sd : (M, T) mean and standard deviation of the prediction on the link scale
    n_nodes : points of the integration, equally spaced over 4 standard deviations to each side
    """
    nodes = np.linspace(-4.0, 4.0, n_nodes)
    mass = -0.5 * nodes**2 - logsumexp(-0.5 * nodes**2)
    values = np.stack([log_likelihood(terms, middle + sd * node) for node in nodes])
    return logsumexp(values + mass[:, None, None], axis=0)
