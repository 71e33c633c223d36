"""The command `bench`: speed of the engine and of the solvers installed beside it, at equal achieved error."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from seedbed.study.benchmark import Measurement, Problem

BUILT_IN = "asct_cart"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(bench)


def bench(
    model: Annotated[str, typer.Argument(help="Benchmark of the library, or an SBML or Antimony file.")] = BUILT_IN,
    subjects: Annotated[int, typer.Option(min=1, help="Patients given to each peer.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds; the median counts.")] = 3,
    until: Annotated[float, typer.Option(help="End of the simulation, for a model file.")] = 100.0,
    error: Annotated[float, typer.Option(help="Achieved error at which speeds are compared.")] = 1e-4,
) -> None:
    """Compare patients per CPU second with the other solvers installed, always with the achieved error."""
    from seedbed.study import benchmark

    if Path(model).exists():
        problem = benchmark.file_problem(model, until, subjects)
    else:
        problem = benchmark.library_problem(model, subjects)
    problem = benchmark.with_reference(problem, subjects)
    peers = benchmark.installed()
    measurements = benchmark.measure(problem, peers, benchmark.TOLERANCES, subjects, rounds)
    console = Console()
    console.print(_by_tolerance(problem, peers, measurements))
    console.print(_at_error(peers, measurements, error))
    missing = sorted(set(benchmark.PEERS) - set(peers))
    if missing:
        console.print(f"Not installed, not compared: {', '.join(missing)}.")


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
    from seedbed.study.benchmark import speed_at_error

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
