"""The report of a trial design: what was asked, what the trial would do, and a synopsis to start a protocol from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table as TerminalTable

from seedbed.analysis.survival import kaplan_meier
from seedbed.report import catalogue, design_charts, page, theme
from seedbed.report.blocks import Block, Bullets, Code, Facts, Figure, Head, Notice, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.design_synopsis import synopsis
from seedbed.report.study_words import ensemble_fact
from seedbed.report.theme import Arms
from seedbed.report.wording import words
from seedbed.study.design import Design
from seedbed.study.design.plan import Plan

Row = tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """What every section needs."""

    design: Design
    t: Catalogue
    arms: Arms

    @property
    def plan(self) -> Plan:
        """Return the plan."""
        return self.design.plan

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the design."""
        return self.design.tables[name]


def write(design: Design, folder: Path, language: str = "en") -> Path:
    """Write the report of a design as one HTML file that needs nothing else, and return its path."""
    t = catalogue.load(language)
    plan = design.plan
    labels = {arm.id: words(arm.title, t) or t.name("arm", arm.id) for arm in (plan.control, *plan.experimental)}
    setting = Setting(design, t, Arms.of(labels))
    name = "report.html" if language == "en" else f"report-{language}.html"
    return page.write(words(plan.title, t), list(sections(setting)), folder / name, language, head=head(setting))


def sections(setting: Setting) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield asked(setting)
    yield world(setting)
    yield characteristics(setting)
    yield tests(setting)
    yield stages(setting)
    yield sizes(setting)
    yield trial_to_trial(setting)
    yield estimands(setting)
    yield certainty(setting)
    yield synopsis(setting.plan, setting.t, setting.design, setting.arms.labels)
    yield limits(setting)


def head(setting: Setting) -> Head:
    """Return what stands above the sections."""
    t, facts = setting.t, setting.design.facts
    shown = (
        (t("design.fact.plan"), setting.plan.id),
        (t("design.fact.subjects"), t.count(setting.plan.subjects)),
        (t("design.fact.pool"), t("design.fact.pool_text", n=t.count(facts["pool_subjects"]))),
        (t("design.fact.replicates"), t.count(facts["replicates"]["main"])),
        (t("head.version"), facts["seedbed_version"]),
    )
    notices = []
    if facts["subjects_per_set"] is None:
        notices.append(Notice(t("head.uncalibrated_title"), t("design.uncalibrated"), "warn"))
    notices.append(Notice(t("page.purpose"), "", "quiet"))
    return Head(t("design.kicker"), words(setting.plan.question, t), shown, tuple(notices))


def error_in_words(t: Catalogue, row: pd.Series) -> str:
    """Return an estimate with its standard error, in percent or in its unit."""
    if row["unit"] == "1" and row["characteristic"] not in ("subjects", "events"):
        digits = 2 if row["estimate"] < 0.1 else 1
        return t(
            "format.plus_minus", value=t.percent(row["estimate"], digits), error=t.percent(row["standard_error"], 2)
        )
    return t("format.plus_minus", value=t.number(row["estimate"], 1), error=t.number(row["standard_error"], 2))


def characteristic(setting: Setting, name: str, which: str = "simulated") -> pd.Series | None:
    """Return the row of one operating characteristic in one world."""
    table = setting.table("operating_characteristics")
    found = table[(table["characteristic"] == name) & (table["world"] == which)]
    return None if found.empty else found.iloc[0]


def headline_facts(setting: Setting) -> tuple[tuple[str, str], ...]:
    """Return the results that a reader looks for first: name and value with error."""
    t = setting.t
    pairs = []
    for name, which in (
        ("power", "simulated"),
        ("type_1_error", "null"),
        ("type_1_error", "at_margin"),
        ("subjects", "simulated"),
        ("events", "simulated"),
        ("duration_months", "simulated"),
    ):
        row = characteristic(setting, name, which)
        if row is not None:
            label = t(f"design.characteristic.{name}") if which == "simulated" else t(f"design.{name}.{which}")
            pairs.append((label, error_in_words(t, row)))
    facts = setting.design.facts
    if facts["assurance"] is not None:
        value = t(
            "format.plus_minus", value=t.percent(facts["assurance"], 1), error=t.percent(facts["assurance_se"], 1)
        )
        pairs.insert(1, (t("design.assurance"), value))
    return tuple(pairs)


