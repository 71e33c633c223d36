"""Patients per CPU second at equal achieved error: run all peers interleaved and compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seedbed.errors import SimulationError
from seedbed.study.benchmark.peers import PEERS, run_seedbed
from seedbed.study.benchmark.problems import Array, Problem

TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
REFERENCE_TOLERANCE = 1e-11
FLOOR_SHARE = 1e-6


@dataclass(frozen=True)
class Measurement:
    """Speed and error of one peer at one tolerance."""

    peer: str
    tolerance: float
    patients_per_second: float
    error: float
    worst_error: float


# ---- comparing ---------------------------------------------------------------------------------------------
def with_reference(problem: Problem, n: int) -> Problem:
    """Return the problem with a reference course of its first patients, by this engine at a tight tolerance."""
    reference = problem.reference
    if reference is None:
        reference = run_seedbed(problem, REFERENCE_TOLERANCE, n)[0]
    if np.isnan(reference).any():
        raise SimulationError(f"{problem.name}: no reference course at tolerance {REFERENCE_TOLERANCE:g}")
    floors = problem.floors
    if floors is None:
        largest = np.abs(reference).max(axis=(0, 1))
        floors = np.where(largest > 0, largest * FLOOR_SHARE, 1.0)
    return replace(problem, reference=reference[:n], floors=floors)


def errors_of(problem: Problem, observed: Array) -> Array:
    """Return each patient's largest error |y - reference| / (|reference| + floor), off the dosing times."""
    if problem.reference is None:
        raise SimulationError(f"{problem.name}: errors need a reference course; see with_reference")
    keep = ~np.isin(problem.times, [when for when, _, _ in problem.doses])
    reference = problem.reference[: len(observed)]
    error = np.abs(observed - reference) / (np.abs(reference) + problem.floors)
    return np.where(np.isnan(error), np.inf, error)[:, keep].max(axis=(1, 2))


def measure(
    problem: Problem, peers: Sequence[str], tolerances: Sequence[float], n: int, rounds: int
) -> list[Measurement]:
    """Run all peers at all tolerances, interleaved, and keep the median speed of the rounds."""
    speeds: dict[tuple[str, float], list[float]] = {}
    errors: dict[tuple[str, float], Array] = {}
    for _ in range(rounds):
        for tolerance in tolerances:
            for peer in peers:
                patients = min(n, PEERS[peer].most_patients)
                observed, seconds = PEERS[peer].run(problem, tolerance, patients)
                speeds.setdefault((peer, tolerance), []).append(patients / seconds)
                errors[peer, tolerance] = errors_of(problem, observed)
    return [
        Measurement(peer, tolerance, float(np.median(values)), float(np.median(errors[key])), float(errors[key].max()))
        for key, values in speeds.items()
        for peer, tolerance in [key]
    ]


def speed_at_error(measurements: Sequence[Measurement], peer: str, error: float) -> tuple[float, bool]:
    """Return the speed of a peer at an achieved error, log-log between its tolerances.

    Returns
    -------
    speed, inside : `inside` is False when the error lies outside what was measured and the nearest end is given
    """
    mine = sorted((m.error, m.patients_per_second) for m in measurements if m.peer == peer and np.isfinite(m.error))
    if not mine:
        return float("nan"), False
    x, y = np.log([e for e, _ in mine]), np.log([s for _, s in mine])
    inside = bool(x[0] <= np.log(error) <= x[-1])
    return float(np.exp(np.interp(np.log(error), x, y))), inside
