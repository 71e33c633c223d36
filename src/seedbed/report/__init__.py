"""Reports of runs: one HTML file that needs nothing else, and the table in the terminal, in English and Chinese.

`write` makes the page of a run folder, `terminal` the table. Pages of other kinds are built with
`seedbed.report.page.write` from sections (`seedbed.report.blocks`); charts are functions of small tables
(`seedbed.report.charts`, `seedbed.report.diagrams`). All words stand in ``library/locales``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seedbed.report.terminal import terminal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["terminal", "write"]


def write(
    run_folder: Path | str,
    language: str = "en",
    out: Path | str | None = None,
    evidence: pd.DataFrame | None = None,
) -> Path:
    """Write the report of a run folder; see `seedbed.report.run_report.write`."""
    from seedbed.report import run_report  # Altair takes a third of a second that the terminal table does not need

    return run_report.write(run_folder, language, out, evidence)
