"""The command `design`: operating characteristics and synopsis of a randomized trial from a plan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seedbed.cli import options
from seedbed.cli.progress import bars, counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from seedbed.report.catalogue import Catalogue
    from seedbed.study.design import Plan, PoolData


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(design)
    app.command()(observe)


def design(
    plan: options.Plan,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; runs/<plan> by default.")] = None,
    pool: Annotated[
        Path | None, typer.Option(help="Run folder of simulated subjects, instead of the one the plan names.")
    ] = None,
    pool_subjects: Annotated[
        int | None, typer.Option(min=100, help="Subjects of the pool, instead of the number in the plan.")
    ] = None,
    replicates: Annotated[
        int | None, typer.Option(min=20, help="Trial replicates of the main world, instead of the number in the plan.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes for the pool, then for the replicates; changes no number.")
    ] = 2,
    language: options.Language = "en",
) -> None:
    """Design a randomized trial: power, type I error, duration, bias, assurance, and a protocol synopsis."""
    from seedbed.report import catalogue, design_report
    from seedbed.study import design as study

    read = study.changed(study.read_plan(plan), pool=pool, pool_subjects=pool_subjects, replicates=replicates)
    folder = out or Path("runs") / read.id
    console, t = Console(), catalogue.load(language)
    began = time.monotonic()
    with bars(console) as bar:
        simulated = _pool(read, folder, workers, bar, t)
        task = bar.add_task(t("design.fact.replicates"), total=study.total_replicates(read, simulated))
        with study.replicate_workers(workers) as executor:
            result = study.characterize(
                read,
                simulated,
                counterfactual=study.counterfactual_pool(read),
                progress=lambda done: bar.advance(task, done),
                executor=executor,
            )
    result.write(folder)
    page = design_report.write(result, folder, language)
    console.print(design_report.terminal(result, language))
    console.print(f"{page}  ({time.monotonic() - began:.1f} s)", soft_wrap=True)


def observe(
    plan: options.Plan,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that `seedbed run` wrote.")],
    out: Annotated[
        Path | None, typer.Option(help="A .csv or .parquet file; by default observed-<plan>.parquet in the run.")
    ] = None,
    language: options.Language = "en",
) -> None:
    """Derive the endpoint of finished runs again by a plan's estimand, visits and follow-up, without simulating."""
    from seedbed.report import design_report
    from seedbed.study import design as study

    read = study.read_plan(plan)
    rows = study.observed(plan, runs)
    place = out or runs[0] / f"observed-{read.id}.parquet"
    options.write_table(rows, place)
    console = Console()
    console.print(design_report.observed(rows, read, language))
    console.print(str(place), soft_wrap=True)


def _pool(plan: Plan, folder: Path, workers: int, bar: Progress, t: Catalogue) -> PoolData:
    """Return the pool; show how many subjects of it are simulated when it has to be run first."""
    from seedbed.study.design import make_pool

    if plan.pool.runs:
        return make_pool(plan, None)
    task = bar.add_task(t("progress.patients"), total=plan.pool.subjects)
    made = make_pool(plan, folder / "pool", workers=workers, progress=counted(bar, task))
    bar.update(task, completed=plan.pool.subjects)
    return made
