"""Patients behind a published survival curve, rebuilt from points of the curve and numbers at risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seedbed.errors import ContentError, Problem

REACH = 12
"""How far from the first guess the number lost in an interval is sought."""


@dataclass(frozen=True)
class Reconstruction:
    """Rebuilt patients, and how well they give back what was published.

    Attributes
    ----------
    patients : DataFrame, one row a patient: ``time`` [day], ``event`` (bool)
    points : DataFrame, one row a published point: ``time`` [day], ``published``, ``rebuilt``, ``error`` [1]
    at_risk : DataFrame, one row a published number at risk: ``time`` [day], ``published``, ``rebuilt``
    censoring_known : whether numbers at risk after the start were given; without them nobody is censored before
        the last point
    """

    patients: pd.DataFrame
    points: pd.DataFrame
    at_risk: pd.DataFrame
    censoring_known: bool

    @property
    def largest_error(self) -> float:
        """Return the largest distance between the published and the rebuilt curve [1]."""
        return float(self.points["error"].abs().max())


def reconstruct(
    times: Sequence[float],
    survival: Sequence[float],
    *,
    risk_times: Sequence[float],
    at_risk: Sequence[int],
    total_events: int | None = None,
    spread_events: bool = False,
) -> Reconstruction:
    """Return patients whose Kaplan-Meier curve goes through the published points.

    Parameters
    ----------
    times, survival : points of the curve; days, and fractions that never rise
    risk_times, at_risk : numbers at risk; the first stands at day 0. One number is enough.
    total_events : events in all, where printed
    spread_events : False puts events at the points, as Guyot does for densely digitized curves; True spreads them
        evenly between the points, for landmarks months apart

    Returns
    -------
    Reconstruction

    Raises
    ------
    ContentError
        The curve rises, or the numbers at risk contradict it.

    Notes
    -----
    Guyot et al. 2012, BMC Med Res Methodol 12:9: within each interval of the risk table the number censored is
    raised until the number at risk at its end is met; censoring is even within the interval. The number of events
    between two points is the whole number that meets the curve best, so a flat tail has none.
    """
    clicks = _checked_points(times, survival)
    table = _checked_table(risk_times, at_risk)
    events: list[float] = []
    censored: list[float] = []
    n, survived = int(table[0, 1]), 1.0
    for i, (start, _) in enumerate(table):
        last = i == len(table) - 1
        stop = clicks[-1, 0] if last else table[i + 1, 0]
        if stop <= start:
            continue
        wanted = None if last else int(table[i + 1, 1])
        missing = None if total_events is None else total_events - len(events)
        rate = len(censored) / start if start > 0 else 0.0
        interval = _Interval(n, start, stop, survived, clicks, spread_events)
        deaths, losses = interval.solve(wanted, missing if last else None, round(rate * (stop - start)))
        events += deaths
        censored += losses
        n -= len(deaths) + len(losses)
        survived = _until(events, censored, int(table[0, 1]), stop)
    censored += [float(max(clicks[-1, 0], table[-1, 0]))] * n
    return _result(events, censored, clicks, table)


def _refuse(what: str, cure: str) -> ContentError:
    return ContentError(Problem(what, cure=cure))


def _checked_points(times: Sequence[float], survival: Sequence[float]) -> np.ndarray:
    points = np.column_stack([np.asarray(times, float), np.asarray(survival, float)])
    points = points[np.argsort(points[:, 0], kind="stable")]
    if len(points) == 0 or points[-1, 0] <= 0:
        raise _refuse("no point of the curve after day 0", "give at least one")
    if np.any(points[:, 1] < 0) or np.any(points[:, 1] > 1) or np.any(np.diff(points[:, 1]) > 1e-12):
        raise _refuse("the survival curve leaves 0 to 1 or rises", "check the order and the values of its points")
    return points[points[:, 0] > 0]


def _checked_table(risk_times: Sequence[float], at_risk: Sequence[int]) -> np.ndarray:
    table = np.column_stack([np.asarray(risk_times, float), np.asarray(at_risk, float)])
    if len(table) == 0 or table[0, 0] != 0 or table[0, 1] < 1:
        raise _refuse("no number at risk at day 0", "give the number of patients at the start")
    if np.any(np.diff(table[:, 0]) <= 0) or np.any(np.diff(table[:, 1]) > 0):
        raise _refuse("the numbers at risk rise, or their times do not", "check the risk table")
    return table


class _Interval:
    """One interval of the risk table: find how many die and how many are lost to follow-up."""

    def __init__(self, n: int, start: float, stop: float, survived: float, clicks: np.ndarray, spread: bool) -> None:
        self.n, self.start, self.stop, self.survived, self.spread = n, start, stop, survived, spread
        inside = clicks[(clicks[:, 0] > start) & (clicks[:, 0] <= stop)]
        self.points = [(float(time), float(value)) for time, value in inside]

    def solve(self, wanted: int | None, missing_events: int | None, guess: int) -> tuple[list[float], list[float]]:
        """Return the times of events and of losses."""
        if wanted is not None:
            return self._to_number_at_risk(wanted)
        if missing_events is None:
            trials = [self.events(lost) for lost in range(min(guess, self.n), -1, -1)]
            return min(trials, key=self._distance)
        trials = [self.events(lost) for lost in range(self.n + 1)]
        return min(trials, key=lambda trial: (abs(len(trial[0]) - missing_events), self._distance(trial)))

    def _to_number_at_risk(self, wanted: int) -> tuple[list[float], list[float]]:
        deaths, _ = self.events(0)
        if self.n - len(deaths) < wanted - 1:
            what = f"{wanted} at risk at day {self.stop:g}, but the curve leaves at most {self.n - len(deaths)}"
            raise _refuse(what, "the risk table and the curve contradict each other: look both up again")
        guess = self.n - len(deaths) - wanted
        near = range(max(0, guess - REACH), min(self.n - wanted, guess + REACH) + 1)
        return min((self.events(lost) for lost in near), key=lambda trial: self._misfit(trial, wanted))

    def _misfit(self, trial: tuple[list[float], list[float]], wanted: int) -> tuple[int, float]:
        """Return how far a trial misses the number at risk, then the curve."""
        return abs(self.n - len(trial[0]) - len(trial[1]) - wanted), self._distance(trial)

    def _distance(self, trial: tuple[list[float], list[float]]) -> float:
        """Return the largest distance of a trial from the points of the curve."""
        deaths, losses = trial
        steps = [self.survived * _until(deaths, losses, self.n, time) - value for time, value in self.points]
        return max((abs(step) for step in steps), default=0.0)

    def events(self, lost: int) -> tuple[list[float], list[float]]:
        """Return the event times that meet the points best when `lost` patients are lost evenly."""
        step = (self.stop - self.start) / (lost + 1)
        planned = [self.start + step * (k + 1) for k in range(lost)]
        deaths: list[float] = []
        losses: list[float] = []
        n, before, level = self.n, self.start, self.survived
        for time, value in self.points:
            here = [loss for loss in planned if before < loss <= time][:n]
            chosen, level = self._choose(n, before, time, level, value, here)
            deaths += chosen
            losses += here
            n -= len(chosen) + len(here)
            before = time
        return deaths, losses + [loss for loss in planned if loss > before][:n]

    def _choose(
        self, n: int, before: float, time: float, level: float, value: float, losses: list[float]
    ) -> tuple[list[float], float]:
        first = n * (1 - value / level) if level > 0 else 0.0
        most = max(0, n - len(losses))
        best: tuple[float, list[float], float] | None = None
        for count in range(max(0, int(first) - len(losses) - 1), min(most, int(first) + 2) + 1):
            deaths = self._place(before, time, count)
            reached = level * _factor(deaths, losses, n)
            if best is None or abs(reached - value) < best[0] - 1e-12:
                best = (abs(reached - value), deaths, reached)
        return (best[1], best[2]) if best else ([], level)

    def _place(self, before: float, time: float, count: int) -> list[float]:
        if not self.spread:
            return [time] * count
        return [before + (time - before) * (k + 1) / count for k in range(count)]


def _factor(deaths: list[float], losses: list[float], n: int) -> float:
    """Return the Kaplan-Meier factor over deaths and losses, starting with `n` at risk; deaths come first."""
    factor = 1.0
    for _, is_loss in sorted([(time, False) for time in deaths] + [(time, True) for time in losses]):
        if not is_loss:
            factor *= 1 - 1 / n
        n -= 1
    return factor


def _until(events: list[float], censored: list[float], n: int, time: float) -> float:
    """Return the Kaplan-Meier factor up to a time."""
    deaths = [death for death in events if death <= time]
    losses = [loss for loss in censored if loss <= time]
    return _factor(deaths, losses, n)


def _result(events: list[float], censored: list[float], clicks: np.ndarray, table: np.ndarray) -> Reconstruction:
    n = int(table[0, 1])
    patients = pd.DataFrame(
        {"time": [*events, *censored], "event": [True] * len(events) + [False] * len(censored)}
    ).sort_values(["time", "event"], ascending=[True, False], ignore_index=True)
    rebuilt = [_until(events, censored, n, time) for time in clicks[:, 0]]
    points = pd.DataFrame({"time": clicks[:, 0], "published": clicks[:, 1], "rebuilt": rebuilt})
    points["error"] = points["rebuilt"] - points["published"]
    followed = [int((patients["time"] > time).sum()) if time > 0 else n for time in table[:, 0]]
    risk = pd.DataFrame({"time": table[:, 0], "published": table[:, 1].astype(int), "rebuilt": followed})
    return Reconstruction(patients, points, risk, censoring_known=len(table) > 1)
