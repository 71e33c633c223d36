"""The command `check`: whether a physician would believe the virtual arms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from seedbed.cli.options import Language, Workers


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    checks = typer.Typer(no_args_is_help=True, help="Checks of the model against what clinicians know.")
    checks.command("plausibility")(plausibility)
    checks.command("contradictions")(contradictions)
    checks.callback()(_checks)
    app.add_typer(checks, name="check")


def _checks() -> None:
    """Check the model against what clinicians know."""


def plausibility(
    plan: Annotated[str, typer.Argument(help="Plan of the library, or a YAML file.")] = "plausibility",
    only: Annotated[list[int] | None, typer.Option(help="Number of a check; may be repeated.")] = None,
    subjects: Annotated[int | None, typer.Option(min=20, help="Subjects of each protocol; default the plan's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; default the plan's.")] = None,
    out: Annotated[Path, typer.Option(help="Where the runs stand; runs there are used again.")] = Path("runs/checks"),
    workers: Workers = 2,
    strict: Annotated[bool, typer.Option(help="End with exit code 1 when a value lies outside its range.")] = False,
    language: Language = "en",
) -> None:
    """Run the checks a transplant physician would make first, and print each value with its range."""
    from seedbed.study.plausibility import check, read_plan

    chosen = read_plan(plan)
    changes = {"subjects": subjects, "seed": seed}
    chosen = chosen.model_copy(update={name: value for name, value in changes.items() if value is not None})
    console = Console()
    with console.status("") as status:
        readings = check(chosen, out, numbers=only or (), workers=workers, report=status.update)
    console.print(_table(chosen, readings, language))
    failed = sum(not reading.passed for reading in readings)
    summary = getattr(chosen.headings["summary"], language)
    console.print(summary.format(passed=len(readings) - failed, total=len(readings)))
    if strict and failed:
        raise typer.Exit(1)


def contradictions(
    plan: Annotated[str, typer.Argument(help="Plan of the library, or a YAML file.")] = "contradictions",
    ensemble: Annotated[str | None, typer.Option(help="Calibrated ensemble; the library's default without.")] = None,
    subjects: Annotated[int, typer.Option(min=10, help="Virtual patients of each parameter set.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the virtual patients.")] = 1,
) -> None:
    """Ask which differences between two studies would carry published results that contradict each other."""
    from seedbed.errors import RunError
    from seedbed.population.parameter_sets import default_ensemble
    from seedbed.study import contradictions as study

    name = ensemble or default_ensemble("asct_cart")
    if name is None:
        raise RunError("the library holds no default ensemble; name one: --ensemble FILE")
    console = Console(soft_wrap=True)
    for item in study.read_plan(plan).contradictions:
        with console.status("") as status:
            answers = study.examine(item, name, subjects=subjects, seed=seed, report=status.update)
        table = Table("changed to the second study's", "predicted [90 %]", "published", "carried", title=item.title.en)
        for answer in answers:
            interval = f"{answer.share:.0%} [{answer.lower:.0%} to {answer.upper:.0%}]"
            words = "yes" if answer.carries else "no"
            table.add_row(", ".join(answer.changed) or "nothing", interval, f"{answer.published:.0%}", words)
        console.print(table)
        sets = ["{" + ", ".join(found) + "}" for found in study.sufficient(answers)]
        console.print(f"Sets that suffice: {'; '.join(sets) or 'none'}.")
        console.print("None is identified: the published results do not tell which of them is at work.")


def _table(plan: object, readings: list, language: str) -> Table:
    names = ("number", "statement", "value", "range", "unit", "n", "verdict")
    table = Table(title=getattr(plan.headings["title"], language), show_lines=False)
    for name in names:
        table.add_column(getattr(plan.headings[name], language), justify="right" if name in ("value", "n") else "left")
    for reading in readings:
        statement = reading.statement
        verdict = plan.headings["inside" if reading.passed else "outside"]
        table.add_row(
            str(reading.check),
            getattr(statement.says, language),
            f"{reading.value:.3g}",
            _range(statement.range),
            "" if statement.unit == "1" else statement.unit,
            str(reading.n),
            getattr(verdict, language),
            style=None if reading.passed else "bold red",
        )
    return table


def _range(bounds: tuple[float | None, float | None]) -> str:
    lower, upper = bounds
    if lower is None:
        return f"<= {upper:g}"
    return f">= {lower:g}" if upper is None else f"{lower:g} - {upper:g}"
