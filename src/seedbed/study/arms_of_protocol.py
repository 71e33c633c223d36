"""Run some arms of a protocol into a folder, for the studies that need virtual patients: select, forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from seedbed import protocol
from seedbed.errors import ContentError, unknown
from seedbed.population import Population
from seedbed.protocol import Protocol
from seedbed.trial import enrollment
from seedbed.trial.execution import Where, Work
from seedbed.trial.manifest import Manifest, Outcome, Request, Shard
from seedbed.trial.run import execute
from seedbed.trial.work import work_shard

Report = Callable[[Shard, Outcome], None]


def silent(_shard: Shard, _outcome: Outcome) -> None:
    """Report nothing about a finished shard."""


def read_arms(name_or_path: str | Path, arms: Sequence[str]) -> tuple[Protocol, Population]:
    """Return a protocol with some of its arms only, and its population.

    Raises
    ------
    ContentError
        The protocol has problems, or lacks an arm.
    """
    trial, who = enrollment.read(name_or_path)
    problems = [
        unknown("arm", arm, list(trial.arms), file=f'protocol "{trial.id}"') for arm in arms if arm not in trial.arms
    ]
    if problems:
        raise ContentError(problems)
    return with_arms(trial, arms), who


def with_arms(trial: Protocol, arms: Sequence[str]) -> Protocol:
    """Return a protocol with some of its arms only, in the order given."""
    chosen = {arm: trial.arm_contents[arm] for arm in arms}
    used = {name for content in chosen.values() for name in content.elements}
    elements = {name: element for name, element in trial.elements.items() if name in used}
    return protocol.trimmed(trial.model_copy(update={"arm_contents": chosen, "elements": elements, "emulates": None}))


def run_folder(
    folder: Path,
    request: Request,
    *,
    workers: int = 2,
    where: Where = "threads",
    progress: Report = silent,
    work: Work = work_shard,
) -> Manifest:
    """Run a request into a folder, or finish a run that was interrupted there; see `trial.run.execute`."""
    return execute(folder, request, workers=workers, where=where, progress=progress, work=work)
