"""The command `calibrate`: fit population parameters to published single therapies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from seedbed.cli.options import Plan
from seedbed.cli.progress import named_bars

if TYPE_CHECKING:
    from seedbed.calibration.run import Outcome


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

    console = Console()
    checked = read_plan(plan)
    if seed is not None:
        checked = checked.with_seed(seed)
    folder = out or Path("runs") / f"{checked.plan.id}-seed{checked.plan.seed}"
    with named_bars(console) as show:
        outcome = execute(
            checked,
            folder,
            workers=workers,
            progress=show,
            sampling=lambda name, temperature: show(name, round(100 * temperature), 100),
            frozen=frozen,
        )
    _report(console, outcome, folder)
    if keep:
        console.print(f"kept as {write_outcome(outcome, library.roots()[0] / 'ensembles')}", soft_wrap=True)


def _report(console: Console, outcome: Outcome, folder: Path) -> None:
    from seedbed.calibration import diagnostics

    provenance, calibration = outcome.ensemble.provenance, outcome.calibration
    moved = diagnostics.movement(outcome.setup.latent, calibration.vectors)
    table = Table("parameter", "shift", "sd, posterior/prior", "bits", title="What the data moved")
    for row in moved.itertuples():
        mark = "" if row.moved else "  (stayed at its prior)"
        table.add_row(f"{row.parameter}{mark}", f"{row.shift:+.2f}", f"{row.sd_ratio:.2f}", f"{row.bits:.2f}")
    console.print(table)
    misses = diagnostics.misfits(calibration).head(8)
    table = Table("term", "published", "fitted", "tail probability", title="Largest misfits that remain")
    for row in misses.itertuples():
        table.add_row(str(row.term), f"{row.observed:.3g}", f"{row.fitted:.3g}", f"{row.tail:.3f}")
    console.print(table)
    console.print(
        f"{provenance.sets} parameter sets, {provenance.effective:.0f} effective of {provenance.members} members, "
        f"{provenance.minutes:.1f} min; {folder}",
        soft_wrap=True,
    )
    if provenance.effective < outcome.setup.checked.plan.budget.wanted_effective:
        console.print(
            "The effective number lies below the plan's: raise most_rounds or subjects, or read the misfits above.",
            style="yellow",
        )
