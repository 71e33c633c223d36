"""The main job: a protocol becomes a run folder.

`request` settles everything that decides the numbers; `execute` works the shards, resumes what a killed run left,
merges the tables and checks that hardly any subject failed. What the folder holds is listed in
`docs/reference/tables.md`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from seedbed import analysis
from seedbed.errors import FailedSubjectsError, RunError
from seedbed.memory import peak_memory_mib
from seedbed.tables import to_arrow
from seedbed.trial import disk
from seedbed.trial import manifest as manifests
from seedbed.trial.enrollment import merge_flows
from seedbed.trial.execution import Where, Work, heartbeats, open_pool, work_shards
from seedbed.trial.manifest import Manifest, Outcome, Request, Shard
from seedbed.trial.shards import Shards
from seedbed.trial.work import enrolled_blocks, work_shard

FAILED_SHARE_ALLOWED = 0.01
#: How often the manifest of a run under way tells of the shards finished; each shard's own files tell at once.
MANIFEST_EVERY_SECONDS = 10.0
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
Progress = Callable[[Shard, Outcome], None]


def plan(request: Request) -> tuple[Shard, ...]:
    """Return the shards of a request: blocks of screened subjects that hold so many enrolled ones together."""
    return tuple(
        Shard(index=index, first_subject=first, last_subject=last)
        for index, (first, last) in enumerate(enrolled_blocks(request))
    )


def open_folder(folder: Path, request: Request) -> Manifest:
    """Return the manifest of a new folder, or of one that holds the same run, to be resumed.

    Raises
    ------
    RunError
        The folder holds another run, or files that are no run.
    """
    if (folder / manifests.FILE_NAME).exists():
        return _same_run(folder, manifests.read(folder), request)
    if folder.is_dir() and not all(disk.is_temporary(path) for path in folder.iterdir()):
        raise RunError(f"{folder} holds files that are no run of seedbed; give another --out")
    held = manifests.new(request, plan(request))
    disk.make_folder(folder)
    return _same_run(folder, manifests.found(folder, held), request)


def _same_run(folder: Path, held: Manifest, request: Request) -> Manifest:
    if held.fingerprint != request.fingerprint:
        raise RunError(f"{folder} holds another run ({_difference(held.request, request)}); give another --out")
    return held


def _write_inputs(folder: Path, request: Request) -> None:
    """Write the resolved protocol and population for the reader; the run itself reads them from the manifest."""
    for name, resolved in request.inputs.items():
        if not (file := folder / f"{name}.yaml").exists():
            disk.write_atomically(file, yaml.dump(resolved, Dumper=_DUMPER, sort_keys=False, allow_unicode=True))


def _difference(held: Request, asked: Request) -> str:
    theirs, ours = held.model_dump(), asked.model_dump()
    names = [name for name in ours if theirs[name] != ours[name]]
    return ", ".join(
        f"{name} {theirs[name]} there, {ours[name]} asked" if isinstance(ours[name], int | float) else f"other {name}"
        for name in names
    )


def execute(
    folder: Path,
    request: Request,
    *,
    workers: int = 2,
    where: Where = "processes",
    cluster: str | None = None,
    progress: Progress = lambda _shard, _outcome: None,
    work: Work = work_shard,
) -> Manifest:
    """Work the run of a folder to its end and return its manifest.

    `work` makes the tables of a shard; a study that needs less of them than a run's report passes its own.

    Raises
    ------
    RunError
        The folder holds another run, or the disk is full.
    FailedSubjectsError
        More than 1 % of the subjects failed.
    """
    began = written = time.monotonic()
    held = open_folder(folder, request)
    store = Shards(folder)
    for place in (folder, store.folder):
        disk.sweep(place)
    _write_inputs(folder, request)
    outcomes: dict[str, Outcome] = {}

    def record(shard: Shard, outcome: Outcome) -> None:
        nonlocal written
        outcomes[shard.name] = outcome
        progress(shard, outcome)
        if time.monotonic() - written > MANIFEST_EVERY_SECONDS:
            manifests.write(folder, held.model_copy(update={"outcomes": outcomes}))
            written = time.monotonic()

    todo = list(held.shards)
    for shard in held.shards:
        if (outcome := store.outcome(shard)) is not None:
            todo.remove(shard)
            outcomes[shard.name] = outcome
            progress(shard, outcome)
    if todo:
        with open_pool(where, min(workers, len(todo)), cluster) as (pool, at_once):
            work_shards(request, todo, store, work, pool, at_once=at_once, report=record)
    store.merge(list(held.shards), folder)
    _add_up_flow(folder / "flow.parquet")
    finished = held.model_copy(
        update={
            "outcomes": {shard.name: outcomes[shard.name] for shard in held.shards},
            "finished": manifests.now(),
            "seconds": round(time.monotonic() - began, 2),
            "memory_mib": peak_memory_mib(),
        }
    )
    manifests.write(folder, finished)
    _check_failures(finished, folder)
    return finished


def _add_up_flow(file: Path) -> None:
    """Make one row a step and arm of the flow, in which each shard counted its own block of candidates."""
    if file.exists():
        table = to_arrow("flow", merge_flows(pd.read_parquet(file)))
        with disk.replacing(file) as temporary:
            pq.write_table(table, temporary)


def _check_failures(manifest: Manifest, folder: Path) -> None:
    total = manifest.n_done + manifest.n_failed
    if manifest.n_failed > FAILED_SHARE_ALLOWED * total:
        raise FailedSubjectsError(
            f"{manifest.n_failed} of {total} subjects failed, more than {FAILED_SHARE_ALLOWED:.0%}; "
            f"the reasons stand in {folder / 'failures.parquet'}"
        )


def join(folder: Path) -> int:
    """Work the unclaimed shards of a run folder until none is left; return how many were worked here.

    For array jobs and other machines that see the folder; the command that made the folder merges the tables.
    """
    held = manifests.read(folder)
    store, worked = Shards(folder), 0
    for shard in held.shards:
        if store.outcome(shard) is None and store.claim(shard):
            try:
                with heartbeats(store, lambda held=shard: [held]):
                    store.finish(shard, work_shard(held.request, shard))
            finally:
                store.release(shard)
            worked += 1
    return worked


def summarize(folder: Path) -> list[dict[str, Any]]:
    """Derive `summary.json` from the endpoints of a run folder: a row per arm, endpoint and time.

    Rows of `subjects: selected` are of those whom the arm of the emulated study took, `enrolled` of everyone. Only
    the columns of one definition are in memory at a time, so that millions of subjects can be summarized.
    """
    file = folder / "endpoints.parquet"
    present = set(pq.read_schema(file).names)
    sets = _parameter_sets(folder)
    rows: list[dict[str, Any]] = []
    for definition in analysis.standard_definitions():
        if set(definition.columns()) <= present:
            wanted = dict.fromkeys(["subject", "arm", "selected", *definition.columns()])
            table = _read_columns(file, list(wanted))
            for who, part in (("enrolled", table), ("selected", table[table["selected"]])):
                summary = analysis.summarize(part, [definition], parameter_sets=sets)
                rows += [{**row, "subjects": who} for row in summary]
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    disk.write_atomically(folder / "summary.json", text)
    return rows


def _read_columns(file: Path, columns: list[str]) -> pd.DataFrame:
    """Return some columns of a table, words as categories."""
    schema = pq.read_schema(file)
    words = [name for name in columns if pa.types.is_string(schema.field(name).type)]
    return pq.read_table(file, columns=columns, read_dictionary=words).to_pandas()


def _parameter_sets(folder: Path) -> pd.Series | None:
    """Return the parameter set of each subject, or None where the run used no ensemble."""
    file = folder / "subjects.parquet"
    if "parameter_set" not in pq.read_schema(file).names:
        return None
    return pd.read_parquet(file, columns=["subject", "parameter_set"]).set_index("subject")["parameter_set"]
