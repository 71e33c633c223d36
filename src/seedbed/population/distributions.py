"""Distributions of covariates and of parameters between patients, by inversion: a uniform number in, a value out.

Inversion keeps luck comparable: the same uniform number is the same quantile in every arm and population.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator
from scipy.special import betaincinv, expit, logit, ndtr, ndtri

from seedbed.documents import Content

Numbers = NDArray[np.float64]
_Share = Annotated[float, Field(ge=0, le=1)]


def level_name(value: Any) -> str:
    """Return how a level is written in a file: ``yes`` and ``no`` for flags, whole numbers without a point."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _with_named_levels(levels: Any) -> Any:
    """Give flags and numbers that YAML reads as keys their names."""
    return {level_name(key): value for key, value in levels.items()} if isinstance(levels, dict) else levels


Level = Annotated[str, BeforeValidator(level_name)]


class Fixed(Content):
    """The same value for everybody."""

    distribution: Literal["fixed"]
    value: float | bool | str

    def quantile(self, u: Numbers) -> NDArray[Any]:
        """Return the value, once for each uniform number (n,)."""
        return np.full(u.shape, self.value, dtype=object if isinstance(self.value, str) else None)


class _Bounded(Content):
    lower: float | None = None
    upper: float | None = None

    @model_validator(mode="after")
    def _are_ordered(self) -> _Bounded:
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}")
        return self

    def _truncated_score(self, u: Numbers, scores: tuple[float, float]) -> Numbers:
        """Return standard normal scores of `u` between two scores."""
        low, high = ndtr(scores[0]), ndtr(scores[1])
        return ndtri(low + u * (high - low))


class Normal(_Bounded):
    """Normal, truncated at the bounds that are given."""

    distribution: Literal["normal"]
    mean: float
    sd: Annotated[float, Field(gt=0)]

    def quantile(self, u: Numbers) -> Numbers:
        """Return the quantiles at `u` (n,)."""
        low = -np.inf if self.lower is None else (self.lower - self.mean) / self.sd
        high = np.inf if self.upper is None else (self.upper - self.mean) / self.sd
        return self.mean + self.sd * self._truncated_score(u, (low, high))


class LogNormal(_Bounded):
    """Log-normal by median and coefficient of variation, truncated at the bounds that are given."""

    distribution: Literal["lognormal"]
    median: Annotated[float, Field(gt=0)]
    cv: Annotated[float, Field(ge=0)]
    lower: Annotated[float, Field(gt=0)] | None = None
    upper: Annotated[float, Field(gt=0)] | None = None

    @property
    def log_sd(self) -> float:
        """Standard deviation of the logarithm."""
        return float(np.sqrt(np.log1p(self.cv**2)))

    def quantile(self, u: Numbers) -> Numbers:
        """Return the quantiles at `u` (n,)."""
        if self.cv == 0:
            return np.full(u.shape, self.median)
        low = -np.inf if self.lower is None else np.log(self.lower / self.median) / self.log_sd
        high = np.inf if self.upper is None else np.log(self.upper / self.median) / self.log_sd
        return self.median * np.exp(self.log_sd * self._truncated_score(u, (low, high)))


class Uniform(Content):
    """Uniform between two values."""

    distribution: Literal["uniform"]
    lower: float
    upper: float

    @model_validator(mode="after")
    def _are_ordered(self) -> Uniform:
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}")
        return self

    def quantile(self, u: Numbers) -> Numbers:
        """Return the quantiles at `u` (n,)."""
        return self.lower + u * (self.upper - self.lower)


class LogUniform(Content):
    """Uniform on the logarithm between two values."""

    distribution: Literal["loguniform"]
    lower: Annotated[float, Field(gt=0)]
    upper: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _are_ordered(self) -> LogUniform:
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}")
        return self

    def quantile(self, u: Numbers) -> Numbers:
        """Return the quantiles at `u` (n,)."""
        return self.lower * (self.upper / self.lower) ** u


class Beta(Content):
    """Beta stretched over an interval, by its mean and its concentration (the sum of both shape parameters)."""

    distribution: Literal["beta"]
    mean: float
    concentration: Annotated[float, Field(gt=0)]
    lower: float = 0.0
    upper: float = 1.0

    @model_validator(mode="after")
    def _mean_is_inside(self) -> Beta:
        if not self.lower < self.mean < self.upper:
            raise ValueError(f"mean {self.mean:g} is not between {self.lower:g} and {self.upper:g}")
        return self

    def quantile(self, u: Numbers) -> Numbers:
        """Return the quantiles at `u` (n,)."""
        share = (self.mean - self.lower) / (self.upper - self.lower)
        value = betaincinv(share * self.concentration, (1 - share) * self.concentration, u)
        return self.lower + (self.upper - self.lower) * value


class Bernoulli(Content):
    """Yes or no."""

    distribution: Literal["bernoulli"]
    probability: _Share

    def quantile(self, u: Numbers) -> NDArray[np.bool_]:
        """Return True for the upper share of `u` (n,), so that a high number means yes."""
        return u > 1 - self.probability


class Categorical(Content):
    """One of several levels; their order, from low to high, is the one a correlation refers to."""

    distribution: Literal["categorical"]
    levels: Annotated[dict[str, _Share], BeforeValidator(_with_named_levels)]

    @model_validator(mode="after")
    def _sums_to_one(self) -> Categorical:
        if abs(sum(self.levels.values()) - 1) > 1e-6:
            raise ValueError(f"the probabilities sum to {sum(self.levels.values()):g}, not 1")
        return self

    def quantile(self, u: Numbers) -> NDArray[Any]:
        """Return the level at `u` (n,)."""
        edges = np.cumsum(list(self.levels.values()))[:-1]
        return np.array(list(self.levels), dtype=object)[np.searchsorted(edges, u, side="right")]