def asked(setting: Setting) -> Section:
    """Return the question, the trial at a glance and the headline."""
    t, plan = setting.t, setting.plan
    return Section(
        "asked",
        t("design.asked.title"),
        (
            Paragraph(words(plan.question, t), "strong"),
            Facts(headline_facts(setting)),
            Table(
                (t("design.feature"), t("design.choice")),
                tuple(features(setting)),
                t("design.at_a_glance"),
                n_text=2,
                layout="prose",
            ),
        ),
    )


def features(setting: Setting) -> Iterator[Row]:
    """Yield the choices of the plan in words."""
    t, plan = setting.t, setting.plan
    yield t("design.feature.arms"), arms_in_words(setting)
    yield t("design.feature.endpoint"), t(f"design.endpoint.{plan.estimand.endpoint}")
    for rate in plan.co_primary:
        yield t("design.feature.co_primary"), rate_in_words(t, rate)
    yield t("design.feature.test"), test_in_words(t, plan)
    yield t("design.feature.looks"), looks_in_words(t, plan)
    final = t("design.final_events", n=plan.final.events) if plan.final.events else t("design.final_follow_up")
    yield (
        t("design.feature.final"),
        t("design.final_at_latest", final=final, days=t.count(plan.final.last_subject_followed_days)),
    )
    yield (
        t("design.feature.accrual"),
        t("design.accrual", rate=t.number(plan.accrual.per_month, 0), ramp=t.number(plan.accrual.ramp_up_months, 0)),
    )
    yield t("design.feature.drop_out"), t("design.drop_out", share=t.percent(plan.drop_out.share_per_year))
    yield t("design.feature.visits"), visits_in_words(t, plan)
    if plan.stratification.factors:
        yield (
            t("design.feature.strata"),
            t("format.comma").join(factor_in_words(t, f) for f in plan.stratification.factors),
        )


def arms_in_words(setting: Setting) -> str:
    """Return the arms with their ratio."""
    plan = setting.plan
    ordered = (*plan.experimental, plan.control)
    ratio = ":".join(str(arm.ratio) for arm in ordered)
    return setting.t(
        "design.arms",
        arms=setting.t("design.against").join(setting.arms.labels[arm.id] for arm in ordered),
        ratio=ratio,
    )


def rate_in_words(t: Catalogue, rate: Any) -> str:
    """Return a co-primary rate in words."""
    if rate.test == "noninferiority":
        return t("design.noninferior", rate=words(rate.describes, t), margin=t.number(100 * rate.margin, 0))
    return t("design.superior", rate=words(rate.describes, t))


def test_in_words(t: Catalogue, plan: Plan) -> str:
    """Return the primary test with its level."""
    alpha = t.percent(plan.analysis.alpha, 1)
    text = t("design.primary_test", test=t(f"design.test.{plan.analysis.primary}"), alpha=alpha)
    if len(plan.experimental) > 1:
        text += t("format.semicolon") + t(f"design.multiplicity.{plan.analysis.multiplicity}")
    return text


def looks_in_words(t: Catalogue, plan: Plan) -> str:
    """Return the interim looks and the futility rule."""
    if not plan.interim.fractions:
        return t("design.no_looks")
    at = t("format.comma").join(t.percent(fraction) for fraction in plan.interim.fractions)
    text = t("design.looks", at=at, spending=t(f"design.spending.{plan.interim.spending}"))
    if plan.interim.futility:
        rule = t(f"design.futility.{plan.interim.futility.rule}", below=t.percent(plan.interim.futility.below))
        text += t("format.semicolon") + rule
    return text


def visits_in_words(t: Catalogue, plan: Plan) -> str:
    """Return the schedule of assessments."""
    days = t("format.comma").join(t.number(day, 0) for day in plan.assessments.days)
    missed = t.percent(plan.assessments.missed_probability)
    return t("design.visits", days=days, every=t.number(plan.assessments.then_every_days, 0), missed=missed)


def factor_in_words(t: Catalogue, factor: Any) -> str:
    """Return a stratification factor in words."""
    name = t.name("covariate", factor.covariate)
    return name if factor.above is None else t("design.above", name=name, value=t.number(factor.above, 1))


