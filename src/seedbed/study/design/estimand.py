"""From the uncensored courses of a pool to what a trial would record: visits, drop-out, intercurrent events, data cut.

`observe` applies what does not depend on the calendar and gives a `Record`; `cut` looks at it on a calendar day.
The same functions on the whole pool, without drop-out and with every visit, give the true value of an estimand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedbed.study.design.conduct import Draw
from seedbed.study.design.plan import INTERCURRENT_EVENTS, Plan
from seedbed.study.design.pool import Courses, PoolData

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Handling:
    """How intercurrent events, population and clock are handled in one analysis."""

    strategies: Mapping[str, str]
    population: str = "randomized"
    clock: str = "randomization"
    omniscient: bool = False
    """The simulator's view: principal strata are known from all arms, and whoever has no event is known to be free
    of it to the end of follow-up, not only to the last assessment."""

    @classmethod
    def of_plan(cls, plan: Plan) -> Handling:
        """Return the handling that the plan's target estimand asks for."""
        return cls(dict(plan.estimand.intercurrent_events))

    def truth(self) -> Handling:
        """Return the same handling as the simulator can do it, knowing all arms and days."""
        return replace(self, omniscient=True)


@dataclass(frozen=True)
class Record:
    """What would be recorded of each subject without a data cut; days from the clock's zero, (R, n)."""

    event_day: Floats
    """Day of the endpoint's event; inf when there is none."""
    other_cause: Booleans
    """Whether that event is a death without progression."""
    competing_day: Floats
    """Day of an event after which the endpoint no longer counts; inf without."""
    last_day: Floats
    """Day of last contact: drop-out, censoring event, or the end of follow-up."""
    start: Floats
    """Calendar day of the clock's zero."""
    included: Booleans
    delay: Floats
    """Days from randomization to the clock's zero."""
    visits: Floats | None
    """Assessment days for endpoints that are censored at the last assessment."""
    missed: NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """A data cut: (R, n) times, events, competing events and who is in the analysis."""

    time: Floats
    event: Booleans
    competing: Booleans
    other_cause: Booleans
    included: Booleans


def visit_days(plan: Plan) -> Floats:
    """Return the scheduled assessment days to the end of follow-up, and one beyond."""
    days = list(plan.assessments.days)
    while days[-1] < plan.final.follow_up_days + plan.assessments.then_every_days:
        days.append(days[-1] + plan.assessments.then_every_days)
    return np.array(days)


def observe(plan: Plan, pool: PoolData, drawn: Draw, handling: Handling) -> Record:
    """Return what a trial would record of drawn subjects under one handling of intercurrent events.

    Parameters
    ----------
    pool : courses of the world the trial takes place in
    drawn : (R, n) subjects, arms, drop-out, missed visits
    handling : strategies, population and clock

    Returns
    -------
    Record
    """
    course = _Gathered(pool.courses, drawn)
    seen = _Seen(plan, course, drawn)
    event_day, other_cause = seen.endpoint(plan, course)
    censored = np.minimum(drawn.drop_out, plan.final.follow_up_days)
    censored = np.minimum(censored, seen.lost)
    competing = np.full(censored.shape, np.inf)
    included = np.ones(censored.shape, dtype=bool)
    for name in INTERCURRENT_EVENTS:
        day = seen.intercurrent[name]
        strategy = handling.strategies.get(name, "treatment_policy")
        if strategy == "composite":
            sooner = day < event_day
            event_day, other_cause = np.where(sooner, day, event_day), other_cause & ~sooner
        elif strategy in ("hypothetical", "while_on_treatment"):
            censored = np.minimum(censored, np.where(day < event_day, day, np.inf))
            if strategy == "while_on_treatment":
                competing = np.minimum(competing, np.where(day < event_day, day, np.inf))
        elif strategy == "principal_stratum":
            included &= ~_in_any_arm(pool.courses, name, drawn, known=handling.omniscient)
    return _on_clock(plan, course, drawn, handling, (event_day, other_cause, competing, censored, included))


class _Gathered:
    """The courses of the drawn subjects in the arms they got."""

    def __init__(self, courses: Courses, drawn: Draw) -> None:
        self.index = drawn.arm * courses.death.shape[1] + drawn.subject
        self.courses = courses

    def __getitem__(self, name: str) -> Floats:
        return getattr(self.courses, name).reshape(-1)[self.index]


