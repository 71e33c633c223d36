"""The report of an attribution: which mechanism does the work, drawn and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich import box
from rich.table import Table as TerminalTable

from seedbed.report import attribution_charts, catalogue, page
from seedbed.report.blocks import (
    Block,
    Bullets,
    Cell,
    Code,
    Facts,
    Figure,
    Head,
    Notice,
    Paragraph,
    Section,
    Table,
    Tone,
)
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
from seedbed.study.attribution import Attribution
from seedbed.study.outcomes import Outcome


@dataclass(frozen=True)
class Setting:
    """What every section needs."""

    found: Attribution
    t: Catalogue

    @property
    def parts(self) -> dict[str, str]:
        """Names of the parts of a difference, in the order they are shown."""
        mechanisms, t = self.found.question.mechanisms, self.t
        named = {name: in_language(item.title, t) for name, item in mechanisms.mechanisms.items()}
        rest = {
            name: t("attribution.remainder", part=in_language(item.title, t))
            for name, item in mechanisms.remainder.items()
        }
        return {"total": t("attribution.total"), **named, **rest}

    @property
    def main(self) -> str:
        """The world that is shown first: the best knowledge there is."""
        return self.found.worlds[0].id

    def rows(self, outcome: str, world: str | None = None) -> pd.DataFrame:
        """Return the shares of an outcome in one world or in all."""
        table = self.found.shares
        chosen = table["outcome"].eq(outcome) & (True if world is None else table["world"].eq(world))
        return table[chosen].reset_index(drop=True)

    def row(self, outcome: str, part: str) -> pd.Series:
        """Return the share of one part in the first world."""
        table = self.rows(outcome, self.main)
        return table[table["part"] == part].iloc[0]


def write(found: Attribution, folder: Path, language: str = "en") -> Path:
    """Write the report as one HTML file that needs nothing else, and return its path."""
    t = catalogue.load(language)
    setting = Setting(found, t)
    name = "report.html" if language == "en" else f"report-{language}.html"
    title = t("attribution.title", protocol=in_language(found.question.trial.title, t))
    return page.write(title, sections(setting), folder / name, language, head=head(setting))


def head(setting: Setting) -> Head:
    """Return what stands above the sections."""
    t, facts = setting.t, setting.found.facts
    pairs = (
        (t("head.protocol"), str(facts["protocol"])),
        (t("head.subjects"), t.count(facts["subjects"])),
        (t("attribution.fact.arms"), t.count(facts["simulated_arms"])),
        (t("head.follow_up"), t("head.days", days=t.count(facts["until_days"]))),
        (t("head.seed"), str(facts["seed"])),
        *ensemble_fact(t, facts),
        (t("head.version"), str(facts["seedbed_version"])),
    )
    notices = [Notice(t("page.purpose"), "", "quiet")]
    if setting.main == "typical":
        notices.insert(0, Notice(t("head.uncalibrated_title"), t("study.uncalibrated"), "warn"))
    return Head(t("attribution.kicker"), t("attribution.question"), pairs, tuple(notices))


def sections(setting: Setting) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield asked(setting)
    for name, outcome in setting.found.outcomes.items():
        yield of_outcome(setting, name, outcome)
    yield square(setting)
    yield limits(setting)


def asked(setting: Setting) -> Section:
    """Return the answer in a sentence an outcome, and what the mechanisms are."""
    t, mechanisms = setting.t, setting.found.question.mechanisms
    items = tuple(_sentence(setting, name, outcome) for name, outcome in setting.found.outcomes.items())
    rows = tuple(
        (in_language(item.title, t), in_language(item.describes, t))
        for item in (*mechanisms.mechanisms.values(), *mechanisms.remainder.values())
    )
    return Section(
        "answer",
        t("attribution.answer"),
        (
            Paragraph(t("attribution.method")),
            _overview(setting),
            Bullets(items),
            Paragraph(_informed(setting), "strong"),
            Table(
                (t("attribution.part"), t("attribution.means")), rows, t("attribution.mechanisms"),
                n_text=2, layout="prose",
            ),
        ),
    )  # fmt: skip


def _informed(setting: Setting) -> str:
    """Say of which outcomes the data moved the difference or one of its parts from the prior's answer."""
    table = setting.found.shares[setting.found.shares["world"] == setting.main]
    moved = {
        in_language(outcome.title, setting.t): bool(table.loc[table["outcome"] == name, "informed"].any())
        for name, outcome in setting.found.outcomes.items()
    }
    return informed_sentence(setting.t, setting.main, moved)


