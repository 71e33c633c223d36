"""What the statistics return: immutable estimates and test results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri

LEVEL = 0.95
"""Level of every interval unless another is asked for."""


def normal_quantile(level: float) -> float:
    """Return the two-sided normal quantile of an interval's level, 1.96 for 0.95."""
    return float(ndtri(0.5 + level / 2))


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    ``standard_error`` is NaN where the interval does not come from one (exact and quantile intervals).
    """

    value: float
    lower: float
    upper: float
    standard_error: float
    n: int
    level: float = LEVEL

    def includes(self, value: float) -> bool:
        """Return whether the interval covers a value."""
        return bool(self.lower <= value <= self.upper)

    @classmethod
    def from_normal(cls, value: float, standard_error: float, n: int, level: float = LEVEL) -> Estimate:
        """Return an estimate with the symmetric normal interval."""
        half = normal_quantile(level) * standard_error
        return cls(float(value), float(value - half), float(value + half), float(standard_error), int(n), level)


@dataclass(frozen=True)
class TestResult:
    """The result of a test.

    ``statistic`` is a chi-square with ``degrees_of_freedom``, or, where ``z`` is not NaN, its square root's
    square; ``z`` < 0 favors the experimental arm; ``p_value`` is two-sided.
    """

    __test__ = False

    name: str
    statistic: float
    p_value: float
    degrees_of_freedom: int = 1
    z: float = float("nan")
    details: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_z(cls, name: str, z: float, **details: float) -> TestResult:
        """Return the result of a test whose statistic is standard normal under the null hypothesis."""
        p_value = float(2 * ndtr(-np.abs(z)))
        return cls(name, float(z * z), p_value, 1, float(z), details)
