"""Bars for commands that run virtual patients: how many are done, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from seedbed.trial.manifest import Outcome, Shard


def bars(console: Console) -> Progress:
    """Return bars of name, share done, count, time passed and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def counted(bar: Progress, task: TaskID) -> Callable[[Shard, Outcome], None]:
    """Return what a run calls with each finished shard, to count its virtual patients on a bar."""

    def show(_shard: Shard, outcome: Outcome) -> None:
        tried = [done + outcome.failed.get(arm, 0) for arm, done in outcome.done.items()]
        bar.advance(task, max(tried, default=0))

    return show


@contextmanager
def shards_bar(console: Console, total: int, language: str = "en") -> Iterator[Callable[[Shard, Outcome], None]]:
    """Show how many of `total` virtual patients are finished; yields what a run calls with each finished shard.

    The bar goes where nothing was left to simulate.
    """
    from seedbed.report import catalogue

    t = catalogue.load(language)
    with bars(console) as bar:
        task = bar.add_task(t("progress.patients"), total=total)
        yield counted(bar, task)
        bar.update(task, visible=bar.tasks[task].completed > 0)


@contextmanager
def named_bars(console: Console, language: str = "en") -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each part of a study; yields what is called with its name, how many are done, and of how many."""
    from seedbed.report import catalogue

    t = catalogue.load(language)
    with bars(console) as bar:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, of: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(t.name("study.world", name), total=of)
            bar.update(tasks[name], completed=done, total=of)

        yield show
