"""The report of a selection: who benefits, at what price, how a clinician could tell, and what nobody can know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table as TerminalTable

from seedbed.report import catalogue, page, selection_charts
from seedbed.report.blocks import Block, Facts, Figure, Head, Notice, Paragraph, Section, Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.selection_charts import covariate_name
from seedbed.report.study_words import ensemble_fact
from seedbed.report.wording import points, signed, words
from seedbed.study.select import Selection
from seedbed.study.select.pairs import HARMS, OUTCOMES, UNIT
from seedbed.study.select.tree import Node, Split


def write(result: Selection, folder: Path, language: str = "en") -> Path:
    """Write the report of a selection as one HTML file that needs nothing else, and return its path."""
    t = catalogue.load(language)
    name = "report.html" if language == "en" else f"report-{language}.html"
    title = words(result.plan.title.model_dump(), t)
    return page.write(title, list(sections(result, t)), folder / name, language, head=head(result, t))


def head(result: Selection, t: Catalogue) -> Head:
    """Return what stands above the sections."""
    plan = result.plan
    facts = (
        (t("head.protocol"), plan.protocol),
        (t("select.fact.population"), str(plan.population or "–")),
        (t("head.subjects"), t.count(result.facts["subjects"])),
        *(((t("select.fact.unknown"), t.count(unknown)),) if (unknown := result.facts["unknown"]) else ()),
        (t("head.seed"), str(plan.seed)),
        *ensemble_fact(t, result.facts),
        (t("head.version"), result.facts["seedbed_version"]),
    )
    notices = [Notice(t("page.purpose"), "", "quiet")]
    if result.facts["parameter_sets"] < 2:
        notices.insert(0, Notice(t("head.uncalibrated_title"), t("select.uncalibrated"), "warn"))
    return Head(t("select.kicker"), words(plan.question.model_dump(), t), facts, tuple(notices))


def sections(result: Selection, t: Catalogue) -> Iterator[Section]:
    """Yield the sections in their order."""
    yield Section("answer", t("select.answer.title"), tuple(answer(result, t)))
    yield Section("strata", t("select.strata.title"), tuple(strata(result, t)))
    yield Section("along", t("select.along.title"), tuple(along(result, t)))
    yield Section("tree", t("select.tree.title"), tuple(tree(result, t)))
    yield Section("rules", t("select.rules.title"), tuple(rules(result, t)))
    yield Section("shares", t("select.shares.title"), tuple(shares(result, t)))
    limits = tuple(Paragraph(t(f"select.limit.{number}")) for number in range(1, 5))
    yield Section("limits", t("select.limits.title"), limits)


def months(result: Selection) -> int:
    """Return the horizon in months."""
    return round(result.plan.horizon_days / (365.25 / 12))


def value(t: Catalogue, outcome: str, number: float | None) -> str:
    """Return a level of an outcome in words."""
    return t.number(number, 1) if outcome in UNIT else t.percent(number, 1)


def width(t: Catalogue, outcome: str, number: float | None) -> str:
    """Return a standard deviation or error of a difference in words."""
    if number is None or pd.isna(number):
        return t("format.missing")
    return t.number(number, 1) if outcome in UNIT else t("format.points", value=t.number(100 * number, 1))


def change(t: Catalogue, outcome: str, number: float) -> str:
    """Return a difference of an outcome in words."""
    return signed(t, number, 1) if outcome in UNIT else points(t, number)


def change_interval(t: Catalogue, row: pd.Series) -> str:
    """Return the interval of a difference in words."""
    return t.interval(change(t, row["outcome"], row["lower"]), change(t, row["outcome"], row["upper"]))


def outcome_name(t: Catalogue, result: Selection, outcome: str) -> str:
    """Return the name of an outcome."""
    return t(f"select.outcome.{outcome}", months=months(result))


def verdict(result: Selection, t: Catalogue) -> str:
    """Return the sentence that says whether any subgroup differs."""
    tests = result.tables["tests"]
    found = tests[tests["differs"]].sort_values("spread", ascending=False)
    relevant = t.number(100 * result.plan.relevant_difference, 0)
    if found.empty:
        return t("select.none_differs", n=len(tests), relevant=relevant)
    named = t("format.comma").join(covariate_name(t, name) for name in found["covariate"])
    first = found.iloc[0]
    return t(
        "select.some_differ",
        named=named,
        n=len(tests),
        relevant=relevant,
        covariate=covariate_name(t, first["covariate"]),
        best=level(t, first["best"]),
        worst=level(t, first["worst"]),
        spread=t.number(100 * first["spread"], 0),
    )


def level(t: Catalogue, name: str) -> str:
    """Return a stratum in words."""
    return t(f"select.{name}") if name in ("yes", "no") else name


def answer(result: Selection, t: Catalogue) -> Iterator[Block]:
    """Yield the verdict, the effect over all, and the three uncertainties."""
    yield Paragraph(verdict(result, t), "strong")
    header = (
        t("axis.endpoint"),
        t("select.experimental"),
        t("select.control"),
        t("select.axis.difference"),
        t("format.level"),
        t("spread.between_patient"),
        t("spread.parameter"),
        t("spread.monte_carlo"),
    )
    rows = tuple(
        (
            outcome_name(t, result, row["outcome"]),
            value(t, row["outcome"], row["experimental"]),
            value(t, row["outcome"], row["control"]),
            change(t, row["outcome"], row["difference"]),
            change_interval(t, row),
            *(width(t, row["outcome"], row[name]) for name in ("between_patient_sd", "parameter_sd", "monte_carlo_se")),
        )
        for _, row in result.tables["overall"].iterrows()
    )
    yield Table(header, rows, t("select.overall"), t("select.overall_note"), layout="dense wide")


def stratum_name(t: Catalogue, result: Selection, row: pd.Series) -> str:
    """Return covariate and stratum in words."""
    if row["covariate"] == "further":
        return next(words(o.title.model_dump(), t) for o in result.plan.further if o.id == row["stratum"])
    return t("select.stratum", covariate=covariate_name(t, row["covariate"]), stratum=level(t, row["stratum"]))


def named(result: Selection, t: Catalogue, outcome: str) -> pd.DataFrame:
    """Return the strata of one outcome with their names."""
    table = result.tables["strata"]
    chosen = table[table["outcome"] == outcome]
    return chosen.assign(name=[stratum_name(t, result, row) for _, row in chosen.iterrows()])


def strata(result: Selection, t: Catalogue) -> Iterator[Block]:
    """Yield benefit and harm by stratum, and the tests."""
    for outcome in OUTCOMES:
        chosen = named(result, t, outcome)
        title = outcome_name(t, result, outcome)
        text = t("select.forest_text", outcome=title)
        rows = tuple(
            (
                row["name"],
                t.count(row["n"]),
                value(t, outcome, row["experimental"]),
                value(t, outcome, row["control"]),
                change(t, outcome, row["difference"]),
                change_interval(t, row),
            )
            for _, row in chosen.iterrows()
        )
        header = (t("select.axis.stratum"), t("axis.n"), t("select.experimental"), t("select.control"))
        table = Table((*header, t("select.axis.difference"), t("format.level")), rows, layout="dense")
        chart = selection_charts.forest(chosen, t, percent=outcome not in UNIT, description=text)
        yield Figure(title, chart, text, table)
    yield tests(result, t)


def tests(result: Selection, t: Catalogue) -> Table:
    """Return the tests of equal benefit, adjusted for their number."""
    rows = tuple(
        (
            covariate_name(t, row["covariate"]),
            level(t, row["best"]),
            level(t, row["worst"]),
            points(t, row["spread"]),
            t.interval(points(t, row["lower"]), points(t, row["upper"])),
            t("select.below", value="0.001") if row["p_adjusted"] < 0.001 else t.number(row["p_adjusted"], 3),
            t("select.yes") if row["differs"] else t("select.no"),
        )
        for _, row in result.tables["tests"].iterrows()
    )
    header = tuple(t(f"select.test.{name}") for name in ("covariate", "best", "worst", "spread"))
    header += (t("format.level"), t("select.test.p_adjusted"), t("select.test.differs"))
    return Table(header, rows, t("select.tests"), t("select.tests_note"), layout="dense")


def along(result: Selection, t: Catalogue) -> Iterator[Block]:
    """Yield the expected benefit along each numeric covariate, and whether prediction holds on other patients."""
    table = result.tables["along"]
    if len(table):
        text = t("select.along_text")
        rows = tuple(
            (
                covariate_name(t, row["covariate"]),
                t.significant(row["value"]),
                points(t, row["difference"]),
                t.interval(points(t, row["lower"]), points(t, row["upper"])),
            )
            for _, row in table.iterrows()
        )
        header = (t("select.test.covariate"), t("select.axis.value"), t("select.axis.difference"), t("format.level"))
        chart = selection_charts.along(table, t, description=text)
        yield Figure(t("select.along_figure"), chart, text, Table(header, rows, n_text=1, layout="dense"))
    fifths = tuple(
        (
            t.count(row["fifth"]),
            points(t, row["expected"]),
            points(t, row["difference"]),
            t.interval(points(t, row["lower"]), points(t, row["upper"])),
        )
        for _, row in result.tables["fifths"].iterrows()
    )
    header = (t("select.fifth"), t("select.expected"), t("select.found"), t("format.level"))
    yield Table(header, fifths, t("select.fifths"), t("select.fifths_note"))


def question(t: Catalogue, split: Split) -> str:
    """Return a split as a question."""
    if split.cut is not None:
        return t("select.at_most", covariate=covariate_name(t, split.covariate), cut=t.plain(split.cut))
    among = t("format.comma").join(level(t, name) for name in split.among)
    return t("select.stratum", covariate=covariate_name(t, split.covariate), stratum=among)


def drawn(result: Selection, t: Catalogue) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return nodes and edges of the tree with their places."""
    leaves = result.tables["leaves"]
    filled = leaves[leaves["outcome"] == "progression_free"].set_index("leaf")
    nodes: list[dict[str, object]] = []
    edges: list[dict[str, object]] = []
    order = {leaf.number: float(place) for place, leaf in enumerate(result.tree.leaves())}

    def place(node: Node) -> float:
        if node.split is None or node.left is None or node.right is None:
            row = filled.loc[node.number]
            text = [
                points(t, row["difference"]),
                t.interval(points(t, row["lower"]), points(t, row["upper"])),
                t("format.n_percent", n=t("format.n", n=t.count(row["n"])), percent=t.percent(row["share"])),
            ]
            x = order[node.number]
            nodes.append({"x": x, "y": node.depth, "text": text, "difference": row["difference"]})
            return x
        ends = [place(node.left), place(node.right)]
        x = sum(ends) / 2
        nodes.append({"x": x, "y": node.depth, "text": question(t, node.split).split(": "), "difference": None})
        for end, answered in zip(ends, ("yes", "no"), strict=True):
            answer_word = t(f"select.{answered}")
            edges.append({"x": x, "y": node.depth, "x2": end, "y2": node.depth + 1, "answer": answer_word})
        return x

    place(result.tree)
    table = pd.DataFrame(nodes)
    return table.assign(difference=table["difference"].astype(float)), pd.DataFrame(edges)