def world(setting: Setting) -> Section:
    """Return what the pool of simulated subjects shows: the world the trial would take place in."""
    t, table = setting.t, setting.table("pool_survival")
    ends = table.groupby("arm", sort=False).tail(1)
    said = t("format.comma").join(
        f"{setting.arms.labels[row.arm]} {t.percent(row.survival)}" for row in ends.itertuples()
    )
    caption = t("design.world.survival_said", month=t.number(float(ends["month"].max()), 0), values=said)
    blocks: list[Block] = [
        Paragraph(t("design.world.text", n=t.count(setting.design.facts["pool_subjects"]))),
        Figure(
            t("design.world.survival", endpoint=t(f"design.endpoint.{setting.plan.estimand.endpoint}")),
            design_charts.pool_survival(table, t, setting.arms, description=caption),
            caption,
            note=t("design.world.survival_note"),
        ),
    ]
    periods = setting.table("hazard_ratio_by_period")
    if len(periods):
        said = t("format.semicolon").join(
            t(
                "design.world.hazards_said",
                arm=setting.arms.labels[arm],
                first=t.number(mine["hazard_ratio"].iloc[0], 2),
                last=t.number(mine["hazard_ratio"].iloc[-1], 2),
            )
            for arm, mine in periods.groupby("arm", sort=False)
        ) + t("format.stop")
        chart = design_charts.hazard_ratio_by_period(periods, t, setting.arms, description=said)
        blocks.append(
            Figure(t("design.world.hazards"), chart, said, _periods(setting, periods), t("design.world.hazards_note"))
        )
    blocks.append(_rates(setting))
    return Section("world", t("design.world.title"), tuple(blocks))


def _periods(setting: Setting, table: pd.DataFrame) -> Table:
    t = setting.t
    rows = tuple(
        (
            setting.arms.labels[row.arm],
            f"{row.from_month:g}–{row.to_month:.0f}",
            t.number(row.hazard_ratio, 2),
            t.interval(t.number(row.lower, 2), t.number(row.upper, 2)),
            t.count(row.events),
        )
        for row in table.itertuples()
    )
    header = (
        t("axis.arm"),
        t("design.axis.months"),
        t("design.axis.hazard_ratio"),
        t("format.level"),
        t("design.axis.events"),
    )
    return Table(header, rows, n_text=2)


def _rates(setting: Setting) -> Table:
    t, table = setting.t, setting.table("pool_rates")
    described = {rate.endpoint: words(rate.describes, t) for rate in setting.plan.co_primary}
    wide = table.pivot(index=["kind", "what"], columns="arm", values="share").sort_index(ascending=[False, True])
    rows = tuple(
        (
            described.get(what) or t(f"design.event.{what}"),
            *(t.percent(wide.loc[(kind, what), arm], 1) for arm in setting.arms.labels),
        )
        for kind, what in wide.index
    )
    return Table((t("design.world.share"), *setting.arms.labels.values()), rows, t("design.world.rates"))


def characteristics(setting: Setting) -> Section:
    """Return the table of operating characteristics with both errors."""
    t, table = setting.t, setting.table("operating_characteristics")
    header = (
        t("design.operating"),
        t("design.estimate"),
        t("design.error"),
        t("design.error_replicates"),
        t("design.error_pool"),
    )
    rows: list[tuple[str, ...]] = []
    for which in dict.fromkeys(table["world"]):
        rows.append((t(f"design.world.{which}"),))
        rows.extend(_characteristic_row(t, row) for _, row in table[table["world"] == which].iterrows())
    return Section(
        "characteristics",
        t("design.characteristics.title"),
        (Paragraph(t("design.characteristics.text")), Table(header, tuple(rows))),
    )


def _characteristic_row(t: Catalogue, row: pd.Series) -> tuple[str, ...]:
    counted = row["characteristic"] in ("subjects", "events", "duration_months")

    def shown(value: float, digits: int) -> str:
        return t.number(value, digits) if counted else t.percent(value, digits)

    pool = shown(row["pool_se"], 2) if row["pool_se"] > 0 else t("format.missing")
    return (
        t(f"design.characteristic.{row['characteristic']}"),
        shown(row["estimate"], 1 if counted or row["estimate"] > 0.1 else 2),
        shown(row["standard_error"], 2),
        shown(row["monte_carlo_se"], 2),
        pool,
    )


