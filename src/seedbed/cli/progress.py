"""A bar for studies that run virtual patients: how many are done, how many failed, how long it will take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from seedbed.trial.manifest import Outcome, Shard


@contextmanager
def shards_bar(console: Console, what: str, total: int | None) -> Iterator[Callable[[Shard, Outcome], None]]:
    """Show finished virtual patients; yields what a run calls with each finished shard."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=total)

        def show(_shard: Shard, outcome: Outcome) -> None:
            bar.advance(task, max(outcome.done.values(), default=0))

        yield show
