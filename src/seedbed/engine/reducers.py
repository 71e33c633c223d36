"""Reducers: what to keep of a course while stepping, so that no trajectory has to be stored.

A reducer watches an observable, an id or a formula. In every accepted step the observable is sampled at five evenly
spaced points of the dense output; the polynomial through them, of degree four, stands for the observable within the
step: peaks, areas and crossings are those of the polynomial. Most reducers have a *window*, model times between which
they look, one pair for each patient (`Program.start(windows=...)`); without one they look all the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import SimulationError

(
    PEAK, PEAK_TIME, MINIMUM, MINIMUM_TIME, AREA, TIME_BELOW, TIME_ABOVE, FIRST_UP, FIRST_DOWN, LAST_ABOVE, VALUE_AT,
) = range(11)  # fmt: skip


@dataclass(frozen=True)
class Reducer:
    """What all reducers share.

    Attributes
    ----------
    name : name of the result
    of : the observable watched, an id or a formula
    start, stop : window of model time, unless `Program.start(windows=...)` gives one for each patient
    """

    name: str
    of: str
    start: float = -math.inf
    stop: float = math.inf
    kind: ClassVar[int]
    #: what the two memory slots hold at first
    initial: ClassVar[tuple[float, float]] = (math.nan, math.nan)

    def watched(self) -> str:
        """Return the formula to sample."""
        return self.of

    def result(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the result from the (n, 2) memory slots."""
        return slots[:, 0].copy()


