"""The command `verify`: the numerical verification report of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

WORDS = {True: "passed", False: "FAILED", None: "nothing to check"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(verify)


def verify(
    model: Annotated[str, typer.Argument(help="SBML or Antimony file, or the id of a model of the library.")],
    until: Annotated[float, typer.Option(help="End of the span, in the model's time unit.")] = 100.0,
    balance: Annotated[list[str] | None, typer.Option(help="Formula that should not change; repeatable.")] = None,
    max_step: Annotated[float | None, typer.Option(help="Longest step; for models that pulse by the clock.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write the table to this file.")] = None,
) -> None:
    """Verify the numerics of a model: error by tolerance, order, another solver, balances, non-negativity.

    A model of the library is given the doses of the library's benchmark of the same name, where there is one.
    """
    from seedbed import engine
    from seedbed.cli.simulate import check_place, model_source
    from seedbed.study.verification import Verification

    check_place(csv)
    network = engine.read_model(model_source(model))
    doses = doses_until(model, until)
    checks = Verification(network, until, balances=tuple(balance or ()), max_step=max_step, doses=doses)
    findings = checks.findings()
    table = Table(title=title(network.name, until, doses))
    for name in ("check", "found", "expected", "result"):
        table.add_column(name)
    for f in findings:
        table.add_row(f.check, f.value, f.limit, WORDS[f.passed])
    Console().print(table)
    if csv is not None:
        lines = ["check;found;expected;result", *(f"{f.check};{f.value};{f.limit};{WORDS[f.passed]}" for f in findings)]
        csv.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if any(f.passed is False for f in findings):
        raise typer.Exit(1)


def doses_until(model: str, until: float) -> list[tuple[float, str, float]]:
    """Return the doses of the library's benchmark of this name before the end; none for a file."""
    from seedbed.study.benchmark.problems import benchmark_doses

    return [] if Path(model).exists() else [dose for dose in benchmark_doses(model) if dose[0] < until]


def title(name: str, until: float, doses: list[tuple[float, str, float]]) -> str:
    """Return what the table is about: the model, the span, the doses."""
    given = f"with the {len(doses)} doses of its benchmark before then" if doses else "without doses"
    return f"Numerical verification of {name}, time 0 to {until:g}, {given}"
