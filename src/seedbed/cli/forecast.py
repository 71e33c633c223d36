"""The command `forecast`: what a patient's course so far says about what follows; for research only."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seedbed.cli.options import Language, Workers
from seedbed.cli.progress import shards_bar


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(forecast)


def forecast(
    patient: Annotated[Path, typer.Argument(help="YAML file of one patient, without names or identifiers.")],
    plan: Annotated[str, typer.Option(help="Plan of the comparison: an id of the library, or a file.")] = (
        "forecast_standard"
    ),
    subjects: Annotated[
        int | None, typer.Option(min=100, help="Size of the virtual population, instead of the plan's.")
    ] = None,
    populations: Annotated[
        Path, typer.Option(help="Folder in which virtual populations are kept and found again.")
    ] = Path("runs"),
    out: Annotated[Path | None, typer.Option(help="Folder of the results; runs/forecast-<file> by default.")] = None,
    workers: Workers = 2,
    language: Language = "en",
) -> None:
    """Forecast one patient from the virtual patients that resemble it; for research, not for treatment."""
    from seedbed.report import forecast_report
    from seedbed.study import forecast as study

    console, began = Console(), time.monotonic()
    folder = out or Path("runs") / f"forecast-{patient.stem}"
    with shards_bar(console, subjects or study.read_plan(plan).subjects, language) as progress:
        result = study.forecast(
            patient,
            plan_name=plan,
            subjects=subjects,
            populations=populations,
            workers=workers,
            where="processes",
            progress=progress,
        )
    result.write(folder)
    page = forecast_report.write(result, folder, language)
    console.print(forecast_report.terminal(result, language))
    console.print(f"{page}  ({time.monotonic() - began:.1f} s)", soft_wrap=True)