def path_words(t: Catalogue, way: tuple[tuple[Split, bool], ...]) -> str:
    """Return the way to a leaf in words."""
    parts = [
        t("select.answer_is", question=question(t, s), answer=t("select.yes" if yes else "select.no")) for s, yes in way
    ]
    return t("format.semicolon").join(parts)


def tree(result: Selection, t: Catalogue) -> Iterator[Block]:
    """Yield the decision tree with benefit and harm in its leaves."""
    if result.facts["leaves"] < 2:
        yield Paragraph(t("select.tree_none"), "strong")
        return
    yield Paragraph(t("select.tree_text"))
    nodes, edges = drawn(result, t)
    ways = dict(result.tree.paths())
    wide = result.tables["leaves"].pivot(index="leaf", columns="outcome", values="difference")
    rows = tuple(
        (path_words(t, ways[leaf]), *(change(t, name, wide.loc[leaf, name]) for name in OUTCOMES))
        for leaf in wide.index
    )
    header = (t("select.leaf"), *(outcome_name(t, result, name) for name in OUTCOMES))
    text = t("select.tree_description")
    chart = selection_charts.tree(nodes, edges, t, description=text)
    yield Figure(t("select.tree_figure"), chart, text, Table(header, rows, layout="dense wide"))
    p_value = result.facts["leaves_p_value"]
    shown = t("select.below", value="0.001") if p_value < 0.001 else t.number(p_value, 3)
    yield Facts(((t("select.leaves_p"), shown),))


