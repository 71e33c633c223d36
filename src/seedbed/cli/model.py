"""The command `model`: list the models, show what one is made of, draw its wiring, export it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from seedbed.errors import ModelError, RunError

if TYPE_CHECKING:
    from seedbed.model import Mechanism, Model, Parameter

ModelName = Annotated[str, typer.Argument(help="Id of a model of the library, or the path of a model.yaml.")]
ORIGINS = ("literature", "derived", "assumed")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(name="model", help="Look at a model, draw it, export it.", no_args_is_help=True)
    group.command("list")(list_models)
    group.command()(show)
    group.command()(export)
    app.add_typer(group)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, 160))


def list_models() -> None:
    """List the models of the library."""
    from seedbed.model import model_names, read_model

    table = Table("id", "states", "parameters", "what it is", box=None)
    for name in model_names():
        model = read_model(name)
        table.add_row(name, str(len(model.states)), str(len(model.parameters)), escape(model.content.title))
    _console().print(table)


def show(
    model: ModelName,
    diagram: Annotated[Path | None, typer.Option(help="Draw the wiring into this SVG file.")] = None,
) -> None:
    """Print mechanisms, states and parameters with their sources, and how many are literature, derived, assumed.

    At the end libSBML checks the units of every equation.
    """
    from seedbed.model import UnitsAgree, read_model, run_checks
    from seedbed.model.diagram import draw

    content = read_model(model)
    console = _console()
    _print_summary(console, content)
    for mechanism in content.mechanisms:
        _print_mechanism(console, mechanism)
    if diagram is not None:
        _write(diagram, draw(content))
        console.print(f"Wiring drawn into {escape(str(diagram))}", soft_wrap=True)
    problems = run_checks(content, (UnitsAgree,))
    if problems:
        raise ModelError(problems)
    console.print("\nUnits agree, says libSBML.", soft_wrap=True)


def export(
    model: ModelName,
    to: Annotated[Literal["sbml", "antimony"], typer.Option(help="Language of the export.")],
    out: Annotated[Path | None, typer.Option(help="File to write; standard output without it.")] = None,
) -> None:
    """Write the whole model as SBML Level 3 Version 2 or as Antimony, with units."""
    from seedbed.model import read_model

    content = read_model(model)
    text = content.sbml if to == "sbml" else content.antimony
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        _write(out, text)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}") from error


def _print_summary(console: Console, model: Model) -> None:
    console.print(f"[bold]{escape(model.id)}[/bold]  {escape(model.content.title)}", soft_wrap=True)
    console.print(escape(model.content.describes.strip()), soft_wrap=True)
    counts = Counter(parameter.origin for parameter in model.parameters.values())
    origins = ", ".join(f"{counts[origin]} {origin}" for origin in ORIGINS)
    reactions = sum(s.kind == "reaction" for m in model.mechanisms for s in m.fragment.statements)
    console.print(
        f"\n{len(model.mechanisms)} mechanisms, {len(model.states)} states, {reactions} reactions, "
        f"{len(model.quantities)} quantities, {len(model.parameters)} parameters: {origins}",
        soft_wrap=True,
    )
    if model.interventions:
        console.print(f"Can be given: {', '.join(model.interventions)}", soft_wrap=True)
    console.print(f"Observed: {', '.join(model.observables)}", soft_wrap=True)


def _print_mechanism(console: Console, mechanism: Mechanism) -> None:
    place = f" ({mechanism.content.place})" if mechanism.content.place else ""
    console.print(f"\n[bold]{escape(mechanism.id)}[/bold]  {escape(mechanism.content.title + place)}", soft_wrap=True)
    if mechanism.states:
        states = Table(Column("state", no_wrap=True), "start", "unit", "what it is", box=None, pad_edge=False)
        for state in mechanism.states:
            states.add_row(state.id, escape(str(state.initial)), state.unit, escape(state.describes))
        console.print(states)
    if mechanism.parameters:
        name = Column("parameter", no_wrap=True)
        parameters = Table(name, "value", "unit", "between patients", "origin", "from", "what it is", box=None)
        for parameter in mechanism.parameters:
            parameters.add_row(*_parameter_cells(parameter))
        console.print(parameters)


def _parameter_cells(parameter: Parameter) -> list[str]:
    source = parameter.source
    if source is not None:
        where = f"{source.study}: {source.location}"
    elif parameter.assumed is not None:
        low, high = parameter.assumed.range
        where = f"{parameter.assumed.reason} ({low:g} to {high:g})"
    else:
        where = ""
    cells = (parameter.id, f"{parameter.value:g}", parameter.unit, spread_in_words(parameter), parameter.origin, where)
    return [escape(cell) for cell in (*cells, parameter.describes)]


def spread_in_words(parameter: Parameter) -> str:
    """Return how a parameter differs between patients, in a few words."""
    spread = parameter.between_patient
    if spread is None:
        return "same in all"
    if spread.cv is not None:
        return f"{spread.distribution}, CV {spread.cv:.0%}"
    if spread.sd is not None:
        return f"{spread.distribution}, SD {spread.sd:g}"
    return f"{spread.distribution}, {spread.lower:g} to {spread.upper:g}"
