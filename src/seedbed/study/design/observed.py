"""A finished run seen through another estimand, visit schedule or follow-up: nothing is simulated again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from seedbed.study.design import plan as plans
from seedbed.study.design.estimand import Handling, cut, observe, whole_pool
from seedbed.study.design.plan import Plan
from seedbed.study.design.pool import PoolData, read_runs
from seedbed.study.design.replicate import handling_of

PLANNED = "planned"


def observed(name_or_path: str | Path, runs: Sequence[str | Path]) -> pd.DataFrame:
    """Return the endpoint of every subject in every arm of finished runs, as a plan's trial would record it.

    Parameters
    ----------
    name_or_path : plan of a trial, of the library or a YAML file: its endpoint, intercurrent events, assessments and
        follow-up count; each of its naive analyses is derived beside the planned one
    runs : folders that `seedbed run` wrote, with the plan's arms

    Returns
    -------
    DataFrame
        A row per analysis, arm and subject in it: ``time`` [day of the analysis' clock], ``event``,
        ``competing_event``. Every visit is attended and nobody drops out: chance of a trial is `design`'s.

    Raises
    ------
    ContentError
        The plan is wrong.
    RunError
        A folder is no finished run, is followed for less than the plan, or lacks an arm.
    """
    plan = plans.read(name_or_path)
    return observed_in(plan, read_runs(plan, [Path(run) for run in runs]))


def observed_in(plan: Plan, pool: PoolData) -> pd.DataFrame:
    """Return the rows of `observed` for a pool that was read."""
    naive = {item.id: handling_of(plan, item) for item in plan.estimand.naive}
    parts = [_rows(plan, pool, name, handling) for name, handling in {PLANNED: Handling.of_plan(plan), **naive}.items()]
    return pd.concat(parts, ignore_index=True)


def _rows(plan: Plan, pool: PoolData, name: str, handling: Handling) -> pd.DataFrame:
    drawn = whole_pool(pool)
    data = cut(observe(plan, pool, drawn, handling))
    table = pd.DataFrame(
        {
            "analysis": name,
            "arm": np.array(pool.arms)[drawn.arm[0]],
            "subject": pool.subjects[drawn.subject[0]],
            "time": data.time[0],
            "event": data.event[0],
            "competing_event": data.competing[0],
        }
    )
    return table[data.included[0]]
