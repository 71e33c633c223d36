"""The largest memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory_mib() -> float | None:
    """Return the largest memory that this process has held so far [MiB], None where the system does not tell.

    Linux is asked for the peak of the program that runs now: its ``ru_maxrss`` goes on from the process that started
    this one, however small this one is.
    """
    lines = _STATUS.read_text().splitlines() if _STATUS.exists() else []
    for line in lines:
        if line.startswith("VmHWM:"):  # some sandboxes do not tell it
            return round(int(line.split()[1]) / 2**10, 1)
    if sys.platform == "win32":
        return None
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
