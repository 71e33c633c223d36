"""The pool of simulated subjects that trial replicates are drawn from: uncensored events, arm by arm.

Every subject of the pool was simulated in every arm, so a replicate draws a subject, randomizes it, and takes its
course from the arm it got. Under the null world every arm takes the control arm's course.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.errors import RunError, nearest
from seedbed.study.design.plan import CoPrimary, Plan

if TYPE_CHECKING:
    from seedbed.trial.manifest import Request

Floats = NDArray[np.float64]
NEVER = np.inf
EVENTS = (
    "progression",
    "true_progression",
    "death",
    "next_therapy",
    "allograft",
    "cart_not_infused",
    "transplant_not_done",
    "cart_infusion",
    "stem_cell_infusion",
)


@dataclass(frozen=True)
class Courses:
    """The day of each event [day from enrollment, inf when never] of N subjects in A arms; (A, N) each."""

    progression: Floats
    """When the disease has progressed, whether or not a visit has shown it yet."""
    seen: Floats
    """When the pool's own visits showed it; treatment after progression counts from there."""
    death: Floats
    next_therapy: Floats
    allograft: Floats
    cart_not_infused: Floats
    transplant_not_done: Floats
    treated: Floats
    """Day of the CAR-T cells, else of the stem cells; inf when neither was given."""
    no_response: Floats
    """Day on which the lack of a response counts as failure; inf when there is one or it does not count."""
    rates: Floats
    """(A, N, number of co-primary rates): 1 yes, 0 no, NaN not assessed."""

    def of_arms(self, arms: Sequence[int]) -> Courses:
        """Return the courses with other arms in the places of these, such as (0, 0) for the null world."""
        return Courses(**{field.name: getattr(self, field.name)[list(arms)] for field in fields(self)})


@dataclass(frozen=True)
class PoolData:
    """A pool: N subjects, A arms in the plan's order, control first."""

    arms: tuple[str, ...]
    subjects: NDArray[np.int64]
    courses: Courses
    covariates: pd.DataFrame
    parameter_set: NDArray[np.int64] | None
    follow_up_days: float
    ensemble: str | None = None
    ensemble_fits_model: bool = True

    @property
    def n(self) -> int:
        """Number of subjects in each arm."""
        return int(self.courses.death.shape[1])

    def null(self) -> PoolData:
        """Return the world in which every arm has the control arm's courses."""
        return self.with_courses(self.courses.of_arms([0] * len(self.arms)))

    def with_courses(self, courses: Courses) -> PoolData:
        """Return the same subjects with other courses."""
        return replace(self, courses=courses)

    def take(self, rows: NDArray[np.int64]) -> PoolData:
        """Return some of the subjects."""
        taken = {field.name: getattr(self.courses, field.name)[:, rows] for field in fields(Courses)}
        sets = None if self.parameter_set is None else self.parameter_set[rows]
        covariates = self.covariates.iloc[rows].reset_index(drop=True)
        return replace(
            self, subjects=self.subjects[rows], courses=Courses(**taken), covariates=covariates, parameter_set=sets
        )

    def parameter_sets(self, *, at_least: int) -> list[NDArray[np.int64]]:
        """Return the rows of each parameter set that has enough subjects; empty before calibration."""
        if self.parameter_set is None or np.unique(self.parameter_set).size < 2:
            return []
        rows = [np.flatnonzero(self.parameter_set == one) for one in np.unique(self.parameter_set)]
        return [one for one in rows if one.size >= at_least]


