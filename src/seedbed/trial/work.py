"""The work of one shard: a block of subjects in every arm, from enrollment to the rows of the run's tables."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import protocol
from seedbed.population import PREFIX, Population
from seedbed.protocol import Arm, Protocol
from seedbed.tables import to_arrow
from seedbed.trial import endpoints, enrollment, events
from seedbed.trial.clinic import Clinic, ClinicalRecord, read_contents
from seedbed.trial.enrollment import Enrollment
from seedbed.trial.manifest import Request, Shard
from seedbed.trial.request import embedded_content, sets_of, trial_of
from seedbed.trial.shards import ShardResult
from seedbed.trial.simulation import Course, Settings, Task, simulate_arms, visit_days

PILOT = 256
#: Courses kept for the report beside what the clinic reads.
SHOWN = (
    "IL15_plasma",
    "IL7_plasma",
    "IL6_plasma",
    "interferon_gamma_plasma",
    "t_regulatory",
    "suppressive_myeloid",
    "cart_memory_share",
    "serum_marker",
)


def enrolled_blocks(request: Request) -> list[tuple[int, int]]:
    """Return the ranges of screened candidates that make up the shards."""
    with embedded_content(request):
        trial, who = trial_of(request)
        return enrollment.blocks(trial, who, request.subjects, request.seed, size=request.shard_size)


def work_shard(request: Request, shard: Shard) -> ShardResult:
    """Enroll, simulate and grade the subjects of a shard in every arm; a pure function of its arguments."""
    with embedded_content(request):
        return _work_shard(request, shard)


def _work_shard(request: Request, shard: Shard) -> ShardResult:
    began = time.monotonic()
    trial, who = trial_of(request)
    first, last = shard.first_subject, shard.last_subject
    enrolled = enrollment.enroll_between(trial, who, first, last, request.seed, sets_of(request))
    kept = max(0, min(len(enrolled.subjects), request.trajectories - shard.index * request.shard_size))
    parts = _work_arms(request, trial, who, enrolled, kept)
    tables = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}
    tables |= {"subjects": enrolled.subjects, "flow": enrolled.flow}
    if request.endpoints_only:
        tables = _lean(tables)
    failed = tables["failures"].groupby("arm").size()
    n_failed = {name: int(failed.get(name, 0)) for name in trial.arms}
    return ShardResult(
        tables={name: to_arrow(name, table) for name, table in tables.items()},
        done={name: len(enrolled.subjects) - n_failed[name] for name in trial.arms},
        failed=n_failed,
        seconds=round(time.monotonic() - began, 3),
    )


@lru_cache(maxsize=4)
def visit_grids(request: Request) -> dict[str, NDArray[np.float64]]:
    """Return the visits of each arm [day from enrollment], the same for every shard and any number of subjects.

    Their bounds come from the treatment days of the first `PILOT` enrolled, whoever is in the shard.
    """
    trial, who = trial_of(request)
    pilot = enrollment.schedules(trial, who, PILOT, request.seed)
    return {name: visit_days(table, request.until_days) for name, table in pilot.items()}


def _lean(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Drop what a very large run does not keep: events, courses, and the parameters drawn for each subject."""
    subjects = tables["subjects"]
    drawn = [name for name in subjects if name.startswith(PREFIX)]
    lean = {name: table for name, table in tables.items() if name not in ("events", "trajectories")}
    return lean | {"subjects": subjects.drop(columns=drawn)}


def _work_arms(
    request: Request, trial: Protocol, who: Population, enrolled: Enrollment, kept: int
) -> list[dict[str, pd.DataFrame]]:
    """Return the tables of every arm, in the protocol's order."""
    grids = visit_grids(request)
    tasks = [_task(request, who, arm, enrolled, grids[arm.id]) for arm in trial.arms.values()]
    names = tuple(dict.fromkeys([*(name for task in tasks for name in task.clinic.signals), *SHOWN]))
    settings = Settings(request.seed, request.until_days, request.relative_tolerance, names, kept)
    arms, parts = list(trial.arms.values()), {}
    for position, course in simulate_arms(trial.model, tasks, settings):
        record = tasks[position].clinic.record()
        parts[position] = _tables(arms[position], enrolled, course, record, request.until_days)
    return [parts[position] for position in range(len(arms))]


def _task(request: Request, who: Population, arm: Arm, enrolled: Enrollment, days: NDArray[np.float64]) -> Task:
    table = enrolled.arm_tables[arm.id]
    clinic = Clinic(
        arm=arm.id,
        arm_table=table,
        subjects=enrolled.subjects,
        seed=request.seed,
        disease=who.disease,
        response_criteria=who.response_criteria,
        contents=read_contents(care=arm.care),
        days=days,
    )
    doses = protocol.doses(arm, table, enrolled.subjects)
    return Task(enrollment.parameters(enrolled, arm.id), doses, clinic, days)


def _tables(
    arm: Arm, enrolled: Enrollment, course: Course, record: ClinicalRecord, until_days: float
) -> dict[str, pd.DataFrame]:
    sound = ~course.failed
    record = record.take(sound)
    table = enrolled.arm_tables[arm.id][sound].reset_index(drop=True)
    happened = events.derive(record, table)
    derived = endpoints.derive(happened, record, data_cut_days=until_days)
    return {
        "events": happened,
        "endpoints": derived,
        "failures": _failures(arm, enrolled, course),
        "trajectories": _trajectories(arm, enrolled, course),
    }


def _failures(arm: Arm, enrolled: Enrollment, course: Course) -> pd.DataFrame:
    failed = course.failed
    status = course.status[failed]
    return pd.DataFrame(
        {
            "subject": enrolled.subjects["subject"].to_numpy()[failed],
            "arm": arm.id,
            "reason": status["reason"].astype(str).to_numpy(),
            "day": status["time"].to_numpy(dtype=float),
            "steps": status["steps"].to_numpy(dtype=np.int64),
        }
    )


def _trajectories(arm: Arm, enrolled: Enrollment, course: Course) -> pd.DataFrame:
    n_kept, n_days = next(iter(course.kept.values())).shape
    subjects = enrolled.subjects["subject"].to_numpy()[:n_kept]
    return pd.DataFrame(
        {
            "subject": np.repeat(subjects, n_days),
            "arm": arm.id,
            "day": np.tile(course.days, n_kept),
            **{name: values.reshape(-1) for name, values in course.kept.items()},
        }
    )


__all__ = ["enrolled_blocks", "work_shard"]