def tests(setting: Setting) -> Section:
    """Return what other tests would do on the same data."""
    t, table = setting.t, setting.table("by_test")
    blocks: list[Block] = [Paragraph(t("design.tests.text"))]
    for index, arm in enumerate(setting.plan.experimental):
        mine = table[(table["arm"] == arm.id) & table["world"].isin(["simulated", "null"])]
        alpha = setting.plan.one_sided_alphas[index]
        said = most_powerful(t, mine, alpha)
        chart = design_charts.by_test(mine, t, alpha=alpha, description=said)
        title = t(
            "design.tests.figure", arm=setting.arms.labels[arm.id], control=setting.arms.labels[setting.plan.control.id]
        )
        blocks.append(Figure(title, chart, said, _tests_table(t, mine), t("design.tests.note")))
    return Section("tests", t("design.tests.title"), tuple(blocks))


def most_powerful(t: Catalogue, table: pd.DataFrame, alpha: float) -> str:
    """Say which tests are the most powerful of those that keep their level, beyond chance, and which do not keep it."""
    by = {world: rows.set_index("test") for world, rows in table.groupby("world")}
    null, real = by["null"], by["simulated"]
    excess = null["estimate"] - alpha
    loose = list(null.index[excess > 3.0 * np.sqrt(alpha * (1.0 - alpha) / null["replicates"])])
    kept = real.drop(index=loose)
    texts = []
    if len(kept):
        best = kept.loc[kept["estimate"].idxmax()]
        chance = 1.96 * np.hypot(kept["standard_error"], best["standard_error"])
        alike = kept[best["estimate"] - kept["estimate"] <= chance].sort_values("estimate", ascending=False)
        names = t("format.comma").join(t(f"design.test.{test}") for test in alike.index)
        key = "said" if len(alike) == 1 else "said_alike"
        texts.append(t(f"design.tests.{key}", test=names, power=t.percent(best["estimate"], 1)))
    if loose:
        names = t("format.comma").join(t(f"design.test.{test}") for test in loose)
        texts.append(t("design.tests.loose", test=names))
    return " ".join(texts)


def _tests_table(t: Catalogue, table: pd.DataFrame) -> Table:
    by = {world: rows.set_index("test") for world, rows in table.groupby("world")}
    rows = tuple(
        (
            t(f"design.test.{test}"),
            *(
                t(
                    "format.plus_minus",
                    value=t.percent(by[world].loc[test, "estimate"], 2),
                    error=t.percent(by[world].loc[test, "standard_error"], 2),
                )
                for world in ("simulated", "null")
            ),
        )
        for test in by["simulated"].index
    )
    return Table((t("design.axis.test"), t("design.world.simulated"), t("design.world.null")), rows)


def stages(setting: Setting) -> Section:
    """Return the looks with their boundaries."""
    t, table = setting.t, setting.table("looks")
    header = (
        "look",
        "information",
        "events",
        "month",
        "critical_z",
        "nominal_p",
        "hazard_ratio_at_bound",
        "stops_for_efficacy",
        "stops_for_futility",
    )
    blocks: list[Block] = [Paragraph(t("design.stages.text"))]
    for arm in setting.plan.experimental:
        mine = table[(table["arm"] == arm.id) & (table["world"] == "simulated")]
        rows = tuple(_look_row(t, row) for _, row in mine.iterrows())
        listed = Table(tuple(t(f"design.axis.{name}") for name in header), rows, n_text=0)
        if len(mine) > 1:
            said = t("design.stages.said", z=t.number(float(mine["critical_z"].iloc[-1]), 2))
            chart = design_charts.boundaries(mine, t, description=said)
            blocks.append(Figure(t("design.stages.figure", arm=setting.arms.labels[arm.id]), chart, said))
        blocks.append(listed)
    return Section("stages", t("design.stages.title"), tuple(blocks))


