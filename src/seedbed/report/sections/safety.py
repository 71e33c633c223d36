"""CRS, ICANS and infections, hematologic recovery, and the course of CAR-T cells and cytokines."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from seedbed.report import charts, summary, theme
from seedbed.report.blocks import Block, Figure, Paragraph, Section
from seedbed.report.sections.efficacy import band_table
from seedbed.report.setting import Setting
from seedbed.report.wording import data_table, estimate, joined

GRADED = ("crs_grade", "crs_grade_clinician", "icans_grade", "icaht_grade")
"""Columns of grades; CRS by true cause, as a clinician would grade it, ICANS, hematologic toxicity."""
GRADES = (0, 1, 2, 3, 4, 5)
COUNTS = {"neutrophil_blood": 0.01, "platelet_blood": 1.0}
KINETICS = {"cart_blood": 0.1, "IL15_plasma": 1.0, "IL6_plasma": 1.0}
"""What is drawn over time, with the lower end of its axis."""
ENGRAFTMENT = {"anc_engraftment_day": "days_anc_below_0_5", "platelet_engraftment_day": "platelets_below_20"}
"""Columns of engraftment, and what tells whom it concerns."""
ENGRAFTED_BY_DAYS = 42.0
WINDOW_DAYS = range(-10, 61)
"""Days drawn around day 0."""


def toxicity(setting: Setting) -> Section:
    """Return CRS and ICANS by highest grade."""
    run, t, arms = setting.run, setting.t, setting.arms
    columns = [column for column in GRADED if column in run.endpoints]
    table = summary.share_table(run, columns, GRADES)
    if table.empty:
        return Section("toxicity", t("toxicity.title"), (Paragraph(t("toxicity.nothing")),))
    table = table[table["n"] > 0]
    groups = {column: t(f"toxicity_of.{column}") for column in columns}
    levels = {grade: t("toxicity.grade", grade=grade) for grade in GRADES}
    described = joined(t, [_toxicity_words(setting, arm) for arm in run.arms])
    chart = charts.stacked_shares(
        table, t, arms, groups=groups, levels=levels, colors=theme.GRADE_COLORS, description=described
    )
    frame = arms.named(table)
    frame = frame.assign(group=frame["column"].map(groups), word=frame["level"].map(levels))
    shown = data_table(frame, {
        "group": (t("axis.toxicity"), str),
        "arm_name": (t("axis.arm"), str),
        "word": (t("axis.grade"), str),
        "n": (t("axis.n"), t.count),
        "of": (t("axis.of"), t.count),
        "share": (t("axis.share"), lambda share: t.percent(share, 1)),
    }, n_text=3)  # fmt: skip
    figure = Figure(t("toxicity.figure"), chart, described, shown, t("toxicity.note"))
    return Section("toxicity", t("toxicity.title"), (Paragraph(t("toxicity.text")), figure))


def _toxicity_words(setting: Setting, arm: str) -> str:
    run, t = setting.run, setting.t
    crs, crs_bounds = estimate(t, summary.estimate(run, arm, "crs_grade_3"))
    icans, icans_bounds = estimate(t, summary.estimate(run, arm, "icans_grade_3"))
    values = {"crs": crs, "crs_bounds": crs_bounds, "icans": icans, "icans_bounds": icans_bounds}
    return t("toxicity.in_words", arm=setting.arms.labels[arm], **values)


def recovery(setting: Setting) -> Section:
    """Return neutrophils and platelets over time, and engraftment."""
    run, t = setting.run, setting.t
    blocks: list[Block] = [Paragraph(t("recovery.text"))]
    table = _around(setting, COUNTS, ("stem_cell", "cart"))
    if len(table):
        blocks.append(_counts_figure(setting, table))
    reached = [
        summary.cumulative_share(run, column, until=ENGRAFTED_BY_DAYS, concerns=concerns).assign(column=column)
        for column, concerns in ENGRAFTMENT.items()
        if column in run.endpoints
    ]
    engrafted = pd.concat(reached, ignore_index=True) if reached else pd.DataFrame()
    if len(engrafted):
        blocks.append(_engraftment_figure(setting, engrafted))
    return Section("recovery", t("recovery.title"), tuple(blocks))


def _around(setting: Setting, observables: Iterable[str], clocks: tuple[str, str]) -> pd.DataFrame:
    """Return the bands of observables around each arm's day 0: of the first clock where it runs, else the second."""
    run, names = setting.run, tuple(observables)
    parts = []
    for clock in clocks:
        table = summary.courses(run, names, WINDOW_DAYS, clock=clock)
        first = [arm for arm in run.arms if (clock == clocks[0]) == run.has(clocks[0], arm)]
        parts.append(summary.bands(table[table["arm"].isin(first)], names))
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _clock(setting: Setting, first: str, second: str) -> str:
    """Return the title of an axis of days: both clocks where some arm does not run on the first."""
    t = setting.t
    runs = [setting.run.has(first, arm) for arm in setting.run.arms]
    if all(runs) or not any(runs):
        return t(f"clock.{first if all(runs) else second}")
    return t("clock.mixed", first=t(f"clock.{first}"), second=t(f"clock.{second}"))


