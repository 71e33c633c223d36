"""What `seedbed calibrate` prints at its end: what the data moved, the largest misfits, how many sets there are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from seedbed.calibration import diagnostics
from seedbed.calibration.run import Outcome
from seedbed.report import catalogue
from seedbed.report.blocks import Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.terminal import as_table

LARGEST_MISFITS = 8


def terminal(outcome: Outcome, folder: Path, language: str = "en") -> Group:
    """Return the tables of a calibration for the terminal, and a warning if too few sets are effective."""
    t, provenance = catalogue.load(language), outcome.ensemble.provenance
    moved = movement_table(diagnostics.movement(outcome.setup.latent, outcome.calibration.vectors), t)
    missed = misfit_table(diagnostics.misfits(outcome.calibration).head(LARGEST_MISFITS), t)
    counts = {"sets": provenance.sets, "effective": t.number(provenance.effective, 0), "members": provenance.members}
    last = t("calibration.last_line", **counts, minutes=t.number(provenance.minutes, 1), folder=str(folder))
    parts: list[RenderableType] = [as_table(moved), as_table(missed), Text(last)]
    if provenance.effective < outcome.setup.checked.plan.budget.wanted_effective:
        parts.append(Text(t("calibration.too_few"), style="yellow"))
    return Group(*parts)


def movement_table(moved: pd.DataFrame, t: Catalogue) -> Table:
    """Return how far the data moved each parameter, and those that stayed at their prior marked."""
    rows = [
        (
            row.parameter if row.moved else t("calibration.stayed", parameter=row.parameter),
            f"{row.shift:+.2f}",
            f"{row.sd_ratio:.2f}",
            f"{row.bits:.2f}",
        )
        for row in moved.itertuples()
    ]
    header = tuple(t(f"calibration.column.{name}") for name in ("parameter", "shift", "sd_ratio", "bits"))
    return Table(header, tuple(rows), t("calibration.moved"))


def misfit_table(misses: pd.DataFrame, t: Catalogue) -> Table:
    """Return the terms that the fitted model misses most."""
    rows = [
        (str(row.term), f"{row.observed:.3g}", f"{row.fitted:.3g}", f"{row.tail:.3f}") for row in misses.itertuples()
    ]
    header = tuple(t(f"calibration.column.{name}") for name in ("term", "observed", "fitted", "tail"))
    return Table(header, tuple(rows), t("calibration.misfits"))