def _look_row(t: Catalogue, row: pd.Series) -> tuple[str, ...]:
    finite = np.isfinite(row["critical_z"])
    return (
        t.count(row["look"]),
        t.percent(row["information"]),
        t.number(row["events"], 0),
        t.number(row["month"], 1),
        t.number(row["critical_z"], 3) if finite else t("format.missing"),
        t.number(row["nominal_p_value"], 4) if finite else t("format.missing"),
        t.number(row["hazard_ratio_at_bound"], 2) if finite else t("format.missing"),
        t.percent(row["stops_for_efficacy"], 1),
        t.percent(row["stops_for_futility"], 1),
    )


def sizes(setting: Setting) -> Section:
    """Return power against the number of subjects."""
    t, table = setting.t, setting.table("by_size")
    enough = table[table["estimate"] >= 0.8]
    said = t("design.sizes.enough", n=t.count(enough["subjects"].min())) if len(enough) else t("design.sizes.never")
    rows = tuple(
        (
            t.count(row.subjects),
            t("format.plus_minus", value=t.percent(row.estimate, 1), error=t.percent(row.standard_error, 1)),
            t.percent(row.closed_form, 1),
            t.number(row.events, 0),
            t.number(row.duration_months, 1),
        )
        for row in table.itertuples()
    )
    header = ("subjects", "power", "closed_form", "events", "duration")
    listed = Table(tuple(t(f"design.axis.{name}") for name in header), rows, n_text=0)
    chart = design_charts.power_by_size(table, t, description=said)
    figure = Figure(t("design.sizes.figure"), chart, said, listed, t("design.sizes.note"))
    return Section("sizes", t("design.sizes.title"), (figure,))


def trial_to_trial(setting: Setting) -> Section:
    """Return how duration and estimate vary from trial to trial."""
    t, table = setting.t, setting.table("replicates")
    low, middle, high = np.nanquantile(table["hazard_ratio"], [0.05, 0.5, 0.95])
    values = {"low": t.number(low, 2), "middle": t.number(middle, 2), "high": t.number(high, 2)}
    said = t("design.spread.said", **values)
    panels = {"duration_months": t("design.axis.duration"), "hazard_ratio": t("design.axis.hazard_ratio_estimate")}
    chart = design_charts.spread(table, t, panels, description=said)
    return Section("spread", t("design.spread.title"), (Figure(t("design.spread.figure"), chart, said),))


def estimands(setting: Setting) -> Section:
    """Return the target estimand and what naive analyses give instead."""
    t, plan, table = setting.t, setting.plan, setting.table("bias")
    names = {"planned": t("design.planned"), **{naive.id: words(naive.describes, t) for naive in plan.estimand.naive}}
    strategies = tuple(
        (t(f"design.event.{event}"), t(f"design.strategy.{strategy}"))
        for event, strategy in plan.estimand.intercurrent_events.items()
    )
    attributes = (
        (t("design.estimand.population"), words(plan.estimand.population, t)),
        (t("design.estimand.treatments"), words(plan.estimand.treatments, t)),
        (t("design.estimand.variable"), t(f"design.endpoint.{plan.estimand.endpoint}")),
        *strategies,
        (t("design.estimand.summary"), t(f"design.summary.{plan.estimand.summary}")),
    )
    blocks: list[Block] = [
        Table((t("design.estimand.attribute"), t("design.choice")), attributes, n_text=2, layout="prose")
    ]
    if setting.design.facts["target_by_censoring"]:
        blocks.append(Paragraph(t("design.target_by_censoring"), "warn"))
    for arm in plan.experimental:
        mine = table[table["arm"] == arm.id]
        said = t(
            "design.bias.said",
            target=t.number(mine["target"].iloc[0], 2),
            trials=t.number(mine["in_trials"].iloc[0], 2),
        )
        chart = design_charts.bias(mine, t, names, description=said)
        title = t("design.bias.figure", arm=setting.arms.labels[arm.id])
        blocks.append(Figure(title, chart, said, _bias_table(t, mine, names), t("design.bias.note")))
    return Section("estimands", t("design.estimand.title"), tuple(blocks))