def from_tables(
    plan: Plan, events: pd.DataFrame, endpoints: pd.DataFrame, subjects: pd.DataFrame, *, follow_up_days: float
) -> PoolData:
    """Return the pool of the tables of one or more runs.

    Parameters
    ----------
    plan : names the arms, the rates and the covariates that are needed
    events : columns subject, arm, event, day, detail; uncensored to `follow_up_days`
    endpoints : columns subject, arm and those of the co-primary rates
    subjects : column subject, the covariates of the stratification, and ``parameter_set`` if there is one
    follow_up_days : end of the simulated time

    Raises
    ------
    RunError
        An arm, column or covariate is missing; follow-up is shorter than the plan's; or too few subjects.
    """
    if follow_up_days < plan.final.follow_up_days:
        raise RunError(
            f"the pool is simulated for {follow_up_days:g} days, but subjects are followed "
            f"{plan.final.follow_up_days:g}; run it longer or follow shorter"
        )
    arms = (plan.control, *plan.experimental)
    _arms_exist(endpoints, [arm.pool_arm for arm in arms])
    if plan.pool.selected_only:
        endpoints = _selected(endpoints, [arm.pool_arm for arm in arms])
    kept = _shared_subjects(endpoints, [arm.pool_arm for arm in arms])
    parts = [_arm_courses(plan, arm.pool_arm, events, endpoints, kept) for arm in arms]
    stacked = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    table = subjects.drop_duplicates("subject").set_index("subject").reindex(kept)
    return PoolData(
        tuple(arm.id for arm in arms),
        kept,
        Courses(**stacked),
        _covariates(plan, table),
        table["parameter_set"].to_numpy(dtype=np.int64) if _has_sets(table) else None,
        follow_up_days,
    )


def _has_sets(table: pd.DataFrame) -> bool:
    return "parameter_set" in table and bool(pd.to_numeric(table["parameter_set"], errors="coerce").notna().all())


def _arms_exist(endpoints: pd.DataFrame, wanted: Sequence[str]) -> None:
    known = [str(arm) for arm in endpoints["arm"].unique()]
    for arm in wanted:
        if arm not in known:
            near = nearest(arm, known)
            hint = f'; did you mean "{near}"?' if near else ""
            raise RunError(f'the pool has no arm "{arm}", only {", ".join(known)}{hint}')


def _shared_subjects(endpoints: pd.DataFrame, arms: Sequence[str]) -> NDArray[np.int64]:
    """Return the subjects that every arm has, in order."""
    by_arm = [set(endpoints.loc[endpoints["arm"] == arm, "subject"]) for arm in arms]
    shared = np.array(sorted(set.intersection(*by_arm)), dtype=np.int64)
    if shared.size < 50:
        raise RunError(f"{shared.size} subjects stand in every arm of the pool; it needs the same patients in all arms")
    return shared


