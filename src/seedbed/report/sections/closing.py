"""Assumptions and limits, the data dictionary, and how to run it again."""

from __future__ import annotations

from seedbed import tables
from seedbed.report.blocks import Bullets, Cell, Code, Facts, Notice, Paragraph, Section, Table
from seedbed.report.setting import Setting

LIMITS = (
    "parameters", "structure", "selection", "grading", "infections", "products", "clocks", "death", "unseen",
)  # fmt: skip
"""What the model cannot claim; each is a text ``limit.<name>``."""


def limits(setting: Setting) -> Section:
    """Return the assumptions behind the numbers and what they cannot say."""
    t = setting.t
    items = tuple(t(f"limit.{name}") for name in LIMITS)
    if setting.is_calibrated:
        items = (t("limits.calibration", name=setting.run.ensemble), *items)
    purpose = Notice(t("page.purpose"), t("limits.purpose"), "bad")
    return Section("limits", t("limits.title"), (purpose, Paragraph(t("limits.text")), Bullets(items)))


def dictionary(setting: Setting) -> Section:
    """Return what each column of the endpoint table means: unit, clock, rule, when it is missing."""
    t = setting.t
    header = tuple(t(f"dictionary_column.{name}") for name in ("column", "meaning", "unit", "clock", "missing"))
    rows = tuple(_column_row(setting, column) for column in tables.columns("endpoints"))
    table = Table(header, rows, t("dictionary.table"), t("dictionary.note"), n_text=5, layout="dense")
    return Section("dictionary", t("dictionary.title"), (Paragraph(t("dictionary.text")), table))


def _column_row(setting: Setting, column: tables.Column) -> tuple[str | Cell, ...]:
    t = setting.t

    meaning = Cell(t.phrase(column.meaning), note=t.phrase(column.rule))
    clock, missing = (t.phrase(text) or t("format.missing") for text in (column.clock, column.missing))
    return (column.name, meaning, t.name("unit", column.unit), clock, missing)


def rerun(setting: Setting) -> Section:
    """Return the commands that repeat the run, and what decides its numbers."""
    run, t = setting.run, setting.t
    request, manifest = run.manifest.request, run.manifest
    machine = [t.name("machine", name) + f" {value}" for name, value in manifest.machine.items()]
    facts = (
        (t("rerun.version"), request.seedbed_version),
        (t("rerun.seed"), str(request.seed)),
        (t("rerun.subjects"), t.count(request.subjects)),
        (t("rerun.tolerance"), f"{request.relative_tolerance:g}"),
        (t("rerun.fingerprint"), manifest.fingerprint),
        *((t("rerun.hash", name=t.name("content", name)), digest) for name, digest in request.hashes.items()),
        (t("rerun.created"), manifest.created),
        (t("rerun.seconds"), t("rerun.seconds_text", seconds=t.number(manifest.seconds, 1))),
        (t("rerun.machine"), t("format.comma").join(machine)),
        (t("rerun.failed"), t("rerun.failed_text", done=t.count(manifest.n_done), failed=t.count(manifest.n_failed))),
    )
    commands = f"seedbed rerun {run.folder.name}/manifest.json --out {run.folder.name}-again\n"
    commands += f"seedbed report {run.folder.name} --lang {t.language}"
    return Section("rerun", t("rerun.title"), (Paragraph(t("rerun.text")), Code(commands), Facts(facts)))
