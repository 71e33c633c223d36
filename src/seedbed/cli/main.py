"""The command `seedbed`: each command stands in a module of its own and registers itself here."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from importlib import import_module

import typer
from rich.console import Console

from seedbed.errors import ContentError, SeedbedError

COMMANDS = (
    "run",
    "report",
    "model",
    "simulate",
    "verify",
    "bench",
    "evidence",
    "check",
    "calibrate",
    "validate",
    "sweep",
    "attribute",
    "select",
    "sensitivity",
    "design",
    "forecast",
)
#: Linear algebra runs on one thread unless told otherwise: threads pay only for large matrices, and sums split among
#: threads depend on how many there are, so that two machines would differ in the last bits.
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
for _variable in THREADS:
    os.environ.setdefault(_variable, "1")
#: Reading the libraries makes a million objects that stay: looking for cycles among them is a quarter of the start and
#: a second of the end of a command.
gc.set_threshold(100_000, 50, 50)
atexit.register(gc.freeze)


def application() -> typer.Typer:
    """Return the application with every command registered."""
    application = typer.Typer(
        name="seedbed",
        help="In-silico trials of stem-cell transplantation followed by CAR-T cells. "
        "Simulation for hypothesis and design, not for treating a patient.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for command in COMMANDS:
        import_module(f"seedbed.cli.{command}").register(application)
    return application


def _complain(message: str) -> None:
    Console(stderr=True).print(message, markup=False, highlight=False, soft_wrap=True)


def app() -> None:
    """Run the command line; a wrong input ends with exit code 2 and no traceback, a failed job with 1."""
    try:
        application()()
    except ContentError as error:
        _complain(str(error))
        sys.exit(2)
    except SeedbedError as error:
        _complain(f"{type(error).__name__}: {error}")
        sys.exit(1)