class Count(Content):
    """A whole number with a probability for each value; the last may stand for itself and more."""

    distribution: Literal["count"]
    values: dict[int, _Share]

    @model_validator(mode="after")
    def _sums_to_one(self) -> Count:
        if abs(sum(self.values.values()) - 1) > 1e-6:
            raise ValueError(f"the probabilities sum to {sum(self.values.values()):g}, not 1")
        if list(self.values) != sorted(self.values):
            raise ValueError("the values are not in rising order")
        return self

    def quantile(self, u: Numbers) -> Numbers:
        """Return the number at `u` (n,)."""
        edges = np.cumsum(list(self.values.values()))[:-1]
        return np.array(list(self.values), dtype=float)[np.searchsorted(edges, u, side="right")]


class Part(Content):
    """One part of a mixture."""

    share: _Share
    of: Simple


class Mixture(Content):
    """Several distributions by share, from low to high; the uniform number picks the part and the place in it."""

    distribution: Literal["mixture"]
    parts: tuple[Part, ...]

    @model_validator(mode="after")
    def _sums_to_one(self) -> Mixture:
        total = sum(part.share for part in self.parts)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares sum to {total:g}, not 1")
        return self

    def quantile(self, u: Numbers) -> NDArray[Any]:
        """Return the value at `u` (n,)."""
        edges = np.cumsum([0.0, *(part.share for part in self.parts)])
        edges[-1] = 1.0
        values = np.empty(u.shape)
        for part, start, stop in zip(self.parts, edges[:-1], edges[1:], strict=True):
            inside = (u > start) & (u <= stop) if start > 0 else u <= stop
            if inside.any():
                values[inside] = part.of.quantile((u[inside] - start) / (stop - start))
        return values


Simple = Annotated[
    Fixed | Normal | LogNormal | Uniform | LogUniform | Beta | Bernoulli | Categorical | Count,
    Field(discriminator="distribution"),
]
Part.model_rebuild()
Plain = Annotated[
    Fixed | Normal | LogNormal | Uniform | LogUniform | Beta | Bernoulli | Categorical | Count | Mixture,
    Field(discriminator="distribution"),
]


class LogNormalAround(_Bounded):
    """Log-normal between patients around the typical value of a model parameter."""

    distribution: Literal["lognormal"]
    cv: Annotated[float, Field(gt=0)]
    lower: Annotated[float, Field(gt=0)] | None = None
    upper: Annotated[float, Field(gt=0)] | None = None

    def around(self, typical: float) -> LogNormal:
        """Return the distribution with this median; bounds stand as they are."""
        return LogNormal(distribution="lognormal", median=typical, cv=self.cv, lower=self.lower, upper=self.upper)


class LogitNormalAround(Content):
    """Normal on the logit scale around the typical value of a share."""

    distribution: Literal["logitnormal"]
    sd: Annotated[float, Field(gt=0)]

    def around(self, typical: float) -> LogitNormal:
        """Return the distribution with this median."""
        return LogitNormal(distribution="logitnormal", median=typical, sd=self.sd)


class LogitNormal(Content):
    """Normal on the logit scale: a share with a median and a spread."""

    distribution: Literal["logitnormal"]
    median: Annotated[float, Field(gt=0, lt=1)]
    sd: Annotated[float, Field(gt=0)]

    def quantile(self, u: Numbers) -> Numbers:
        """Return the quantiles at `u` (n,)."""
        return expit(logit(self.median) + self.sd * ndtri(u))


BetweenPatients = Annotated[
    Fixed | Normal | LogNormalAround | LogitNormalAround | Uniform | LogUniform | Beta | Mixture,
    Field(discriminator="distribution"),
]


class Conditional(Content):
    """A distribution for each level of an earlier covariate."""

    distribution: Literal["conditional"]
    given: str
    levels: Annotated[dict[str, Plain], BeforeValidator(_with_named_levels)]

    def quantile_given(self, u: Numbers, condition: NDArray[Any]) -> NDArray[Any]:
        """Return the value at `u` (n,) given the other covariate's levels (n,)."""
        names = np.array([level_name(value) for value in condition], dtype=object)
        parts = {level: distribution.quantile(u) for level, distribution in self.levels.items()}
        values = np.empty(u.shape, dtype=np.result_type(*parts.values()))
        for level, drawn in parts.items():
            values[names == level] = drawn[names == level]
        return values


Distribution = Annotated[
    Fixed | Normal | LogNormal | Uniform | LogUniform | Beta | Bernoulli | Categorical | Count | Mixture | Conditional,
    Field(discriminator="distribution"),
]


def levels(distribution: Distribution) -> tuple[str, ...]:
    """Return the names of the levels of a categorical or yes/no distribution, else nothing."""
    if isinstance(distribution, Categorical):
        return tuple(distribution.levels)
    if isinstance(distribution, Bernoulli):
        return ("no", "yes")
    if isinstance(distribution, Conditional):
        return tuple(dict.fromkeys(name for part in distribution.levels.values() for name in levels(part)))
    if isinstance(distribution, Fixed) and isinstance(distribution.value, str | bool):
        return (level_name(distribution.value),)
    return ()
