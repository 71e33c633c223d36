"""Read a run folder, and reduce its tables to the small tables that charts and sections draw from.

Nothing here knows words or colors. Tables of subjects may be long; every table returned is short.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from seedbed.analysis.survival import kaplan_meier
from seedbed.errors import RunError
from seedbed.trial import manifest as manifests

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q95": 0.95}
PARAMETER_PREFIX = "parameter:"
N_CURVE_POINTS = 180
FEWEST_AT_RISK = 0.05
"""Curves end where fewer than this share of the arm is at risk: a last event there would draw a cliff."""
MONTH = 365.0 / 12
"""Length of a month [day], so that 24 months are the 730 days of the summary's landmark."""


@dataclass(frozen=True)
class Run:
    """What a run folder holds, read once.

    ``endpoints`` has a row a subject and arm, without the subjects whose integration failed; ``subjects`` only
    the covariates, without the drawn parameters; ``trajectories`` is empty where the run kept none.
    """

    folder: Path
    manifest: manifests.Manifest
    protocol: dict[str, Any]
    population: dict[str, Any]
    subjects: pd.DataFrame
    endpoints: pd.DataFrame
    events: pd.DataFrame
    failures: pd.DataFrame
    flow: pd.DataFrame
    trajectories: pd.DataFrame
    summary: pd.DataFrame

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """The arms in the order of the protocol."""
        present = [str(arm) for arm in self.endpoints["arm"].unique()]
        declared = [arm for arm in self.protocol.get("arms", {}) if arm in present]
        return tuple(declared + [arm for arm in present if arm not in declared])

    @property
    def ensemble(self) -> str | None:
        """The name of the calibrated ensemble that was used, None before calibration."""
        return self.manifest.request.ensemble

    def arm(self, arm: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the endpoint rows of one arm, all columns or some; the table is wide, so some are far cheaper."""
        table = self.endpoints if columns is None else self.endpoints[list(columns)]
        return table[self.endpoints["arm"] == arm]

    def has(self, element: str, arm: str) -> bool:
        """Tell whether an arm gives ``"cart"`` or ``"stem_cell"``, by the protocol."""
        kind = {"stem_cell": "stem_cells", "cart": "cart"}[element]
        return any(self.protocol["elements"][name]["kind"] == kind for name in self.protocol["arms"][arm]["elements"])


def read(run_folder: Path | str) -> Run:
    """Return what a run folder holds.

    Raises
    ------
    RunError
        A file is missing or cannot be understood; the run may be unfinished.
    """
    folder = Path(run_folder)
    manifest = manifests.read(folder)
    endpoints = _table(folder, "endpoints")
    return Run(
        folder=folder,
        manifest=manifest,
        protocol=manifest.request.inputs["protocol"],
        population=manifest.request.inputs["population"],
        subjects=_covariates(folder),
        endpoints=endpoints.assign(arm=endpoints["arm"].astype(str)),
        events=_table(folder, "events"),
        failures=_table(folder, "failures", needed=False),
        flow=_table(folder, "flow", needed=False),
        trajectories=_table(folder, "trajectories", needed=False),
        summary=_summary(folder),
    )


def _table(folder: Path, name: str, *, needed: bool = True, columns: list[str] | None = None) -> pd.DataFrame:
    file = folder / f"{name}.parquet"
    if not file.exists():
        if needed:
            raise RunError(f"{file}: missing; the run is unfinished, run the same command again to resume")
        return pd.DataFrame()
    return pd.read_parquet(file, columns=columns)


def _covariates(folder: Path) -> pd.DataFrame:
    file = folder / "subjects.parquet"
    if not file.exists():
        raise RunError(f"{file}: missing; the run is unfinished, run the same command again to resume")
    names = [name for name in pq.read_schema(file).names if not name.startswith(PARAMETER_PREFIX)]
    return pd.read_parquet(file, columns=names)


def _summary(folder: Path) -> pd.DataFrame:
    file = folder / "summary.json"
    if not file.exists():
        raise RunError(f"{file}: missing; the run is unfinished, run the same command again to resume")
    content = json.loads(file.read_text(encoding="utf-8"))
    rows = content["rows"] if isinstance(content, dict) else content
    return pd.DataFrame(rows)


def month_ticks(horizon_days: float) -> list[int]:
    """Return about nine round months from 0 to a horizon [day], for axes and numbers at risk."""
    months = horizon_days / MONTH
    step = next((step for step in (1, 2, 3, 4, 6, 12, 24) if months / step <= 9), 60)
    return list(range(0, int(months + 0.25) + 1, step))


def survival(run: Run, endpoint: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the Kaplan-Meier curves of an endpoint and the numbers at risk.

    Parameters
    ----------
    run : the run
    endpoint : ``"pfs"``, ``"os"`` or ``"efs"``

    Returns
    -------
    curves : arm, time [month], estimate, lower, upper (95 %), thinned to an even grid of times
    at_risk : arm, time [month], n, events, censored; counted at the start of the time
    """
    horizon = float(run.endpoints[f"{endpoint}_days"].max())
    ticks = month_ticks(horizon)
    curves, risks = [], []
    for arm in run.arms:
        rows = run.arm(arm).dropna(subset=[f"{endpoint}_days"])
        days, event = rows[f"{endpoint}_days"].to_numpy(float), rows[f"{endpoint}_event"].to_numpy(bool)
        if len(days):
            curves.append(_curve(days, event, horizon).assign(arm=arm))
            risks.append(_at_risk(days, event, ticks).assign(arm=arm))
    return pd.concat(curves, ignore_index=True), pd.concat(risks, ignore_index=True)


def _curve(days: np.ndarray, event: np.ndarray, horizon: float) -> pd.DataFrame:
    curve = kaplan_meier(days, event)
    enough = curve.time[curve.at_risk >= FEWEST_AT_RISK * len(days)]
    grid = np.linspace(0.0, min(horizon, float(enough[-1])), N_CURVE_POINTS)
    index = np.searchsorted(curve.time, grid, side="right") - 1
    columns = {name: np.where(index < 0, 1.0, getattr(curve, name)[index]) for name in ("survival", "lower", "upper")}
    return pd.DataFrame({"time": grid / MONTH, **columns}).rename(columns={"survival": "estimate"})


def _at_risk(days: np.ndarray, event: np.ndarray, months: Sequence[int]) -> pd.DataFrame:
    rows = [
        (month, int((days >= month * MONTH).sum()), int(((days < month * MONTH) & event).sum())) for month in months
    ]
    table = pd.DataFrame(rows, columns=["time", "n", "events"])
    return table.assign(censored=len(days) - table["n"] - table["events"])


def shares(values: pd.Series, levels: Iterable[Any]) -> pd.DataFrame:
    """Return how many of the known values fall on each level: level, n, of, share."""
    known = values.dropna()
    counts = known.value_counts()
    table = pd.DataFrame([(level, int(counts.get(level, 0))) for level in levels], columns=["level", "n"])
    return table.assign(of=len(known), share=table["n"] / max(len(known), 1))


def share_table(run: Run, columns: Sequence[str], levels: Iterable[Any], *, missing: str | None = None) -> pd.DataFrame:
    """Return the shares of several columns, a row per arm, column and level: arm, column, level, n, of, share.

    `missing` is the level on which subjects without a value count; by default they are left out.
    """
    levels = tuple(levels)
    parts = [
        shares(_filled(run.arm(arm)[column], missing), levels).assign(arm=arm, column=column)
        for arm in run.arms
        for column in columns
        if column in run.endpoints and run.arm(arm)[column].notna().any()
    ]
    columns = ["arm", "column", "level", "n", "of", "share"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _filled(column: pd.Series, missing: str | None) -> pd.Series:
    return column if missing is None else column.astype("string").fillna(missing)


def courses(run: Run, observables: Sequence[str], grid: Sequence[float], *, clock: str) -> pd.DataFrame:
    """Return the kept courses on a common grid of days, each to the death of its subject.

    Visits differ between subjects; at each day of the grid stands the value of the last visit at or before it.

    Parameters
    ----------
    observables : columns of the trajectories; those it lacks are left out
    grid : days
    clock : ``"stem_cell"``, ``"cart"`` or ``"enrollment"``: what the days count from; subjects without that day 0
        are left out

    Returns
    -------
    DataFrame : arm, subject, time, then the observables
    """
    present = [name for name in observables if name in run.trajectories]
    if run.trajectories.empty or not present:
        return pd.DataFrame(columns=["arm", "subject", "time", *present])
    frame = run.trajectories[["arm", "subject", "day", *present]]
    spans = _spans(run, frame, clock)
    visits = frame.assign(arm=frame["arm"].astype(str)).merge(spans, on=["arm", "subject"])
    visits = visits.assign(time=visits["day"].astype(float) - visits["zero"]).sort_values("time")
    days = spans.merge(pd.DataFrame({"time": np.asarray(grid, dtype=float)}), how="cross").sort_values("time")
    days = days[days["time"] <= days["end"] - days["zero"]]
    found = pd.merge_asof(
        days[["arm", "subject", "time"]], visits[["arm", "subject", "time", *present]], on="time", by=["arm", "subject"]
    )
    return found.dropna(subset=present).reset_index(drop=True)


def _spans(run: Run, frame: pd.DataFrame, clock: str) -> pd.DataFrame:
    """Return day 0 of the clock and the day of death of each subject whose course was kept, in days of enrollment."""
    kept = frame[["arm", "subject"]].drop_duplicates()
    columns = run.endpoints[["arm", "subject", "os_days", "os_event", "stem_cell_day", "cart_day"]]
    spans = kept.assign(arm=kept["arm"].astype(str)).merge(columns, on=["arm", "subject"])
    zero = 0.0 if clock == "enrollment" else spans[f"{clock}_day"]
    end = spans["os_days"].where(spans["os_event"].astype(bool), np.inf)
    return spans.assign(zero=zero, end=end)[["arm", "subject", "zero", "end"]].dropna(subset=["zero"])


def bands(table: pd.DataFrame, observables: Sequence[str]) -> pd.DataFrame:
    """Return the spread between living subjects of observables over time.

    Parameters
    ----------
    table : courses on a grid, as `courses` returns; a time with fewer than half as many subjects as the fullest
        one of the arm is left out

    Returns
    -------
    DataFrame : arm, observable, time, q05, q25, q50, q75, q95, n
    """
    parts = []
    for arm, rows in table.groupby("arm", sort=False):
        for observable in (name for name in observables if name in rows):
            made = _quantiles(rows, observable)
            parts.append(made[made["n"] >= made["n"].max() / 2].assign(arm=str(arm), observable=observable))
    columns = ["arm", "observable", "time", *QUANTILES, "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _quantiles(rows: pd.DataFrame, observable: str) -> pd.DataFrame:
    groups = rows.groupby("time")[observable]
    table = groups.quantile(list(QUANTILES.values())).unstack()
    table.columns = list(QUANTILES)
    return table.assign(n=groups.count()).reset_index()


def depths(table: pd.DataFrame, observable: str, floors: Mapping[str, float]) -> pd.DataFrame:
    """Return how deep a burden lies below what tests can see, over time.

    Parameters
    ----------
    table : courses on a grid, as `courses` returns
    floors : the least burden of each level, deepest last; a burden below the last floor is of level ``"none"``,
        and a subject who has died is of level ``"dead"``

    Returns
    -------
    DataFrame : arm, time, level, share; shares of all subjects whose courses were kept
    """
    levels = [*floors, "none", "dead"]
    edges = [np.inf, *floors.values(), -np.inf]
    parts = []
    for arm, rows in table.groupby("arm", sort=False):
        everybody = rows["subject"].nunique()
        level = pd.cut(rows[observable], edges[::-1], right=False, labels=[*levels[:-1]][::-1])
        counts = pd.crosstab(rows["time"], level).reindex(columns=levels, fill_value=0)
        counts["dead"] = everybody - counts.sum(axis=1)
        long = (counts / everybody).rename_axis(columns="level").stack().rename("share").reset_index()
        parts.append(long.assign(arm=str(arm)))
    columns = ["arm", "time", "level", "share"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def cumulative_share(run: Run, column: str, *, until: float, concerns: str = "") -> pd.DataFrame:
    """Return the share of an arm that has reached an event by each day: arm, time [day], share, n.

    Parameters
    ----------
    column : day of the event; a subject without it has not reached it
    until : last day
    concerns : column that is true or above zero for those whom the event concerns, such as those whose platelets
        ever fell; the others are left out

    Returns
    -------
    DataFrame; the denominator n is everybody concerned who was given stem cells or, where an arm has none, CAR-T
    cells. Arms in which nobody reaches the event are left out.
    """
    days = np.arange(0.0, until + 1.0)
    parts = []
    for arm in run.arms:
        rows = run.arm(arm)
        among = rows["stem_cell_day" if run.has("stem_cell", arm) else "cart_day"].notna()
        if concerns in rows:
            among &= rows[concerns].astype(float) > 0
        reached = np.sort(rows.loc[among, column].dropna().to_numpy(float))
        if len(reached):
            share = np.searchsorted(reached, days, side="right") / int(among.sum())
            parts.append(pd.DataFrame({"arm": arm, "time": days, "share": share, "n": int(among.sum())}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["arm", "time", "share", "n"])


def estimate(run: Run, arm: str, endpoint: str, time_days: float | None = None) -> pd.Series | None:
    """Return one row of the summary, or None where the run has none; a time matches within half a month."""
    rows = run.summary
    rows = rows[(rows["arm"] == arm) & (rows["endpoint"] == endpoint)]
    if time_days is not None:
        near = (rows["time_days"].astype(float) - time_days).abs()
        rows = rows.loc[near[near <= MONTH / 2].sort_values().index]
    return rows.iloc[0] if len(rows) else None
