"""The command `attribute`: which mechanism of conditioning and graft does the work."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seedbed.cli.options import Language, Workers
from seedbed.cli.progress import named_bars


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(attribute)


def attribute(
    protocol: Annotated[str, typer.Argument(help="Id of a protocol of the library, or a YAML file.")],
    subjects: Annotated[int, typer.Option(min=20, help="Virtual patients, each simulated in every arm.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random stream.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder of the study; one that was begun is resumed.")] = None,
    mechanisms: Annotated[
        str | None, typer.Option(help="Id of a file of mechanisms, or a YAML file; the model's own by default.")
    ] = None,
    structure: Annotated[
        list[str] | None, typer.Option(help="Rival structure of the model to repeat it in; may be given again.")
    ] = None,
    until: Annotated[float | None, typer.Option(min=1, help="Follow-up in days, if not as the outcomes need.")] = None,
    workers: Workers = 2,
    language: Language = "en",
) -> None:
    """Attribute the difference between ASCT + CAR-T and CAR-T alone to its mechanisms, by Shapley shares."""
    from seedbed.report import attribution_report
    from seedbed.study import attribution

    folder = out or Path("runs") / f"attribute-{Path(protocol).stem}"
    console = Console()
    began = time.monotonic()
    with named_bars(console, language) as progress:
        found = attribution.attribute(
            protocol,
            folder=folder,
            subjects=subjects,
            seed=seed,
            mechanisms=mechanisms,
            structures=tuple(structure or ()),
            until_days=until,
            workers=workers,
            where="processes",
            progress=progress,
        )
    found.write(folder)
    page = attribution_report.write(found, folder, language)
    console.print(attribution_report.terminal(found, language))
    console.print(f"{page}  ({time.monotonic() - began:.1f} s)", soft_wrap=True)
