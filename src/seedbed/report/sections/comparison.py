"""Differences between arms, the square of the single therapies, published results, and the three uncertainties."""

from __future__ import annotations

import pandas as pd

from seedbed.analysis.results import LEVEL, normal_quantile
from seedbed.protocol import Protocol
from seedbed.report import charts, contrasts, published, summary
from seedbed.report.blocks import Block, Cell, Figure, Notice, Paragraph, Section, Table
from seedbed.report.setting import Setting
from seedbed.report.wording import (
    bounds,
    data_table,
    endpoint,
    estimate,
    is_share,
    joined,
    points,
    quantity,
    signed,
    unit_name,
)

SPREAD_ENDPOINTS = ("anc_engraftment", "days_anc_below_0_5", "cart_tmax", "cart_persistence")
"""Quantities drawn with their three uncertainties; the table has all."""
TABLED_ENDPOINTS: tuple[tuple[str, float | None], ...] = (
    ("best_complete_response", None),
    ("pfs", 365.0),
    ("pfs", 730.0),
    ("os", 730.0),
    ("non_relapse_mortality", 365.0),
    ("crs_grade_3", None),
    ("icans_grade_3", None),
    ("anc_engraftment", None),
    ("platelet_engraftment", None),
    ("days_anc_below_0_5", None),
    ("cart_cmax", None),
    ("cart_tmax", None),
    ("cart_persistence", None),
    ("il6_peak", None),
)


def differences(setting: Setting) -> Section:
    """Return the paired differences of the first arm against each other one, and the unpaired intervals."""
    run, t, arms = setting.run, setting.t, setting.arms
    title = t("difference.title")
    outcomes = contrasts.available(run)
    parts = [contrasts.differences(run, (run.arms[0], other), outcomes) for other in run.arms[1:]]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if table.empty:
        return Section("difference", title, (Paragraph(t("difference.nothing")),))
    table = table.assign(outcome=[endpoint(t, row.endpoint, row.time_days) for row in table.itertuples()])
    rates = table[table["rate"]]
    labels = {name: name for name in dict.fromkeys(rates["outcome"])}
    described = joined(t, [_difference_words(setting, row) for row in rates.to_dict("records")[:4]])
    chart = charts.differences(rates, t, arms, labels=labels, description=described)
    others = arms.labels[run.arms[1]] if len(run.arms) == 2 else t("difference.others")
    figure = Figure(
        t("difference.figure", arm=arms.labels[run.arms[0]], other=others), chart, described, note=t("difference.note")
    )
    blocks: tuple[Block, ...] = (Paragraph(t("difference.text")), figure, _difference_table(setting, table))
    return Section("difference", title, blocks)


def _difference_words(setting: Setting, row: dict[str, object]) -> str:
    t = setting.t
    ends = t.interval(signed(t, 100 * row["lower"]), signed(t, 100 * row["upper"]))
    values = {"endpoint": row["outcome"], "arm": setting.arms.labels[row["control"]]}
    return t("difference.in_words", **values, difference=points(t, row["difference"]), interval=ends)


def _difference_table(setting: Setting, table: pd.DataFrame) -> Table:
    t, arms = setting.t, setting.arms
    with_parameters = bool(table["parameter_sd"].notna().any())
    parameters = (
        Cell(t("spread.parameter"), note=t("uncertainty.standard_deviation")),
        Cell(t("difference.total"), note=t("format.level")),
    )
    header = (
        t("axis.endpoint"), arms.labels[setting.run.arms[0]], t("difference.control"), t("difference.difference"),
        Cell(t("difference.paired"), note=t("format.level")), *(parameters if with_parameters else ()),
        Cell(t("difference.unpaired"), note=t("format.level")),
        Cell(t("difference.gain"), note=t("difference.gain_note")),
    )  # fmt: skip
    rows: list[tuple[str | Cell, ...]] = []
    for control, group in table.groupby("control", sort=False):
        rows.append((t("difference.against", arm=arms.labels[str(control)]),))
        rows += [_difference_row(setting, row, with_parameters=with_parameters) for row in group.to_dict("records")]
    note = t("difference.table_note")
    if with_parameters:
        note = t("format.sentences", first=note, second=t("difference.total_note"))
    return Table(header, tuple(rows), t("difference.table"), note, layout="dense")