def rules(result: Selection, t: Catalogue) -> Iterator[Block]:
    """Yield what each enrichment rule keeps of the benefit, and the curve of treating by expected benefit."""
    titles = {rule.id: words(rule.title.model_dump(), t) for rule in result.plan.rules}
    rows = tuple(
        (
            titles[row["rule"]],
            t.percent(row["share_treated"]),
            points(t, row["in_chosen"]),
            points(t, row["in_others"]),
            points(t, row["benefit_by_rule"]),
            t.percent(row["share_of_benefit"]),
            t.interval(t.percent(row["lower"]), t.percent(row["upper"])) if row["lower"] == row["lower"] else "",
            *(change(t, name, row[f"{name}_by_rule"]) for name in HARMS),
        )
        for _, row in result.tables["rules"].iterrows()
    )
    if rows:
        names = ("rule", "treated", "chosen", "others", "by_rule", "kept")
        header = (*(t(f"select.rule.{name}") for name in names), t("format.level"))
        header += tuple(outcome_name(t, result, name) for name in HARMS)
        yield Table(header, rows, t("select.rules_table"), t("select.rules_note"), layout="dense wide")
    text = t("select.curve_text")
    table = result.tables["curve"]
    shown = tuple(
        (t.percent(row["share_treated"]), points(t, row["benefit"]), points(t, row["at_random"]))
        for _, row in table.iterrows()
    )
    header = (t("select.axis.share_treated"), t("select.axis.benefit"), t("select.by_lot"))
    chart = selection_charts.treated_share(table, t, description=text)
    yield Figure(t("select.curve_figure"), chart, text, Table(header, shown))


