"""The commands `run`, `rerun` and `work`: from a protocol to a run folder and its report."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from seedbed.cli.options import Language, Workers
from seedbed.errors import FailedSubjectsError, RunError

if TYPE_CHECKING:
    from seedbed.report.catalogue import Catalogue
    from seedbed.trial.manifest import Outcome, Request, Shard
    from seedbed.trial.run import Progress as Report

LONGEST_DAYS = 36525
Subjects = Annotated[int, typer.Option(min=1, help="How many virtual patients to enroll.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random stream.")]
Until = Annotated[float | None, typer.Option(min=1, max=LONGEST_DAYS, help="Follow-up in days from enrollment.")]
Out = Annotated[Path | None, typer.Option(help="Run folder; a folder that holds the same run is resumed.")]
Where = Annotated[Literal["processes", "threads"], typer.Option(help="Work on processes or threads.")]
Cluster = Annotated[str | None, typer.Option(help="Address of a Dask scheduler, tcp://host:port.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(run)
    app.command()(rerun)
    app.command()(work)


def run(
    protocol: Annotated[str, typer.Argument(help="Id of a protocol of the library, or a YAML file.")],
    subjects: Subjects = 1000,
    seed: Seed = 1,
    out: Out = None,
    workers: Workers = 2,
    until: Until = None,
    square: Annotated[bool, typer.Option(help="Add the arms neither, ASCT alone and CAR-T alone.")] = False,
    trajectories: Annotated[int, typer.Option(min=0, help="Subjects whose courses are kept.")] = 200,
    ensemble: Annotated[str | None, typer.Option(help="Calibrated ensemble of parameter sets, or 'none'.")] = None,
    endpoints_only: Annotated[
        bool, typer.Option("--endpoints-only", help="For very many subjects: no events, courses, parameters, report.")
    ] = False,
    where: Where = "processes",
    cluster: Cluster = None,
    language: Language = "en",
) -> None:
    """Run a virtual trial and write its folder and report."""
    _start_workers(workers, where, cluster)
    from seedbed.trial.request import Options, make_request

    options = Options(
        subjects=subjects,
        seed=seed,
        until_days=until,
        square=square,
        trajectories=0 if endpoints_only else trajectories,
        ensemble=ensemble,
        endpoints_only=endpoints_only,
    )
    request = make_request(protocol, options)
    if square:
        _tell_of_square(request, language)
    folder = out or Path("runs") / f"{request.protocol_id}-{request.fingerprint[:8]}"
    _perform(folder, request, workers, where, cluster, language)


def _tell_of_square(request: Request, language: str) -> None:
    """Say so where nothing was added because no arm of the protocol gives both."""
    from seedbed import protocol
    from seedbed.report import catalogue

    arms = protocol.read_resolved(request.inputs["protocol"]).arms.values()
    if all(arm.therapy != "asct_cart" for arm in arms):
        t = catalogue.load(language)
        Console(stderr=True).print(t("run.no_square", protocol=request.protocol_id))


def rerun(
    manifest: Annotated[Path, typer.Argument(help="The manifest.json of a run, or its folder.")],
    out: Out = None,
    workers: Workers = 2,
    where: Where = "processes",
    cluster: Cluster = None,
    language: Language = "en",
) -> None:
    """Repeat a run from the resolved inputs embedded in its manifest."""
    _start_workers(workers, where, cluster)
    from seedbed.trial import manifest as manifests

    held = manifests.read(manifest)
    request = held.request
    if request.fingerprint != held.fingerprint:
        raise RunError(
            f"{manifest}: its request is not the one that the fingerprint {held.fingerprint[:8]} stands for; it was "
            "changed after the run, or is of another version of seedbed: restore it, or start anew with seedbed run"
        )
    folder = out or Path("runs") / f"{request.protocol_id}-{request.fingerprint[:8]}-again"
    _perform(folder, request, workers, where, cluster, language)


def work(folder: Annotated[Path, typer.Argument(help="A run folder that other machines can see too.")]) -> None:
    """Join the work on a run folder: take unclaimed shards until none is left, as an array job would."""
    from seedbed.trial.run import join

    shards = join(folder)
    Console().print(f"{folder}: {shards} shards worked here; `seedbed run` on this folder merges and reports")


def _start_workers(workers: int, where: Where, cluster: str | None) -> None:
    """Let the workers' code be read while this process reads its own."""
    if workers > 1 and where == "processes" and cluster is None:
        from seedbed.trial.workers import start_early

        start_early("seedbed.cli.main")


def _perform(folder: Path, request: Request, workers: int, where: Where, cluster: str | None, language: str) -> None:
    from seedbed import report
    from seedbed.report import catalogue
    from seedbed.trial.request import embedded_content
    from seedbed.trial.run import execute, open_folder, summarize

    t = catalogue.load(language)
    console = Console()
    began = time.monotonic()
    too_many_failed: FailedSubjectsError | None = None
    with embedded_content(request):
        open_folder(folder, request)
        with _bar(request, console, t) as progress:
            try:
                execute(folder, request, workers=workers, where=where, cluster=cluster, progress=progress)
            except FailedSubjectsError as error:
                too_many_failed = error
        summarize(folder)
        made = folder if request.endpoints_only else report.write(folder, language=language)
        if not request.endpoints_only:
            console.print(report.terminal(folder, language))
    console.print(_last_line(folder, made, time.monotonic() - began, t), soft_wrap=True)
    if too_many_failed is not None:
        raise too_many_failed


def _last_line(folder: Path, made: Path, seconds: float, t: Catalogue) -> str:
    """Return where the result stands, how long it took, and the peak memory of this command and of its workers."""
    from seedbed.memory import peak_memory_mib
    from seedbed.trial import manifest as manifests

    memory = {"memory": peak_memory_mib(), "worker": manifests.read(folder).worker_memory_mib}
    shown = {name: t.number(mib, 0) for name, mib in memory.items()}
    return t("terminal.last_line", path=made, seconds=t.number(seconds, 1), **shown)


@contextmanager
def _bar(request: Request, console: Console, t: Catalogue) -> Iterator[Report]:
    """Show done, failed, rate, time passed and time left for each arm."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=min(40, shutil.get_terminal_size().columns // 3)),
        MofNCompleteColumn(),
        TextColumn(t("progress.failed") + " {task.fields[failed]}"),
        TextColumn("{task.fields[rate]:.0f}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        tasks = {arm: bar.add_task(arm, total=request.subjects, failed=0, rate=0.0) for arm in request.arms}
        began = time.monotonic()

        def show(_shard: Shard, outcome: Outcome) -> None:
            for arm, task_id in tasks.items():
                task = bar.tasks[task_id]
                finished = task.completed + outcome.done[arm] + outcome.failed[arm]
                failed = task.fields["failed"] + outcome.failed[arm]
                rate = finished / max(time.monotonic() - began, 1e-3)
                bar.update(task_id, completed=finished, failed=failed, rate=rate)

        yield show
