"""One page of protocol synopsis under the headings of ICH M11, filled from the plan and its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from seedbed.report.blocks import Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.wording import words
from seedbed.study.design import Design
from seedbed.study.design.plan import Plan


def synopsis(plan: Plan, t: Catalogue, design: Design, labels: Mapping[str, str]) -> Section:
    """Return the synopsis as a table of headings and texts."""
    rows = tuple((t(f"design.synopsis.{heading}"), text) for heading, text in _rows(plan, t, design, labels))
    table = Table((t("design.synopsis.heading"), t("design.synopsis.text")), rows, n_text=2, layout="prose")
    return Section("synopsis", t("design.synopsis.title"), (table,))


def _rows(plan: Plan, t: Catalogue, design: Design, labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    joined = t("format.semicolon")
    yield "protocol_title", words(plan.title, t)
    yield "rationale", words(plan.synopsis.rationale, t)
    yield "objective", words(plan.synopsis.objective, t)
    yield "estimand", _estimand(plan, t)
    yield "design", t("design.synopsis.design_text", arms=len(plan.arms), n=t.count(plan.subjects))
    yield "population", joined.join(words(item, t) for item in plan.synopsis.eligibility)
    yield "arms", joined.join(labels[arm.id] for arm in (*plan.experimental, plan.control))
    yield "interventions", words(plan.estimand.treatments, t)
    yield "assessments", _assessments(plan, t)
    yield "sample_size", _sample_size(plan, t, design)
    yield "analysis", _analysis(plan, t)
    yield "interim", _interim(plan, t, design)
    yield "safety", words(plan.synopsis.safety, t)
    yield "duration", _duration(t, design)


def _estimand(plan: Plan, t: Catalogue) -> str:
    strategies = t("format.semicolon").join(
        t("design.synopsis.event_strategy", event=t(f"design.event.{event}"), strategy=t(f"design.strategy.{strategy}"))
        for event, strategy in plan.estimand.intercurrent_events.items()
    )
    values = {
        "endpoint": t(f"design.endpoint.{plan.estimand.endpoint}"),
        "summary": t(f"design.summary.{plan.estimand.summary}"),
        "strategies": strategies,
    }
    return t("design.synopsis.estimand_text", **values)


def _assessments(plan: Plan, t: Catalogue) -> str:
    days = t("format.comma").join(t.number(day, 0) for day in plan.assessments.days)
    return t("design.synopsis.visits", days=days, every=t.number(plan.assessments.then_every_days, 0))


def _characteristic(design: Design, name: str, which: str = "simulated") -> pd.Series:
    table = design.tables["operating_characteristics"]
    return table[(table["characteristic"] == name) & (table["world"] == which)].iloc[0]


def _sample_size(plan: Plan, t: Catalogue, design: Design) -> str:
    power = _characteristic(design, "power")
    values = {
        "n": t.count(plan.subjects),
        "events": t.number(design.facts["expected_final_events"], 0),
        "power": t.percent(power["estimate"], 1),
        "error": t.percent(power["standard_error"], 1),
        "type_1": t.percent(_characteristic(design, "type_1_error", "null")["estimate"], 2),
    }
    return t("design.synopsis.sample_size_text", **values)


def _analysis(plan: Plan, t: Catalogue) -> str:
    text = t(
        "design.primary_test", test=t(f"design.test.{plan.analysis.primary}"), alpha=t.percent(plan.analysis.alpha, 1)
    )
    parts = [text]
    if plan.stratification.factors and plan.stratification.in_analysis:
        names = t("format.comma").join(t.name("covariate", factor.covariate) for factor in plan.stratification.factors)
        parts.append(t("design.synopsis.stratified", factors=names))
    for rate in plan.co_primary:
        key = "design.noninferior" if rate.test == "noninferiority" else "design.superior"
        parts.append(t(key, rate=words(rate.describes, t), margin=t.number(100 * rate.margin, 0)))
    if len(plan.experimental) > 1:
        parts.append(t(f"design.multiplicity.{plan.analysis.multiplicity}"))
    return t("format.semicolon").join(parts)


def _interim(plan: Plan, t: Catalogue, design: Design) -> str:
    if not plan.interim.fractions:
        return t("design.no_looks")
    table = design.tables["looks"]
    mine = table[(table["arm"] == plan.experimental[0].id) & (table["world"] == "simulated")]
    looks = t("format.comma").join(
        t("design.synopsis.look", events=t.number(row.events, 0), z=t.number(row.critical_z, 2))
        for row in mine.itertuples()
    )
    return t("design.synopsis.interim_text", looks=looks, spending=t(f"design.spending.{plan.interim.spending}"))


def _duration(t: Catalogue, design: Design) -> str:
    months, subjects = _characteristic(design, "duration_months"), _characteristic(design, "subjects")
    values = {"months": t.number(months["estimate"], 0), "n": t.number(subjects["estimate"], 0)}
    return t("design.synopsis.duration_text", **values)
