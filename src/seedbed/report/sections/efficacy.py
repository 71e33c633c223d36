"""The headline panel, survival, response and tumor burden."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seedbed.report import charts, contrasts, summary, theme
from seedbed.report.blocks import Block, Figure, Notice, Paragraph, Section, Table, Tile, Tiles
from seedbed.report.setting import Setting
from seedbed.report.summary import MONTH
from seedbed.report.wording import RESPONSE_LEVELS, data_table, endpoint, estimate, joined, points, signed

HEADLINES: tuple[tuple[str, float | None], ...] = (
    ("best_complete_response", None),
    ("pfs", 730.0),
    ("os", 730.0),
    ("non_relapse_mortality", 365.0),
    ("crs_grade_3", None),
    ("icans_grade_3", None),
    ("anc_engraftment", None),
    ("days_anc_below_0_5", None),
)
"""The endpoints of the headline panel; a landmark beyond the follow-up gives way to the latest one reached."""
NOTES = {"anc_engraftment": "median", "days_anc_below_0_5": "median", "non_relapse_mortality": "competing"}
"""What a headline says where it does not tell a difference."""
SURVIVAL_NAMES = ("pfs", "os")
RESPONSE_COLUMNS = ("response_d28", "response_d90", "response_d180", "best_response")
TUMOR = "tumor_total"
DEPTHS = {"visible": 1e9, "below_imaging": 1e6, "below_mrd": 1.0}
"""Least cells of each depth: imaging sees about 1 mL; an MRD test one in a million of 1e12 nucleated marrow cells."""
MARROW_DISEASES = ("multiple_myeloma", "b_all")
N_COURSES = 30
"""Patients an arm whose tumor is drawn one by one."""


def headline(setting: Setting) -> Section:
    """Return the key results, each with its interval, and a statement of how sure they are."""
    t = setting.t
    tiles = [tile for name, time in HEADLINES if (tile := _tile(setting, name, time)) is not None]
    blocks: list[Block] = [Tiles(tuple(tiles)), _sureness(setting)]
    return Section("headline", t("headline.title"), tuple(blocks))


def _tile(setting: Setting, name: str, time_days: float | None) -> Tile | None:
    run, t = setting.run, setting.t
    time_days = _reached(setting, name, time_days)
    rows = {arm: summary.estimate(run, arm, name, time_days) for arm in run.arms}
    known = {arm: row for arm, row in rows.items() if row is not None and pd.notna(row["estimate"])}
    if not known:
        return None
    lines = tuple((setting.arms.colors[arm], setting.arms.labels[arm], *estimate(t, row)) for arm, row in rows.items())
    note = t(f"headline.{NOTES[name]}") if name in NOTES else _difference_note(setting, name, time_days)
    return Tile(endpoint(t, name, time_days), lines, note)


def _reached(setting: Setting, name: str, time_days: float | None) -> float | None:
    """Return the landmark, or the latest one before it for which some arm has an estimate."""
    if time_days is None:
        return None
    rows = setting.run.summary
    known = rows.loc[(rows["endpoint"] == name) & rows["estimate"].notna(), "time_days"].dropna().astype(float)
    return float(known[known <= time_days].max()) if (known <= time_days).any() else time_days


def _difference_note(setting: Setting, name: str, time_days: float | None) -> str:
    """Return the paired difference of the first two arms, where the outcome is one that arms are compared by."""
    run, t = setting.run, setting.t
    wanted = [o for o in contrasts.available(run) if o.endpoint == name and o.time_days == time_days and o.is_rate]
    if len(run.arms) < 2 or not wanted:
        return ""
    table = contrasts.differences(run, (run.arms[0], run.arms[1]), wanted)
    if table.empty:
        return ""
    row = table.iloc[0]
    known = pd.notna(row["total_lower"])
    ends = ("total_lower", "total_upper") if known else ("lower", "upper")
    bounds = t.interval(*(signed(t, 100 * row[name]) for name in ends))
    values = {"difference": points(t, row["difference"]), "interval": bounds}
    return t("headline.difference_with_parameters", **values) if known else t("headline.difference", **values)


def _sureness(setting: Setting) -> Notice:
    t, n = setting.t, setting.run.subjects["subject"].nunique()
    values = {"n": t.count(n), "name": setting.run.ensemble}
    if setting.resolves_parameters:
        return Notice(t("headline.sure_title"), t("headline.sure_calibrated", **values), "")
    if setting.is_calibrated:
        return Notice(t("headline.sure_title"), t("headline.sure_unresolved", **values), "warn")
    return Notice(t("headline.sure_title"), t("headline.sure_uncalibrated", n=t.count(n)), "warn")


def survival(setting: Setting) -> Section:
    """Return Kaplan-Meier curves of progression-free and overall survival."""
    run, t = setting.run, setting.t
    blocks: list[Block] = [Paragraph(t("survival.text"))]
    blocks += [_survival_figure(setting, name) for name in SURVIVAL_NAMES if f"{name}_days" in run.endpoints]
    return Section("survival", t("survival.title"), tuple(blocks))


def _survival_figure(setting: Setting, name: str) -> Figure:
    run, t, arms = setting.run, setting.t, setting.arms
    curves, at_risk = summary.survival(run, name)
    ends = curves.groupby("arm")["time"].max() * MONTH
    described = joined(t, [_survival_words(setting, name, arm, float(ends[arm])) for arm in run.arms if arm in ends])
    at_ticks = arms.named(_at_ticks(curves, at_risk))
    columns = {
        "arm_name": (t("axis.arm"), str),
        "time": (t("axis.months"), t.count),
        "n": (t("number.n"), t.count),
        "events": (t("number.events"), t.count),
        "censored": (t("number.censored"), t.count),
        "estimate": (t("number.estimate"), lambda share: t.percent(share, 1)),
        "lower": (t("number.lower"), lambda share: t.percent(share, 1)),
        "upper": (t("number.upper"), lambda share: t.percent(share, 1)),
    }
    chart = charts.survival(curves, at_risk, t, arms, description=described)
    title = t("survival.figure", endpoint=t(f"endpoint.{name}"))
    return Figure(title, chart, described, data_table(at_ticks, columns), t(f"survival_note.{name}"))


def _at_ticks(curves: pd.DataFrame, at_risk: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for arm, rows in at_risk.groupby("arm", sort=False):
        curve = curves[curves["arm"] == arm].drop(columns="arm").sort_values("time")
        times = rows.assign(time=rows["time"].astype(float))
        parts.append(pd.merge_asof(times, curve, on="time"))
    return pd.concat(parts, ignore_index=True)


def _survival_words(setting: Setting, name: str, arm: str, end_days: float) -> str:
    """Return survival at the landmark and the median, which counts as reached only where the curve is drawn."""
    run, t = setting.run, setting.t
    time_days = _reached(setting, name, 730.0)
    value, bounds = estimate(t, summary.estimate(run, arm, name, time_days))
    row = summary.estimate(run, arm, f"{name}_median")
    reached = row is not None and pd.notna(row["estimate"]) and row["estimate"] <= end_days
    median, bounds_of_median = estimate(t, row) if reached else ("", "")
    told = t("survival.median", value=median, interval=bounds_of_median) if reached else t("survival.no_median")
    months = round((time_days or 0) / MONTH)
    label = setting.arms.labels[arm]
    return t("survival.in_words", arm=label, months=months, value=value, interval=bounds, median=told)


def response(setting: Setting) -> Section:
    """Return the shares of responses at each assessment and of the best response."""
    run, t, arms = setting.run, setting.t, setting.arms
    groups = {column: t(f"response_at.{column}") for column in RESPONSE_COLUMNS if column in run.endpoints}
    levels = {level: t(f"response_level.{level}") for level in RESPONSE_LEVELS}
    table = summary.share_table(run, tuple(groups), RESPONSE_LEVELS, missing="NE")
    table = table[table["n"] > 0]
    if table.empty:
        return Section("response", t("response.title"), (Paragraph(t("response.nothing")),))
    described = joined(t, [_response_words(setting, arm) for arm in run.arms])
    chart = charts.stacked_shares(
        table, t, arms, groups=groups, levels=levels, colors=theme.RESPONSE_COLORS, description=described
    )
    shown = _share_words(setting, table, groups, levels)
    figure = Figure(t("response.figure"), chart, described, shown, t("response.note"))
    return Section("response", t("response.title"), (Paragraph(t("response.text")), figure))


def _share_words(setting: Setting, table: pd.DataFrame, groups: dict[str, str], levels: dict[str, str]) -> Table:
    t = setting.t
    frame = setting.arms.named(table)
    frame = frame.assign(group=frame["column"].map(groups), word=frame["level"].map(levels))
    columns = {
        "group": (t("axis.assessment"), str),
        "arm_name": (t("axis.arm"), str),
        "word": (t("axis.level"), str),
        "n": (t("axis.n"), t.count),
        "of": (t("axis.of"), t.count),
        "share": (t("axis.share"), lambda share: t.percent(share, 1)),
    }
    return data_table(frame, columns, n_text=3)


def _response_words(setting: Setting, arm: str) -> str:
    run, t = setting.run, setting.t
    complete, bounds = estimate(t, summary.estimate(run, arm, "best_complete_response"))
    overall, overall_bounds = estimate(t, summary.estimate(run, arm, "best_overall_response"))
    values = {"complete": complete, "bounds": bounds, "overall": overall, "overall_bounds": overall_bounds}
    return t("response.in_words", arm=setting.arms.labels[arm], **values)


def tumor(setting: Setting) -> Section:
    """Return tumor burden over time on a log axis, down to the last cell, and how many patients lie how deep."""
    run, t, arms = setting.run, setting.t, setting.arms
    grid = np.unique(np.r_[0:90:3, 90:366:7, 366 : run.manifest.request.until_days : 21])
    table = summary.courses(run, [TUMOR], grid, clock="enrollment")
    if table.empty:
        return Section("tumor", t("tumor.title"), (Paragraph(t("kinetics.nothing")),))
    unit = charts.CELLS_PER_UNIT
    depths = summary.depths(table, TUMOR, {level: cells / unit for level, cells in DEPTHS.items()})
    shown = table[table["subject"].isin(sorted(table["subject"].unique())[:N_COURSES])].rename(columns={TUMOR: "value"})
    levels = {level: t(f"depth.{level}") for level in charts.DEPTH_COLORS}
    if in_marrow(setting):
        levels |= {level: t(f"depth_in_marrow.{level}") for level in ("visible", "below_imaging")}
    seen = t("tumor.marrow_limit") if in_marrow(setting) else t("tumor.imaging_limit")
    limits = [(DEPTHS["visible"], seen), (DEPTHS["below_imaging"], t("tumor.mrd_limit"))]
    described = joined(t, [_tumor_words(setting, arm, depths) for arm in run.arms if arm in set(depths["arm"])])
    chart = charts.tumor_burden(shown, depths, t, arms, limits=limits, levels=levels, description=described)
    place = "_in_marrow" if in_marrow(setting) else ""
    note = t(f"tumor.note{place}", n=t.count(shown["subject"].nunique()), all=t.count(table["subject"].nunique()))
    figure = Figure(t("tumor.figure"), chart, described, _depth_table(setting, depths, levels), note)
    return Section("tumor", t("tumor.title"), (Paragraph(t("tumor.text")), figure))


def in_marrow(setting: Setting) -> bool:
    """Tell whether the disease is one of the marrow, whose depth no imaging tells."""
    return setting.run.population.get("disease") in MARROW_DISEASES


def _tumor_words(setting: Setting, arm: str, depths: pd.DataFrame) -> str:
    t = setting.t
    rows = depths[(depths["arm"] == arm) & (depths["time"] <= 365)]
    last = rows[rows["time"] == rows["time"].max()].set_index("level")["share"]
    values = {level: t.percent(float(last[level])) for level in ("none", "visible", "dead")}
    place = "_in_marrow" if in_marrow(setting) else ""
    return t(f"tumor.in_words{place}", arm=setting.arms.labels[arm], day=t.count(rows["time"].max()), **values)


def _depth_table(setting: Setting, depths: pd.DataFrame, levels: dict[str, str]) -> Table:
    t = setting.t
    wide = depths.pivot_table(index=["arm", "time"], columns="level", values="share", sort=False).reset_index()
    wide = setting.arms.named(wide.iloc[:: max(1, len(wide) // 30)])
    columns = {"arm_name": (t("axis.arm"), str), "time": (t("axis.day"), t.count)}
    shares = {level: (word, lambda share: t.percent(share, 1)) for level, word in levels.items()}
    return data_table(wide, {**columns, **shares})


def band_table(setting: Setting, table: pd.DataFrame) -> Table:
    """Return the quantiles of a band chart as a table, thinned to at most 16 days an arm and observable."""
    t = setting.t
    thin = [rows.iloc[:: max(1, len(rows) // 16)] for _, rows in table.groupby(["arm", "observable"], sort=False)]
    frame = setting.arms.named(pd.concat(thin, ignore_index=True))
    frame = frame.assign(word=frame["observable"].map(lambda name: t(f"observable.{name}")))
    columns = {
        "word": (t("axis.quantity"), str),
        "arm_name": (t("axis.arm"), str),
        "time": (t("axis.day"), t.count),
        **{name: (t(f"quantile.{name}"), t.significant) for name in summary.QUANTILES},
    }
    return data_table(frame, columns, n_text=2)
