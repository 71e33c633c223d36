"""The command `validate`: an ensemble's predictions beside every published row of its plan, and two rivals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seedbed.cli.options import Language
from seedbed.cli.progress import bars

WIDTH = 160


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
    from seedbed.report import catalogue, validation_charts

    name = ensemble or default_ensemble("asct_cart")
    if name is None:
        raise RunError("the library holds no default ensemble; make one: seedbed calibrate PLAN --keep")
    t = catalogue.load(language)
    console, job = _console(), validation_run.job_of(name, seed)
    folder = out or Path("runs") / f"validate-{job.ensemble.id}"
    with bars(console) as bar:
        task = bar.add_task(t("progress.sets"), total=None)
        result = validation_run.validate(
            job,
            folder,
            n_subjects=subjects,
            workers=workers,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    console.print(validation_charts.terminal(result, language))
    page = validation_charts.write(result, job.ensemble.id, folder / "report.html", language)
    console.print(str(page), soft_wrap=True)
    if keep:
        validation_run.keep(result, library.find("ensembles", name))


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)
