"""Work through a plan: pool, worlds, tables, files."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seedbed import __version__, library
from seedbed.documents import content_hash
from seedbed.errors import RunError
from seedbed.study.design import curves, operating
from seedbed.study.design import plan as plans
from seedbed.study.design.operating import Simulator, World
from seedbed.study.design.plan import Plan
from seedbed.study.design.pool import PoolData, read_runs
from seedbed.study.design.replicate import Job, Size
from seedbed.trial.execution import Where
from seedbed.trial.workers import open_processes

Progress = Callable[[int], None]
FILE_NAME = "design.json"


@dataclass(frozen=True)
class Design:
    """A worked plan: its tables and how they came about."""

    plan: Plan
    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any]

    def write(self, folder: Path) -> Path:
        """Write ``design.json`` and a Parquet file per table; return the folder.

        Raises
        ------
        RunError
            The folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, table in self.tables.items():
                table.to_parquet(folder / f"{name}.parquet", index=False)
            data = {
                "plan": self.plan.model_dump(mode="json"),
                "facts": dict(self.facts),
                "tables": {name: json.loads(table.to_json(orient="records")) for name, table in self.tables.items()},
            }
            (folder / FILE_NAME).write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            raise RunError(f"the design cannot be written to {folder}: {error.strerror}") from error
        return folder


def read(folder: Path) -> Design:
    """Return a design that was written to a folder.

    Raises
    ------
    RunError
        The folder holds no design.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise RunError(f"{folder} holds no design: {FILE_NAME} is missing")
    data = json.loads(path.read_text(encoding="utf-8"))
    tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in data["tables"]}
    return Design(Plan.model_validate(data["plan"]), tables, data["facts"])


def design(  # noqa: PLR0913 -- named options with defaults
    name_or_path: str | Path,
    *,
    pool: PoolData | None = None,
    pool_folder: Path | None = None,
    pool_subjects: int | None = None,
    replicates: int | None = None,
    workers: int = 2,
    where: Where = "threads",
    progress: Progress = lambda _n: None,
    pool_progress: Callable[..., None] | None = None,
) -> Design:
    """Work through the plan of a randomized trial.

    Parameters
    ----------
    name_or_path : a plan of the library, or a YAML file
    pool : simulated subjects; by default those the plan names, simulated first where it names a protocol
    pool_folder : where the simulated pool is kept and found again; ``runs/pool-<plan>`` by default
    pool_subjects, replicates : instead of the numbers in the plan
    workers : shards of the pool worked at once, then replicates; changes no number
    where : ``"threads"``, which suits notebooks, or ``"processes"``, which is faster
    progress, pool_progress : told the replicates done, and the shards of the pool done

    Returns
    -------
    Design

    Raises
    ------
    ContentError
        The plan is wrong.
    RunError
        The pool lacks what the plan needs.
    """
    plan = plans.changed(plans.read(name_or_path), pool_subjects=pool_subjects, replicates=replicates)
    began = time.monotonic()
    if pool is None:
        pool = make_pool(plan, pool_folder, workers=workers, where=where, progress=pool_progress)
    source = library.find("plans", name_or_path)
    with replicate_workers(workers if where == "processes" else 1) as executor:
        result = characterize(
            plan, pool, counterfactual=counterfactual_pool(plan), progress=progress, executor=executor
        )
    facts = {
        **result.facts,
        "plan_hash": content_hash(source),
        "seconds": round(time.monotonic() - began, 1),
    }
    return Design(plan, result.tables, facts)


def replicate_workers(workers: int) -> AbstractContextManager[Executor | None]:
    """Open the processes that work trial replicates, None for one: threads gain nothing there."""
    return open_processes(workers) if workers > 1 else nullcontext()


def make_pool(
    plan: Plan,
    folder: Path | None,
    *,
    workers: int = 2,
    where: Where = "processes",
    progress: Callable[..., None] | None = None,
) -> PoolData:
    """Return the plan's pool: read from its run folders, or simulated from its protocol and kept."""
    if plan.pool.runs:
        return read_runs(plan, [Path(run) for run in plan.pool.runs])
    from seedbed.trial import run
    from seedbed.trial.request import Options, make_request

    options = Options(
        subjects=plan.pool.subjects,
        seed=plan.pool.seed,
        until_days=plan.pool.follow_up_days,
        trajectories=0,
        ensemble=plan.pool.ensemble,
    )
    request = make_request(plan.pool.protocol, options)
    kept = folder or Path("runs") / f"pool-{plan.id}"
    extra = {"progress": progress} if progress else {}
    run.execute(kept, request, workers=workers, where=where, **extra)
    return read_runs(plan, [kept])


def counterfactual_pool(plan: Plan) -> PoolData | None:
    """Return the pool of a world without the hypothetical events, or None where the plan names none."""
    runs = plan.pool.counterfactual_runs
    return read_runs(plan, [Path(run) for run in runs]) if runs else None


def total_replicates(plan: Plan, pool: PoolData) -> int:
    """Return how many replicates `characterize` will simulate, for a progress bar."""
    replicates = plan.replicates
    worlds = 2 + (operating.margin_world(plan, pool) is not None)
    sets = len(pool.parameter_sets(at_least=plan.subjects))
    blocks = len(operating.block_rows(plan, pool))
    sizes = len({*plan.subjects_compared, plan.subjects})
    total = worlds * replicates.main + sizes * replicates.by_size + blocks * _block_replicates(plan, blocks)
    return total + sets * operating.replicates_per_set(plan, sets)