def _bias_table(t: Catalogue, table: pd.DataFrame, names: dict[str, str]) -> Table:
    rows = tuple(
        (
            names[row.analysis],
            t.number(row.target, 3),
            t.number(row.in_pool, 3),
            t.number(row.in_trials, 3),
            t("format.plus_minus", value=t.number(row.bias, 3), error=t.number(row.monte_carlo_se, 3)),
            t.percent(row.coverage, 1),
        )
        for row in table.itertuples()
    )
    header = ("analysis", "target", "in_pool", "in_trials", "bias", "coverage")
    return Table(tuple(t(f"design.axis.{name}") for name in header), rows)


def certainty(setting: Setting) -> Section:
    """Return the assurance, or the plain sentence that there is none before calibration."""
    t, table, facts = setting.t, setting.table("assurance"), setting.design.facts
    if facts["assurance"] is None and facts["subjects_per_set"] is not None:
        values = {"m": t.count(facts["subjects_per_set"]), "n": t.count(setting.plan.subjects)}
        return Section("assurance", t("design.assurance"), (Paragraph(t("design.too_few_per_set", **values), "warn"),))
    if facts["assurance"] is None:
        return Section("assurance", t("design.assurance"), (Paragraph(t("design.no_assurance")),))
    values = {"n": t.count(len(table)), "value": t.percent(facts["assurance"], 1)}
    low, high = (t.percent(float(value)) for value in table["power"].quantile([0.05, 0.95]))
    said = t("design.assurance.said", **values, low=low, high=high)
    chart = design_charts.assurance(table, t, description=said)
    return Section(
        "assurance", t("design.assurance"), (Paragraph(said), Figure(t("design.assurance.figure"), chart, said))
    )


def limits(setting: Setting) -> Section:
    """Return how it was computed, what it cannot say, and how to run it again."""
    t, facts = setting.t, setting.design.facts
    items = tuple(t(f"design.limit.{number}") for number in range(1, 7))
    command = f"seedbed design {setting.plan.id}"
    shown = (
        (t("design.fact.seed"), str(facts["replicates"]["seed"])),
        (t("design.fact.blocks"), t.count(facts["replicates"]["pool_blocks"])),
        (t("design.fact.follow_up"), t("head.days", days=t.count(facts["pool_follow_up_days"]))),
        *ensemble_fact(t, facts),
    )
    return Section("limits", t("design.limits.title"), (Bullets(items), Facts(shown), Code(command)))


def terminal(design: Design, language: str = "en") -> TerminalTable:
    """Return the headline of a design as a table for the terminal."""
    t = catalogue.load(language)
    plan = design.plan
    labels = {arm.id: words(arm.title, t) or t.name("arm", arm.id) for arm in (plan.control, *plan.experimental)}
    setting = Setting(design, t, Arms.of(labels))
    table = TerminalTable(title=words(plan.title, t), box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column(t("design.operating"), overflow="fold")
    table.add_column(t("design.estimate_and_error"), justify="right", overflow="fold")
    for name, value in headline_facts(setting):
        table.add_row(name, value)
    return table


def observed(rows: pd.DataFrame, plan: Plan, language: str = "en") -> TerminalTable:
    """Return subjects, events and Kaplan-Meier survival at the plan's milestone, by analysis and arm."""
    t = catalogue.load(language)
    names = {"planned": t("design.planned"), **{item.id: words(item.describes, t) for item in plan.estimand.naive}}
    arms = {arm.id: words(arm.title, t) or t.name("arm", arm.id) for arm in (plan.control, *plan.experimental)}
    day = plan.analysis.milestone_days
    table = TerminalTable(title=t(f"design.endpoint.{plan.estimand.endpoint}"), box=box.SIMPLE_HEAD)
    for name in ("analysis", "arm", "subjects", "events"):
        justify = "right" if name in ("subjects", "events") else "left"
        table.add_column(t(f"design.observed.{name}"), justify=justify, overflow="fold")
    table.add_column(t("design.observed.survival", day=t.count(day)), justify="right", overflow="fold")
    for (analysis, arm), mine in rows.groupby(["analysis", "arm"], sort=False):
        found = kaplan_meier(mine["time"], mine["event"]).at(day)
        bounds = t.interval(t.percent(found.lower), t.percent(found.upper))
        value = t("terminal.cell", value=t.percent(found.value), interval=bounds)
        table.add_row(names[analysis], arms[arm], t.count(len(mine)), t.count(mine["event"].sum()), value)
    return table


__all__ = ["observed", "terminal", "theme", "write"]