def shares(result: Selection, t: Catalogue) -> Iterator[Block]:
    """Yield the bounds of the shares who benefit and who are harmed."""
    yield Paragraph(t("select.shares_text"))
    rows = tuple(
        (
            t(f"select.share.{row['who']}", months=months(result)),
            t.interval(t.percent(row["lower"]), t.percent(row["upper"])),
            t.interval(t.percent(row["lower_in_strata"]), t.percent(row["upper_in_strata"])),
            t.percent(row["simulated"]),
        )
        for _, row in result.tables["shares"].iterrows()
    )
    header = ("", t("select.bounds"), t("select.bounds_in_leaves"), t("select.simulated"))
    yield Table(header, rows, t("select.shares_table"), t("select.shares_note"))


def terminal(result: Selection, language: str = "en") -> TerminalTable:
    """Return the main results as a table for the terminal."""
    t = catalogue.load(language)
    table = TerminalTable(
        title=words(result.plan.title.model_dump(), t), caption=escape(verdict(result, t)), box=box.SIMPLE
    )
    header = (t("select.axis.stratum"), outcome_name(t, result, "progression_free"), t("format.level"))
    for place, name in enumerate((*header, outcome_name(t, result, "crs_grade_3"))):
        table.add_column(name, justify="left" if place == 0 else "right", overflow="fold")
    crs = named(result, t, "crs_grade_3").set_index("name")["difference"]
    for _, row in named(result, t, "progression_free").iterrows():
        name = row["name"]
        table.add_row(escape(name), points(t, row["difference"]), change_interval(t, row), points(t, crs[name]))
    return table