def _difference_row(setting: Setting, row: dict[str, object], *, with_parameters: bool) -> tuple[str, ...]:
    t, rate = setting.t, row["rate"]

    def level(value: float) -> str:
        return t.percent(value, 1) if rate else t.number(value, 1)

    def change(value: float) -> str:
        return signed(t, 100 * value if rate else value)

    def interval(name: str) -> str:
        if pd.isna(row[f"{name}lower"]):
            return t("format.missing")
        return t.interval(change(row[f"{name}lower"]), change(row[f"{name}upper"]))

    parameters = ()
    if with_parameters:
        spread = row["parameter_sd"]
        shown = t.number(100 * spread if rate else spread, 1) if pd.notna(spread) else t("format.missing")
        parameters = (shown, interval("total_"))
    times = t("difference.times", value=t.number(row["gain"], 1)) if pd.notna(row["gain"]) else t("format.missing")
    return (
        str(row["outcome"]),
        level(row["one"]),
        level(row["other"]),
        change(row["difference"]),
        interval(""),
        *parameters,
        interval("unpaired_"),
        times,
    )


def square(setting: Setting) -> Section | None:
    """Return the square of neither, ASCT, CAR-T and both, or None where the run lacks an arm of it."""
    run, t = setting.run, setting.t
    corners = contrasts.square_arms(run)
    if corners is None:
        return None
    outcomes = [item for item in contrasts.available(run) if item.is_rate]
    table = contrasts.excess(run, corners, outcomes)
    table = table.assign(outcome=[endpoint(t, row.endpoint, row.time_days) for row in table.itertuples()])
    names = {corner: t(f"corner.{corner}") for corner in contrasts.SQUARE}
    labels = {name: name for name in table["outcome"]}
    described = joined(t, [_excess_words(setting, row) for row in table.to_dict("records")[:3]])
    chart = charts.square(table, t, labels=labels, names=names, description=described)
    share = {
        name: (names[key], lambda value: t.percent(value, 1))
        for name, key in zip(("neither", "asct", "cart", "both"), contrasts.SQUARE, strict=True)
    }
    columns = {
        "outcome": (t("axis.endpoint"), str),
        **share,
        "expected": (t("square.expected"), lambda value: t.percent(value, 1)),
        "excess": (t("square.excess"), lambda value: points(t, value)),
        "bounds": (t("format.level"), str),
    }
    ends = [t.interval(signed(t, 100 * row.lower), signed(t, 100 * row.upper)) for row in table.itertuples()]
    shown = data_table(table.assign(bounds=ends), columns)
    tabled = Table(shown.header, shown.rows, t("square.table"), t("square.note"), layout="dense")
    return Section(
        "square", t("square.title"), (Paragraph(t("square.text")), Figure(t("square.figure"), chart, described), tabled)
    )


def _excess_words(setting: Setting, row: dict[str, object]) -> str:
    t = setting.t
    values = {"both": t.percent(row["both"], 1), "expected": t.percent(row["expected"], 1)}
    ends = t.interval(signed(t, 100 * row["lower"]), signed(t, 100 * row["upper"]))
    return t("square.in_words", endpoint=row["outcome"], **values, excess=points(t, row["excess"]), interval=ends)