def _overview(setting: Setting) -> Figure:
    """Return all shares in one picture; colors are relative to the largest part of each outcome."""
    t, found = setting.t, setting.found
    frames = []
    for name, outcome in found.outcomes.items():
        rows = setting.rows(name, setting.main)
        rows = rows[rows["part"].isin(setting.parts)]
        largest = max(float(rows["estimate"].abs().max()), 1e-12)
        frames.append(
            pd.DataFrame(
                {
                    "part_name": rows["part"].map(setting.parts),
                    "outcome_name": in_language(outcome.title, t),
                    "text": [shown(t, outcome, value, signed=True) for value in rows["estimate"]],
                    "tone": rows["estimate"] * outcome.sign / largest,
                    "certain": (rows["lower"] > 0) | (rows["upper"] < 0),
                }
            )
        )
    said = t("attribution.overview_said")
    chart = attribution_charts.overview(pd.concat(frames, ignore_index=True), t, description=said)
    return Figure(t("attribution.overview"), chart, said)


def _sentence(setting: Setting, name: str, outcome: Outcome) -> str:
    """Say the difference and its two largest shares."""
    t = setting.t
    rows = setting.rows(name, setting.main)
    parts = rows[rows["kind"].isin(["mechanism", "remainder"])]
    largest = parts.loc[parts["estimate"].abs().sort_values(ascending=False).index[:2]]
    said = t("format.comma").join(
        f"{setting.parts[part]} {shown(t, outcome, value, signed=True)}"
        for part, value in zip(largest["part"], largest["estimate"], strict=True)
    )
    total = setting.row(name, "total")
    return t(
        "attribution.sentence",
        outcome=in_language(outcome.title, t),
        value=shown(t, outcome, total["estimate"], signed=True),
        interval=between(t, outcome, total["lower"], total["upper"]),
        parts=said,
    )


def of_outcome(setting: Setting, name: str, outcome: Outcome) -> Section:
    """Return the shares of one outcome as figure and table."""
    t = setting.t
    rows = setting.rows(name)
    drawn = rows[rows["part"].isin(setting.parts)]
    tone = (drawn["estimate"] * outcome.sign >= 0).map({True: "good", False: "bad"})
    drawn = drawn.assign(tone=tone.where(drawn["part"] != "total", "whole"))
    described = _sentence(setting, name, outcome)
    beside = "prior" if "prior" in set(rows["world"]) and setting.main != "prior" else ""
    chart = attribution_charts.shares(
        drawn,
        t,
        labels=setting.parts,
        unit=outcome.unit,
        compared=(setting.main, beside),
        description=described,
    )
    note = t("attribution.figure_note", main=world_name(t, setting.found.worlds[0]))
    figure = Figure(in_language(outcome.title, t), chart, described, _table(setting, name, outcome), note)
    blocks: list[Block] = [Paragraph(in_language(outcome.describes, t), "quiet"), figure]
    if len(selection := rows[(rows["kind"] == "selection") & (rows["world"] == setting.main)]):
        row = selection.iloc[0]
        value = shown(t, outcome, row["estimate"], signed=True)
        interval = between(t, outcome, row["lower"], row["upper"])
        blocks.append(Paragraph(t("attribution.selection", value=value, interval=interval)))
    return Section(name, in_language(outcome.title, t), tuple(blocks))


def _table(setting: Setting, name: str, outcome: Outcome) -> Table:
    t, worlds = setting.t, setting.found.worlds
    header = (
        t("attribution.part"),
        *(world_name(t, world) for world in worlds),
        t("attribution.alone"),
        t("attribution.last"),
    )
    by = {world.id: setting.rows(name, world.id).set_index("part") for world in worlds}
    rows = []
    for part, label in setting.parts.items():
        cells = [_cell(t, outcome, by[world.id].loc[part]) for world in worlds]
        first = by[setting.main].loc[part]
        extra = [shown(t, outcome, first[key], signed=True) for key in ("alone", "last")]
        rows.append((label, *cells, *extra))
    return Table(header, tuple(rows), note=t("attribution.table_note"))


