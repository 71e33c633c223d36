"""The virtual population that a patient is compared with: one arm run once, its courses kept on the needed days."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.errors import RunError
from seedbed.study.arms_of_protocol import Report, read_arms, run_folder, silent
from seedbed.study.forecast.patient import Clock
from seedbed.study.forecast.plan import M_PROTEIN, Plan
from seedbed.tables import to_arrow
from seedbed.trial import manifest as manifests
from seedbed.trial.execution import Where
from seedbed.trial.manifest import Request, Shard
from seedbed.trial.measurement import draw_frailty, read_map
from seedbed.trial.request import Options, request_of, trial_of
from seedbed.trial.shards import ShardResult
from seedbed.trial.work import work_shard

Floats = NDArray[np.float64]
CLOCKS: dict[Clock, str] = {"cart": "cart_day", "stem_cells": "stem_cell_day"}


@dataclass(frozen=True)
class VirtualPopulation:
    """Virtual patients of one arm who reached day 0 of a clock.

    Attributes
    ----------
    subjects : one row a virtual patient: covariates, ``parameter_set`` if there is one
    endpoints : the same patients in the same order, as in ``endpoints.parquet``
    origin : (n,) day 0 of the clock [day from enrollment]
    days : (D,) whole days on the clock
    courses : quantity -> (n, D) what an assay without noise would show, in the unit of the plan; NaN after the end
    ensemble : calibrated ensemble that the run used, None before calibration
    ensemble_fits_model : whether it was fitted to this version of the model
    """

    subjects: pd.DataFrame
    endpoints: pd.DataFrame
    origin: Floats
    days: Floats
    courses: dict[str, Floats]
    ensemble: str | None = None
    ensemble_fits_model: bool = True

    @property
    def n(self) -> int:
        """Return the number of virtual patients."""
        return len(self.subjects)

    @property
    def sets(self) -> NDArray[np.int64]:
        """Return the parameter set that each virtual patient takes, all 0 without an ensemble."""
        if "parameter_set" not in self.subjects:
            return np.zeros(self.n, dtype=np.int64)
        return self.subjects["parameter_set"].to_numpy(dtype=np.int64)

    def since_origin(self, column: str) -> Floats:
        """Return a day of the endpoints counted from day 0 of the clock, inf where it never came."""
        day = self.endpoints[column].to_numpy(dtype=float) - self.origin
        return np.where(np.isnan(day), np.inf, day)

    def at(self, quantity: str, days: Floats) -> Floats:
        """Return the values of a quantity on some days of the clock, (n, len(days)), log-linear between days."""
        course = self.courses[quantity]
        left = np.clip(np.floor(days - self.days[0]).astype(int), 0, len(self.days) - 2)
        share = np.clip(days - self.days[left], 0.0, 1.0)
        low, high = (np.log(np.maximum(course[:, place], 1e-12)) for place in (left, left + 1))
        return np.exp(np.where(share == 0, low, low + share * (high - low)))


def build(
    folder: Path,
    plan: Plan,
    protocol: str,
    arm: str,
    *,
    workers: int = 2,
    where: Where = "threads",
    progress: Report = silent,
) -> Path:
    """Run the arm into a folder, or finish or reuse what stands there; returns the folder."""
    trial, who = read_arms(protocol, [arm])
    options = Options(
        subjects=plan.subjects, seed=plan.seed, until_days=plan.follow_up_days, trajectories=plan.subjects
    )
    request = request_of(trial, who, options)
    made = folder / f"{trial.id}-{arm}-{request.fingerprint[:8]}"
    work = partial(_work, signals=plan.signals, first=plan.course_days.first, last=plan.course_days.last)
    if not _is_finished(made, request):
        run_folder(made, request, workers=workers, where=where, progress=progress, work=work)
    return made


def _is_finished(folder: Path, request: Request) -> bool:
    if not (folder / manifests.FILE_NAME).exists():
        return False
    held = manifests.read(folder)
    return held.fingerprint == request.fingerprint and held.finished is not None


def _work(request: Request, shard: Shard, *, signals: tuple[str, ...], first: int, last: int) -> ShardResult:
    """Work a shard, and keep of the courses only the needed observables and days."""
    result = work_shard(request, shard)
    courses = result.tables["trajectories"].to_pandas()
    endpoints = result.tables["endpoints"].to_pandas().set_index("subject")
    clocks = endpoints[list(CLOCKS.values())].reindex(courses["subject"])
    since = courses["day"].to_numpy(dtype=float)[:, None] - clocks.to_numpy(dtype=float)
    needed = ((since >= first - 7) & (since <= last + 7)).any(axis=1)
    kept = courses.loc[needed, ["subject", "arm", "day", *signals]]
    return ShardResult(
        result.tables | {"trajectories": to_arrow("trajectories", kept)}, result.done, result.failed, result.seconds
    )


def read(folder: Path, plan: Plan, clock: Clock) -> VirtualPopulation:
    """Return the virtual patients of a finished folder who reached day 0 of a clock.

    Raises
    ------
    RunError
        Nobody reached it: the arm gives no such cells.
    """
    held = manifests.read(folder)
    endpoints = pd.read_parquet(folder / "endpoints.parquet")
    origin = endpoints[CLOCKS[clock]].to_numpy(dtype=float)
    reached = np.isfinite(origin) & (endpoints["os_days"].to_numpy(dtype=float) >= origin)
    if not reached.any():
        arm = endpoints["arm"].iloc[0]
        raise RunError(f'no patient of arm "{arm}" is on the clock "{clock}"; take the other clock')
    endpoints, origin = endpoints[reached].reset_index(drop=True), origin[reached]
    subjects = pd.read_parquet(folder / "subjects.parquet").set_index("subject")
    subjects = subjects.loc[endpoints["subject"]].reset_index()
    days = np.arange(plan.course_days.first, plan.course_days.last + 1, dtype=float)
    signals = _on_clock(pd.read_parquet(folder / "trajectories.parquet"), endpoints["subject"], origin, days)
    shown = {name: quantity.per_signal * signals[quantity.signal] for name, quantity in plan.quantities.items()}
    shown |= _secreted(plan, held.request, subjects, shown)
    used = held.request
    return VirtualPopulation(subjects, endpoints, origin, days, shown, used.ensemble, used.ensemble_fits_model)


def _on_clock(courses: pd.DataFrame, subjects: pd.Series, origin: Floats, days: Floats) -> dict[str, Floats]:
    """Return observable -> (n, D) on the days of the clock, log-linear between visits, NaN outside of them."""
    names = [name for name in courses if name not in ("subject", "arm", "day")]
    grouped = courses.groupby("subject", sort=False).indices
    values = courses[names].to_numpy(dtype=float)
    visit = courses["day"].to_numpy(dtype=float)
    found = np.full((len(names), len(subjects), len(days)), np.nan)
    for row, (subject, start) in enumerate(zip(subjects, origin, strict=True)):
        rows = grouped[subject]
        for column in range(len(names)):
            logs = np.log(np.maximum(values[rows, column], 1e-12))
            found[column, row] = np.interp(days, visit[rows] - start, logs, left=np.nan, right=np.nan)
    return dict(zip(names, np.exp(found), strict=True))


def _secreted(plan: Plan, request: Request, subjects: pd.DataFrame, shown: dict[str, Floats]) -> dict[str, Floats]:
    """Return the M-protein [g/dL] of each virtual patient from the marker relative to enrollment."""
    names = [name for name, quantity in plan.quantities.items() if quantity.signal == M_PROTEIN]
    _, who = trial_of(request)
    frailty = draw_frailty(read_map(), request.seed, subjects["subject"].to_numpy())
    burden = sum(
        subjects[f"parameter:{name}"].to_numpy(dtype=float)
        for name in ("tumor_burden_systemic", "tumor_burden_cns")
        if f"parameter:{name}" in subjects
    )
    secretes = (who.response_criteria == "imwg2016") & ~frailty.light_chain_only
    per_unit = np.where(secretes, frailty.m_protein_per_tumor * burden, 0.0)
    return {name: shown[name] * per_unit[:, None] for name in names}
