"""The command `design`: operating characteristics and synopsis of a randomized trial from a plan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(design)


def design(
    plan: Annotated[str, typer.Argument(help="Id of a plan of the library, or a YAML file.")],
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
    workers: Annotated[int, typer.Option(min=1, help="Shards of the pool worked at once; changes no number.")] = 2,
    language: Annotated[str, typer.Option("--lang", help="Language of table and report: en or zh.")] = "en",
) -> None:
    """Design a randomized trial: power, type I error, duration, bias, assurance, and a protocol synopsis."""
    from seedbed.report import design_report
    from seedbed.study import design as study

    read = study.changed(study.read_plan(plan), pool=pool, pool_subjects=pool_subjects, replicates=replicates)
    folder = out or Path("runs") / read.id
    console = Console()
    began = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        simulated = _pool(study, read, folder, workers, bar)
        task = bar.add_task("trial replicates", total=study.total_replicates(read, simulated))
        result = study.characterize(
            read,
            simulated,
            counterfactual=study.counterfactual_pool(read),
            progress=lambda done: bar.advance(task, done),
        )
    result.write(folder)
    page = design_report.write(result, folder, language)
    console.print(design_report.terminal(result, language))
    console.print(f"{page}  ({time.monotonic() - began:.1f} s)", soft_wrap=True)


def _pool(study, plan, folder: Path, workers: int, bar: Progress):  # noqa: ANN001, ANN202
    """Return the pool; show how many subjects of it are simulated when it has to be run first."""
    if plan.pool.runs:
        return study.make_pool(plan, None)
    task = bar.add_task("pool subjects", total=plan.pool.subjects)

    def show(shard, outcome) -> None:  # noqa: ANN001, ARG001
        bar.advance(task, max(outcome.done.values(), default=0))

    made = study.make_pool(plan, folder / "pool", workers=workers, progress=show)
    bar.update(task, completed=plan.pool.subjects)
    return made
