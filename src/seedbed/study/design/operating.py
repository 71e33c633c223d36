"""Operating characteristics of a trial, with both of their errors: from finitely many replicates and from the pool.

Estimates come from replicates drawn from the whole pool. The pool's own error is found by repeating with replicates
drawn from disjoint blocks of it: what the blocks' results vary beyond their Monte Carlo error, divided by their
number, is the variance that a pool of this size still leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.analysis.power import schoenfeld_power
from seedbed.study.design.conduct import DAYS_PER_MONTH
from seedbed.study.design.decisions import Decisions, boundaries, decide, single_look_critical
from seedbed.study.design.estimand import Handling, cut, observe, whole_pool
from seedbed.study.design.plan import Plan
from seedbed.study.design.pool import PoolData
from seedbed.study.design.replicate import (
    Job,
    Looks,
    Size,
    handling_of,
    simulate,
    simulate_all,
    summary_index,
    summary_values,
)

Floats = NDArray[np.float64]
Progress = Callable[[int], None]
PILOT = 400
DIVERGED = 11.0
"""Log hazard ratio at which an arm had no event, so that there is no estimate."""


@dataclass(frozen=True)
class World:
    """One simulated world: its replicates and what was decided in them."""

    looks: Looks
    decisions: Decisions

    @property
    def n(self) -> int:
        """Number of replicates."""
        return self.looks.n

    def success(self, *, ignoring_futility: bool = False) -> Floats:
        """Return for each replicate whether any comparison succeeded, (R,) of 0 and 1."""
        reject = self.decisions.reject_ignoring_futility if ignoring_futility else self.decisions.reject
        return reject.any(axis=-1).astype(float)

    def at_stop(self, values: Floats) -> Floats:
        """Return the values of the look at which each replicate ended; `values` is (R, L, ...)."""
        return values[np.arange(self.n), self.decisions.stop_look]


@dataclass(frozen=True)
class Simulator:
    """Runs worlds of one plan, on `executor` where there is one; `progress` is told the replicates done."""

    plan: Plan
    expected_events: float
    progress: Progress = lambda _n: None
    executor: Executor | None = None

    def world(self, job: Job) -> World:
        """Return the world of a job."""
        return self.worlds([job])[0]

    def worlds(self, jobs: Sequence[Job]) -> list[World]:
        """Return the worlds of jobs, worked side by side."""
        found = simulate_all(self.plan, jobs, executor=self.executor, progress=self.progress)
        return [
            World(looks, decide(self.plan, looks, job.size, self.events_of(job.size)))
            for job, looks in zip(jobs, found, strict=True)
        ]

    def events_of(self, size: Size) -> float:
        """Return the events that a trial of this size expects at its final analysis."""
        return size.final_events or self.expected_events * size.subjects / self.plan.subjects

    def size(self, subjects: int) -> Size:
        """Return the size of a trial with so many subjects, events in proportion."""
        share = subjects / self.plan.subjects
        final = self.plan.final.events
        scaled = max(10, round(final * share)) if final else None
        total = scaled or self.expected_events * share
        interim = tuple(max(5, round(fraction * total)) for fraction in self.plan.interim.fractions)
        return Size(subjects, interim, scaled)


def simulator(
    plan: Plan, pool: PoolData, *, progress: Progress = lambda _n: None, executor: Executor | None = None
) -> Simulator:
    """Return the simulator of a plan; a pilot finds the expected events where the plan names none."""
    if plan.final.events:
        return Simulator(plan, float(plan.final.events), progress, executor)
    looks = simulate(plan, Job(pool, Size(plan.subjects, (), None), PILOT, "pilot"))
    return Simulator(plan, float(looks.all_events[:, -1].mean()), progress, executor)


def proportion_row(name: str, flags: Floats, pool_se: float = 0.0, **labels: object) -> dict[str, object]:
    """Return a row of a proportion over replicates with its errors."""
    value = float(np.mean(flags))
    return row(name, value, float(np.sqrt(value * (1 - value) / flags.size)), pool_se, "1", **labels)


def mean_row(name: str, values: Floats, unit: str, pool_se: float = 0.0, **labels: object) -> dict[str, object]:
    """Return a row of a mean over replicates with its errors."""
    spread = float(np.std(values, ddof=1) / np.sqrt(values.size))
    return row(name, float(np.mean(values)), spread, pool_se, unit, **labels)


def row(
    name: str, estimate: float, monte_carlo_se: float, pool_se: float, unit: str, **labels: object
) -> dict[str, object]:
    """Return a row of operating characteristics."""
    total = float(np.hypot(monte_carlo_se, pool_se))
    return {
        "characteristic": name,
        **labels,
        "estimate": estimate,
        "standard_error": total,
        "monte_carlo_se": monte_carlo_se,
        "pool_se": pool_se,
        "unit": unit,
    }


def headline(world: World) -> dict[str, Floats]:
    """Return the numbers per replicate behind the main operating characteristics, (R,) each."""
    stop, decisions = world.decisions.stop_look, world.decisions
    last = world.looks.day.shape[1] - 1
    return {
        "power": world.success(),
        "stopped_early_for_efficacy": (world.success() > 0) & (stop < last),
        "stopped_for_futility": (decisions.futility_look >= 0).all(axis=-1),
        "subjects": world.at_stop(world.looks.enrolled),
        "events": world.at_stop(world.looks.all_events),
        "duration_months": world.at_stop(np.where(np.isfinite(world.looks.day), world.looks.day, np.nan))
        / DAYS_PER_MONTH,
    }


UNITS = {"subjects": "1", "events": "1", "duration_months": "month"}


def operating_characteristics(
    world: World, blocks: list[World], labels: dict[str, object] | None = None
) -> pd.DataFrame:
    """Return the table of operating characteristics of a world; `blocks` give the pool's error."""
    rows = []
    by_block = [headline(block) for block in blocks]
    for name, values in headline(world).items():
        pool_se = pool_error([block[name] for block in by_block])
        make = mean_row if name in UNITS else proportion_row
        extra = {"unit": UNITS[name]} if name in UNITS else {}
        rows.append(make(name, np.asarray(values, dtype=float), pool_se=pool_se, **extra, **(labels or {})))
    return pd.DataFrame(rows)


