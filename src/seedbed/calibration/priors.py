"""Prior distributions, each written as a function of one standard normal number.

The calibration works in standard normal coordinates throughout: a coordinate of 0 is the prior median, 1 is one
prior standard deviation above it on the prior's own scale (log for positive quantities, logit for shares).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator
from scipy.special import expit, logit, ndtr, ndtri

from seedbed.documents import Content

Floats = NDArray[np.float64]


class Normal(Content):
    """A quantity that may be negative, such as the log effect of a covariate."""

    distribution: Literal["normal"] = "normal"
    mean: float
    sd: float = Field(gt=0)

    def value(self, coordinate: ArrayLike) -> Floats:
        """Return values at standard normal coordinates."""
        return self.mean + self.sd * np.asarray(coordinate, float)

    def coordinate(self, value: ArrayLike) -> Floats:
        """Return the standard normal coordinates of values."""
        return (np.asarray(value, float) - self.mean) / self.sd

    @property
    def scale(self) -> float:
        """The prior standard deviation on the scale where product deviations add."""
        return self.sd


class LogNormal(Content):
    """A positive quantity; `sd_log` is the standard deviation of its natural logarithm."""

    distribution: Literal["lognormal"] = "lognormal"
    median: float = Field(gt=0)
    sd_log: float = Field(gt=0)

    def value(self, coordinate: ArrayLike) -> Floats:
        """Return values at standard normal coordinates."""
        return self.median * np.exp(self.sd_log * np.asarray(coordinate, float))

    def coordinate(self, value: ArrayLike) -> Floats:
        """Return the standard normal coordinates of values."""
        return np.log(np.asarray(value, float) / self.median) / self.sd_log

    @property
    def scale(self) -> float:
        """The prior standard deviation on the scale where product deviations add."""
        return self.sd_log


class LogitNormal(Content):
    """A share between 0 and 1; `sd_logit` is the standard deviation of its logit."""

    distribution: Literal["logitnormal"] = "logitnormal"
    median: float = Field(gt=0, lt=1)
    sd_logit: float = Field(gt=0)

    def value(self, coordinate: ArrayLike) -> Floats:
        """Return values at standard normal coordinates."""
        return expit(logit(self.median) + self.sd_logit * np.asarray(coordinate, float))

    def coordinate(self, value: ArrayLike) -> Floats:
        """Return the standard normal coordinates of values."""
        return (logit(np.asarray(value, float)) - logit(self.median)) / self.sd_logit

    @property
    def scale(self) -> float:
        """The prior standard deviation on the scale where product deviations add."""
        return self.sd_logit


class Uniform(Content):
    """A quantity known only by its bounds; with `log`, uniform in its logarithm."""

    distribution: Literal["uniform"] = "uniform"
    lower: float
    upper: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.upper <= self.lower:
            raise ValueError(f"upper ({self.upper:g}) must lie above lower ({self.lower:g})")
        if self.log and self.lower <= 0:
            raise ValueError("a log-uniform prior needs lower > 0")
        return self

    def value(self, coordinate: ArrayLike) -> Floats:
        """Return values at standard normal coordinates."""
        share = ndtr(np.asarray(coordinate, float))
        if self.log:
            return self.lower * (self.upper / self.lower) ** share
        return self.lower + (self.upper - self.lower) * share

    def coordinate(self, value: ArrayLike) -> Floats:
        """Return the standard normal coordinates of values."""
        value = np.asarray(value, float)
        if self.log:
            return ndtri(np.log(value / self.lower) / np.log(self.upper / self.lower))
        return ndtri((value - self.lower) / (self.upper - self.lower))

    @property
    def scale(self) -> float:
        """The prior standard deviation on the scale where product deviations add."""
        width = np.log(self.upper / self.lower) if self.log else self.upper - self.lower
        return float(width / np.sqrt(12.0))


Prior = Annotated[Normal | LogNormal | LogitNormal | Uniform, Field(discriminator="distribution")]
