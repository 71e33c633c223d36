"""The command `sweep`: which day, which conditioning, which dose, which further drug."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seedbed.cli.attribute import study_progress


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(sweep)


def sweep(
    plan: Annotated[str, typer.Argument(help="Id of a plan of the library, or a YAML file.")],
    subjects: Annotated[
        int | None, typer.Option(min=20, help="Virtual patients, instead of the plan's number.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed, instead of the plan's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study; one that was begun is resumed.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Shards worked at once; changes no number.")] = 2,
    language: Annotated[str, typer.Option("--lang", help="Language of table and report: en or zh.")] = "en",
) -> None:
    """Sweep the factors of a protocol: response, Pareto front, and the probability that each option is best."""
    from seedbed.report import sweep_report
    from seedbed.study import sweep as study

    folder = out or Path("runs") / Path(plan).stem
    console = Console()
    began = time.monotonic()
    with study_progress(console) as progress:
        found = study.sweep(plan, folder=folder, workers=workers, progress=progress, subjects=subjects, seed=seed)
    found.write(folder)
    page = sweep_report.write(found, folder, language)
    console.print(sweep_report.terminal(found, language))
    console.print(f"{page}  ({time.monotonic() - began:.1f} s)", soft_wrap=True)
