"""Selection against biology: what a non-randomized comparison of the emulated study shows, taken apart.

Three numbers side by side: with the study's selection, randomized in the same population, and how the difference
depends on the strength of selection, with the tipping point at which nothing is left for the treatment.
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from seedbed.calibration.confounding import Outcomes, Split, prognosis, split
from seedbed.errors import TableError
from seedbed.report import contrasts, theme
from seedbed.report.blocks import Block, Figure, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.contrasts import Outcome
from seedbed.report.published import ours
from seedbed.report.sections.asked import NOT_COVARIATES
from seedbed.report.setting import Setting
from seedbed.report.summary import Run
from seedbed.report.wording import endpoint, signed

Triple = tuple[float, float, float]
"""A difference and the ends of its interval."""
OUTCOMES = (
    Outcome("best_complete_response"),
    Outcome("pfs", time_days=730.0),
    Outcome("os", time_days=730.0),
)
LEAST_SUBJECTS = 50
BOOTSTRAPS = 200


def selection(setting: Setting) -> Section | None:
    """Return the section, or None where the arms took the same patients or the run has no such comparison."""
    arms = compared(setting)
    if arms is None:
        return None
    found = [(outcome, item) for outcome in OUTCOMES if (item := of_outcome(setting, arms, outcome)) is not None]
    if not found:
        return None
    t = setting.t
    published = [published_difference(setting, arms, outcome) for outcome, _ in found]
    blocks: tuple[Block, ...] = (
        Paragraph(t("selection.text", treated=setting.arms.labels[arms[0]], control=setting.arms.labels[arms[1]])),
        _table(found, published, t),
        *(_figure(outcome, item, known, t) for (outcome, item), known in zip(found, published, strict=True)),
    )
    return Section("selection", t("selection.title"), blocks)


def compared(setting: Setting) -> tuple[str, str] | None:
    """Return the two arms to be compared, the combined one first; None where nothing but chance allocates patients.

    They are the two of a protocol that takes different patients for them, or of an emulated study that gave one of them
    the combination, as its physicians chose in ways that may be unknown.
    """
    run = setting.run
    study = (run.protocol.get("emulates") or {}).get("arms")
    arms = [arm for arm in run.arms if arm in (study or run.arms)]
    few = run.endpoints["subject"].nunique() < LEAST_SUBJECTS
    if len(arms) != 2 or few or "selected" not in run.endpoints:
        return None
    first, second = sorted(arms, key=lambda arm: not setting.combines(arm))
    chosen = [_selected(run, arm) for arm in (first, second)]
    both = pd.concat(chosen, axis=1, join="inner")
    same_patients = both.iloc[:, 0].equals(both.iloc[:, 1])
    same_therapy = setting.combines(first) == setting.combines(second)
    return None if same_patients and (study is None or same_therapy) else (first, second)


def _selected(run: Run, arm: str) -> pd.Series:
    """Return whom the arm of the emulated study took, by subject."""
    return run.arm(arm, ("subject", "selected")).set_index("subject")["selected"].astype(bool)


def of_outcome(setting: Setting, arms: tuple[str, str], outcome: Outcome) -> Split | None:
    """Return the split of one outcome, or None where it is not known for enough patients of both arms."""
    run = setting.run
    table = pd.concat([contrasts.values(run, arm, outcome).rename(arm) for arm in arms], axis=1, join="inner").dropna()
    if len(table) < LEAST_SUBJECTS:
        return None
    subjects = run.subjects.drop_duplicates("subject").set_index("subject").loc[table.index]
    treated, control = (table[arm].to_numpy(float) for arm in arms)
    flags = [_selected(run, arm).loc[table.index].to_numpy() for arm in arms]
    sets = (
        subjects["parameter_set"].to_numpy(np.int64) if "parameter_set" in subjects else np.zeros(len(table), np.int64)
    )
    try:
        outcomes = Outcomes(treated, control, prognosis(_numbers(subjects), control), sets, *flags)
    except TableError:
        return None
    return split(
        outcomes, published_difference(setting, arms, outcome), run.manifest.request.seed, n_bootstrap=BOOTSTRAPS
    )


def _numbers(subjects: pd.DataFrame) -> pd.DataFrame:
    """Return what was known of the patients as numbers: levels become indicators."""
    known = subjects.drop(columns=[name for name in subjects if name in NOT_COVARIATES or ":" in str(name)])
    return pd.get_dummies(known, dtype=float).astype(float).fillna(0.0)


def published_difference(setting: Setting, arms: tuple[str, str], outcome: Outcome) -> Triple:
    """Return the published difference with its interval; NaN where the run may not show it or there is none."""
    nothing = (np.nan, np.nan, np.nan)
    if not setting.is_calibrated or setting.evidence.empty:
        return nothing
    wanted = (outcome.endpoint, outcome.time_days)
    rows = [setting.evidence[setting.evidence["arm"] == arm] for arm in arms]
    found = [[row for row in table.to_dict("records") if ours(row) == wanted] for table in rows]
    if not all(found):
        return nothing
    (first, second) = (group[0] for group in found)
    difference = float(first["value"]) - float(second["value"])
    error = np.hypot(*((float(row["upper"]) - float(row["lower"])) / 3.92 for row in (first, second)))
    return difference, difference - 1.96 * error, difference + 1.96 * error


def _table(found: list[tuple[Outcome, Split]], published: list[Triple], t: Catalogue) -> Table:
    columns = ("outcome", "published", "with_selection", "randomized", "difference", "share", "tipping")
    header = tuple(t(f"selection.{name}") for name in columns)
    rows = [
        (
            endpoint(t, outcome.endpoint, outcome.time_days),
            _points(*known, t),
            *(_interval(part, t) for part in (item.with_selection, item.randomized, item.selection)),
            t("selection.no_share") if item.share_selection is None else _share(item.share_selection, t),
            _tipping(item, t),
        )
        for (outcome, item), known in zip(found, published, strict=True)
    ]
    return Table(header, tuple(rows), note=t("selection.note"), layout="dense")


def _interval(part: object, t: Catalogue) -> str:
    return _points(part.estimate, part.lower, part.upper, t)  # type: ignore[attr-defined]


def _points(estimate: float, lower: float, upper: float, t: Catalogue) -> str:
    if np.isnan(estimate):
        return t("format.missing")
    low, high = (signed(t, 100 * share, 0) for share in (lower, upper))
    return t("terminal.cell", value=signed(t, 100 * estimate), interval=t.interval(low, high))


def _share(part: object, t: Catalogue) -> str:
    value, low, high = (t.percent(share) for share in (part.estimate, part.lower, part.upper))  # type: ignore[attr-defined]
    return t("terminal.cell", value=value, interval=t.interval(low, high))


def _tipping(item: Split, t: Catalogue) -> str:
    if np.isnan(item.tipping_lower) and np.isnan(item.tipping):
        return t("selection.no_tipping")
    low, tipping, high = (t.number(value, 2) for value in (item.tipping_lower, item.tipping, item.tipping_upper))
    return t("terminal.cell", value=tipping, interval=t.interval(low, high))


def _figure(outcome: Outcome, item: Split, published: Triple, t: Catalogue) -> Figure:
    title = t("selection.figure", endpoint=endpoint(t, outcome.endpoint, outcome.time_days))
    known = not np.isnan(published[0])
    description = t("selection.figure_words_published" if known else "selection.figure_words")
    chart = sensitivity(item.sensitivity, t, published=published[0] if known else None, description=description)
    return Figure(title, chart, description)


def sensitivity(
    table: pd.DataFrame, t: Catalogue, *, published: float | None = None, description: str = ""
) -> alt.LayerChart:
    """Draw the difference that selection of each strength shows, with the treatment's effect and without.

    Parameters
    ----------
    table : `seedbed.calibration.confounding.Split.sensitivity`
    published : the published difference, drawn as a line where there is one
    """
    worlds = {"difference": t("selection.world_model"), "null_difference": t("selection.world_null")}
    long = pd.concat(
        [
            pd.DataFrame(
                {
                    "strength": table["strength"],
                    "estimate": 100 * table[name],
                    "lower": 100 * table[f"{name}_lower"],
                    "upper": 100 * table[f"{name}_upper"],
                    "world": label,
                }
            )
            for name, label in worlds.items()
        ]
    )
    color = alt.Color(
        "world:N",
        title=None,
        scale=alt.Scale(domain=list(worlds.values()), range=["#0072b2", "#6b7580"]),
        legend=alt.Legend(**theme.LINES),
    )
    stop = float(table["strength"].max())
    x = alt.X("strength:Q", title=t("selection.axis_strength"), scale=alt.Scale(domain=[0, stop], nice=False))
    base = alt.Chart(long).encode(x=x, color=color)
    y = alt.Y("lower:Q", title=t("selection.axis_difference"))
    band = base.mark_area(opacity=0.2).encode(y=y, y2=alt.Y2("upper:Q"))
    dashes = alt.Scale(domain=list(worlds.values()), range=[[1, 0], [7, 3]])
    dash = alt.StrokeDash("world:N", title=None, scale=dashes, legend=alt.Legend(**theme.LINES))
    line = base.mark_line(strokeWidth=2).encode(y=alt.Y("estimate:Q"), strokeDash=dash)
    layers = [band, line]
    if published is not None:
        told = pd.DataFrame({"estimate": [100 * published], "label": [t("selection.published")]})
        rule = alt.Chart(told).mark_rule(strokeDash=[4, 3], color=theme.INK).encode(y=alt.Y("estimate:Q"))
        text = alt.Chart(told).mark_text(align="left", dx=4, dy=-6, fontSize=10.5, color=theme.INK)
        layers += [rule, text.encode(x=alt.XValue(0), y=alt.Y("estimate:Q"), text=alt.Text("label:N"))]
    return theme.finish(alt.layer(*layers).properties(width=theme.HALF, height=200), t, description=description)
