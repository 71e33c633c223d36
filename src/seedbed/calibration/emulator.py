r"""Emulators: a smooth function of the parameters in place of a simulation, with its own error.

Per arm one set of polynomial features is chosen (all linear and quadratic terms of the parameters, and the
products of the leading ones), and per term a penalised regression on the link scale: logistic for shares,
where a member with `w` simulated patients counts as `w` trials, and linear for values. The penalty and the
emulator's error come from leave-one-out predictions, so that the error is that of a member not used in the fit,
the patients' own Monte Carlo noise taken out.

Polynomial chaos with penalised coefficients was chosen over Gaussian processes by measurement:
``docs/decisions/calibration_method.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.special import expit, logit

from seedbed.calibration.terms import Terms

Floats = NDArray[np.float64]
_PENALTIES = np.geomspace(0.2, 1e5, 15)
"""Prior precisions of a linear coefficient: its prior standard deviation on the link scale is at most 2.2."""
_LONGEST_STEP = 1.5
_STEPS = 8
_LINK_LIMIT = 7.0
_PSEUDO_PATIENTS = 0.1
_SMALLEST_ERROR = 0.02


@dataclass(frozen=True)
class Simulated:
    """What members of a calibration gave in one arm.

    Attributes
    ----------
    coordinates : (K, d) standard normal coordinates of the members in this arm
    estimate : (K, T) simulated shares, or values on the link scale; NaN where a member gave none
    weight : (K, T) simulated patients in the denominator of a share, or 1/variance of a value; 0 where none
    """

    coordinates: Floats
    estimate: Floats
    weight: Floats

    def __add__(self, other: Simulated) -> Simulated:
        """Return the members of both."""
        return Simulated(
            np.vstack([self.coordinates, other.coordinates]),
            np.vstack([self.estimate, other.estimate]),
            np.vstack([self.weight, other.weight]),
        )

    def __len__(self) -> int:
        return len(self.coordinates)


@dataclass(frozen=True)
class Basis:
    """Orthonormal Hermite polynomials of the coordinates up to degree 2, and chosen products of two."""

    dimension: int
    pairs: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Number of features, the constant included."""
        return 1 + 2 * self.dimension + len(self.pairs)

    def features(self, x: Floats) -> Floats:
        """Return the (K, size) features of (K, d) coordinates."""
        left, right = self._sides()
        square = (x**2 - 1.0) / np.sqrt(2.0)
        return np.hstack([np.ones((len(x), 1)), x, square, x[:, left] * x[:, right]])

    def slope(self, x: Floats, coefficients: Floats, upstream: Floats) -> Floats:
        """Return the derivative of sum(upstream * prediction) with respect to the coordinates.

        Parameters
        ----------
        x : (K, d)
        coefficients : (size, T)
        upstream : (K, T)
        """
        left, right = self._sides()
        pull = upstream @ coefficients.T
        d = self.dimension
        result = pull[:, 1 : 1 + d] + np.sqrt(2.0) * x * pull[:, 1 + d : 1 + 2 * d]
        if len(left):
            product = pull[:, 1 + 2 * d :]
            result = result + _scatter(product * x[:, right], left, d) + _scatter(product * x[:, left], right, d)
        return result

    def _sides(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        pairs = np.array(self.pairs, np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]


def _scatter(values: Floats, positions: NDArray[np.int64], size: int) -> Floats:
    selector = np.zeros((len(positions), size))
    selector[np.arange(len(positions)), positions] = 1.0
    return values @ selector


@dataclass(frozen=True)
class ArmEmulator:
    """Emulators of all terms of one arm.

    Attributes
    ----------
    basis : features
    coefficients : (size, T)
    error : (T,) standard deviation on the link scale of the emulator at a new member
    explained : (T,) share of the variance between members, Monte Carlo noise removed, that is explained
    """

    basis: Basis
    coefficients: Floats
    error: Floats
    explained: Floats
    share: NDArray[np.bool_]

    def predict(self, x: Floats) -> Floats:
        """Return (K, T) predictions on the link scale; a logit stays within 7 of zero."""
        raw = self.basis.features(x) @ self.coefficients
        return np.where(self.share, np.clip(raw, -_LINK_LIMIT, _LINK_LIMIT), raw)

    def slope(self, x: Floats, prediction: Floats, upstream: Floats) -> Floats:
        """Return the (K, d) slope of sum(upstream * prediction); zero where a prediction is at its limit."""
        free = ~self.share | (np.abs(prediction) < _LINK_LIMIT)
        return self.basis.slope(x, self.coefficients, upstream * free)


@dataclass(frozen=True)
class Response:
    """One term in the form of a weighted least-squares problem (the working response of a logistic fit)."""

    target: Floats
    weight: Floats


def fit_arm(
    terms: Terms, simulated: Simulated, *, importance: Floats | None = None, n_leading: int = 12
) -> ArmEmulator:
    """Fit the emulators of one arm.

    Parameters
    ----------
    terms : the arm's terms, in the order of the columns of `simulated`
    simulated : members
    importance : (K,) how much each member counts, such as its closeness to the posterior; 1 by default
    n_leading : parameters whose products are features
    """
    counts = np.ones(len(simulated)) if importance is None else importance
    basis = _choose_basis(terms, simulated, counts, n_leading)
    features = basis.features(simulated.coordinates)
    fits = [_fit_term(features, basis, simulated, counts, t, terms.items[t].kind == "share") for t in range(len(terms))]
    return ArmEmulator(
        basis,
        np.column_stack([coefficients for coefficients, _, _ in fits]),
        np.array([error for _, error, _ in fits]),
        np.array([explained for _, _, explained in fits]),
        terms.share,
    )


def fit(
    terms: Terms, simulated: Mapping[str, Simulated], *, importance: Mapping[str, Floats] | None = None
) -> dict[str, ArmEmulator]:
    """Fit the emulators of every arm; `simulated` and `importance` by arm."""
    return {
        arm: fit_arm(
            terms.subset({arm}, by="arm"), simulated[arm], importance=None if importance is None else importance[arm]
        )
        for arm in terms.arms
    }


def _choose_basis(terms: Terms, simulated: Simulated, counts: Floats, n_leading: int) -> Basis:
    """Rank the parameters by what a linear and quadratic fit explains, over all terms; pair the leading ones."""
    dimension = simulated.coordinates.shape[1]
    first = Basis(dimension, ())
    features = first.features(simulated.coordinates)
    strength = np.zeros(dimension)
    for t, term in enumerate(terms.items):
        coefficients, _, explained = _fit_term(features, first, simulated, counts, t, term.kind == "share")
        effect = coefficients[1 : 1 + dimension] ** 2 + coefficients[1 + dimension :] ** 2
        strength = np.maximum(strength, effect / max(effect.sum(), 1e-12) * explained)
    room = max(0, int(len(simulated) // 4) - first.size)
    n_leading = min(n_leading, dimension, int((1 + np.sqrt(1 + 8 * room)) // 2))
    leading = np.sort(np.argsort(-strength, kind="stable")[:n_leading])
    return Basis(dimension, tuple((int(i), int(j)) for a, i in enumerate(leading) for j in leading[a + 1 :]))


def _fit_term(
    features: Floats, basis: Basis, simulated: Simulated, counts: Floats, t: int, share: bool
) -> tuple[Floats, float, float]:
    estimate, weight = simulated.estimate[:, t], simulated.weight[:, t]
    usable = (weight > 0) & np.isfinite(estimate) & (counts > 0)
    if usable.sum() < 3:
        return np.zeros(basis.size), 5.0, 0.0
    rows, counts = features[usable], counts[usable]
    estimate, weight = estimate[usable], weight[usable]
    if share:
        estimate, weight = _with_pseudo_patients(estimate, weight)
    response = Response(estimate, weight)
    fit = Fit(np.zeros(basis.size), _penalty_pattern(basis), 0.0, 0.0)
    prediction = np.full(len(rows), _start(estimate, weight * counts))
    for step in range(_STEPS):
        if share:
            response = _working(estimate, weight, prediction)
        precision = fit.precision if step else _first_precision(rows, basis, response, counts)
        fit = _regress(rows, response, counts, precision, fit.error)
        moved = np.clip(rows @ fit.coefficients, prediction - _LONGEST_STEP, prediction + _LONGEST_STEP)
        prediction = np.clip(moved, -_LINK_LIMIT, _LINK_LIMIT)
    return fit.coefficients, fit.error, fit.explained


def _with_pseudo_patients(estimate: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """Add a tenth of a patient to each side, so that 0/64 and 64/64 have a finite logit."""
    total = trials + 2.0 * _PSEUDO_PATIENTS
    return (estimate * trials + _PSEUDO_PATIENTS) / total, total


def _start(estimate: Floats, trials: Floats) -> float:
    edge = 0.5 / max(float(trials.sum()), 1.0)
    return float(logit(np.clip(np.average(estimate, weights=trials), edge, 1.0 - edge)))


def _working(estimate: Floats, trials: Floats, prediction: Floats) -> Response:
    chance = expit(prediction)
    variance = np.maximum(chance * (1.0 - chance), 1e-4)
    return Response(prediction + (estimate - chance) / variance, trials * variance)


def _penalty_pattern(basis: Basis) -> Floats:
    """Return the relative penalty of each feature: none for the constant, more for degree two."""
    return np.concatenate([[1e-6], np.ones(basis.dimension), np.full(basis.size - 1 - basis.dimension, 4.0)])


def _first_precision(rows: Floats, basis: Basis, response: Response, counts: Floats) -> Floats:
    """Return one prior precision for all coefficients, with the smallest generalised cross-validation error."""
    pattern = _penalty_pattern(basis)
    weight = response.weight * counts
    scaled = rows / np.sqrt(pattern)
    values, vectors = eigh((scaled * weight[:, None]).T @ scaled)
    values = np.maximum(values, 0.0)
    projected = vectors.T @ (scaled.T @ (weight * response.target))
    total = float(weight @ response.target**2)
    n = float(counts.sum() ** 2 / (counts**2).sum())

    def score(penalty: float) -> float:
        shrunk = projected / (values + penalty)
        residual = total - 2.0 * shrunk @ projected + shrunk**2 @ values
        return residual / max(n - float((values / (values + penalty)).sum()), 1.0) ** 2

    return pattern * min(_PENALTIES, key=score)


@dataclass(frozen=True)
class Fit:
    """Coefficients of one term, their prior precisions, the emulator's error and what it explains."""

    coefficients: Floats
    precision: Floats
    error: float
    explained: float


def _regress(rows: Floats, response: Response, counts: Floats, precision: Floats, error: float) -> Fit:
    """Make one step of a regression in which every coefficient has a prior precision of its own.

    The noise of a member is its Monte Carlo variance plus the emulator's squared error. The precisions follow
    MacKay's rule (number of well-determined parameters over the squared coefficient; MacKay 1992,
    doi 10.1162/neco.1992.4.3.415), which drives the coefficients of parameters without effect to zero.
    """
    weight = counts / (1.0 / response.weight + error**2)
    factor = cho_factor((rows * weight[:, None]).T @ rows + np.diag(precision))
    covariance = cho_solve(factor, np.eye(len(precision)))
    coefficients = covariance @ (rows.T @ (weight * response.target))
    leverage = weight * np.einsum("kp,kp->k", rows @ covariance, rows)
    new_error, explained = _left_out(rows @ coefficients, response, counts, weight, leverage)
    determined = np.clip(1.0 - precision * np.diag(covariance), 1e-3, 1.0)
    following = np.clip(determined / np.maximum(coefficients**2, 1e-8), _PENALTIES[0], _PENALTIES[-1])
    following[0] = precision[0]
    return Fit(coefficients, following, new_error, explained)


def _left_out(
    fitted: Floats, response: Response, counts: Floats, weight: Floats, leverage: Floats
) -> tuple[float, float]:
    """Return the emulator's error without Monte Carlo noise, and the explained share of the variance."""
    left_out = (response.target - fitted) / np.maximum(1.0 - leverage, 0.05)
    trust = counts * response.weight**2
    excess = float(trust @ (left_out**2 - 1.0 / response.weight) / trust.sum())
    noise = _noise_of_excess(response.weight, trust)
    centre = np.average(response.target, weights=weight)
    spread = float(trust @ ((response.target - centre) ** 2 - 1.0 / response.weight) / trust.sum())
    error = float(np.sqrt(max(excess, 0.25 * noise, _SMALLEST_ERROR**2)))
    explained = 1.0 - max(excess, 0.0) / spread if spread > 0 else 0.0
    return error, float(np.clip(explained, 0.0, 1.0))


def _noise_of_excess(weight: Floats, trust: Floats) -> float:
    """Return the standard error of the excess variance when there is none."""
    return float(np.sqrt(2.0 * np.sum((trust / weight) ** 2)) / trust.sum())
