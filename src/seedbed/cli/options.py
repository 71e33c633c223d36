"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer


def _known(language: str) -> str:
    """Refuse a language without a catalogue, before anything is simulated."""
    from seedbed.report import catalogue

    return catalogue.load(language).language


Language = Annotated[
    str, typer.Option("--lang", help="Language of tables, figures and report: en or zh.", callback=_known)
]
Plan = Annotated[str, typer.Argument(help="Id of a plan of the library, or a YAML file.")]
Workers = Annotated[int, typer.Option(min=1, help="Shards worked at once; changes no number.")]
