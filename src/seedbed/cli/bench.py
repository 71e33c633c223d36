"""The command `bench`: the table of the engine's bars, or the comparison with other solvers on one model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from seedbed.errors import SimulationError, unknown

if TYPE_CHECKING:
    from seedbed.study.benchmark.bars import Bar
    from seedbed.study.benchmark.comparison import Measurement
    from seedbed.study.benchmark.problems import Problem

WORDS = {True: "met", False: "MISSED", None: ""}
BESIDE = ("seedbed", "libRoadRunner", "diffsol")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(bench)


def bench(
    model: Annotated[
        str | None, typer.Argument(help="Benchmark of the library, or an SBML or Antimony file; none: all bars.")
    ] = None,
    subjects: Annotated[int, typer.Option(min=1, max=20, help="Patients given to each peer.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds; the median counts.")] = 5,
    until: Annotated[float, typer.Option(help="End of the simulation, for a model file.")] = 100.0,
    error: Annotated[float, typer.Option(help="Achieved error at which speeds are compared, for one model.")] = 1e-4,
    amici: Annotated[bool, typer.Option(help="Compare with AMICI too, for one model: minutes to compile.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only these bars: speed, core, start, memory, bits, references; repeatable."),
    ] = None,
    shared: Annotated[
        Path | None, typer.Option(help="Design folder with bench and reference; else SEEDBED_SHARED or ../shared.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write the table of bars to this file.")] = None,
) -> None:
    """Print every bar the engine is held to with what is measured here, or compare solvers on one model."""
    if model is None:
        _print_bars(subjects, rounds, only or [], shared, csv)
    else:
        _compare(model, subjects, rounds, until, error, amici)


# ---- all bars ----------------------------------------------------------------------------------------------
def _print_bars(subjects: int, rounds: int, only: list[str], shared: Path | None, csv: Path | None) -> None:
    from seedbed.cli.simulate import check_place
    from seedbed.study.benchmark import bars
    from seedbed.study.benchmark.problems import design_folder

    check_place(csv)
    for name in only:
        if name not in bars.GROUPS:
            raise SimulationError(str(unknown("group of bars", name, list(bars.GROUPS))))
    settings = bars.Settings(subjects, rounds, design_folder(shared))
    rows, progress = [], Console(stderr=True)
    for name in only or bars.GROUPS:
        for bar in bars.GROUPS[name](settings):
            rows.append(bar)
            progress.print(f"{bar.what}: {bar.measured} {WORDS[bar.met]}", highlight=False, soft_wrap=True)
    Console().print(_table(rows))
    if csv is not None:
        cells = [";".join((b.what, b.must, b.measured, b.error, WORDS[b.met])) for b in rows]
        csv.write_text("\n".join(["bar;must;measured;error;result", *cells]) + "\n", encoding="utf-8")
    if any(bar.met is False for bar in rows):
        raise typer.Exit(1)


def _table(rows: list[Bar]) -> Table:
    table = Table(title="Bars of the engine")
    for name in ("bar", "must", "measured here", "achieved error", ""):
        table.add_column(name)
    for bar in rows:
        table.add_row(bar.what, bar.must, bar.measured, bar.error, WORDS[bar.met])
    return table


# ---- one model ---------------------------------------------------------------------------------------------
def _compare(model: str, subjects: int, rounds: int, until: float, error: float, amici: bool) -> None:
    from seedbed.study.benchmark import comparison, peers, problems

    if Path(model).exists():
        problem = problems.file_problem(model, until, subjects)
    else:
        problem = problems.library_problem(model, subjects)
    problem = comparison.with_reference(problem, subjects)
    able, reasons = peers.usable(problem, [*BESIDE, *(["AMICI"] if amici else [])])
    measurements = comparison.measure(problem, able, comparison.TOLERANCES, subjects, rounds)
    console = Console()
    console.print(_by_tolerance(problem, able, measurements))
    console.print(_at_error(able, measurements, error))
    for name, why in reasons.items():
        console.print(f"Not compared: {name}, {why}.")


def _by_tolerance(problem: Problem, peers: list[str], measurements: list[Measurement]) -> Table:
    table = Table(title=f"{problem.name}: patients per CPU second; median / worst error")
    table.add_column("tolerance", justify="right")
    for peer in peers:
        table.add_column(peer, justify="right")
    found = {(m.peer, m.tolerance): m for m in measurements}
    for tolerance in sorted({m.tolerance for m in measurements}, reverse=True):
        cells = [found[peer, tolerance] for peer in peers]
        table.add_row(
            f"{tolerance:g}", *(f"{m.patients_per_second:.3g}; {m.error:.0e}/{m.worst_error:.0e}" for m in cells)
        )
    return table


def _at_error(peers: list[str], measurements: list[Measurement], error: float) -> Table:
    from seedbed.study.benchmark.comparison import speed_at_error

    table = Table(title=f"at an achieved median error of {error:g} (* nearest end of the measured range)")
    for name in ("solver", "patients per CPU second", "seedbed is faster by"):
        table.add_column(name, justify="left" if name == "solver" else "right")
    own, _ = speed_at_error(measurements, "seedbed", error)
    for peer in peers:
        speed, inside = speed_at_error(measurements, peer, error)
        mark = "" if inside else "*"
        ratio = "no finite result" if math.isnan(speed) else f"{own / speed:.3g}x"
        table.add_row(peer, f"{speed:.4g}{mark}", ratio)
    return table
