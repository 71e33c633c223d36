"""The work folder of a calibration: every finished batch is a file that appears whole or not at all.

A calibration that is killed finds its finished batches again when it is started with the same plan, seed and
content; a folder that holds another calibration is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.errors import RunError

_IDENTITY = "calibration.json"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it appears complete or not at all, even when the machine stops.

    Raises
    ------
    RunError
        The folder cannot be written, or the disk is full.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise RunError(f"{path} cannot be written: {error.strerror}") from error


@dataclass(frozen=True)
class Store:
    """Finished pieces of one calibration; `folder` None keeps nothing (for small studies in memory)."""

    folder: Path | None

    def claim(self, identity: Mapping[str, Any]) -> None:
        """Mark the folder as belonging to one calibration.

        Raises
        ------
        RunError
            The folder holds another calibration, or files that are not one.
        """
        if self.folder is None:
            return
        file = self.folder / _IDENTITY
        if not file.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise RunError(f"{self.folder} holds other files; give an empty or a new folder")
            write_whole(file, json.dumps(identity, indent=1, default=str).encode())
            return
        found = json.loads(file.read_text(encoding="utf-8"))
        different = sorted(
            key for key in identity if found.get(key) != json.loads(json.dumps(identity[key], default=str))
        )
        if different:
            raise RunError(
                f"{self.folder} holds another calibration ({', '.join(different)} differ); "
                "give another folder, or the plan, seed and library it was started with"
            )

    def require(self, identity: Mapping[str, Any]) -> None:
        """Refuse a folder that does not hold the calibration of an identity.

        Raises
        ------
        RunError
            It holds none, or another one.
        """
        file = None if self.folder is None else self.folder / _IDENTITY
        found = {} if file is None or not file.exists() else json.loads(file.read_text(encoding="utf-8"))
        different = sorted(key for key, value in identity.items() if key in found and found[key] != value)
        if not found or different:
            what = f"another calibration ({', '.join(different)} differ)" if found else "no calibration"
            raise RunError(f"{self.folder} holds {what}; give the work folder that the frozen ensemble came from")

    def add_minutes(self, minutes: float) -> float:
        """Add to the time that was worked on this folder, over all sittings; return the total [min]."""
        if self.folder is None:
            return minutes
        file = self.folder / "minutes.json"
        total = minutes + (float(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else 0.0)
        write_whole(file, json.dumps(total).encode())
        return total

    def read(self, name: str) -> pd.DataFrame | None:
        """Return a finished piece, or None."""
        if self.folder is None or not (self.folder / f"{name}.parquet").exists():
            return None
        return pd.read_parquet(self.folder / f"{name}.parquet")

    def write(self, name: str, frame: pd.DataFrame) -> None:
        """Keep a finished piece."""
        if self.folder is not None:
            write_whole(self.folder / f"{name}.parquet", frame.to_parquet(index=False))

    def read_array(self, name: str) -> NDArray[np.float64] | None:
        """Return a finished matrix, or None."""
        found = self.read(name)
        return None if found is None else found.to_numpy(float)

    def write_array(self, name: str, array: NDArray[np.float64]) -> None:
        """Keep a matrix."""
        self.write(name, pd.DataFrame(array, columns=[str(i) for i in range(array.shape[1])]))
