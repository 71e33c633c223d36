"""The command `sensitivity`: what the endpoints and the treatment effect depend on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seedbed.cli.options import Language, Plan, Workers
from seedbed.cli.progress import shards_bar


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(sensitivity)


def sensitivity(
    plan: Plan,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; runs/<plan> by default.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="Run folder for the screening, instead of a run of the plan's own.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=4, help="Base sample of the design, instead of the plan's.")
    ] = None,
    subjects: Annotated[
        int | None, typer.Option(min=100, help="Virtual patients of the screening, instead of the plan's number.")
    ] = None,
    workers: Workers = 2,
    language: Language = "en",
) -> None:
    """Rank parameters and covariates by their influence: a screening by ranks, and Morris or Sobol indices."""
    from seedbed.report import sensitivity_report
    from seedbed.study import sensitivity as study

    console, began = Console(), time.monotonic()
    asked = study.read_plan(plan).resized(samples=samples, subjects=subjects)
    simulated = asked.points * asked.design.panel + (asked.screening.subjects if run is None else 0)
    folder = out or Path("runs") / asked.id
    with shards_bar(console, simulated, language) as progress:
        result = study.sensitivity(
            asked,
            folder,
            run=run,
            subjects=subjects,
            workers=workers,
            where="processes",
            progress=progress,
        )
    page = sensitivity_report.write(result, folder, language)
    console.print(sensitivity_report.terminal(result, language))
    console.print(f"{page}  ({time.monotonic() - began:.1f} s)", soft_wrap=True)
