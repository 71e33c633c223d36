"""The report of a run folder: which sections it has, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from seedbed import protocol
from seedbed.protocol import Protocol
from seedbed.report import catalogue, page, published, summary
from seedbed.report.blocks import Head, Notice, Section
from seedbed.report.sections import asked, closing, comparison, efficacy, safety, selection
from seedbed.report.setting import Setting
from seedbed.report.wording import words


def write(
    run_folder: Path | str, language: str = "en", out: Path | str | None = None, evidence: pd.DataFrame | None = None
) -> Path:
    """Write the report of a run folder as one HTML file that needs nothing else, and return its path.

    Parameters
    ----------
    run_folder : folder that `seedbed run` wrote
    language : ``"en"`` or ``"zh"``
    out : file to write; by default ``report.html`` in the folder, ``report-zh.html`` in Chinese
    evidence : published results to stand beside the simulated ones, with the columns of
        `seedbed.report.published.COLUMNS`; by default those of the study that the protocol emulates

    Raises
    ------
    RunError
        The folder is no finished run, or the file cannot be written.
    ContentError
        No such language.
    """
    t = catalogue.load(language)
    run = summary.read(run_folder)
    design = protocol.read_resolved(run.protocol)
    setting = Setting.of(run, t, published.of_protocol(design) if evidence is None else evidence)
    name = "report.html" if language == "en" else f"report-{language}.html"
    target = Path(out) if out is not None else run.folder / name
    return page.write(title(setting), sections(setting, design), target, language, head=head(setting))


def sections(setting: Setting, design: Protocol) -> Iterator[Section]:
    """Yield the sections of a run's report in their order."""
    yield asked.question(setting)
    yield efficacy.headline(setting)
    yield asked.timeline(setting, design)
    yield asked.flow(setting)
    yield asked.baseline(setting)
    yield efficacy.survival(setting)
    yield efficacy.response(setting)
    yield safety.toxicity(setting)
    yield safety.recovery(setting)
    yield safety.kinetics(setting)
    yield efficacy.tumor(setting)
    yield comparison.differences(setting)
    square = comparison.square(setting)
    if square is not None:
        yield square
    split = selection.selection(setting)
    if split is not None:
        yield split
    yield comparison.evidence(setting, design)
    yield comparison.uncertainty(setting)
    yield closing.limits(setting)
    yield closing.dictionary(setting)
    yield closing.rerun(setting)


def title(setting: Setting) -> str:
    """Return the title of the protocol."""
    protocol = setting.run.protocol
    return words(protocol.get("title") or protocol.get("id", ""), setting.t)


def head(setting: Setting) -> Head:
    """Return what stands above the sections: what this is, facts of the run, and whether it is calibrated."""
    run, t = setting.run, setting.t
    request = run.manifest.request
    facts = (
        (t("head.protocol"), str(run.protocol.get("id", ""))),
        (t("head.subjects"), t.count(run.subjects["subject"].nunique())),
        (t("head.arms"), t.count(len(run.arms))),
        (t("head.follow_up"), t("head.days", days=t.count(request.until_days))),
        (t("head.seed"), str(request.seed)),
        (t("head.version"), request.seedbed_version),
        (t("head.date"), (run.manifest.finished or run.manifest.created)[:10]),
    )
    notices = [] if setting.is_calibrated else [Notice(t("head.uncalibrated_title"), t("head.uncalibrated"), "warn")]
    if not run.manifest.request.ensemble_fits_model:
        notices.append(Notice(t("head.other_model_title"), t("head.other_model", name=run.ensemble), "warn"))
    notices.append(Notice(t("page.purpose"), "", "quiet"))
    return Head(t("head.kicker"), words(run.protocol.get("question", ""), t), facts, tuple(notices))
