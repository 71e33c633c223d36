"""The table of bars: what the engine must reach, what was measured, with what error, and whether it is met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seedbed.engine import machine
from seedbed.study.benchmark import own, peers, reference_models
from seedbed.study.benchmark.comparison import TOLERANCES, Measurement, measure, speed_at_error, with_reference
from seedbed.study.benchmark.problems import Problem, bench47, library_problem, proposal

MEMORY_PATIENTS = (1000, 100_000)


@dataclass(frozen=True)
class Bar:
    """One row; `met` is None where nothing was measured, and `measured` then says why."""

    what: str
    must: str
    measured: str
    error: str
    met: bool | None


@dataclass(frozen=True)
class Speed:
    """At which achieved error the peers are compared on a problem, and how many times faster the engine must be."""

    error: float
    ratios: dict[str, float]


SPEEDS = {
    "bench47": Speed(1e-4, {"libRoadRunner": 60.0, "diffsol": 20.0, "AMICI": 25.0}),
    "proposal": Speed(2e-5, {"libRoadRunner": 30.0, "diffsol": 15.0}),
    "asct_cart": Speed(2e-5, {"libRoadRunner": 30.0, "diffsol": 15.0}),
}
NO_FOLDER = "not run: no design folder (--shared or SEEDBED_SHARED)"


@dataclass(frozen=True)
class Settings:
    """How much is run: patients given to each peer, interleaved rounds, the design folder if there is one."""

    subjects: int
    rounds: int
    shared: Path | None

    def problem(self, name: str) -> Problem | None:
        """Return a problem, or None where its files are absent."""
        if name == "asct_cart":
            return library_problem(name, self.subjects)
        makers = {"bench47": bench47, "proposal": proposal}
        return None if self.shared is None else makers[name](self.shared, self.subjects)

    def own_problem(self) -> Problem:
        """Return the problem on which the engine is measured by itself."""
        return self.problem("bench47") or library_problem("asct_cart", self.subjects)


# ---- against other solvers ---------------------------------------------------------------------------------
def speed_bars(settings: Settings) -> Iterator[Bar]:
    """Compare with every peer on every problem."""
    for name, speed in SPEEDS.items():
        problem = settings.problem(name)
        if problem is None:
            for peer, ratio in speed.ratios.items():
                yield Bar(_speed_title(name, peer, speed), f">= {ratio:g}x", NO_FOLDER, "", None)
        else:
            yield from _speeds(with_reference(problem, len(problem.values)), speed, settings.rounds)


def _speed_title(name: str, peer: str, speed: Speed) -> str:
    clock = "AMICI's own solver clock" if peer == "AMICI" else peer
    return f"{name}: patients/s at error {speed.error:g} against {clock}"


def _speeds(problem: Problem, speed: Speed, rounds: int) -> Iterator[Bar]:
    able, reasons = peers.usable(problem, ["seedbed", *speed.ratios])
    measured = measure(problem, able, TOLERANCES, len(problem.values), rounds)
    mine, _ = speed_at_error(measured, "seedbed", speed.error)
    for peer, must in speed.ratios.items():
        title, needed = _speed_title(problem.name, peer, speed), f">= {must:g}x"
        if peer in reasons:
            yield Bar(title, needed, f"not run: {reasons[peer]}", "", None)
            continue
        theirs, inside = speed_at_error(measured, peer, speed.error)
        best = min((m.error for m in measured if m.peer == peer), default=np.nan)
        error = f"{speed.error:g} both" if inside else f"{speed.error:g}; {peer} {best:.1e} at best"
        yield Bar(title, needed, f"{mine / theirs:.3g}x ({mine:.0f} to {theirs:.1f})", error, mine / theirs >= must)
    if problem.name == "bench47":
        yield _accuracy(measured)


def _accuracy(measured: Sequence[Measurement]) -> Bar:
    row = next(m for m in measured if m.peer == "seedbed" and m.tolerance == own.TOLERANCE)
    met = row.error <= 5e-5 and row.worst_error <= 5e-3
    found = f"median {row.error:.1e}, worst {row.worst_error:.1e}"
    return Bar("bench47: achieved error at rtol 1e-6", "median <= 5e-5, worst <= 5e-3", found, found, met)


# ---- by itself ---------------------------------------------------------------------------------------------
def core_bars(settings: Settings) -> Iterator[Bar]:
    """Measure lanes, threads and the use of the core."""
    problem, rounds = settings.own_problem(), settings.rounds
    widest = machine.choose_target(None, "float64").lanes
    for lanes, must in ((8, 2.8), (4, 2.2)):
        title = f"{problem.name}: {lanes} lanes against 1 lane"
        if lanes > widest:
            yield Bar(title, f">= {must}x", f"not run: this processor's registers hold {widest}", "", None)
        else:
            gain = own.lane_gain(problem, lanes, rounds)
            yield Bar(title, f">= {must}x", f"{gain:.2f}x", "same bits", gain >= must)
    share, peak, operations = own.share_of_peak(problem, rounds)
    found = f"{share:.2f} of {peak / 1e9:.0f} GFLOP/s, {operations} operations a step"
    yield Bar(f"{problem.name}: share of the core's multiply-add peak", ">= 0.30", found, "rtol 1e-6", share >= 0.30)
    gain = own.thread_gain(problem, rounds)
    yield Bar(f"{problem.name}: two threads against one, wall", ">= 1.5x", f"{gain:.2f}x", "same bits", gain >= 1.5)


def start_bars(settings: Settings) -> Iterator[Bar]:
    """Measure the time to the first patient and the kernel cache."""
    problem = settings.own_problem()
    title, must = f"{problem.name}: first patient, cold, wall", "<= 3x libRoadRunner's"
    absent = peers.usable(problem, ["libRoadRunner"])[1]
    if absent:
        yield Bar(title, must, f"not run: libRoadRunner {absent['libRoadRunner']}", "", None)
    else:
        mine, theirs = own.first_patient_seconds(problem, settings.rounds)
        yield Bar(title, must, f"{mine / theirs:.2f}x ({mine:.2f} s to {theirs:.2f} s)", "", mine / theirs <= 3)
    load, compiling = own.cache_share(problem, settings.rounds)
    found = f"1/{compiling / load:.0f} ({load * 1e3:.1f} ms to {compiling:.2f} s)"
    yield Bar(f"{problem.name}: kernel from cache against compiled", "<= 1/20", found, "", load / compiling <= 1 / 20)


def memory_bars(settings: Settings) -> Iterator[Bar]:
    """Measure the memory of few and of many patients."""
    problem = settings.own_problem()
    few, many = (own.peak_mebibytes(problem, n) for n in MEMORY_PATIENTS)
    found = f"{many / few:.2f}x ({many:.0f} MiB to {few:.0f} MiB)"
    yield Bar(f"{problem.name}: memory, 10^5 against 10^3 patients", "<= 1.1x", found, "rtol 1e-4", many / few <= 1.1)


# ---- right answers -----------------------------------------------------------------------------------------
def bit_bars(settings: Settings) -> Iterator[Bar]:
    """Look for bits that depend on the company."""
    problem = settings.own_problem()
    title = f"{problem.name}: equal bits under order, subset, splitting, threads, lane width"
    differing = own.differing_numbers(problem)
    yield Bar(title, "exact", f"{differing} numbers differ", "0" if differing == 0 else "", differing == 0)


def reference_bars(settings: Settings) -> Iterator[Bar]:
    """Compare with what other programs computed."""
    checks: dict[tuple[str, str], Callable[[Path], tuple[str, str, bool]]] = {
        ("bench47_noise: CAR-T before infusion, 200 patients, 1e-4 to 1e-8", "exactly 0"): _noise,
        ("proposal: trajectories, all states, off dosing days", "<= 1e-6"): _trajectories,
        ("reference/models: within their tolerances", ">= 40 of 44, none wrong"): _published,
        ("reference/sbml_test_suite, 794 cases", ">= 420 pass, others refused by name, none wrong"): _suite,
    }
    for (title, must), check in checks.items():
        if settings.shared is None:
            yield Bar(title, must, NO_FOLDER, "", None)
        else:
            yield Bar(title, must, *check(settings.shared))


def _noise(shared: Path) -> tuple[str, str, bool]:
    largest = reference_models.cells_from_nothing(shared)
    return f"{largest:g}", f"{largest:g}", largest == 0.0


def _trajectories(shared: Path) -> tuple[str, str, bool]:
    errors = [reference_models.proposal_error(shared, scenario) for scenario in reference_models.SCENARIOS]
    return f"{max(errors):.1e} in {len(errors)} scenarios", f"{max(errors):.1e}", max(errors) <= 1e-6


def _published(shared: Path) -> tuple[str, str, bool]:
    errors = [reference_models.largest_error(shared, name) for name in reference_models.published_models(shared)]
    right = sum(error <= reference_models.TOLERANCE for error in errors)
    return f"{right} of {len(errors)}", f"largest {max(errors):.1e}", right >= 40 and right == len(errors)


def _suite(shared: Path) -> tuple[str, str, bool]:
    found = Counter(reference_models.outcome(folder) for folder in reference_models.case_folders(shared))
    met = found["pass"] >= 420 and found["pass"] + found["refused"] == sum(found.values()) == reference_models.N_CASES
    return ", ".join(f"{n} {word}" for word, n in found.most_common()), "each case's own", met


GROUPS: dict[str, Callable[[Settings], Iterator[Bar]]] = {
    "speed": speed_bars,
    "core": core_bars,
    "start": start_bars,
    "memory": memory_bars,
    "bits": bit_bars,
    "references": reference_bars,
}