def _cell(t: Catalogue, outcome: Outcome, row: pd.Series) -> Cell:
    certain = row["lower"] > 0 or row["upper"] < 0
    tone: Tone = ("good" if row["estimate"] * outcome.sign > 0 else "bad") if certain else ""
    value = shown(t, outcome, row["estimate"], signed=True)
    return Cell(t("study.value_interval", value=value, interval=between(t, outcome, row["lower"], row["upper"])), tone)


def square(setting: Setting) -> Section:
    """Return the square of neither, ASCT, CAR-T and both, and the excess over independent action."""
    t, found = setting.t, setting.found
    excess = found.square[found.square["world"] == setting.main]
    names = [name for name in found.outcomes if name in set(excess["outcome"])]
    if not names:
        return Section("square", t("attribution.square"), (Paragraph(t("attribution.no_square")),))
    titles = {name: in_language(found.outcomes[name].title, t) for name in names}
    corners = found.arms[(found.arms["world"] == setting.main) & found.arms["outcome"].isin(names)]
    bliss = excess[excess["scale"] == "over_independent_action"].set_index("outcome")
    expected = {titles[name]: float(bliss.loc[name, "expected"]) for name in names}
    said = " ".join(
        t(
            "attribution.square_said",
            outcome=titles[name],
            both=t.percent(bliss.loc[name, "both"]),
            expected=t.percent(bliss.loc[name, "expected"]),
        )
        for name in names
    )
    chart = attribution_charts.square(
        corners.assign(outcome_name=corners["outcome"].map(titles)), expected, t, description=said
    )
    header = (t("attribution.part"), *(titles[name] for name in names))
    rows = []
    for world in found.worlds:
        rows.append((world_name(t, world),))
        mine = found.square[found.square["world"] == world.id]
        for scale in dict.fromkeys(mine["scale"]):
            by = mine[mine["scale"] == scale].set_index("outcome")
            rows.append((t(f"attribution.scale.{scale}"), *(_cell(t, found.outcomes[n], by.loc[n]) for n in names)))
    figure = Figure(t("attribution.square"), chart, said, Table(header, tuple(rows)), t("attribution.square_note"))
    return Section("square", t("attribution.square"), (Paragraph(t("attribution.square_text")), figure))


def limits(setting: Setting) -> Section:
    """Return what the shares are not, how they were computed, and how to repeat them."""
    t, found = setting.t, setting.found
    items = (
        *(t(f"attribution.limit.{number}") for number in range(1, 5)),
        *(
            t("study.structure", name=world_name(t, world), describes=in_language(world.describes, t))
            for world in found.worlds
            if world.describes is not None
        ),
        *(str(note) for note in found.question.mechanisms.notes if t.language == "en"),
    )
    facts = ((t("attribution.fact.sets"), t.count(found.facts["parameter_sets"])),)
    totals = [
        (in_language(outcome.title, t), outcome, setting.row(name, "total")) for name, outcome in found.outcomes.items()
    ]
    command = "seedbed attribute {protocol} --subjects {subjects} --seed {seed}".format(**found.facts)
    return Section(
        "limits", t("attribution.limits"), (uncertainties(t, totals), Bullets(items), Facts(facts), Code(command))
    )


def terminal(found: Attribution, language: str = "en") -> TerminalTable:
    """Return the shares of the best knowledge as a table for the terminal."""
    t = catalogue.load(language)
    setting = Setting(found, t)
    table = TerminalTable(
        title=in_language(found.question.trial.title, t), caption=t("study.caption"), box=box.SIMPLE_HEAD,
        title_justify="left", caption_justify="left",
    )  # fmt: skip
    table.add_column(t("attribution.part"), overflow="fold")
    for outcome in found.outcomes.values():
        table.add_column(measure(t, outcome), justify="right", overflow="fold")
    for part, label in setting.parts.items():
        cells = []
        for name, outcome in found.outcomes.items():
            row = setting.row(name, part)
            cells.append(
                f"{shown(t, outcome, row['estimate'], signed=True)}\n"
                f"({between(t, outcome, row['lower'], row['upper'])})"
            )
        table.add_row(label, *cells)
    return table
