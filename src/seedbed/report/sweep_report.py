"""The report of a sweep: what each option gives and costs, which is best, and whether the data said so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich import box
from rich.table import Table as TerminalTable

from seedbed.report import catalogue, page, sweep_charts
from seedbed.report.blocks import Block, Bullets, Cell, Code, Figure, Head, Notice, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.study_words import (
    between,
    ensemble_fact,
    in_language,
    informed_sentence,
    measure,
    shown,
    uncertainties,
    world_name,
)
from seedbed.study.outcomes import Outcome
from seedbed.study.sweep import Plan, Sweep

ALIKE = 0.03
"""Options whose probabilities of being best differ by less are called equally good."""


@dataclass(frozen=True)
class Setting:
    """What every section needs."""

    found: Sweep
    t: Catalogue

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.found.study.plan

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """The outcomes, by id."""
        return self.found.study.outcomes

    @property
    def worlds(self) -> dict[str, str]:
        """Names of the worlds, the best knowledge first."""
        return {world.id: world_name(self.t, world) for world in self.found.study.worlds}

    @property
    def main(self) -> str:
        """The world that is shown first."""
        return self.found.study.worlds[0].id

    @property
    def options(self) -> dict[str, str]:
        """Names of the options."""
        return {option: self.name_of(values) for option, values in self.found.study.options.items()}

    def name_of(self, values: Mapping[str, float | str]) -> str:
        """Return an option in words: the values of its factors."""
        t, parts = self.t, []
        for name, value in values.items():
            factor = self.plan.factors[name]
            if not factor.is_number:
                parts.append(in_language(factor.levels[str(value)].title, t))
                continue
            unit = in_language(factor.unit, t) if factor.unit is not None else ""
            number = t.plain(float(value))
            single = len(values) == 1 and t.language == "en"
            text = f"{unit} {number}".strip() if single else t("format.with_unit", value=number, unit=unit).strip()
            parts.append(text)
        return t("format.comma").join(parts)

    def title(self, outcome: str) -> str:
        """Return the title of an outcome."""
        return in_language(self.outcomes[outcome].title, self.t)


def write(found: Sweep, folder: Path, language: str = "en") -> Path:
    """Write the report as one HTML file that needs nothing else, and return its path."""
    t = catalogue.load(language)
    setting = Setting(found, t)
    name = "report.html" if language == "en" else f"report-{language}.html"
    return page.write(
        in_language(setting.plan.title, t), sections(setting), folder / name, language, head=head(setting)
    )


def head(setting: Setting) -> Head:
    """Return what stands above the sections."""
    t, facts = setting.t, setting.found.facts
    pairs = (
        (t("sweep.fact.plan"), str(facts["plan"])),
        (t("head.protocol"), str(facts["protocol"])),
        (t("sweep.fact.options"), t.count(len(setting.options))),
        (t("head.subjects"), t.count(facts["subjects"])),
        (t("head.follow_up"), t("head.days", days=t.count(facts["until_days"]))),
        (t("head.seed"), str(facts["seed"])),
        *ensemble_fact(t, facts),
        (t("head.version"), str(facts["seedbed_version"])),
    )
    notices = [Notice(t("page.purpose"), "", "quiet")]
    if setting.main == "typical":
        notices.insert(0, Notice(t("head.uncalibrated_title"), t("study.uncalibrated"), "warn"))
    return Head(t("sweep.kicker"), in_language(setting.plan.question, t), pairs, tuple(notices))


def sections(setting: Setting) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield answer(setting)
    yield response(setting)
    yield pareto(setting)
    yield best(setting)
    if len(setting.found.comparison):
        yield compared(setting)
    yield limits(setting)


def answer(setting: Setting) -> Section:
    """Return the answer in sentences: the best option by outcome, and the two options compared."""
    t = setting.t
    items = [_best_sentence(setting, name) for name in setting.outcomes]
    blocks: list[Block] = [Paragraph(t("sweep.method")), Bullets(tuple(items))]
    table = setting.found.comparison
    if len(table):
        blocks.append(Paragraph(_compared_sentence(setting), "strong"))
    blocks.append(Paragraph(_informed_sentence(setting), "strong"))
    return Section("answer", t("sweep.answer"), tuple(blocks))


def _best_sentence(setting: Setting, name: str) -> str:
    t, found = setting.t, setting.found
    rows = found.best[(found.best["world"] == setting.main) & (found.best["outcome"] == name)]
    top = rows.sort_values("probability", ascending=False).iloc[0]
    if top["probability"] - rows["probability"].min() < ALIKE:
        return t("sweep.all_alike", outcome=setting.title(name))
    prior = found.best[(found.best["world"] == "prior") & (found.best["outcome"] == name)].set_index("option")
    values = {
        "outcome": setting.title(name),
        "option": setting.options[top["option"]],
        "chance": t.percent(top["probability"]),
    }
    if prior.empty or setting.main == "prior":
        return t("sweep.best_alone", **values)
    return t("sweep.best_and_prior", **values, prior=t.percent(float(prior.loc[top["option"], "probability"])))


def _compared_sentence(setting: Setting) -> str:
    t, table = setting.t, setting.found.comparison
    rows = table[table["world"] == setting.main]
    row = rows[rows["outcome"] == setting.plan.benefit].iloc[0]
    outcome = setting.outcomes[setting.plan.benefit]
    everywhere = table[table["outcome"] == setting.plan.benefit]
    return t(
        "sweep.compared_said",
        one=setting.options[row["option"]],
        other=setting.options[row["against"]],
        outcome=setting.title(setting.plan.benefit),
        value=shown(t, outcome, row["estimate"], signed=True),
        interval=between(t, outcome, row["lower"], row["upper"]),
        low=t.percent(everywhere["probability_better"].min()),
        high=t.percent(everywhere["probability_better"].max()),
    )


def _informed_sentence(setting: Setting) -> str:
    """Say whether the data moved the answer: that of the two options compared, else of any difference."""
    table = setting.found.comparison if len(setting.found.comparison) else setting.found.differences
    rows = table[table["world"] == setting.main]
    moved = {
        setting.title(name): bool(rows.loc[rows["outcome"] == name, "informed"].any()) for name in setting.outcomes
    }
    return informed_sentence(setting.t, setting.main, moved)


def response(setting: Setting) -> Section:
    """Return every outcome over the options, in every world."""
    t, study = setting.t, setting.found.study
    numbers = [name for name, factor in setting.plan.factors.items() if factor.is_number]
    single = numbers[0] if len(setting.plan.factors) == 1 and numbers else None
    blocks: list[Block] = []
    for name, outcome in study.outcomes.items():
        figure = _response_figure(setting, name, outcome, single)
        blocks.append(figure)
        blocks += _surface_figures(setting, name, outcome) if single is None else []
    return Section("response", t("sweep.response"), tuple(blocks))


def _points(setting: Setting, name: str) -> pd.DataFrame:
    table = setting.found.response
    rows = table[table["outcome"] == name]
    return rows.assign(option_name=rows["option"].map(setting.options))


def _response_figure(setting: Setting, name: str, outcome: Outcome, single: str | None) -> Figure:
    t, points = setting.t, _points(setting, name)
    said = in_language(outcome.describes, t)
    if single is None:
        chart = sweep_charts.levels(
            points, t, worlds=setting.worlds, unit=outcome.unit, label=measure(t, outcome), description=said
        )
    else:
        value = {option: values[single] for option, values in setting.found.study.options.items()}
        points = points.assign(value=points["option"].map(value).astype(float))
        curve = _curve(setting, name, single)
        axis = in_language(setting.plan.factors[single].title, t)
        chart = sweep_charts.along(
            points,
            curve,
            t,
            worlds=setting.worlds,
            axis=axis,
            unit=outcome.unit,
            label=measure(setting.t, setting.outcomes[name]),
            description=said,
        )
    return Figure(setting.title(name), chart, said, _response_table(setting, name, outcome))


def _curve(setting: Setting, name: str, factor: str) -> pd.DataFrame:
    table = setting.found.surfaces
    keep = (table["world"] == setting.main) & (table["outcome"] == name) & (table["factor"] == factor)
    return table[keep][["value", "estimate", "lower", "upper"]].reset_index(drop=True)


def _surface_figures(setting: Setting, name: str, outcome: Outcome) -> Iterator[Figure]:
    """Yield the fitted response along each number of a design with several factors."""
    t = setting.t
    for factor, content in setting.plan.factors.items():
        curve = _curve(setting, name, factor)
        if curve.empty:
            continue
        title = t("sweep.along", outcome=setting.title(name), factor=in_language(content.title, t))
        first = {setting.main: setting.worlds[setting.main]}
        chart = sweep_charts.along(
            curve.assign(world=setting.main),
            curve,
            t,
            worlds=first,
            axis=in_language(content.title, t),
            unit=outcome.unit,
            label=measure(setting.t, setting.outcomes[name]),
            description=title,
        )
        yield Figure(title, chart, t("sweep.along_note"))


def _response_table(setting: Setting, name: str, outcome: Outcome) -> Table:
    t, table = setting.t, setting.found.response
    by = {
        world: table[(table["world"] == world) & (table["outcome"] == name)].set_index("option")
        for world in setting.worlds
    }
    rows = tuple(
        (label, *(_cell(t, outcome, by[world].loc[option]) for world in setting.worlds))
        for option, label in setting.options.items()
    )
    return Table((t("sweep.option"), *setting.worlds.values()), rows)


def _cell(t: Catalogue, outcome: Outcome, row: pd.Series, *, signed: bool = False) -> Cell:
    value, interval = shown(t, outcome, row["estimate"], signed=signed), between(t, outcome, row["lower"], row["upper"])
    return Cell(t("study.value_interval", value=value, interval=interval))


def pareto(setting: Setting) -> Section:
    """Return benefit against harm, and which options no other dominates."""
    t, found, plan = setting.t, setting.found, setting.plan
    front = found.best[(found.best["outcome"] == "front") & (found.best["world"] == setting.main)].set_index("option")
    main = found.response[found.response["world"] == setting.main]
    wide = pd.DataFrame(
        {"option_name": pd.Series(setting.options), "on_front": front["on_front"].astype(bool)},
    )
    for key, name in (("benefit", plan.benefit), ("harm", plan.harm)):
        rows = main[main["outcome"] == name].set_index("option")
        wide = wide.assign(**{key: rows["estimate"], f"{key}_lower": rows["lower"], f"{key}_upper": rows["upper"]})
    undominated = list(wide.loc[wide["on_front"], "option_name"])
    said = t("sweep.front_said", options=t("format.comma").join(undominated))
    titles = (measure(t, setting.outcomes[plan.benefit]), measure(t, setting.outcomes[plan.harm]))
    shares = (setting.outcomes[plan.benefit].is_share, setting.outcomes[plan.harm].is_share)
    chart = sweep_charts.pareto(wide, t, titles=titles, shares=shares, description=said)
    rows = tuple(
        (
            label,
            t("sweep.yes") if wide.loc[option, "on_front"] else t("sweep.no"),
            t.percent(front.loc[option, "probability"]),
        )
        for option, label in setting.options.items()
    )
    table = Table((t("sweep.option"), t("sweep.on_front"), t("sweep.probability_front")), rows, n_text=2)
    return Section(
        "pareto", t("sweep.pareto"), (Figure(t("sweep.pareto"), chart, said, table, t("sweep.pareto_note")),)
    )


def best(setting: Setting) -> Section:
    """Return the probability that each option is best, in every world."""
    t, found = setting.t, setting.found
    table = found.best[found.best["outcome"].isin(setting.outcomes)]
    table = table.assign(
        outcome_name=table["outcome"].map(setting.title), option_name=table["option"].map(setting.options)
    )
    said = t("sweep.best_said")
    drawn = table[["world", "outcome_name", "option_name", "probability"]]
    chart = sweep_charts.best(drawn, t, worlds=setting.worlds, description=said)
    rows: list[tuple[str, ...]] = []
    for world, label in setting.worlds.items():
        rows.append((label,))
        wide = table[table["world"] == world].pivot(index="option", columns="outcome", values="probability")
        rows += [
            (name, *(t.percent(wide.loc[option, outcome]) for outcome in setting.outcomes))
            for option, name in setting.options.items()
        ]
    listed = Table((t("sweep.option"), *(setting.title(name) for name in setting.outcomes)), tuple(rows))
    figure = Figure(t("sweep.best"), chart, said, listed)
    return Section("best", t("sweep.best"), (Paragraph(t("sweep.best_text")), figure))


def compared(setting: Setting) -> Section:
    """Return the two options compared, in every world."""
    t, table = setting.t, setting.found.comparison
    factor = {name: 100.0 if outcome.is_share else 1.0 for name, outcome in setting.outcomes.items()}
    scaled = {key: table[key] * table["outcome"].map(factor) for key in ("estimate", "lower", "upper")}
    said = _compared_sentence(setting)
    drawn = table.assign(outcome_name=table["outcome"].map(_axis_titles(setting)), **scaled)
    drawn = drawn[["world", "outcome_name", "estimate", "lower", "upper"]]
    chart = sweep_charts.compared(drawn, t, worlds=setting.worlds, description=said)
    by = table.set_index(["world", "outcome"])
    rows: list[tuple[str | Cell, ...]] = []
    for world, label in setting.worlds.items():
        rows.append((label,))
        for name, outcome in setting.outcomes.items():
            row = by.loc[(world, name)]
            informed = t("sweep.yes") if row["informed"] else t("sweep.no")
            cells = (_cell(t, outcome, row, signed=True), t.percent(row["probability_better"]), informed)
            rows.append((setting.title(name), *cells))
    header = (t("sweep.outcome"), t("sweep.difference"), t("sweep.probability_better"), t("sweep.informed_header"))
    figure = Figure(t("sweep.compared"), chart, said, Table(header, tuple(rows)), t("sweep.compared_note"))
    main = [(setting.title(name), outcome, by.loc[(setting.main, name)]) for name, outcome in setting.outcomes.items()]
    return Section("compared", t("sweep.compared"), (figure, uncertainties(t, main)))


def _axis_titles(setting: Setting) -> dict[str, str]:
    t = setting.t
    return {
        name: t("sweep.in_points", outcome=setting.title(name)) if outcome.is_share else measure(t, outcome)
        for name, outcome in setting.outcomes.items()
    }


def limits(setting: Setting) -> Section:
    """Return how it was computed, what the rival structures are, and how to repeat it."""
    t, plan, facts = setting.t, setting.plan, setting.found.facts
    command = f"seedbed sweep {plan.id} --subjects {facts['subjects']} --seed {facts['seed']}"
    items = [in_language(note, t) for note in plan.notes]
    items += [
        t("study.structure", name=world_name(t, world), describes=in_language(world.describes, t))
        for world in setting.found.study.worlds
        if world.describes is not None
    ]
    items += [t(f"sweep.limit.{number}") for number in range(1, 4)]
    return Section("limits", t("sweep.limits"), (Bullets(tuple(items)), Code(command)))


def terminal(found: Sweep, language: str = "en") -> TerminalTable:
    """Return the response of the first world as a table for the terminal."""
    t = catalogue.load(language)
    setting = Setting(found, t)
    table = TerminalTable(
        title=in_language(setting.plan.title, t),
        caption=t("study.caption"),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column(t("sweep.option"), overflow="fold")
    for outcome in setting.outcomes.values():
        table.add_column(measure(t, outcome), justify="right", overflow="fold")
    main = found.response[found.response["world"] == setting.main].set_index(["option", "outcome"])
    for option, label in setting.options.items():
        cells = []
        for name, outcome in setting.outcomes.items():
            row = main.loc[(option, name)]
            interval = between(t, outcome, row["lower"], row["upper"])
            cells.append(f"{shown(t, outcome, row['estimate'])} ({interval})")
        table.add_row(label, *cells)
    return table