class _Seen:
    """Progression as the trial's visits show it, and what follows from it."""

    def __init__(self, plan: Plan, course: _Gathered, drawn: Draw) -> None:
        self.visits = visit_days(plan)
        padded = np.concatenate((self.visits, [np.inf]))
        progression = course["progression"]
        next_visit = np.searchsorted(self.visits, progression)
        late, before_death = drawn.missed[0], drawn.missed[1]
        at = np.minimum(next_visit + late, self.visits.size)
        self.death = course["death"]
        self.detected = np.where(padded[at] <= self.death, padded[at], np.inf)
        censors = plan.assessments.after_two_missed == "censor" and plan.estimand.endpoint != "os"
        too_late = censors & (late >= 2) & np.isfinite(self.detected)
        lost_death = censors & (before_death >= 2) & ~np.isfinite(self.detected)
        previous = self._visit(next_visit - 1)
        before = self._visit(np.searchsorted(self.visits, self.death) - 1 - before_death)
        lost = np.where(too_late, previous, np.where(lost_death & (self.death <= self.visits[-1]), before, np.inf))
        self.lost = lost
        self.intercurrent = self._intercurrent(course, progression)

    def _visit(self, index: NDArray[np.int64]) -> Floats:
        return np.where(index >= 0, self.visits[np.maximum(index, 0)], 0.0)

    def _intercurrent(self, course: _Gathered, progression: Floats) -> dict[str, Floats]:
        """Return the day of each intercurrent event; treatment after progression follows the trial's own detection."""
        seen = course["seen"]
        days = {name: course[name] for name in ("cart_not_infused", "transplant_not_done")}
        moved = np.where(np.isfinite(progression), self.detected, np.inf)
        for name in ("next_therapy", "allograft"):
            day = course[name]
            follows = np.isfinite(seen) & (day >= seen) & np.isfinite(day)
            with np.errstate(invalid="ignore"):
                days[name] = np.where(follows, moved + np.where(follows, day - np.where(follows, seen, 0.0), 0.0), day)
        return days

    def endpoint(self, plan: Plan, course: _Gathered) -> tuple[Floats, Booleans]:
        """Return the day of the endpoint's event and whether it is a death without progression."""
        if plan.estimand.endpoint == "os":
            return self.death, np.zeros(self.death.shape, dtype=bool)
        day = np.minimum(self.detected, self.death)
        other_cause = np.isfinite(self.death) & (self.death < self.detected)
        if plan.estimand.endpoint == "efs":
            earlier = np.minimum(self.intercurrent["next_therapy"], course["no_response"])
            other_cause &= self.death <= earlier
            day = np.minimum(day, earlier)
        return day, other_cause


def _in_any_arm(courses: Courses, name: str, drawn: Draw, *, known: bool) -> Booleans:
    happened = np.isfinite(getattr(courses, name))
    if known:
        return happened.any(axis=0)[drawn.subject]
    return happened.reshape(-1)[drawn.arm * happened.shape[1] + drawn.subject]


def _on_clock(
    plan: Plan,
    course: _Gathered,
    drawn: Draw,
    handling: Handling,
    parts: tuple[Floats, Booleans, Floats, Floats, Booleans],
) -> Record:
    """Return the record on its clock: from randomization, or from treatment among those who reached it."""
    event_day, other_cause, competing, censored, included = parts
    treated = course["treated"]
    if handling.population == "treated" or handling.clock == "treatment":
        included = included & np.isfinite(treated) & (treated <= event_day) & (treated <= censored)
    delay = np.where(included, treated, 0.0) if handling.clock == "treatment" else np.zeros(event_day.shape)
    by_visit = plan.estimand.endpoint != "os" and not handling.omniscient
    return Record(
        event_day,
        other_cause,
        competing,
        censored,
        drawn.entry,
        included,
        delay,
        visit_days(plan) if by_visit else None,
        drawn.missed[2],
    )


def cut(record: Record, calendar_day: Floats | None = None) -> Cut:
    """Return the data at a calendar day per replicate, (R,); None means after all follow-up.

    An event counts when it is recorded by then; all others are censored at the last assessment (overall survival:
    at the last contact).
    """
    last = record.last_day
    included = record.included
    if calendar_day is not None:
        followed = calendar_day[:, None] - record.start
        included = included & (followed > record.delay)
        last = np.minimum(last, np.maximum(followed, 0.0))
    event = record.event_day <= last
    competing = ~event & (record.competing_day <= last) & np.isfinite(record.competing_day)
    censored = last if record.visits is None else _last_visit(record.visits, last, record.missed)
    time = np.where(event, record.event_day, np.where(competing, np.minimum(record.competing_day, last), censored))
    time = np.maximum(time - record.delay, 0.0)
    return Cut(time, event & included, competing & included, record.other_cause, included)


def _last_visit(visits: Floats, day: Floats, missed: NDArray[np.int64]) -> Floats:
    index = np.searchsorted(visits, day, side="right") - 1 - missed
    return np.where(index >= 0, visits[np.maximum(index, 0)], 0.0)


def recorded_event_days(record: Record) -> Floats:
    """Return the calendar day on which each event becomes known, inf for subjects without one."""
    observed = record.included & (record.event_day <= record.last_day)
    return np.where(observed, record.start + record.event_day, np.inf)


def whole_pool(pool: PoolData) -> Draw:
    """Return every subject of the pool once in every arm, without drop-out and without missed visits; (1, A N)."""
    n_arms, n = pool.courses.death.shape
    shape = (1, n_arms * n)
    return Draw(
        np.tile(np.arange(n), n_arms).reshape(shape),
        np.repeat(np.arange(n_arms), n).reshape(shape),
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape),
        np.full(shape, np.inf),
        np.zeros((3, *shape), dtype=np.int64),
    )
