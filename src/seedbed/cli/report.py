"""The command `report`: write the page of a run folder again, in either language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seedbed.cli.options import Language


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(report)


def report(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `seedbed run` wrote.")],
    language: Language = "en",
    out: Annotated[Path | None, typer.Option(help="File to write; by default in the run folder.")] = None,
) -> None:
    """Write the report of a finished run as one HTML file, and print its key results."""
    from seedbed import report as reports

    written = reports.write(run_folder, language, out)
    console = Console()
    console.print(reports.terminal(run_folder, language))
    console.print(str(written), soft_wrap=True, markup=False, highlight=False)
