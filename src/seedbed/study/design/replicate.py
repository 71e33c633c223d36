"""Replicates of a trial: every look's data, test statistics and estimates, as arrays over replicates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from seedbed.analysis.cox import log_hazard_ratios
from seedbed.analysis.gray import gray_z
from seedbed.analysis.hazard_tests import WeightedScores, logrank_z, max_combo_p_values, weighted_scores
from seedbed.analysis.replicates import (
    Differences,
    milestone_differences,
    rmst_differences,
    stratified_milestone_differences,
    stratified_rmst_differences,
)
from seedbed.analysis.risk_sets import RiskSets, risk_sets
from seedbed.study.design.conduct import Draw, draw, generator, strata_of
from seedbed.study.design.estimand import Cut, Handling, cut, observe, recorded_event_days
from seedbed.study.design.plan import CoPrimary, Naive, Plan
from seedbed.study.design.pool import PoolData

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
CHUNK_ROWS = 60_000
CHUNKS_AT_ONCE = 5
"""Chunks that go to a process together: their pool goes along."""
SUMMARIES = ("log_hazard_ratio", "rmst_difference", "survival_difference")
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Size:
    """How large a trial is: subjects, events at each interim look, events at the final analysis."""

    subjects: int
    interim_events: tuple[int, ...]
    final_events: int | None


@dataclass(frozen=True)
class Looks:
    """R replicates of a trial with L looks (the last one final) and K comparisons with control."""

    day: Floats
    """(R, L) calendar day; inf for an interim look that the final analysis overtook."""
    z: Floats
    """(R, L, K) primary test; < 0 favors the experimental arm."""
    events: Floats
    """(R, L, K) events in the two arms compared."""
    all_events: Floats
    """(R, L) events in all arms."""
    rate_z: Floats
    """(R, L, K, C) co-primary rates; < 0 favors the experimental arm."""
    enrolled: Floats
    """(R, L) subjects randomized by then."""
    estimate: Floats
    """(R, L, K, 3) log hazard ratio, difference in restricted mean [day], difference in survival."""
    error: Floats
    """Their standard errors."""
    tests: Floats
    """(R, K, T) z of every test of the plan at the final analysis."""
    rates: Floats
    """(R, A, C) observed co-primary rates at the final analysis."""
    naive: Floats
    """(R, K, N) the estimand's summary by each naive analysis at the final analysis; NaN where not asked."""

    @property
    def n(self) -> int:
        """Number of replicates."""
        return int(self.day.shape[0])

    @classmethod
    def join(cls, parts: list[Looks]) -> Looks:
        """Return all replicates of several chunks in order."""
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})


