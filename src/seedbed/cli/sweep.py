"""The command `sweep`: which day, which conditioning, which dose, which further drug."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seedbed.cli.options import Language, Plan, Workers
from seedbed.cli.progress import named_bars


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(sweep)


def sweep(
    plan: Plan,
    subjects: Annotated[
        int | None, typer.Option(min=20, help="Virtual patients, instead of the plan's number.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed, instead of the plan's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study; one that was begun is resumed.")] = None,
    workers: Workers = 2,
    language: Language = "en",
) -> None:
    """Run a plan of options: a sweep of factors, or a therapy in first line against the same at relapse."""
    from seedbed import library
    from seedbed.documents import load
    from seedbed.report import first_line_report, sweep_report
    from seedbed.study.first_line import first_line
    from seedbed.study.sweep import sweep as run

    data = load(library.find("plans", plan)).data
    early = isinstance(data, dict) and data.get("kind") == "first_line"
    study, report = (first_line, first_line_report) if early else (run, sweep_report)
    folder = out or Path("runs") / Path(plan).stem
    console = Console()
    began = time.monotonic()
    with named_bars(console, language) as progress:
        options = {"subjects": subjects, "seed": seed, "workers": workers, "where": "processes"}
        found = study(plan, folder=folder, progress=progress, **options)
    found.write(folder)
    page = report.write(found, folder, language)
    console.print(report.terminal(found, language))
    console.print(f"{page}  ({time.monotonic() - began:.1f} s)", soft_wrap=True)
