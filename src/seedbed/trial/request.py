"""Settle everything that decides the numbers of a run, and embed it, so that the run can be repeated anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from seedbed import library, protocol
from seedbed.documents import content_hash
from seedbed.population import Population
from seedbed.population.parameter_sets import ParameterSets, default_ensemble, read_sets
from seedbed.protocol import Protocol
from seedbed.trial import disk, enrollment
from seedbed.trial.manifest import Request

RELATIVE_TOLERANCE = 1e-5
LARGEST_SHARD, FEWEST_SHARDS = 1000, 2
#: Content besides protocol, population and model that decides the numbers.
EMBEDDED = ("measurements", "care", "outcomes", "rules", "tables")


WITHOUT_ENSEMBLE = "none"


@dataclass(frozen=True)
class Options:
    """What a user chooses for a run, beside the protocol; `ensemble` None is the library's default for the model."""

    subjects: int = 1000
    seed: int = 1
    until_days: float | None = None
    square: bool = False
    trajectories: int = 200
    ensemble: str | None = None
    endpoints_only: bool = False


def make_request(name_or_path: str | Path, options: Options) -> Request:
    """Read a protocol with everything it names, and return the request of a run.

    Raises
    ------
    ContentError
        Every problem of the protocol and of what it names.
    """
    trial, who = enrollment.read(name_or_path)
    return request_of(protocol.square(trial) if options.square else trial, who, options)


def request_of(trial: Protocol, who: Population, options: Options) -> Request:
    """Return the request of a run of a protocol that was read (and perhaps changed by a study)."""
    resolved = enrollment.resolve(trial, who)
    ensemble = ensemble_of(options.ensemble, trial.model)
    sets = _ensemble_files(ensemble)
    files = _embedded_files(trial.model) | sets
    hashes = {
        "protocol": content_hash(resolved["protocol"]),
        "population": content_hash(resolved["population"]),
        "model": content_hash({name: text for name, text in files.items() if name.startswith("models/")}),
        "clinic": content_hash({name: text for name, text in files.items() if name.split("/")[0] in EMBEDDED}),
    }
    if ensemble is not None:
        hashes["ensemble"] = content_hash(sets)
    shard = min(LARGEST_SHARD, max(50, -(-options.subjects // FEWEST_SHARDS)))
    return Request(
        inputs=resolved,
        files=files,
        subjects=options.subjects,
        seed=options.seed,
        until_days=options.until_days or float(trial.follow_up_days),
        relative_tolerance=RELATIVE_TOLERANCE,
        trajectories=options.trajectories,
        shard_size=shard,
        endpoints_only=options.endpoints_only,
        ensemble=ensemble.stem if ensemble is not None else None,
        hashes=hashes,
    )


def ensemble_of(asked: str | None, model: str) -> Path | None:
    """Return the file of a run's ensemble: the one asked for by id or path, the library's default, or none at all.

    Raises
    ------
    ContentError
        The library holds no such ensemble.
    """
    if asked == WITHOUT_ENSEMBLE:
        return None
    name = asked or default_ensemble(model)
    return library.find("ensembles", name) if name else None


def _ensemble_files(ensemble: Path | None) -> dict[str, str]:
    if ensemble is None:
        return {}
    files = (ensemble, ensemble.with_suffix(".csv"))
    return {f"ensembles/{file.name}": file.read_text(encoding="utf-8") for file in files}


def _embedded_files(model: str) -> dict[str, str]:
    """Return the text of the content files a run reads, by their path in the library."""
    folders = [(f"models/{model}", library.find("models", model).parent)]
    folders += [(kind, root / kind) for root in reversed(library.roots()) for kind in EMBEDDED]
    return {f"{name}/{file}": text for name, folder in folders for file, text in library.texts(folder).items()}


@contextmanager
def embedded_content(request: Request) -> Iterator[None]:
    """Read the content that the request embeds, in this thread and while the block runs.

    Where the installed library differs, the embedded files are written to the user's cache and searched first.
    """
    if _holds(library.roots(), request.files):
        yield
        return
    folder = _cache() / content_hash(request.files)[:16]
    if not _holds((folder,), request.files):
        _write(folder, request.files)
    with library.first(folder):
        yield


def _holds(roots: Sequence[Path], files: Mapping[str, str]) -> bool:
    for name, text in files.items():
        found = next((root / name for root in roots if (root / name).exists()), None)
        if found is None or found.read_text(encoding="utf-8") != text:
            return False
    return True


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files so that other processes see each of them whole, since they may write and read the same ones."""
    for name, text in files.items():
        disk.make_folder((folder / name).parent)
        disk.write_atomically(folder / name, text)


def _cache() -> Path:
    own = os.environ.get("SEEDBED_CACHE")
    return (Path(own) if own else Path.home() / ".cache" / "seedbed") / "content"


def sets_of(request: Request) -> ParameterSets | None:
    """Return the parameter sets that a request embeds, or None where it names no ensemble."""
    if request.ensemble is None:
        return None
    with embedded_content(request):
        return read_sets(request.ensemble)


@lru_cache(maxsize=4)
def trial_of(request: Request) -> tuple[Protocol, Population]:
    """Return the protocol and the population of a request."""
    return enrollment.read_resolved(request.inputs)