@dataclass(frozen=True)
class Job:
    """Replicates of one world that are wanted.

    Attributes
    ----------
    pool : the world the trial takes place in
    size : subjects and events
    n_replicates : R
    purpose : name of the random stream; the same purpose gives the same replicates
    naive : also analyze by the plan's naive estimators
    distinct : draw each replicate's subjects without replacement
    """

    pool: PoolData
    size: Size
    n_replicates: int
    purpose: str
    naive: bool = False
    distinct: bool = False

    @property
    def per_chunk(self) -> int:
        """Replicates that are worked as one array."""
        return max(1, CHUNK_ROWS // self.size.subjects)

    @property
    def chunks(self) -> int:
        """Number of chunks, the last one perhaps smaller."""
        return -(-self.n_replicates // self.per_chunk)


def simulate(plan: Plan, job: Job, *, progress: Progress = lambda _n: None) -> Looks:
    """Simulate the replicates of one job here; `progress` is called with the number of replicates done."""
    return simulate_all(plan, [job], progress=progress)[0]


def simulate_all(
    plan: Plan, jobs: Sequence[Job], *, executor: Executor | None = None, progress: Progress = lambda _n: None
) -> list[Looks]:
    """Simulate the replicates of several jobs, some chunks at a time, on `executor` where there is one.

    Random numbers belong to a purpose and a chunk, so that results do not depend on where a chunk is worked.
    """
    pieces = [
        (number, first, min(first + CHUNKS_AT_ONCE, job.chunks))
        for number, job in enumerate(jobs)
        for first in range(0, job.chunks, CHUNKS_AT_ONCE)
    ]
    if executor is None:
        found = (simulate_chunks(plan, jobs[number], first, last) for number, first, last in pieces)
    else:
        futures = [executor.submit(simulate_chunks, plan, jobs[number], first, last) for number, first, last in pieces]
        found = (future.result() for future in futures)
    parts: list[list[Looks]] = [[] for _ in jobs]
    for (number, _, _), looks in zip(pieces, found, strict=True):
        parts[number].append(looks)
        progress(looks.n)
    return [Looks.join(of_job) for of_job in parts]


def simulate_chunks(plan: Plan, job: Job, first: int, last: int) -> Looks:
    """Simulate the chunks of a job from `first` up to but not `last`."""
    strata = strata_of(plan.stratification.factors, job.pool.covariates)
    parts = []
    for chunk in range(first, last):
        count = min(job.per_chunk, job.n_replicates - chunk * job.per_chunk)
        random = generator(plan.replicates.seed, job.purpose, chunk)
        drawn = draw(plan, job.pool, strata, (count, job.size.subjects), random, distinct=job.distinct)
        parts.append(look_at(plan, job.pool, drawn, job.size, naive=job.naive))
    return Looks.join(parts)


def look_at(plan: Plan, pool: PoolData, drawn: Draw, size: Size, *, naive: bool) -> Looks:
    """Return the looks of drawn replicates."""
    handling = Handling.of_plan(plan)
    record = observe(plan, pool, drawn, handling)
    days = look_days(plan, drawn, np.sort(recorded_event_days(record), axis=-1), size)
    final = days[:, -1]
    cuts = [cut(record, np.minimum(days[:, look], final)) for look in range(days.shape[1])]
    analyses = [_Analysis(plan, data, drawn) for data in cuts]
    rates = [_rate_table(plan, pool, drawn, day) for day in np.minimum(days, final[:, None]).T]
    estimates = [analysis.estimates() for analysis in analyses]
    return Looks(
        day=days,
        z=np.stack([analysis.z(plan.analysis.primary) for analysis in analyses], axis=1),
        events=np.stack([analysis.events() for analysis in analyses], axis=1),
        all_events=np.stack([data.event.sum(axis=-1).astype(float) for data in cuts], axis=1),
        rate_z=np.stack([_rate_z(plan, table) for table in rates], axis=1),
        enrolled=np.stack([data.included.sum(axis=-1).astype(float) for data in cuts], axis=1),
        estimate=np.stack([estimate[0] for estimate in estimates], axis=1),
        error=np.stack([estimate[1] for estimate in estimates], axis=1),
        tests=np.stack([analyses[-1].z(test) for test in plan.analysis.tests()], axis=-1),
        rates=rates[-1][0],
        naive=_naive(plan, pool, drawn, final, asked=naive),
    )


def look_days(plan: Plan, drawn: Draw, event_days: Floats, size: Size) -> Floats:
    """Return the calendar day of each look, (R, L); an interim look after the final day never happens (inf)."""
    latest = drawn.entry[:, -1] + plan.final.last_subject_followed_days
    final = latest if size.final_events is None else np.minimum(event_days[:, size.final_events - 1], latest)
    days = [event_days[:, events - 1] for events in size.interim_events]
    return np.stack([*(np.where(day < final, day, np.inf) for day in days), final], axis=1)


class _Analysis:
    """All comparisons with control at one data cut; risk sets are made once and shared by the tests."""

    def __init__(self, plan: Plan, data: Cut, drawn: Draw) -> None:
        self.plan, self.data, self.drawn = plan, data, drawn
        self.comparisons = range(1, len(plan.arms))
        self.plain = [self._sets(arm) for arm in self.comparisons]
        stratified = plan.stratification.in_analysis and plan.stratification.factors
        self.levels = range(int(drawn.stratum.max()) + 1) if stratified else range(0)
        self.strata = [
            [self._sets(arm, drawn.stratum == level) for level in self.levels] or [self.plain[index]]
            for index, arm in enumerate(self.comparisons)
        ]

    def _included(self, arm: int) -> NDArray[np.bool_]:
        return self.data.included & ((self.drawn.arm == 0) | (self.drawn.arm == arm))

    def _included_by_stratum(self, arm: int) -> list[NDArray[np.bool_]]:
        included = self._included(arm)
        return [included & (self.drawn.stratum == level) for level in self.levels] or [included]

    def _sets(self, arm: int, also: NDArray[np.bool_] | None = None) -> RiskSets:
        include = self._included(arm) if also is None else self._included(arm) & also
        return risk_sets(self.data.time, self.data.event, self.drawn.arm == arm, include=include)

    def events(self) -> Floats:
        """Return (R, K) events."""
        return np.stack([sets.n_events for sets in self.plain], axis=-1)

    def z(self, test: str) -> Floats:
        """Return (R, K) z of a test."""
        return np.stack([self._z(test, index) for index in range(len(self.plain))], axis=-1)

    def _z(self, test: str, index: int) -> Floats:
        if test == "logrank":
            return logrank_z(self.strata[index])
        if test == "max_combo":
            scores = [weighted_scores(sets) for sets in self.strata[index]]
            p_value = max_combo_p_values(_sum(scores), one_sided=True)
            return ndtri(np.clip(p_value, 1e-12, 1 - 1e-12))
        if test == "cox":
            beta, error = log_hazard_ratios(self.strata[index])
            return beta / error
        if test == "rmst":
            return self._restricted_mean(index).z()
        if test == "milestone":
            return self._milestone(index).z()
        return self._gray(index)

    def _restricted_mean(self, index: int) -> Differences:
        sets, strata, horizon = self.plain[index], self.strata[index], self.plan.analysis.horizon_days
        if strata[0] is sets:
            return rmst_differences(sets, horizon)
        return stratified_rmst_differences(sets, strata, horizon)

    def _milestone(self, index: int) -> Differences:
        sets, strata, day = self.plain[index], self.strata[index], self.plan.analysis.milestone_days
        if strata[0] is sets:
            return milestone_differences(sets, day)
        return stratified_milestone_differences(sets, strata, day)

    def _gray(self, index: int) -> Floats:
        arm = self.comparisons[index]
        of_interest = self.data.event & ~self.data.other_cause
        competing = self.data.competing | (self.data.event & self.data.other_cause)
        return gray_z(
            [
                risk_sets(self.data.time, of_interest, self.drawn.arm == arm, include=include, competing=competing)
                for include in self._included_by_stratum(arm)
            ]
        )

    def estimates(self) -> tuple[Floats, Floats]:
        """Return the three summaries and their standard errors, (R, K, 3) each.

        The hazard ratio is the marginal one, without strata, as that of the target estimand.
        """
        values, errors = [], []
        for index, sets in enumerate(self.plain):
            beta, beta_error = log_hazard_ratios([sets])
            mean = self._restricted_mean(index)
            point = self._milestone(index)
            values.append(np.stack([beta, mean.value, point.value], axis=-1))
            errors.append(np.stack([beta_error, mean.standard_error, point.standard_error], axis=-1))
        return np.stack(values, axis=1), np.stack(errors, axis=1)


def _sum(scores: list[WeightedScores]) -> WeightedScores:
    total = scores[0]
    for one in scores[1:]:
        total = total + one
    return total


RateTable = tuple[Floats, Floats]
"""Observed rates (R, A, C) and how many were assessed."""


def _rate_table(plan: Plan, pool: PoolData, drawn: Draw, day: Floats) -> RateTable:
    """Return the co-primary rates of those whose day of assessment has come, by a calendar day per replicate."""
    shape = (drawn.arm.shape[0], len(plan.arms), len(plan.co_primary))
    rate, n = np.full(shape, np.nan), np.zeros(shape)
    index = drawn.arm * pool.n + drawn.subject
    for column, definition in enumerate(plan.co_primary):
        value = pool.courses.rates[..., column].reshape(-1)[index]
        value = _lost_before(definition, value, drawn)
        due = (drawn.entry + definition.day <= day[:, None]) & np.isfinite(value)
        for arm in range(shape[1]):
            mine = due & (drawn.arm == arm)
            n[:, arm, column] = mine.sum(axis=-1)
            hits = np.where(mine, np.nan_to_num(value), 0.0).sum(axis=-1)
            assessed = n[:, arm, column]
            rate[:, arm, column] = np.divide(hits, assessed, out=np.full(shape[0], np.nan), where=assessed > 0)
    return rate, n


def _lost_before(definition: CoPrimary, value: Floats, drawn: Draw) -> Floats:
    lost = drawn.drop_out < definition.day
    failure = 0.0 if definition.wanted == "more" else 1.0
    return np.where(lost, failure if definition.missing == "failure" else np.nan, value)


def _rate_z(plan: Plan, table: RateTable) -> Floats:
    """Return (R, K, C) z of the co-primary rates; < 0 favors the experimental arm, 0 without information."""
    rate, n = table
    z = np.zeros((rate.shape[0], rate.shape[1] - 1, rate.shape[2]))
    for column, definition in enumerate(plan.co_primary):
        sign = -1.0 if definition.wanted == "more" else 1.0
        control, n_control = rate[:, 0, column], n[:, 0, column]
        for arm in range(1, rate.shape[1]):
            away = sign * (rate[:, arm, column] - control) - definition.margin
            variance = _variance(definition, (rate[:, arm, column], control), (n[:, arm, column], n_control))
            usable = np.isfinite(away) & (variance > 0)
            z[:, arm - 1, column] = np.divide(away, np.sqrt(variance), out=np.zeros_like(away), where=usable)
    return z


def _variance(definition: CoPrimary, rates: tuple[Floats, Floats], n: tuple[Floats, Floats]) -> Floats:
    """Return the variance of a difference in rates: pooled for superiority, separate for noninferiority.

    Where nobody (or everybody) in either arm has the event, the separate variance is that of half a patient more on
    each side: no event in either arm is evidence of noninferiority, not the lack of any.
    """
    counts = [np.maximum(number, 1.0) for number in n]
    known = [np.nan_to_num(rate) for rate in rates]
    if definition.test == "superiority":
        pooled = (known[0] * n[0] + known[1] * n[1]) / np.maximum(n[0] + n[1], 1.0)
        return pooled * (1 - pooled) * (1 / counts[0] + 1 / counts[1])
    separate = sum(rate * (1 - rate) / count for rate, count in zip(known, counts, strict=True))
    more = [(rate * count + 0.5) / (count + 1.0) for rate, count in zip(known, counts, strict=True)]
    spread = sum(rate * (1 - rate) / count for rate, count in zip(more, counts, strict=True))
    return np.where(separate > 0, separate, spread)


def handling_of(plan: Plan, naive: Naive) -> Handling:
    """Return the handling of a naive analysis: the target's, with its own changes."""
    strategies = {**plan.estimand.intercurrent_events, **naive.intercurrent_events}
    return Handling(strategies, naive.population, naive.clock)


def summary_index(plan: Plan) -> int:
    """Return the place of the estimand's summary among `SUMMARIES`."""
    return ("hazard_ratio", "rmst_difference", "survival_difference").index(plan.estimand.summary)


def _naive(plan: Plan, pool: PoolData, drawn: Draw, final: Floats, *, asked: bool) -> Floats:
    analyses = plan.estimand.naive
    shape = (drawn.arm.shape[0], len(plan.arms) - 1, len(analyses))
    values = np.full(shape, np.nan)
    if asked:
        for index, naive in enumerate(analyses):
            data = cut(observe(plan, pool, drawn, handling_of(plan, naive)), final)
            values[..., index] = summary_values(plan, data, drawn)
    return values


def summary_values(plan: Plan, data: Cut, drawn: Draw) -> Floats:
    """Return the estimand's summary, experimental against control, without strata; (R, K)."""
    values = []
    for arm in range(1, len(plan.arms)):
        include = data.included & ((drawn.arm == 0) | (drawn.arm == arm))
        sets = risk_sets(data.time, data.event, drawn.arm == arm, include=include)
        if plan.estimand.summary == "hazard_ratio":
            values.append(log_hazard_ratios([sets])[0])
        elif plan.estimand.summary == "rmst_difference":
            values.append(rmst_differences(sets, plan.analysis.horizon_days).value)
        else:
            values.append(milestone_differences(sets, plan.analysis.milestone_days).value)
    return np.stack(values, axis=-1)
