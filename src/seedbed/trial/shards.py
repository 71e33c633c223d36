"""The shards of a run folder: claimed by one process at a time, finished all at once, merged in order.

A finished shard is a folder `shards/<name>/` with its Parquet files and `outcome.json` holding their hashes. It is
written under a temporary name and renamed, so it exists whole or not at all. A claim is a file created
exclusively; its age is its heartbeat. A claim whose process is gone (this machine) or silent (any machine) is
taken over; work done twice is harmless, since equal shards have equal bits and the first to finish wins.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from seedbed.errors import RunError
from seedbed.memory import peak_memory_mib
from seedbed.trial import disk
from seedbed.trial.manifest import Outcome, Shard

SILENT_AFTER_SECONDS = 120.0
TABLES = ("subjects", "events", "endpoints", "failures", "trajectories", "flow")
_OUTCOME = "outcome.json"
_PARQUET = {"compression": "zstd", "write_statistics": False}


@dataclass(frozen=True)
class ShardResult:
    """The tables of one shard, its counts by arm, the seconds it took, and the peak memory of the process."""

    tables: dict[str, pa.Table]
    done: dict[str, int]
    failed: dict[str, int]
    seconds: float
    memory_mib: float | None = field(default_factory=peak_memory_mib)


class Shards:
    """The folder of shards of one run."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / "shards"
        disk.make_folder(self.folder)

    def outcome(self, shard: Shard) -> Outcome | None:
        """Return what a finished shard left, or None; a damaged one is removed and counts as unfinished."""
        folder = self.folder / shard.name
        if not folder.exists():
            return None
        outcome = _intact(folder)
        if outcome is None:
            _discard(folder)
        return outcome

    def finish(self, shard: Shard, result: ShardResult) -> Outcome:
        """Write the tables of a shard all at once and return its outcome.

        Raises
        ------
        RunError
            The disk is full, or the folder cannot be written.
        """
        final = self.folder / shard.name
        temporary = disk.temporary_path(final)
        try:
            outcome = _write(temporary, result)
            self._publish(temporary, final)
        except OSError as error:
            raise disk.cannot_write(final, error) from error
        finally:
            disk.remove(temporary)
            self.release(shard)
        return outcome

    def _publish(self, temporary: Path, final: Path) -> None:
        try:
            temporary.rename(final)
        except OSError:
            if _intact(final) is None:
                raise
        disk.flush(self.folder)

    def claim(self, shard: Shard) -> bool:
        """Return whether this process may work the shard; takes over the claim of a process that is gone.

        Raises
        ------
        RunError
            The disk is full, or the folder cannot be written.
        """
        file = self._claim_file(shard)
        try:
            if file.exists() and _abandoned(file):
                file.unlink(missing_ok=True)
            with file.open("x", encoding="utf-8") as stream:
                json.dump({"host": socket.gethostname(), "process": os.getpid()}, stream)
        except FileExistsError:
            return False
        except OSError as error:
            raise disk.cannot_write(file, error) from error
        return True

    def heartbeat(self, shard: Shard) -> None:
        """Show that the claim of a shard is alive; one that was released or cannot be touched stays as it is."""
        with suppress(OSError):
            os.utime(self._claim_file(shard))

    def release(self, shard: Shard) -> None:
        """Give up the claim of a shard."""
        with suppress(OSError):
            self._claim_file(shard).unlink(missing_ok=True)

    def _claim_file(self, shard: Shard) -> Path:
        return self.folder / f"{shard.name}.claim"

    def merge(self, shards: list[Shard], run_folder: Path, tables: tuple[str, ...] = TABLES) -> None:
        """Write each table of the run folder from the shards in their order, one shard in memory at a time.

        Raises
        ------
        RunError
            A shard is missing or lacks a table that others have, or the disk is full.
        """
        for table in tables:
            files = [self.folder / shard.name / f"{table}.parquet" for shard in shards]
            absent = [file for file in files if not file.exists()]
            if absent and len(absent) < len(files):
                raise RunError(f"{absent[0]}: was removed after the shard was finished; run again to work it again")
            if not absent:
                _concatenate(files, run_folder / f"{table}.parquet")


def _write(folder: Path, result: ShardResult) -> Outcome:
    """Write a shard's tables and their hashes to a new folder and have them on the disk."""
    folder.mkdir()
    for name, table in result.tables.items():
        pq.write_table(table, folder / f"{name}.parquet", **_PARQUET)
    files = {file.name: _hash(file) for file in sorted(folder.iterdir())}
    outcome = Outcome(
        done=result.done, failed=result.failed, seconds=result.seconds, memory_mib=result.memory_mib, files=files
    )
    (folder / _OUTCOME).write_text(json.dumps(outcome.model_dump()), encoding="utf-8")
    for file in (*folder.iterdir(), folder):
        disk.flush(file)
    return outcome


def _intact(folder: Path) -> Outcome | None:
    """Return the outcome of a finished shard, or None where a file is absent or fails its hash."""
    try:
        outcome = Outcome.model_validate_json((folder / _OUTCOME).read_text(encoding="utf-8"))
        intact = all(_hash(folder / name) == digest for name, digest in outcome.files.items())
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
    return outcome if intact else None


def _discard(folder: Path) -> None:
    """Remove a shard's folder at one stroke, since others may look at it."""
    aside = disk.temporary_path(folder)
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk.cannot_write(folder, error) from error
    disk.remove(aside)


def _concatenate(files: list[Path], target: Path) -> None:
    with (
        disk.replacing(target) as temporary,
        pq.ParquetWriter(temporary, pq.read_schema(files[0]), **_PARQUET) as writer,
    ):
        for file in files:
            writer.write_table(pq.read_table(file))


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _abandoned(file: Path) -> bool:
    """Return whether the process of a claim is gone, or has been silent for long."""
    try:
        silent = time.time() - file.stat().st_mtime > SILENT_AFTER_SECONDS
        claim = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:  # its process was killed while it wrote
        return silent
    gone = claim["host"] == socket.gethostname() and not disk.is_alive(claim["process"])
    return gone or silent
