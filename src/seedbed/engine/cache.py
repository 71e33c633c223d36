"""Keep compiled kernels, and other bytes that are slow to make, on disk; a name tells everything that shapes them."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path

import llvmlite

VARIABLE = "SEEDBED_CACHE"
KEPT_FILES = 200


def folder() -> Path:
    """Return the folder of the cache: ``$SEEDBED_CACHE``, else ``seedbed`` in the user's cache folder."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "seedbed" / "kernels"


@cache
def engine_hash() -> str:
    """Return a hash of the engine's own source and of the compiler's version."""
    digest = hashlib.sha256(llvmlite.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def key(*parts: object) -> str:
    """Return the name of a kernel shaped by `parts`, this engine and this compiler."""
    text = json.dumps([engine_hash(), *[str(part) for part in parts]])
    return hashlib.sha256(text.encode()).hexdigest()


def read(name: str) -> bytes | None:
    """Return a stored kernel, or None if there is none whose contents match its checksum."""
    try:
        stored = (folder() / f"{name}.kernel").read_bytes()
    except OSError:
        return None
    checksum, body = stored[:32], stored[32:]
    return body if hashlib.sha256(body).digest() == checksum else None


def write(name: str, body: bytes) -> None:
    """Store a kernel so that readers see all of it or nothing; a full or read-only disk only costs speed."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(body).digest() + body)
        Path(temporary).replace(place / f"{name}.kernel")
        _forget_oldest(place)
    except OSError:
        return


def _forget_oldest(place: Path) -> None:
    kept = sorted(place.glob("*.kernel"), key=lambda path: path.stat().st_mtime)
    for path in kept[:-KEPT_FILES]:
        path.unlink(missing_ok=True)
