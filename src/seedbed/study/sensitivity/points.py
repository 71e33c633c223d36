"""Simulate design points: at each the same panel of virtual patients with the same luck, under its own parameters.

A patient and its twins (`seedbed.streams.TWIN`) share all luck, so what differs between points is the parameters
alone; within a point both arms hold the same patients, so the treatment effect is paired.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from seedbed import protocol, streams
from seedbed.errors import SimulationError
from seedbed.population import Population
from seedbed.population.parameter_sets import Change, ParameterSets
from seedbed.protocol import Protocol
from seedbed.study.select.pairs import OUTCOMES, outcomes
from seedbed.trial import endpoints, enrollment, events
from seedbed.trial.clinic import Clinic, read_contents
from seedbed.trial.manifest import Request, Shard
from seedbed.trial.shards import ShardResult
from seedbed.trial.simulation import Settings, Task, simulate_arms, visit_days

AMOUNTS = ("cart_cmax_per_ul", "il6_peak_pg_ml")
"""Measured amounts beside the outcomes; their decimal logarithm is averaged."""
MEASURED = (*OUTCOMES, *AMOUNTS)
RELATIVE_TOLERANCE = 1e-4
SMALLEST_AMOUNT = 0.01
FAILED_SHARE_ALLOWED = 0.05


@dataclass(frozen=True)
class Points:
    """Design points to be simulated; picklable.

    Attributes
    ----------
    changes : factor -> what it changes
    table : (K) rows of factor values
    panel : numbers of the patients at every point
    """

    trial: Protocol
    who: Population
    changes: dict[str, Change]
    table: pd.DataFrame
    panel: NDArray[np.int64]
    seed: int
    until_days: float
    horizon_days: float

    def work(self, request: Request, shard: Shard) -> ShardResult:
        """Simulate the points from the shard's first to its last; `request` names the run and is not needed."""
        del request
        began = time.monotonic()
        rows = self.simulate(np.arange(shard.first_subject, shard.last_subject + 1))
        count = {arm: len(self.panel) * (shard.last_subject - shard.first_subject + 1) for arm in self.trial.arms}
        table = pa.Table.from_pandas(rows, preserve_index=False)
        return ShardResult({"points": table}, count, dict.fromkeys(count, 0), round(time.monotonic() - began, 3))

    def simulate(self, points: NDArray[np.int64]) -> pd.DataFrame:
        """Return the mean of each outcome at each point and arm: ``point``, ``arm``, ``n`` and `MEASURED`."""
        numbers = (self.panel[None, :] + points[:, None] * streams.TWIN).reshape(-1)
        sets = ParameterSets(self.changes, self.table, self.seed, np.arange(len(self.table)), streams.TWIN)
        enrolled = enrollment.enroll_candidates(self.trial, self.who, numbers, self.seed, sets)
        tasks = [self._task(arm, enrolled) for arm in self.trial.arms.values()]
        names = tuple(dict.fromkeys(name for task in tasks for name in task.clinic.signals))
        settings = Settings(self.seed, self.until_days, RELATIVE_TOLERANCE, names)
        found = [pd.DataFrame()] * len(tasks)
        for position, course in simulate_arms(self.trial.model, tasks, settings):
            arm = list(self.trial.arms)[position]
            if course.failed.mean() > FAILED_SHARE_ALLOWED:
                raise SimulationError(f"{int(course.failed.sum())} patients of {arm} failed; narrow the factors")
            record = tasks[position].clinic.record().take(~course.failed)
            table = enrolled.arm_tables[arm][~course.failed].reset_index(drop=True)
            derived = endpoints.derive(events.derive(record, table), record, data_cut_days=self.until_days)
            found[position] = self._means(derived).assign(arm=arm)
        return pd.concat(found, ignore_index=True)

    def _task(self, arm: protocol.Arm, enrolled: enrollment.Enrollment) -> Task:
        table = enrolled.arm_tables[arm.id]
        days = visit_days(table, self.until_days)
        clinic = Clinic(
            arm=arm.id,
            arm_table=table,
            subjects=enrolled.subjects,
            seed=self.seed,
            disease=self.who.disease,
            response_criteria=self.who.response_criteria,
            contents=read_contents(care=arm.care),
            days=days,
        )
        doses = protocol.doses(arm, table, enrolled.subjects)
        return Task(enrollment.parameters(enrolled, arm.id), doses, clinic, days)

    def _means(self, derived: pd.DataFrame) -> pd.DataFrame:
        values = outcomes(derived, self.horizon_days)
        for name in AMOUNTS:
            amount = derived[name].fillna(SMALLEST_AMOUNT).clip(lower=SMALLEST_AMOUNT)
            values[name] = np.log10(amount.to_numpy(dtype=float))
        values["point"] = values.pop("subject").to_numpy(dtype=np.int64) // streams.TWIN
        grouped = values.groupby("point")
        return grouped[list(MEASURED)].mean().assign(n=grouped.size()).reset_index()


def panel_of(trial: Protocol, who: Population, n: int, seed: int) -> NDArray[np.int64]:
    """Return the numbers of the first `n` eligible candidates."""
    enrolled = enrollment.enroll(trial, who, n, seed)
    return enrolled.subjects["subject"].to_numpy(dtype=np.int64)
