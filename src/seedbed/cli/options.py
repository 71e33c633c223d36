"""Options that several commands share, and how they write a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seedbed.errors import ContentError, Problem, RunError

if TYPE_CHECKING:
    import pandas as pd


def _known(language: str) -> str:
    """Refuse a language without a catalogue, before anything is simulated."""
    from seedbed.report import catalogue

    return catalogue.load(language).language


Language = Annotated[
    str, typer.Option("--lang", help="Language of tables, figures and report: en or zh.", callback=_known)
]
Plan = Annotated[str, typer.Argument(help="Id of a plan of the library, or a YAML file.")]
Workers = Annotated[int, typer.Option(min=1, help="Shards worked at once; changes no number.")]


def write_table(rows: pd.DataFrame, out: Path) -> None:
    """Write a table as CSV or Parquet, by the ending of the file.

    Raises
    ------
    ContentError
        Another ending.
    RunError
        The file cannot be written.
    """
    writers = {".csv": rows.to_csv, ".parquet": rows.to_parquet}
    if out.suffix not in writers:
        raise ContentError(Problem(f'cannot write "{out}"', expected="a file ending in .csv or .parquet"))
    try:
        writers[out.suffix](out, index=False)
    except OSError as error:
        raise RunError(f"{out} cannot be written: {error.strerror}") from error