def evidence(setting: Setting, trial: Protocol) -> Section:
    """Return the published results of the emulated study beside ours, hits and misses marked alike."""
    t = setting.t
    title, table = t("published.title"), published.compare(setting, trial)
    if table.empty:
        return Section("published", title, (Paragraph(t("published.nothing")),))
    blocks: list[Block] = [Paragraph(t("published.text"))]
    if (table["verdict"] == "withheld").any():
        blocks.append(Notice(t("published.withheld_title"), t("published.withheld_text"), "warn"))
    counts = {verdict: int((table["verdict"] == verdict).sum()) for verdict in ("hit", "miss", "no_interval")}
    if any(counts.values()):
        blocks.append(Paragraph(t("published.count", **counts), "strong"))
    rates = table[(table["unit"] == "1") & (table["verdict"] != "withheld")]
    if len(rates):
        described = joined(t, [_published_words(setting, row) for row in rates.to_dict("records")[:4]])
        chart = charts.published(rates, t, setting.arms, description=described)
        blocks.append(Figure(t("published.figure"), chart, described))
    blocks.append(_published_table(setting, table))
    return Section("published", title, tuple(blocks))


def _published_words(setting: Setting, row: dict[str, object]) -> str:
    t = setting.t
    values = {"published": t.percent(row["published"]), "simulated": t.percent(row["simulated"])}
    verdict = t(f"verdict.{row['verdict']}")
    return t(
        "published.in_words", arm=setting.arms.labels[row["arm"]], endpoint=row["label"], **values, verdict=verdict
    )


TONES = {"hit": "good", "miss": "bad", "no_interval": "quiet", "withheld": "quiet"}


def _published_table(setting: Setting, table: pd.DataFrame) -> Table:
    t = setting.t
    header = (
        t("axis.endpoint"), t("result.published"), t("format.level"), t("axis.n"),
        t("result.simulated"), t("format.level"), t("published.verdict"),
    )  # fmt: skip
    rows: list[tuple[str | Cell, ...]] = []
    for arm, group in table.groupby("arm", sort=False):
        rows.append((setting.arms.labels[str(arm)],))
        rows += [_published_row(setting, row) for row in group.to_dict("records")]
    return Table(header, tuple(rows), t("published.table"), t("published.note"), layout="dense")


def _published_row(setting: Setting, row: dict[str, object]) -> tuple[str | Cell, ...]:
    t, unit = setting.t, str(row["unit"])
    source = str(row["source"]) if row["seen"] else t("published.unverified", source=row["source"])
    return (
        Cell(str(row["label"]), note="" if row["verdict"] == "withheld" else source),
        _valued(setting, row["published"], unit),
        _bounds(setting, row["published_lower"], row["published_upper"], unit),
        t.count(row["n"] if pd.notna(row["n"]) else None),
        _valued(setting, row["simulated"], unit),
        _bounds(setting, row["simulated_lower"], row["simulated_upper"], unit),
        Cell(t(f"verdict.{row['verdict']}"), TONES[str(row["verdict"])]),
    )


def _valued(setting: Setting, value: float, unit: str) -> str:
    t = setting.t
    shown = quantity(t, value, unit)
    return shown if unit == "1" or pd.isna(value) else t("format.with_unit", value=shown, unit=unit_name(t, unit))


def _bounds(setting: Setting, lower: float, upper: float, unit: str) -> str:
    t = setting.t
    return bounds(t, lower, upper, unit) or t("format.missing")


def uncertainty(setting: Setting) -> Section:
    """Return the spread between patients, from parameters and from Monte Carlo, apart."""
    t = setting.t
    blocks: list[Block] = [Paragraph(t("uncertainty.text"))]
    if not setting.is_calibrated:
        blocks.append(Notice(t("uncertainty.no_parameters_title"), t("uncertainty.no_parameters"), "warn"))
    else:
        blocks.append(_of_parameters(setting))
    drawn = pd.DataFrame([row for name in SPREAD_ENDPOINTS for row in _spread_rows(setting, name)])
    if len(drawn):
        described = t("uncertainty.in_words")
        chart = charts.spreads(drawn, t, setting.arms, description=described)
        blocks.append(Figure(t("uncertainty.figure"), chart, described))
    blocks.append(_uncertainty_table(setting))
    return Section("uncertainty", t("uncertainty.title"), tuple(blocks))


