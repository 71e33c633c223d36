"""What was asked of a run, and what became of it: the file `manifest.json` of a run folder."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import Field, ValidationError

from seedbed import __version__
from seedbed.documents import Content, content_hash
from seedbed.errors import RunError
from seedbed.population.parameter_sets import is_fitted_to
from seedbed.trial import disk

FILE_NAME = "manifest.json"


class Request(Content):
    """Everything that decides the numbers of a run; two runs with equal requests are equal bit for bit.

    `inputs` holds the resolved protocol and population, `files` the text of the model and of the clinic's content.
    """

    inputs: dict[str, Any]
    files: dict[str, str]
    subjects: int = Field(ge=1)
    seed: int = Field(ge=0)
    until_days: float = Field(gt=0)
    relative_tolerance: float = Field(gt=0)
    trajectories: int = Field(ge=0)
    shard_size: int = Field(ge=1)
    endpoints_only: bool = False
    ensemble: str | None = None
    hashes: dict[str, str]
    seedbed_version: str = __version__

    @property
    def protocol_id(self) -> str:
        """Return the id of the protocol."""
        return self.inputs["protocol"]["id"]

    @property
    def arms(self) -> list[str]:
        """Return the ids of the arms, in the protocol's order."""
        return list(self.inputs["protocol"]["arms"])

    @property
    def ensemble_fits_model(self) -> bool:
        """Whether the ensemble was fitted to the model of this run, not to another version of it."""
        model = f"models/{self.inputs['protocol']['model']}/"
        ensemble = yaml.safe_load(self.files.get(f"ensembles/{self.ensemble}.yaml", "{}"))
        own = {name.removeprefix(model): text for name, text in self.files.items() if name.startswith(model)}
        return is_fitted_to(ensemble, own)

    @property
    def fingerprint(self) -> str:
        """Return the hash of the request."""
        return content_hash(self.model_dump(mode="json"))

    def __hash__(self) -> int:
        """Return a hash, so that what follows from a request alone can be remembered."""
        return hash(self.fingerprint)


class Shard(Content):
    """A block of subjects in all arms, about a thousand patients: the unit of work.

    Subjects are numbered as they are screened; of those from `first_subject` to `last_subject` the eligible ones
    are enrolled.
    """

    index: int
    first_subject: int
    last_subject: int

    @property
    def name(self) -> str:
        """Return the name of the shard's folder."""
        return f"{self.index:06d}"


class Outcome(Content):
    """What a finished shard left: its files by hash, its counts by arm, how long it took.

    `memory_mib` is the peak memory of the process that worked it.
    """

    done: dict[str, int]
    failed: dict[str, int]
    seconds: float
    memory_mib: float | None = None
    files: dict[str, str]


class Manifest(Content):
    """The manifest of a run folder; `memory_mib` is the peak memory of the command that finished the run."""

    request: Request
    fingerprint: str
    shards: tuple[Shard, ...]
    outcomes: dict[str, Outcome] = Field(default_factory=dict)
    created: str
    finished: str | None = None
    seconds: float | None = None
    memory_mib: float | None = None
    machine: dict[str, Any]

    @property
    def n_done(self) -> int:
        """Return how many subjects were simulated to the end, over all arms."""
        return sum(sum(outcome.done.values()) for outcome in self.outcomes.values())

    @property
    def n_failed(self) -> int:
        """Return how many subjects failed, over all arms."""
        return sum(sum(outcome.failed.values()) for outcome in self.outcomes.values())

    @property
    def worker_memory_mib(self) -> float | None:
        """Return the peak memory of the largest process that worked a shard, None where it is not known."""
        return max((outcome.memory_mib or 0.0 for outcome in self.outcomes.values()), default=0.0) or None


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new(request: Request, shards: tuple[Shard, ...]) -> Manifest:
    """Return the manifest of a run that has not begun."""
    return Manifest(
        request=request, fingerprint=request.fingerprint, shards=shards, created=now(), machine=describe_machine()
    )


def describe_machine() -> dict[str, Any]:
    """Return what a reader needs to judge times: processor, cores, system, Python and numpy."""
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder so that a reader sees the old one or the new one, never half of one."""
    disk.write_atomically(folder / FILE_NAME, _text(manifest))


def found(folder: Path, manifest: Manifest) -> Manifest:
    """Write the first manifest of a folder and return it, or that of another command which was faster."""
    mine = disk.create(folder / FILE_NAME, _text(manifest))
    return manifest if mine else read(folder)


def _text(manifest: Manifest) -> str:
    return json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False)


def read(folder: Path) -> Manifest:
    """Return the manifest of a run folder (or of a manifest file).

    Raises
    ------
    RunError
        There is none, or it cannot be understood.
    """
    file = folder if folder.is_file() or folder.suffix == ".json" else folder / FILE_NAME
    try:
        return Manifest.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{file}: cannot be read ({error.strerror}); give the folder of a run") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise RunError(f"{file}: not the manifest of a run of this version ({_first_problem(error)})") from error


def _first_problem(error: ValidationError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "no text"
    first = error.errors()[0]
    return ": ".join(filter(None, [".".join(str(key) for key in first["loc"]), first["msg"]]))
