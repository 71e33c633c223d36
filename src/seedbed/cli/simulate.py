"""The command `simulate`: integrate one model file and print or save its species."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from seedbed import library
from seedbed.errors import SimulationError

if TYPE_CHECKING:
    import pandas as pd

PRINTED_ROWS = 60


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(simulate)


def simulate(
    model: Annotated[str, typer.Argument(help="SBML or Antimony file, or the id of a model of the library.")],
    until: Annotated[float, typer.Option(help="End of the simulation, in the model's time unit.")],
    points: Annotated[int, typer.Option(min=2, help="Rows of the table, the start and the end included.")] = 101,
    start: Annotated[float, typer.Option(help="Start of the simulation.")] = 0.0,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Value of an id, name=value; repeatable.")] = None,
    observe: Annotated[list[str] | None, typer.Option(help="Id or formula to print; default: all species.")] = None,
    amounts: Annotated[
        bool, typer.Option("--amounts", help="Print species as amounts, not as what their ids mean in formulas.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file instead of printing it.")] = None,
    relative_tolerance: Annotated[float, typer.Option(help="Relative error allowed in a step.")] = 1e-8,
    absolute_tolerance: Annotated[float, typer.Option(help="Absolute error allowed in a step.")] = 1e-12,
    max_step: Annotated[float | None, typer.Option(help="Longest step; for models that pulse by the clock.")] = None,
) -> None:
    """Simulate one model and print all species, so that anyone can compare with another simulator.

    A species is printed as what its id means in the model's formulas: a concentration, unless the model declares
    hasOnlySubstanceUnits. With --amounts every species printed is an amount; ids inside formulas keep their meaning.
    """
    check_place(csv)
    values = _settings(settings or [])
    options = {
        "relative_tolerance": relative_tolerance,
        "absolute_tolerance": absolute_tolerance,
        "max_step": max_step,
        "max_steps": 1_000_000,
    }
    observed = tuple(dict.fromkeys(observe or ()))
    table = course(model, _times(start, until, points), values, observed, options, amounts=amounts)
    if csv is not None:
        table.to_csv(csv, index=False, float_format="%.17g")
    else:
        _print(table)


def course(
    model: str,
    times: list[float],
    values: dict[str, float],
    observe: tuple[str, ...] = (),
    options: dict[str, float | None] | None = None,
    *,
    amounts: bool,
) -> pd.DataFrame:
    """Return the course of a model: a column ``time`` and one for each species (or each formula in `observe`).

    With `amounts`, the columns of species are amounts.

    Raises
    ------
    SimulationError
        The model could not be integrated to the end; the message has the time and the reason.
    """
    import pandas as pd

    from seedbed import engine

    network = engine.read_model(model_source(model))
    columns = observe or _printed(network)
    observables = [network.amount(name) if amounts else name for name in columns]
    program = engine.compile_model(network, varied=tuple(values), observables=observables)
    run = program.simulate({name: [value] for name, value in values.items()}, times, **(options or {}))
    failure = run.status.iloc[0]
    if failure["code"] != 0:
        raise SimulationError(f"{network.name}: stopped at time {failure['time']:g}: {failure['reason']}")
    table = pd.DataFrame(run.observables[0], columns=list(columns)).assign(time=times)
    return table[["time", *(name for name in columns if name != "time")]]


def _printed(network: object) -> tuple[str, ...]:
    """Return the species, and whatever else a rate rule or an event moves."""
    from seedbed.engine import system

    states = system.assemble(network).states  # type: ignore[arg-type]
    return tuple(dict.fromkeys([*network.species, *states]))  # type: ignore[attr-defined]


def model_source(model: str) -> str | Path:
    """Return what `engine.read_model` takes: a path, or the SBML of a model of the library."""
    if Path(model).exists():
        return Path(model)
    if model in library.names("models"):
        from seedbed.model import read_model

        return read_model(model).sbml
    return Path(model)


def check_place(file: Path | None) -> None:
    """Refuse, before any work is done, a file that cannot be written because its folder is not there."""
    if file is not None and not file.parent.is_dir():
        raise SimulationError(f"--csv {str(file)!r}: there is no folder {str(file.parent)!r}; make it first")


def _settings(texts: list[str]) -> dict[str, float]:
    pairs = [_setting(text) for text in texts]
    double = sorted({name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1})
    if double:
        raise SimulationError(f"--set gives {', '.join(double)} more than once; give one value")
    return dict(pairs)


def _setting(text: str) -> tuple[str, float]:
    name, separator, number = text.partition("=")
    try:
        return name.strip(), float(number)
    except ValueError as error:
        hint = "" if separator else " (the = is missing)"
        raise SimulationError(f"--set {text!r}: expected name=number{hint}") from error


def _times(start: float, until: float, points: int) -> list[float]:
    import numpy as np

    if not (np.isfinite(start) and np.isfinite(until)) or until <= start:
        raise SimulationError(f"--until {until:g} must be a finite time after the start {start:g}")
    return np.linspace(start, until, points).tolist()


def _print(table: pd.DataFrame) -> None:
    step = -(-len(table) // PRINTED_ROWS)
    shown = Table(box=None)
    for name in table.columns:
        shown.add_column(name, justify="right", no_wrap=True)
    for row in table.iloc[::step].to_numpy():
        shown.add_row(*(f"{value:.9g}" for value in row))
    width = 18 * len(table.columns)
    Console(width=max(width, 80), soft_wrap=True).print(shown)