def _of_parameters(setting: Setting) -> Block:
    """Return how well the spread between parameter sets is known from as many patients as there are."""
    t, subjects = setting.t, setting.run.subjects
    values = {"n": t.count(subjects["subject"].nunique()), "sets": t.count(subjects["parameter_set"].nunique())}
    if setting.resolves_parameters:
        return Paragraph(t("uncertainty.per_set", **values))
    return Notice(t("uncertainty.no_parameters_title"), t("uncertainty.unresolved", **values), "warn")


def _spread_rows(setting: Setting, name: str) -> list[dict[str, object]]:
    """Return an interval for each source of spread and arm: quantiles between patients, of parameters a normal one.

    All quantities drawn are days, so that no interval reaches below zero.
    """
    t, z = setting.t, normal_quantile(LEVEL)
    rows: list[dict[str, object]] = []
    for arm in setting.run.arms:
        row = summary.estimate(setting.run, arm, name)
        if row is None or pd.isna(row["estimate"]) or not row["between_patient"]:
            continue
        label = t("format.named_unit", name=t(f"endpoint.{name}"), unit=unit_name(t, row["unit"]))
        common = {"arm": arm, "endpoint": label, "middle": row["estimate"]}
        spread = row["between_patient"]
        rows.append({**common, "spread": "between_patient", "lower": spread["q05"], "upper": spread["q95"]})
        if pd.notna(width := row["parameter_sd"]):
            ends = {"lower": max(row["estimate"] - z * width, 0.0), "upper": row["estimate"] + z * width}
            rows.append({**common, "spread": "parameter", **ends})
        rows.append({**common, "spread": "monte_carlo", "lower": row["lower"], "upper": row["upper"]})
    return rows


def _uncertainty_table(setting: Setting) -> Table:
    t = setting.t
    header = (
        t("axis.endpoint"), t("uncertainty.estimate"),
        Cell(t("spread.between_patient"), note=t("uncertainty.quantiles")),
        Cell(t("spread.parameter"), note=t("uncertainty.standard_deviation")),
        Cell(t("spread.monte_carlo"), note=t("uncertainty.error_or_interval")), t("axis.n"),
    )  # fmt: skip
    rows: list[tuple[str | Cell, ...]] = []
    for arm in setting.run.arms:
        found = [(key, summary.estimate(setting.run, arm, *key)) for key in TABLED_ENDPOINTS]
        rows.append((setting.arms.labels[arm],))
        rows += [
            _uncertainty_row(setting, key, row) for key, row in found if row is not None and pd.notna(row["estimate"])
        ]
    return Table(header, tuple(rows), t("uncertainty.table"), t("uncertainty.table_note"), layout="dense")


def _uncertainty_row(setting: Setting, key: tuple[str, float | None], row: pd.Series) -> tuple[str, ...]:
    t, rate, unit = setting.t, is_share(row), row["unit"]

    def width(value: float | None) -> str:
        if value is None or pd.isna(value):
            return t("format.missing")
        return t("format.points", value=t.number(100 * value, 1)) if rate else t.significant(value, 2)

    spread = row["between_patient"]
    patients = (
        t("uncertainty.each_patient")
        if rate
        else t.interval(quantity(t, spread["q05"], unit), quantity(t, spread["q95"], unit))
    )
    chance = width(row["monte_carlo_se"]) if rate else bounds(t, row["lower"], row["upper"], unit)
    unknown = t("uncertainty.not_resolved") if setting.is_calibrated else t("uncertainty.not_yet")
    parameters = width(row["parameter_sd"]) if pd.notna(row["parameter_sd"]) else unknown
    return (
        endpoint(t, *key),
        estimate(t, row)[0],
        patients,
        parameters,
        chance,
        t.count(row["n"]),
    )
