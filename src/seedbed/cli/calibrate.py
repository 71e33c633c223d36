"""The command `calibrate`: fit population parameters to published single therapies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seedbed.cli.options import Language, Plan
from seedbed.cli.progress import named_bars


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(calibrate)


def calibrate(
    plan: Plan,
    out: Annotated[
        Path | None, typer.Option(help="Work folder; one that holds the same calibration is resumed.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; changes no number.")] = 2,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed in place of the plan's.")] = None,
    frozen: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Work folder of the frozen ensemble that the plan updates: only new arms are simulated then.",
        ),
    ] = None,
    language: Language = "en",
    keep: Annotated[
        bool, typer.Option("--keep", help="Put the ensemble into the library: your own, or this installation's.")
    ] = False,
) -> None:
    """Fit population parameters to the published results a plan names, and write an ensemble of parameter sets.

    May be killed at any moment: the same command goes on with the batches that are finished.
    """
    from seedbed import library
    from seedbed.calibration.run import execute, write_outcome
    from seedbed.calibration.surroundings import read_plan
    from seedbed.report import calibration_tables

    console = Console()
    checked = read_plan(plan)
    if seed is not None:
        checked = checked.with_seed(seed)
    folder = out or Path("runs") / f"{checked.plan.id}-seed{checked.plan.seed}"
    with named_bars(console, language) as show:
        outcome = execute(
            checked,
            folder,
            workers=workers,
            progress=show,
            sampling=lambda name, temperature: show(name, round(100 * temperature), 100),
            frozen=frozen,
        )
    console.print(calibration_tables.terminal(outcome, folder, language))
    if keep:
        console.print(f"kept as {write_outcome(outcome, library.roots()[0] / 'ensembles')}", soft_wrap=True)
