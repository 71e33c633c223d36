"""Where the design papers and reference data stand, for tests that compare with them; absent elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("SEEDBED_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def shared(relative: str) -> Path:
    """Return a path below the shared folder, or skip the test where it is absent."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"{relative} of the shared reference data is not on this machine")
    return path
