"""The command `validate`: an ensemble's predictions beside every published row of its plan, and two rivals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from seedbed.cli.options import Language
from seedbed.cli.progress import bars

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 160
MARKS = {"fit": "", "update": " (predicted, then fitted)", "predict": " (predicted)"}
GROUPS = {"fit": "single therapies", "update": "stem cells + CAR-T, fitted by now", "predict": "stem cells + CAR-T"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(validate)


def validate(
    ensemble: Annotated[
        str | None, typer.Argument(help="Id of an ensemble, or its YAML file; the library's default without.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; one that holds the same validation is resumed.")] = None,
    subjects: Annotated[int, typer.Option(min=20, help="Virtual patients for each parameter set and arm.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the virtual patients.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes; changes no number.")] = 2,
    language: Language = "en",
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the tables beside the ensemble: the predictions then stay on record.")
    ] = False,
) -> None:
    """Predict every published row of an ensemble's plan: table, figure, scores beside two rivals.

    Fitted rows are predicted from the other studies (cross-validation by study); the other arms are simulated.
    """
    from seedbed import library
    from seedbed.calibration import validation_run
    from seedbed.errors import RunError
    from seedbed.population.parameter_sets import default_ensemble
    from seedbed.report import validation_charts

    name = ensemble or default_ensemble("asct_cart")
    if name is None:
        raise RunError("the library holds no default ensemble; make one: seedbed calibrate PLAN --keep")
    console, job = _console(), validation_run.job_of(name, seed)
    folder = out or Path("runs") / f"validate-{job.ensemble.id}"
    with bars(console) as bar:
        task = bar.add_task("parameter sets in every arm", total=None)
        result = validation_run.validate(
            job,
            folder,
            n_subjects=subjects,
            workers=workers,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    console.print(_rows(result.rows))
    console.print(_totals(result.totals))
    page = validation_charts.write(result, job.ensemble.id, folder / "report.html", language)
    console.print(str(page), soft_wrap=True)
    if keep:
        validation_run.keep(result, library.find("ensembles", name))


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def _rows(rows: pd.DataFrame) -> Table:
    table = Table(title="90 % predictive intervals; width by parameters + between studies + that study's patients")
    for name in ("row", "published", "predicted", "width", "", "meta-analysis", "null world"):
        table.add_column(name, overflow="fold")
    for row in rows.itertuples():
        parts = " + ".join(f"{getattr(row, f'width_{part}'):.2f}" for part in ("parameters", "study", "sampling"))
        table.add_row(
            f"{row.arm} {row.label}{MARKS[row.use]}",
            f"{row.observed:.3g}",
            _interval(row.lower, row.upper),
            parts,
            "" if row.hit else "outside",
            _interval(row.meta_lower, row.meta_upper),
            _interval(row.null_lower, row.null_upper),
        )
    return table


def _interval(lower: float, upper: float) -> str:
    return "" if lower != lower or upper != upper else f"{lower:.3g} to {upper:.3g}"


def _totals(totals: pd.DataFrame) -> Table:
    table = Table(title="Model and rival. Interval score: less is better; a negative difference favors the model")
    for name in ("rows", "rival", "compared", "inside", "widths", "scores", "difference (SE by study)"):
        table.add_column(name, overflow="fold")
    for row in totals.itertuples():
        table.add_row(
            GROUPS[row.use],
            str(row.rival).replace("_", " "),
            f"{row.compared} of {row.rows}, {row.studies} studies",
            f"{row.hits} ({row.coverage:.0%})",
            f"{row.width:.2f}, {row.rival_width:.2f}",
            f"{row.score:.3f}, {row.rival_score:.3f}",
            f"{row.difference:+.3f} ({row.standard_error:.3f})",
        )
    return table
