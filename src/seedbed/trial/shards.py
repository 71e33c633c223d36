"""The shards of a run folder: claimed by one process at a time, finished all at once, merged in order.

A finished shard is a folder `shards/<name>/` with its Parquet files and `outcome.json` holding their hashes. It is
written under a temporary name and renamed, so it exists whole or not at all. A claim is a file created
exclusively; its age is its heartbeat. A claim whose process is gone (same machine) or silent (another machine) is
taken over; work done twice is harmless, since equal shards have equal bits and the first to finish wins.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seedbed.errors import RunError
from seedbed.trial.manifest import Outcome, Shard

SILENT_AFTER_SECONDS = 120.0
TABLES = ("subjects", "events", "endpoints", "failures", "trajectories", "flow")
_PARQUET = {"compression": "zstd", "write_statistics": False}


@dataclass(frozen=True)
class ShardResult:
    """The tables of one shard, its counts by arm, and the seconds it took."""

    tables: dict[str, pa.Table]
    done: dict[str, int]
    failed: dict[str, int]
    seconds: float


class Shards:
    """The folder of shards of one run."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / "shards"
        self.folder.mkdir(parents=True, exist_ok=True)

    def outcome(self, shard: Shard) -> Outcome | None:
        """Return what a finished shard left, or None; a shard whose files fail their hash counts as unfinished."""
        file = self.folder / shard.name / "outcome.json"
        if not file.exists():
            return None
        outcome = Outcome.model_validate_json(file.read_text(encoding="utf-8"))
        intact = all(_hash(file.parent / name) == digest for name, digest in outcome.files.items())
        if not intact:
            shutil.rmtree(file.parent)
        return outcome if intact else None

    def finish(self, shard: Shard, result: ShardResult) -> Outcome:
        """Write the tables of a shard all at once and return its outcome."""
        final = self.folder / shard.name
        temporary = self.folder / f".{shard.name}.{socket.gethostname()}.{os.getpid()}"
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            for name, table in result.tables.items():
                pq.write_table(table, temporary / f"{name}.parquet", **_PARQUET)
            files = {file.name: _hash(file) for file in sorted(temporary.iterdir())}
            outcome = Outcome(done=result.done, failed=result.failed, seconds=result.seconds, files=files)
            (temporary / "outcome.json").write_text(json.dumps(outcome.model_dump()), encoding="utf-8")
            for file in temporary.iterdir():
                _flush(file)
            self._publish(temporary, final)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            message = f"{final}: cannot be written ({error.strerror}); free space and run again to resume"
            raise RunError(message) from error
        self.release(shard)
        return outcome

    @staticmethod
    def _publish(temporary: Path, final: Path) -> None:
        try:
            temporary.rename(final)
        except OSError:
            if not (final / "outcome.json").exists():
                raise
            shutil.rmtree(temporary)

    def claim(self, shard: Shard) -> bool:
        """Return whether this process may work the shard; takes over the claim of a process that is gone."""
        file = self._claim_file(shard)
        if file.exists() and _abandoned(file):
            file.unlink(missing_ok=True)
        try:
            with file.open("x", encoding="utf-8") as stream:
                json.dump({"host": socket.gethostname(), "process": os.getpid()}, stream)
        except FileExistsError:
            return False
        return True

    def heartbeat(self, shard: Shard) -> None:
        """Show that the claim of a shard is alive."""
        file = self._claim_file(shard)
        if file.exists():
            os.utime(file)

    def release(self, shard: Shard) -> None:
        """Give up the claim of a shard."""
        self._claim_file(shard).unlink(missing_ok=True)

    def _claim_file(self, shard: Shard) -> Path:
        return self.folder / f"{shard.name}.claim"

    def sweep(self) -> None:
        """Remove what killed processes of this machine left half written."""
        for folder in self.folder.glob(".*"):
            process = folder.name.rsplit(".", 1)[-1]
            mine = folder.name.endswith(f".{socket.gethostname()}.{process}")
            if mine and not _alive(int(process)):
                shutil.rmtree(folder, ignore_errors=True)

    def merge(self, shards: list[Shard], run_folder: Path, tables: tuple[str, ...] = TABLES) -> None:
        """Write each table of the run folder from the shards in their order, one shard in memory at a time."""
        for table in tables:
            files = [file for shard in shards if (file := self.folder / shard.name / f"{table}.parquet").exists()]
            if files:
                _concatenate(files, run_folder / f"{table}.parquet")


def _concatenate(files: list[Path], target: Path) -> None:
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with pq.ParquetWriter(temporary, pq.read_schema(files[0]), **_PARQUET) as writer:
            for file in files:
                writer.write_table(pq.read_table(file))
        _flush(temporary)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(f"{target}: cannot be written ({error.strerror}); free space and run again") from error


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _abandoned(file: Path) -> bool:
    try:
        claim = json.loads(file.read_text(encoding="utf-8") or "{}")
        age = time.time() - file.stat().st_mtime
    except (OSError, json.JSONDecodeError):
        return False
    if claim.get("host") == socket.gethostname():
        return not _alive(int(claim["process"]))
    return age > SILENT_AFTER_SECONDS


def _alive(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
