"""What was asked, the regimen, the flow of subjects, and who they were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from seedbed.protocol import Protocol
from seedbed.report import consort, diagrams, regimen
from seedbed.report.blocks import Block, Bullets, Cell, Facts, Figure, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.setting import Setting
from seedbed.report.wording import RESPONSE_LEVELS, data_table, joined, signed, words

MOST_LEVELS = 8
MOST_ARMS_ABREAST = 3
SMD_LIMIT = 0.1
INDENT = "\u2003"


def question(setting: Setting) -> Section:
    """Return what was asked: the question, the arms, who is treated, how the run was made."""
    run, t = setting.run, setting.t
    protocol, request = run.protocol, run.manifest.request
    n = run.subjects["subject"].nunique()
    facts = [
        (t("question.question"), words(protocol.get("question", ""), t) or t("question.none")),
        (t("question.arms"), t("format.comma").join(setting.arms.labels.values())),
        (t("question.subjects"), _subjects(setting, n)),
        (t("question.population"), words(run.population["title"], t)),
        (t("question.follow_up"), t("question.follow_up_text", days=t.count(request.until_days))),
        (t("question.parameters"), _parameters(setting)),
        (t("question.use"), t("question.use_text")),
    ]
    notes = tuple(t.phrase(note) for note in protocol.get("notes", ()))
    blocks: list[Block] = [Facts(tuple(facts))]
    blocks += [Paragraph(t("question.same_luck"))] if len(run.arms) > 1 else []
    blocks += [Paragraph(t("question.notes"), "quiet"), Bullets(notes)] if notes else []
    return Section("question", t("question.title"), tuple(blocks))


def _subjects(setting: Setting, n: int) -> str:
    t, arms = setting.t, len(setting.run.arms)
    return t("question.subjects_text", n=t.count(n), arms=arms) if arms > 1 else t("question.one_arm", n=t.count(n))


def _parameters(setting: Setting) -> str:
    t = setting.t
    name = setting.run.ensemble
    return t("question.ensemble", name=name) if name else t("question.uncalibrated")


def timeline(setting: Setting, protocol: Protocol) -> Section:
    """Return the regimen of each arm on the clocks of stem cells and of CAR-T cells."""
    t, arms = setting.t, setting.arms
    table = regimen.table(protocol, setting.run.arms, t)
    if table.empty:
        return Section("regimen", t("regimen.title"), (Paragraph(t("regimen.nothing")),))
    shown = table.assign(
        arm_name=table["arm"].map(arms.labels), kind_name=table["kind"].map(diagrams.kinds_drawn(table, t))
    )
    columns = {
        "arm_name": (t("axis.arm"), str),
        "label": (t("axis.item"), str),
        "kind_name": (t("axis.kind"), str),
        "start": (t("axis.first_day"), lambda day: signed(t, day, 0)),
        "stop": (t("axis.last_day"), lambda day: signed(t, day, 0)),
        "text": (t("axis.dose"), str),
    }
    described = joined(t, [_arm_in_words(setting, protocol, arm) for arm in setting.run.arms if arm in protocol.arms])
    figure = Figure(
        t("regimen.figure"),
        diagrams.regimen(table, t, arms, description=described),
        described,
        data_table(shown, columns, n_text=3),
        t("regimen.note"),
    )
    return Section("regimen", t("regimen.title"), (Paragraph(t("regimen.clocks")), figure, *_beyond(setting, protocol)))


def _arm_in_words(setting: Setting, protocol: Protocol, arm: str) -> str:
    t, design = setting.t, protocol.arms[arm]
    if design.cart_offset is not None:
        return t("regimen.arm_offset", arm=setting.arms.labels[arm], day=signed(t, design.cart_offset, 0))
    return t("regimen.arm_plain", arm=setting.arms.labels[arm], therapy=t(f"therapy.{design.therapy}"))


def _beyond(setting: Setting, protocol: Protocol) -> tuple[Block, ...]:
    """Return the drugs that the timeline does not draw, and the reactive care, in words."""
    t = setting.t
    items = []
    for arm in (arm for arm in setting.run.arms if arm in protocol.arms):
        for key, told in (("from_enrollment", regimen.unplaced), ("outside", regimen.outside)):
            if drugs := told(protocol, arm, t):
                text = t("format.comma").join(drugs)
                items.append(t(f"regimen.{key}", arm=setting.arms.labels[arm], drugs=text))
    items.append(t("regimen.reactive"))
    return (Bullets(tuple(items)),)


def flow(setting: Setting) -> Section:
    """Return the flow of subjects from screening to analysis."""
    run, t, arms = setting.run, setting.t, setting.arms
    if run.flow.empty:
        return Section("flow", t("flow.title"), (Paragraph(t("flow.nothing")),))
    boxes = consort.steps(run, t)
    last = {box.arm: box for box in boxes if box.arm}
    parts = [t("flow.in_words", arm=arms.labels[arm], step=box.label, n=t.count(box.n)) for arm, box in last.items()]
    described = joined(t, parts)
    chart = diagrams.flow(boxes, t, arms, description=described)
    note = t("flow.analyzed", n=t.count(run.endpoints["subject"].nunique()))
    figure = Figure(t("flow.figure"), chart, described, _flow_table(setting, boxes), note)
    return Section("flow", t("flow.title"), (Paragraph(t("flow.text")), figure, *_failures(setting)))


def _flow_table(setting: Setting, boxes: Sequence[consort.FlowStep]) -> Table:
    """Return the boxes and the losses before each as rows."""
    t = setting.t
    rows = []
    for box in boxes:
        arm = setting.arms.labels.get(box.arm, t("flow.all_arms"))
        rows += [(arm, INDENT + reason, t.count(n)) for reason, n in box.losses]
        rows.append((arm, box.label, t.count(box.n)))
    return Table((t("axis.arm"), t("axis.step"), t("axis.n")), tuple(rows), n_text=2)


def _failures(setting: Setting) -> tuple[Block, ...]:
    """Return how many integrations failed, and the first of them."""
    t, failures = setting.t, setting.run.failures
    if failures.empty:
        return (Paragraph(t("flow.no_failures"), "quiet"),)
    reasons = failures["reason"].astype(str).value_counts()
    listed = t("format.comma").join(f"{reason} ({t.count(n)})" for reason, n in reasons.head(5).items())
    return (Paragraph(t("flow.failures", n=t.count(len(failures)), reasons=listed), "quiet"),)


def treated(setting: Setting, arm: str) -> pd.Index:
    """Return the subjects an arm took who were given what it gives: stem cells, CAR-T cells or both."""
    rows = setting.run.arm(arm)
    given = rows["selected"].astype(bool)
    for element in ("stem_cell", "cart"):
        if setting.run.has(element, arm):
            given = given & rows[f"{element}_day"].notna()
    return pd.Index(rows.loc[given, "subject"])


def baseline(setting: Setting) -> Section:
    """Return Table 1: covariates of all enrolled and of those treated in each arm, with standardized differences."""
    run, t = setting.run, setting.t
    groups = {arm: run.subjects[run.subjects["subject"].isin(treated(setting, arm))] for arm in run.arms}
    enrolled = run.subjects[run.subjects["subject"].isin(run.endpoints["subject"])]
    columns = _covariates(setting, enrolled)
    rows = [row for name in columns for row in _covariate_rows(setting, str(name), enrolled, groups)]
    first = list(groups.values())
    header = (
        t("baseline.covariate"),
        Cell(t("baseline.enrolled"), note=t("format.n", n=t.count(len(enrolled)))),
        *(Cell(setting.arms.labels[arm], note=t("baseline.treated", n=t.count(len(g)))) for arm, g in groups.items()),
        *((Cell(t("baseline.smd"), note=t("baseline.smd_note")),) if len(first) > 1 else ()),
    )
    table = Table(
        header,
        tuple(rows),
        t("baseline.table"),
        t("baseline.note") if len(groups) > 1 else t("baseline.note_one_arm"),
        layout="dense" if len(groups) <= MOST_ARMS_ABREAST else "dense wide",
    )
    return Section("baseline", t("baseline.title"), (Paragraph(t("baseline.text")), table))


NOT_COVARIATES = {"subject", "parameter_set", "screening_number"}


def _covariates(setting: Setting, enrolled: pd.DataFrame) -> list[str]:
    """Return the covariates worth a row, in the order of the catalogue, which is that of a clinical paper."""
    names = [str(name) for name in enrolled if str(name) not in NOT_COVARIATES and _tells(enrolled[name])]
    order = {key: index for index, key in enumerate(setting.t.texts)}
    return sorted(names, key=lambda name: order.get(f"covariate.{name}", len(order)))


def _tells(values: pd.Series) -> bool:
    """Tell whether a covariate has something to show: a number that differs, a flag that is true, few levels."""
    if pd.api.types.is_bool_dtype(values):
        return bool(values.any())
    return values.nunique() > 1 and (pd.api.types.is_numeric_dtype(values) or values.nunique() <= MOST_LEVELS)


def _covariate_rows(
    setting: Setting, name: str, enrolled: pd.DataFrame, groups: dict[str, pd.DataFrame]
) -> list[tuple[str | Cell, ...]]:
    t, label = setting.t, _covariate_name(setting, name)
    values = enrolled[name].dropna()
    columns = [enrolled[name], *(group[name] for group in groups.values())]
    if pd.api.types.is_bool_dtype(values):
        return [_level_row(setting, label, name, True, columns, groups)]
    if pd.api.types.is_numeric_dtype(values):
        digits = _decimals(values)
        cells = [_median(t, column, digits) for column in columns]
        return [(label, *cells, *_smd_cell(setting, [group[name] for group in groups.values()]))]
    rank = {level: index for index, level in enumerate(RESPONSE_LEVELS)}
    levels = sorted(values.unique(), key=lambda level: (rank.get(str(level), len(rank)), str(level)))
    rows = [_level_row(setting, INDENT + _level_name(t, str(level)), name, level, columns, groups) for level in levels]
    return [(label,), *rows]


def _covariate_name(setting: Setting, name: str) -> str:
    """Return the name of a covariate, in the words of the disease where it means something of its own there."""
    t, disease = setting.t, setting.run.population.get("disease")
    own = f"covariate_of.{disease}.{name}"
    return t(own) if own in t else t.name("covariate", name)


def _level_name(t: Catalogue, level: str) -> str:
    return t.name("response_level", level) if level in RESPONSE_LEVELS else t.name("level", level)


def _level_row(
    setting: Setting,
    label: str,
    name: str,
    level: object,
    columns: Sequence[pd.Series],
    groups: dict[str, pd.DataFrame],
) -> tuple[str | Cell, ...]:
    t = setting.t
    counts = [(int((column == level).sum()), len(column)) for column in columns]
    cells = [t("format.n_percent", n=t.count(n), percent=t.percent(n / max(of, 1))) for n, of in counts]
    return (label, *cells, *_smd_cell(setting, [(group[name] == level).astype(float) for group in groups.values()]))


def _decimals(values: pd.Series) -> int:
    """Return the decimals of a row: none for counts, else those that show the upper quartile with three figures."""
    if (values % 1 == 0).all():
        return 0
    high = abs(float(values.quantile(0.75)))
    return int(np.clip(2 - np.floor(np.log10(high)), 0, 2)) if high > 0 else 2


def _median(t: Catalogue, column: pd.Series, digits: int) -> str:
    low, middle, high = (t.number(value, digits) for value in column.astype(float).quantile([0.25, 0.5, 0.75]))
    return t("format.median_range", middle=middle, low=low, high=high)


def _smd_cell(setting: Setting, groups: Sequence[pd.Series]) -> tuple[Cell, ...]:
    """Return the largest standardized difference between two arms, marked when it exceeds 0.1."""
    if len(groups) < 2:
        return ()
    found = [abs(standardized_difference(a, b)) for i, a in enumerate(groups) for b in groups[:i]]
    largest = max((value for value in found if np.isfinite(value)), default=np.nan)
    return (Cell(setting.t.number(largest, 2), "bad" if largest > SMD_LIMIT else ""),)


def standardized_difference(one: pd.Series, other: pd.Series) -> float:
    """Return the difference of two means over the root of their mean variance; 0 where both are constant and equal.

    Source: Austin 2009, doi 10.1002/sim.3697, for continuous and binary covariates.
    """
    one, other = one.dropna().astype(float), other.dropna().astype(float)
    if one.empty or other.empty:
        return float("nan")
    gap = float(one.mean() - other.mean())
    spread = float(np.sqrt((one.var(ddof=0) + other.var(ddof=0)) / 2))
    return gap / spread if spread > 0 else (0.0 if gap == 0 else float(np.copysign(np.inf, gap)))