def pool_error(by_block: list[Floats]) -> float:
    """Return the standard error that the pool's size leaves in a mean over replicates.

    Parameters
    ----------
    by_block : values of the replicates of each disjoint block of the pool

    Notes
    -----
    The variance of the block means beyond their Monte Carlo variance, over the number of blocks; 0 when the block
    means vary less than that.
    """
    if len(by_block) < 2:
        return 0.0
    means = np.array([np.mean(values) for values in by_block])
    noise = np.mean([np.var(values, ddof=1) / values.size for values in by_block])
    return float(np.sqrt(max(0.0, means.var(ddof=1) - noise) / len(by_block)))


def block_rows(plan: Plan, pool: PoolData) -> list[NDArray[np.int64]]:
    """Return disjoint blocks of the pool's subjects, fewer when the pool is small."""
    n_blocks = min(plan.replicates.pool_blocks, pool.n // max(plan.subjects, 50))
    if n_blocks < 4:
        return []
    return np.array_split(np.arange(pool.n), n_blocks)


def by_test(plan: Plan, arms: tuple[str, ...], worlds: dict[str, World]) -> pd.DataFrame:
    """Return how often each test alone would reject at the final analysis, without interim looks or co-primaries."""
    critical = single_look_critical(plan)
    rows = []
    for name, world in worlds.items():
        for comparison, arm in enumerate(arms[1:]):
            for index, test in enumerate(plan.analysis.tests()):
                rejected = world.looks.tests[:, comparison, index] <= -critical[comparison]
                rows.append(
                    proportion_row("rejects", rejected, world=name, arm=arm, test=test, replicates=rejected.size)
                )
    return pd.DataFrame(rows)


def looks_table(plan: Plan, size: Size, expected_events: float, worlds: dict[str, World]) -> pd.DataFrame:
    """Return a row per world, comparison and look: boundary, and how often the trial stops there."""
    rows = []
    for comparison, boundary in enumerate(boundaries(plan, size, expected_events)):
        for name, world in worlds.items():
            for look, fraction in enumerate(boundary.fraction):
                decided = world.decisions
                rows.append(
                    {
                        "world": name,
                        "arm": plan.experimental[comparison].id,
                        "look": look + 1,
                        "information": float(fraction),
                        "events": (*size.interim_events, size.final_events or expected_events)[look],
                        "critical_z": float(boundary.critical[look]),
                        "nominal_p_value": float(boundary.nominal_p_value[look]),
                        "alpha_spent": float(boundary.spent[look]),
                        "stops_for_efficacy": float((decided.efficacy_look[:, comparison] == look).mean()),
                        "stops_for_futility": float((decided.futility_look[:, comparison] == look).mean()),
                        "performed": float(np.isfinite(world.looks.day[:, look]).mean()),
                        "month": _mean_month(world.looks.day[:, look]),
                        "hazard_ratio_at_bound": hazard_ratio_at_bound(
                            world, look, comparison, boundary.critical[look]
                        ),
                    }
                )
    return pd.DataFrame(rows)


def _mean_month(days: Floats) -> float:
    """Return the mean calendar month of the looks that were made, NaN when none was."""
    made = days[np.isfinite(days)]
    return float(made.mean() / DAYS_PER_MONTH) if made.size else float("nan")


def hazard_ratio_at_bound(world: World, look: int, comparison: int, critical: float) -> float:
    """Return about which hazard ratio just crosses: exp(-critical times its typical standard error)."""
    return float(np.exp(-critical * np.median(world.looks.error[:, look, comparison, 0])))


def truth(plan: Plan, pool: PoolData, handling: Handling) -> Floats:
    """Return the value of the estimand's summary in the whole pool, by comparison, (K,).

    All follow-up, every visit, no drop-out; principal strata known from all arms.
    """
    drawn = whole_pool(pool)
    return summary_values(plan, cut(observe(plan, pool, drawn, handling.truth())), drawn)[0]


def bias_table(plan: Plan, pool: PoolData, world: World, counterfactual: PoolData | None = None) -> pd.DataFrame:
    """Return the target's true value and, for the planned and each naive analysis, what it gives instead.

    Parameters
    ----------
    world : replicates with the naive analyses
    counterfactual : the same subjects in a world where hypothetical events do not happen; None takes censoring at
        the event in its place, which is the target only where censoring is not informative

    Returns
    -------
    DataFrame, a row per comparison and analysis: target, in_pool (the analysis of the whole pool), in_trials (mean
    of the replicates), bias (in_trials - target), monte_carlo_se, coverage (of the planned analysis).
    """
    target = truth(plan, counterfactual or pool, Handling.of_plan(plan))
    index = summary_index(plan)
    planned = world.looks.estimate[:, -1, :, index]
    error = world.looks.error[:, -1, :, index]
    rows = []
    for comparison, arm in enumerate(pool.arms[1:]):
        own = _bias_row(
            plan,
            arm,
            "planned",
            target[comparison],
            truth(plan, pool, Handling.of_plan(plan))[comparison],
            planned[:, comparison],
        )
        covered = np.abs(planned[:, comparison] - target[comparison]) <= 1.959964 * error[:, comparison]
        rows.append({**own, "coverage": float(covered.mean())})
        for number, naive in enumerate(plan.estimand.naive):
            in_pool = truth(plan, pool, handling_of(plan, naive))[comparison]
            values = world.looks.naive[:, comparison, number]
            rows.append(_bias_row(plan, arm, naive.id, target[comparison], in_pool, values))
    return pd.DataFrame(rows)


def _bias_row(plan: Plan, arm: str, analysis: str, target: float, in_pool: float, values: Floats) -> dict[str, object]:
    is_ratio = plan.estimand.summary == "hazard_ratio"
    usable = values[np.isfinite(values) & (np.abs(values) < DIVERGED if is_ratio else True)]
    middle = float(usable.mean()) if usable.size else float("nan")
    back = np.exp if is_ratio else (lambda x: x)
    error = float(usable.std(ddof=1) / np.sqrt(usable.size)) if usable.size > 1 else float("nan")
    return {
        "arm": arm,
        "analysis": analysis,
        "summary": plan.estimand.summary,
        "target": float(back(target)),
        "in_pool": float(back(in_pool)),
        "in_trials": float(back(middle)),
        "bias": middle - target,
        "monte_carlo_se": error,
        "coverage": float("nan"),
    }


def by_size(simulation: Simulator, pool: PoolData) -> pd.DataFrame:
    """Return power, events and duration for each number of subjects, with the closed form beside."""
    plan = simulation.plan
    target = truth(plan, pool, Handling.of_plan(plan)) if plan.estimand.summary == "hazard_ratio" else None
    rows, compared = [], sorted({*plan.subjects_compared, plan.subjects})
    jobs = [Job(pool, simulation.size(n), plan.replicates.by_size, f"size {n}") for n in compared]
    for subjects, world in zip(compared, simulation.worlds(jobs), strict=True):
        numbers = headline(world)
        closed = _closed_form(plan, target, float(world.looks.events[:, -1, 0].mean()))
        rows.append(
            {
                **proportion_row("power", numbers["power"], subjects=subjects),
                "events": float(np.mean(numbers["events"])),
                "duration_months": float(np.mean(numbers["duration_months"])),
                "closed_form": closed,
            }
        )
    return pd.DataFrame(rows)


def _closed_form(plan: Plan, log_ratio: Floats | None, events: float) -> float:
    """Return Schoenfeld's power for the pool's average hazard ratio; it ignores looks, strata and crossing hazards."""
    if log_ratio is None:
        return float("nan")
    ratios = [plan.control.ratio, plan.experimental[0].ratio]
    share = ratios[1] / sum(ratios)
    return schoenfeld_power(float(np.exp(log_ratio[0])), events, alpha=plan.one_sided_alphas[0], share=share)


def assurance(simulation: Simulator, pool: PoolData) -> pd.DataFrame:
    """Return the power under each parameter set of the pool; their mean is the assurance. Empty before calibration.

    Replicates draw distinct subjects of one set, so each is a trial of independent patients and the mean over sets
    is not biased by how few subjects a set has. A set with fewer subjects than the trial is left out.
    """
    plan = simulation.plan
    sets = pool.parameter_sets(at_least=plan.subjects)
    if not sets:
        return pd.DataFrame(columns=["parameter_set", "power", "monte_carlo_se", "target"])
    each, size = replicates_per_set(plan, len(sets)), simulation.size(plan.subjects)
    parts = [pool.take(members) for members in sets]
    jobs = [Job(part, size, each, f"parameter set {n}", distinct=True) for n, part in enumerate(parts)]
    rows = []
    for part, world in zip(parts, simulation.worlds(jobs), strict=True):
        power = float(world.success().mean())
        rows.append(
            {
                "parameter_set": int(part.parameter_set[0]),
                "power": power,
                "monte_carlo_se": float(np.sqrt(power * (1 - power) / each)),
                "target": float(truth(plan, part, Handling.of_plan(plan))[0]),
            }
        )
    return pd.DataFrame(rows)


def replicates_per_set(plan: Plan, n_sets: int) -> int:
    """Return how many trials are simulated under each parameter set."""
    return max(20, plan.replicates.main // n_sets) if n_sets else 0


def margin_world(plan: Plan, pool: PoolData) -> PoolData | None:
    """Return the pool with every noninferiority rate of the experimental arms at its margin; None without such a rate.

    There the null hypothesis of the rate is true by a hair while the drug works as simulated: the worst case for
    the error of the co-primary test.
    """
    if not any(rate.test == "noninferiority" for rate in plan.co_primary):
        return None
    rates = pool.courses.rates.copy()
    for column, definition in enumerate(plan.co_primary):
        if definition.test == "noninferiority":
            for arm in range(1, rates.shape[0]):
                rates[arm, :, column] = _at_margin(rates[0, :, column], definition.margin, definition.wanted, column)
    return pool.with_courses(replace(pool.courses, rates=rates))


def _at_margin(control: Floats, margin: float, wanted: str, column: int) -> Floats:
    """Return the control's outcomes with a share turned to the worse, so that the rate is worse by the margin."""
    assessed = np.isfinite(control)
    rate = float(control[assessed].mean())
    turned = np.random.default_rng(column).permutation(control.size) / control.size
    if wanted == "less":
        share = margin / max(1.0 - rate, 1e-12)
        return np.where(assessed & (control == 0) & (turned < share), 1.0, control)
    share = margin / max(rate, 1e-12)
    return np.where(assessed & (control == 1) & (turned < share), 0.0, control)