@dataclass(frozen=True)
class Peak(Reducer):
    """Largest value; NaN if the window was never reached."""

    kind: ClassVar[int] = PEAK
    initial: ClassVar[tuple[float, float]] = (-math.inf, math.nan)

    def result(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the largest value."""
        return np.where(np.isinf(slots[:, 0]), np.nan, slots[:, 0])


@dataclass(frozen=True)
class TimeOfPeak(Peak):
    """Model time of the largest value (the first, if it is reached several times)."""

    kind: ClassVar[int] = PEAK_TIME

    def result(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the time of the largest value."""
        return slots[:, 1].copy()


@dataclass(frozen=True)
class Minimum(Reducer):
    """Smallest value; NaN if the window was never reached."""

    kind: ClassVar[int] = MINIMUM
    initial: ClassVar[tuple[float, float]] = (-math.inf, math.nan)

    def watched(self) -> str:
        """Return the negative: its peak is the minimum."""
        return f"-({self.of})"

    def result(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the smallest value."""
        return np.where(np.isinf(slots[:, 0]), np.nan, -slots[:, 0])


@dataclass(frozen=True)
class TimeOfMinimum(Minimum):
    """Model time of the smallest value."""

    kind: ClassVar[int] = MINIMUM_TIME

    def result(self, slots: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the time of the smallest value."""
        return slots[:, 1].copy()


@dataclass(frozen=True)
class Area(Reducer):
    """Integral over time."""

    kind: ClassVar[int] = AREA
    initial: ClassVar[tuple[float, float]] = (0.0, math.nan)


@dataclass(frozen=True)
class _AgainstLimit(Reducer):
    limit: float | str = 0.0

    def watched(self) -> str:
        """Return the distance from the limit."""
        return f"({self.of}) - ({self.limit})"


@dataclass(frozen=True)
class TimeBelow(_AgainstLimit):
    """Time spent below `limit`, a number or a formula."""

    kind: ClassVar[int] = TIME_BELOW
    initial: ClassVar[tuple[float, float]] = (0.0, math.nan)


@dataclass(frozen=True)
class TimeAbove(_AgainstLimit):
    """Time spent above `limit`."""

    kind: ClassVar[int] = TIME_ABOVE
    initial: ClassVar[tuple[float, float]] = (0.0, math.nan)


@dataclass(frozen=True)
class FirstCrossing(_AgainstLimit):
    """First time in the window at which the observable is at or above `limit` (below it with direction "down")."""

    direction: str = "up"

    def __post_init__(self) -> None:
        """Check the direction."""
        if self.direction not in ("up", "down"):
            raise SimulationError(f"reducer {self.name!r}: direction {self.direction!r} must be 'up' or 'down'")

    @property
    def kind(self) -> int:  # type: ignore[override]
        """Return the kind for the direction."""
        return FIRST_UP if self.direction == "up" else FIRST_DOWN


@dataclass(frozen=True)
class LastTimeAbove(_AgainstLimit):
    """Last time in the window at which the observable was at or above `limit`; NaN if never."""

    kind: ClassVar[int] = LAST_ABOVE


@dataclass(frozen=True)
class ValueAt(Reducer):
    """Value at a time, the `start` of the window; just before a dose given then."""

    kind: ClassVar[int] = VALUE_AT


@dataclass(frozen=True)
class BirthDeath:
    r"""The two integrals that decide the extinction of a clone with per-cell rates b and d.

    ``<name>.net_loss`` is :math:`\rho = \int (d - b)\,dt` and ``<name>.weighted_death`` is
    :math:`J = \int d\,e^{\rho}\,dt`, since the start or the last `Batch.reset_reducer`. Then n cells, each on its own,
    are all gone with probability :math:`(J / (1 + J))^n` (Kendall 1948).
    """

    name: str
    birth: str
    death: str


AnyReducer = Reducer | BirthDeath


@dataclass(frozen=True)
class Plan:
    """Reducers split into those worked lane by lane and the birth-death integrals worked as vectors."""

    single: tuple[Reducer, ...]
    fates: tuple[BirthDeath, ...]

    @property
    def formulas(self) -> list[str]:
        """Return the formulas to sample: one for each single reducer, then birth and death of each fate."""
        return [r.watched() for r in self.single] + [f for fate in self.fates for f in (fate.birth, fate.death)]

    @property
    def names(self) -> list[str]:
        """Return the names given to reducers."""
        return [r.name for r in (*self.single, *self.fates)]


def plan(reducers: Sequence[AnyReducer]) -> Plan:
    """Sort reducers by how they are worked.

    Raises
    ------
    SimulationError
        Two reducers have the same name, or something else is no reducer.
    """
    for reducer in reducers:
        if not isinstance(reducer, Reducer | BirthDeath):
            raise SimulationError(f"{reducer!r} is not a reducer of seedbed.engine")
    names = [reducer.name for reducer in reducers]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise SimulationError(f"reducers need different names; used twice: {', '.join(double)}")
    single = tuple(r for r in reducers if isinstance(r, Reducer))
    return Plan(single, tuple(r for r in reducers if isinstance(r, BirthDeath)))


def gauss_tables() -> dict[str, Any]:
    """Return the weights that turn five samples of a step into the integrals of the birth-death process.

    ``VALUE[g][k]`` and ``INTEGRAL[g][k]`` weigh sample k for the polynomial's value at Gauss point g and its integral
    from 0 to it; ``WEIGHT[g]`` is the Gauss weight, ``WHOLE[k]`` the weight of sample k in the integral from 0 to 1.
    """
    points, weights = np.polynomial.legendre.leggauss(4)
    points, weights = (points + 1) / 2, weights / 2
    nodes = np.linspace(0.0, 1.0, 5)
    basis = [np.polynomial.Polynomial(c) for c in np.linalg.inv(np.vander(nodes, increasing=True)).T]
    integrals = [p.integ() for p in basis]
    return {
        "VALUE": tuple(tuple(float(p(x)) for p in basis) for x in points),
        "INTEGRAL": tuple(tuple(float(p(x)) for p in integrals) for x in points),
        "WEIGHT": tuple(float(w) for w in weights),
        "WHOLE": (7 / 90, 32 / 90, 12 / 90, 32 / 90, 7 / 90),
    }