def _block_replicates(plan: Plan, n_blocks: int) -> int:
    return max(50, plan.replicates.main // (2 * n_blocks)) if n_blocks else 0


def characterize(
    plan: Plan,
    pool: PoolData,
    *,
    counterfactual: PoolData | None = None,
    progress: Progress = lambda _n: None,
    executor: Executor | None = None,
) -> Design:
    """Return the design of a plan on a pool that is at hand.

    Parameters
    ----------
    pool : the world of the trial
    counterfactual : the same patients in a world where events handled as hypothetical cannot happen; it gives the
        target's true value. Without it the value is that of censoring at the event, and the report says so.
    progress : told the replicates done
    executor : processes that work the replicates; here, one after another, without. It changes no number
    """
    simulation = operating.simulator(plan, pool, progress=progress, executor=executor)
    size = simulation.size(plan.subjects)
    worlds = _worlds(simulation, pool, size)
    blocks = _blocks(simulation, pool, size)
    main = worlds["simulated"]
    tables = {
        "operating_characteristics": _characteristics(worlds, blocks),
        "by_test": operating.by_test(plan, pool.arms, worlds),
        "looks": operating.looks_table(plan, size, simulation.expected_events, worlds),
        "by_size": operating.by_size(simulation, pool),
        "bias": operating.bias_table(plan, pool, main, counterfactual),
        "assurance": operating.assurance(simulation, pool),
        "pool_survival": curves.pool_survival(plan, pool),
        "hazard_ratio_by_period": curves.hazard_ratio_by_period(plan, pool),
        "pool_rates": curves.pool_rates(plan, pool),
        "replicates": _per_replicate(main),
    }
    facts = _facts(plan, pool, simulation, tables)
    hypothetical = "hypothetical" in plan.estimand.intercurrent_events.values()
    facts["subjects_per_set"] = _smallest_set(pool)
    facts["target_by_censoring"] = hypothetical and counterfactual is None
    return Design(plan, tables, facts)


def _worlds(simulation: Simulator, pool: PoolData, size: Size) -> dict[str, World]:
    """Return the simulated world, the null world, and the world at the margin where there is one."""
    plan, n = simulation.plan, simulation.plan.replicates.main
    jobs = {"simulated": Job(pool, size, n, "simulated", naive=True), "null": Job(pool.null(), size, n, "null")}
    margin = operating.margin_world(plan, pool)
    if margin is not None:
        jobs["at_margin"] = Job(margin, size, n, "at margin")
    return dict(zip(jobs, simulation.worlds(list(jobs.values())), strict=True))


def _blocks(simulation: Simulator, pool: PoolData, size: Size) -> list[World]:
    rows = operating.block_rows(simulation.plan, pool)
    each = _block_replicates(simulation.plan, len(rows))
    return simulation.worlds([Job(pool.take(some), size, each, f"block {n}") for n, some in enumerate(rows)])


def _characteristics(worlds: Mapping[str, World], blocks: list[World]) -> pd.DataFrame:
    """Return the rows of every world; the type I error is counted without the futility rule, which does not bind."""
    parts = [
        operating.operating_characteristics(world, blocks if name == "simulated" else [], {"world": name})
        for name, world in worlds.items()
    ]
    errors = [
        operating.proportion_row("type_1_error", world.success(ignoring_futility=True), world=name)
        for name, world in worlds.items()
        if name != "simulated"
    ]
    primary = worlds["null"].decisions.primary_crosses.any(axis=-1)
    errors.append(operating.proportion_row("type_1_error_primary", primary, world="null"))
    return pd.concat([*parts, pd.DataFrame(errors)], ignore_index=True)


def _per_replicate(world: World) -> pd.DataFrame:
    """Return a row per replicate of the simulated world: what a chart of its spread needs."""
    numbers = operating.headline(world)
    table = pd.DataFrame({name: np.asarray(values, dtype=float) for name, values in numbers.items()})
    table["hazard_ratio"] = np.exp(world.at_stop(world.looks.estimate)[:, 0, 0])
    table["look"] = world.decisions.stop_look + 1
    return table


def _smallest_set(pool: PoolData) -> int | None:
    """Return the subjects of the smallest parameter set, None before calibration."""
    sets = pool.parameter_sets(at_least=1)
    return min(rows.size for rows in sets) if sets else None


def _facts(plan: Plan, pool: PoolData, simulation: Simulator, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    powers = tables["assurance"]["power"]
    return {
        "seedbed_version": __version__,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "pool_subjects": pool.n,
        "pool_follow_up_days": pool.follow_up_days,
        "ensemble": pool.ensemble,
        "ensemble_fits_model": pool.ensemble_fits_model,
        "parameter_sets": len(powers),
        "assurance": float(powers.mean()) if len(powers) else None,
        "assurance_se": float(powers.std(ddof=1) / np.sqrt(len(powers))) if len(powers) > 1 else None,
        "expected_final_events": simulation.expected_events,
        "replicates": plan.replicates.model_dump(),
    }
