"""The table that `seedbed run` prints at its end, and tables of reports as the terminal shows them."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seedbed.report import blocks, catalogue, summary
from seedbed.report.catalogue import Catalogue
from seedbed.report.naming import arm_name
from seedbed.report.summary import Run
from seedbed.report.wording import endpoint, estimate, words

ROWS: tuple[tuple[str, float | None], ...] = (
    ("best_overall_response", None),
    ("best_complete_response", None),
    ("pfs", 365.0),
    ("pfs", 730.0),
    ("os", 365.0),
    ("os", 730.0),
    ("non_relapse_mortality", 365.0),
    ("crs_any", None),
    ("crs_grade_3", None),
    ("icans_grade_3", None),
    ("infection_grade_3", None),
    ("anc_engraftment", None),
    ("platelet_engraftment", None),
    ("days_anc_below_0_5", None),
    ("cart_cmax", None),
    ("cart_tmax", None),
    ("il6_peak", None),
)
"""What the table shows, where the run has it."""


def terminal(run_folder: Path | str, language: str = "en") -> RenderableType:
    """Return the key results of a run folder as a table for the terminal.

    Parameters
    ----------
    run_folder : folder that `seedbed run` wrote
    language : ``"en"`` or ``"zh"``

    Raises
    ------
    RunError
        The folder is no finished run.
    """
    t, run = catalogue.load(language), summary.read(run_folder)
    title = words(run.protocol.get("title") or run.protocol.get("id", ""), t)
    table = Table(title=title, title_style="bold", title_justify="left", header_style="bold", pad_edge=False, box=None)
    table.add_column(t("axis.endpoint"), overflow="fold")
    for arm in run.arms:
        table.add_column(arm_name(run, arm, t), justify="right", overflow="fold")
    for name, time_days in ROWS:
        cells = [_cell(run, arm, name, time_days, t) for arm in run.arms]
        if any(cells):
            table.add_row(endpoint(t, name, time_days), *(cell or t("format.missing") for cell in cells))
    return Group(table, Text(_caption(run, t), style="dim"))


def as_table(found: blocks.Table) -> Table:
    """Return a table of a report for the terminal; rows that head others are bold, the note stands below."""
    table = Table(title=found.title or None, caption=found.note or None, caption_justify="left")
    for place, name in enumerate(found.header):
        table.add_column(Text(str(name)), justify="left" if place < found.n_text else "right", overflow="fold")
    for row in found.rows:
        table.add_row(*(Text(str(cell)) for cell in row), style="bold" if found.is_group(row) else "")
    return table


def _cell(run: Run, arm: str, name: str, time_days: float | None, t: Catalogue) -> str:
    row = summary.estimate(run, arm, name, time_days)
    if row is None or row["estimate"] is None or row["estimate"] != row["estimate"]:
        return ""
    value, bounds = estimate(t, row)
    return t("terminal.cell", value=value, interval=bounds) if bounds else value


def _caption(run: Run, t: Catalogue) -> str:
    n = t.count(run.subjects["subject"].nunique())
    done = t("terminal.caption", n=n, seed=run.manifest.request.seed, failed=t.count(run.manifest.n_failed))
    state = "" if run.ensemble else " " + t("terminal.uncalibrated")
    if not run.manifest.request.ensemble_fits_model:
        state += f"\n{t('head.other_model_title')}"
    return f"{done}{state}\n{t('page.purpose')}"