def _counts_figure(setting: Setting, table: pd.DataFrame) -> Figure:
    t = setting.t
    courses = {arm: table[table["arm"] == arm] for arm in setting.run.arms}
    described = joined(t, [_nadir_words(setting, arm, rows) for arm, rows in courses.items() if len(rows)])
    limits = {
        "neutrophil_blood": ((0.5, t("recovery.anc_limit")),),
        "platelet_blood": ((20.0, t("recovery.platelet_limit")),),
    }
    panels = [charts.Panel(name, t(f"observable.{name}"), floor, limits[name]) for name, floor in COUNTS.items()]
    x_title = _clock(setting, "stem_cell", "cart")
    chart = charts.bands(table, t, setting.arms, panels, x_title=x_title, columns=2, description=described)
    return Figure(t("recovery.counts_figure"), chart, described, band_table(setting, table), t("recovery.counts_note"))


def _nadir_words(setting: Setting, arm: str, rows: pd.DataFrame) -> str:
    t = setting.t
    lowest = {name: rows[rows["observable"] == name] for name in COUNTS}
    points = {name: frame.loc[frame["q50"].idxmin()] for name, frame in lowest.items() if len(frame)}
    values = {
        "anc": t.significant(points["neutrophil_blood"]["q50"], 2),
        "anc_day": t.count(points["neutrophil_blood"]["time"]),
        "platelets": t.significant(points["platelet_blood"]["q50"], 2),
        "platelet_day": t.count(points["platelet_blood"]["time"]),
    }
    return t("recovery.in_words", arm=setting.arms.labels[arm], **values)


def _engraftment_figure(setting: Setting, table: pd.DataFrame) -> Figure:
    run, t = setting.run, setting.t
    panels = {name: t(f"engraftment.{name}") for name in ENGRAFTMENT if name in set(table["column"])}
    parts = []
    for arm in dict.fromkeys(table["arm"]):
        anc, anc_bounds = estimate(t, summary.estimate(run, arm, "anc_engraftment"))
        plt, plt_bounds = estimate(t, summary.estimate(run, arm, "platelet_engraftment"))
        values = {"anc": anc, "anc_bounds": anc_bounds, "platelets": plt, "platelet_bounds": plt_bounds}
        parts.append(t("recovery.engraftment_in_words", arm=setting.arms.labels[arm], **values))
    described = joined(t, parts)
    chart = charts.cumulative(
        table, t, setting.arms, panels=panels, x_title=t("clock.stem_cell"), description=described
    )
    frame = setting.arms.named(table[table["time"] % 7 == 0])
    shown = data_table(frame.assign(word=frame["column"].map(panels)), {
        "word": (t("axis.quantity"), str),
        "arm_name": (t("axis.arm"), str),
        "time": (t("axis.day"), t.count),
        "share": (t("axis.share"), lambda share: t.percent(share, 1)),
        "n": (t("axis.of"), t.count),
    }, n_text=2)  # fmt: skip
    return Figure(t("recovery.engraftment_figure"), chart, described, shown, t("recovery.engraftment_note"))


def kinetics(setting: Setting) -> Section:
    """Return CAR-T cells, IL-15 and IL-6 over time as quantile bands."""
    t = setting.t
    table = _around(setting, KINETICS, ("cart", "stem_cell"))
    if table.empty:
        return Section("kinetics", t("kinetics.title"), (Paragraph(t("kinetics.nothing")),))
    described = joined(t, [_kinetics_words(setting, arm) for arm in setting.run.arms])
    panels = [charts.Panel(name, t(f"observable.{name}"), floor) for name, floor in KINETICS.items()]
    x_title = _clock(setting, "cart", "stem_cell")
    chart = charts.bands(table, t, setting.arms, panels, x_title=x_title, description=described)
    figure = Figure(t("kinetics.figure"), chart, described, band_table(setting, table), t("kinetics.note"))
    return Section("kinetics", t("kinetics.title"), (Paragraph(t("kinetics.text")), figure))


def _kinetics_words(setting: Setting, arm: str) -> str:
    run, t = setting.run, setting.t
    peak, peak_bounds = estimate(t, summary.estimate(run, arm, "cart_cmax"))
    day, _ = estimate(t, summary.estimate(run, arm, "cart_tmax"))
    il6, il6_bounds = estimate(t, summary.estimate(run, arm, "il6_peak"))
    values = {"peak": peak, "peak_bounds": peak_bounds, "day": day, "il6": il6, "il6_bounds": il6_bounds}
    if run.has("cart", arm):
        return t("kinetics.in_words", arm=setting.arms.labels[arm], **values)
    return t("kinetics.in_words_no_cart", arm=setting.arms.labels[arm], **values)
