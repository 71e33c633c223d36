"""The command `select`: which patients benefit, from the same virtual patients in two arms."""

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
    app.command()(select)


def select(
    plan: Plan,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; runs/<plan> by default.")] = None,
    subjects: Annotated[
        int | None, typer.Option(min=100, help="Virtual patients, instead of the number in the plan.")
    ] = None,
    workers: Workers = 2,
    language: Language = "en",
) -> None:
    """Say which patients benefit: effects by covariate, a decision tree, bounds, enrichment rules."""
    from seedbed.report import selection_report
    from seedbed.study import select as study

    console, began = Console(), time.monotonic()
    asked = study.read_plan(plan).resized(subjects)
    folder = out or Path("runs") / asked.id
    with shards_bar(console, asked.patients, language) as progress:
        result = study.select(asked, folder, workers=workers, where="processes", progress=progress)
    page = selection_report.write(result, folder, language)
    console.print(selection_report.terminal(result, language))
    console.print(f"{page}  ({time.monotonic() - began:.1f} s)", soft_wrap=True)