def _selected(endpoints: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """Return the subjects whom the selection of every arm would take."""
    _column_exists("selected", endpoints)
    mine = endpoints[endpoints["arm"].isin(list(arms))]
    refused = mine.loc[~mine["selected"].astype(bool), "subject"]
    return endpoints[~endpoints["subject"].isin(refused)]


def _covariates(plan: Plan, table: pd.DataFrame) -> pd.DataFrame:
    names = [factor.covariate for factor in plan.stratification.factors]
    for name in names:
        if name not in table:
            near = nearest(name, [str(column) for column in table.columns])
            hint = f'; did you mean "{near}"?' if near else ""
            raise RunError(f'the pool has no covariate "{name}" to stratify by{hint}')
    return table[names].reset_index(drop=True)


def _arm_courses(
    plan: Plan, arm: str, events: pd.DataFrame, endpoints: pd.DataFrame, subjects: NDArray[np.int64]
) -> dict[str, Floats]:
    mine = events[(events["arm"] == arm) & events["event"].isin(EVENTS)]
    days = {name: _first_days(mine[mine["event"] == name], subjects) for name in EVENTS}
    table = endpoints[endpoints["arm"] == arm].set_index("subject").reindex(subjects)
    seen = days["progression"]
    latent = np.minimum(days["true_progression"], seen) if plan.progression == "true_progression" else seen
    cart, stem_cells = days["cart_infusion"], days["stem_cell_infusion"]
    return {
        "progression": latent,
        "seen": seen,
        "death": days["death"],
        "next_therapy": days["next_therapy"],
        "allograft": days["allograft"],
        "cart_not_infused": days["cart_not_infused"],
        "transplant_not_done": days["transplant_not_done"],
        "treated": np.where(np.isfinite(cart), cart, stem_cells),
        "no_response": _no_response(plan, table),
        "rates": np.stack([rate_values(rate, table) for rate in plan.co_primary], axis=-1)
        if plan.co_primary
        else np.zeros((subjects.size, 0)),
    }


def _first_days(rows: pd.DataFrame, subjects: NDArray[np.int64]) -> Floats:
    first = rows.groupby("subject")["day"].min().reindex(subjects)
    return np.maximum(first.fillna(NEVER).to_numpy(dtype=float), 0.0)


def _no_response(plan: Plan, table: pd.DataFrame) -> Floats:
    """Return the day on which a lack of response is an event of event-free survival, inf where it is not."""
    rule = plan.estimand.no_response_by
    if plan.estimand.endpoint != "efs" or rule is None:
        return np.full(len(table), NEVER)
    _column_exists(rule.column, table)
    return np.where(table[rule.column].isin(rule.responses), NEVER, rule.day)


def _column_exists(name: str, table: pd.DataFrame) -> None:
    if name not in table:
        near = nearest(name, [str(column) for column in table.columns])
        hint = f'; did you mean "{near}"?' if near else ""
        raise RunError(f'the endpoints of the pool have no column "{name}"{hint}')


def rate_values(rate: CoPrimary, table: pd.DataFrame) -> Floats:
    """Return 1, 0 or NaN for each subject of a table of endpoints.

    Raises
    ------
    RunError
        The column is missing.
    """
    _column_exists(rate.column, table)
    column = table[rate.column]
    if rate.counts:
        value = column.isin(rate.counts)
    elif rate.at_least is not None:
        value = pd.to_numeric(column, errors="coerce") >= rate.at_least
    else:
        value = column.isin([True])
    failure = 0.0 if rate.wanted == "more" else 1.0
    unassessed = failure if rate.missing == "failure" else np.nan
    return np.where(column.isna(), unassessed, value.astype(float))


def read_runs(plan: Plan, folders: Sequence[Path]) -> PoolData:
    """Return the pool of run folders.

    Raises
    ------
    RunError
        A folder is no finished run, or see `from_tables`.
    """
    tables: Mapping[str, list[pd.DataFrame]] = {"events": [], "endpoints": [], "subjects": []}
    requests = []
    for folder in folders:
        for name, parts in tables.items():
            parts.append(_read_table(folder, name, plan))
        requests.append(_request(folder))
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    horizon = float(min(request.until_days for request in requests))
    pool = from_tables(plan, joined["events"], joined["endpoints"], joined["subjects"], follow_up_days=horizon)
    used = sorted({request.ensemble for request in requests if request.ensemble})
    fits = all(request.ensemble_fits_model for request in requests)
    return replace(pool, ensemble=", ".join(used) or None, ensemble_fits_model=fits)


def _request(folder: Path) -> Request:
    from seedbed.trial import manifest

    return manifest.read(folder).request


def _read_table(folder: Path, name: str, plan: Plan) -> pd.DataFrame:
    path = folder / f"{name}.parquet"
    if not path.exists():
        raise RunError(f"{folder} is no finished run: {path.name} is missing")
    if name == "events":
        columns = ["subject", "arm", "event", "day"]
        return pd.read_parquet(path, columns=columns, filters=[("event", "in", list(EVENTS))])
    if name == "endpoints":
        wanted = {rate.column for rate in plan.co_primary}
        if plan.estimand.no_response_by:
            wanted.add(plan.estimand.no_response_by.column)
        return _read_columns(path, ["subject", "arm", "selected", *sorted(wanted)])
    return _read_columns(path, ["subject", "parameter_set", *(f.covariate for f in plan.stratification.factors)])


def _read_columns(path: Path, wanted: Sequence[str]) -> pd.DataFrame:
    import pyarrow.parquet

    held = pyarrow.parquet.read_schema(path).names
    return pd.read_parquet(path, columns=[name for name in wanted if name in held])


