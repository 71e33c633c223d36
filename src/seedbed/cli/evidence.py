"""The commands `seedbed evidence ...`: what was published, how far to trust it, what it adds up to."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from seedbed.cli.options import Language, Workers

Disease = Annotated[str | None, typer.Option(help="A disease or a family of diseases.")]
Therapy = Annotated[str | None, typer.Option(help="A therapy, such as asct_cart, cart or asct.")]
EndpointName = Annotated[str | None, typer.Option("--endpoint", help="An endpoint, such as cr or pfs.")]
UseName = Annotated[str | None, typer.Option("--use", help="calibrate, not_fitted or context.")]
Out = Annotated[Path | None, typer.Option(help="Write to this file; its ending chooses the format.")]
WIDTH = 160


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    evidence = typer.Typer(help="Published results: list, show, pool, compare with claims.", no_args_is_help=True)
    for command in (show, table, forest, claims, curve, check):
        evidence.command()(command)
    evidence.command("list")(list_studies)
    app.add_typer(evidence, name="evidence")


def list_studies(disease: Disease = None, therapy: Therapy = None, endpoint: EndpointName = None) -> None:
    """List studies that have a value of the kind asked for."""
    from seedbed import evidence

    rows = evidence.rows(disease=disease, therapy=therapy, endpoint=endpoint)
    shown = Table("study", "design", "disease", "arms", "n", "values", "seen", "title")
    for name, group in rows.groupby("study", sort=False):
        study = evidence.study(str(name))
        arms = [study.arm(arm) for arm in group["arm"].unique()]
        sizes = "+".join(str(arm.n or "?") for arm in arms)
        seen = f"{group['seen'].mean():.0%}"
        title = study.title if len(study.title) < 72 else study.title[:70] + "…"
        therapies = ", ".join(dict.fromkeys(arm.therapy for arm in arms))
        shown.add_row(study.id, study.design.kind, study.disease, therapies, sizes, str(len(group)), seen, title)
    _print(shown)
    _say(f"{rows['study'].nunique()} studies, {len(rows)} values")


def show(study: Annotated[str, typer.Argument(help="Id of a study.")]) -> None:
    """Show one study: sources, arms, every value with its interval, contrasts and notes."""
    from seedbed import evidence

    found = evidence.study(study)
    _say(f"{found.id}: {found.title}")
    _say(f"  {found.design.kind}: {found.design.described}; {found.disease}; {found.center or 'center not stated'}")
    if found.registry:
        _say("  " + ", ".join(found.registry))
    if found.unverified:
        _say("  not read, recalled: " + ", ".join(found.unverified))
    for name, source in found.sources.items():
        _say(f"  [{name}] {source.citation}; {source.short} ({source.level})")
    for note in found.notes:
        _say(f"  note: {note}")
    rows = evidence.published(found.id)
    for arm in found.arms:
        _say(f"\n{arm.id}: {arm.therapy}, n = {arm.n or '?'}; {arm.regimen}; group {arm.cohort_group} {arm.part}")
        mine = rows[rows["arm"] == arm.id]
        if len(mine):
            _print(_values(mine, with_study=False))
    for contrast in found.contrasts:
        value = "" if contrast.value is None else f" {contrast.value:g}"
        p = f", P {contrast.p}" if contrast.p else ""
        sides = f"{contrast.arm} vs {contrast.versus}" if contrast.versus else contrast.between
        _say(f"{contrast.measure} of {contrast.endpoint}, {sides}:{value}{p} ({contrast.adjustment or 'association'})")


def table(
    disease: Disease = None,
    therapy: Therapy = None,
    endpoint: EndpointName = None,
    use: UseName = None,
    preferred: Annotated[bool, typer.Option("--preferred", help="Only the rows that may be fitted.")] = False,
    out: Out = None,
) -> None:
    """Print every published value, or write it as CSV or Parquet; without filters it covers every study."""
    from seedbed import evidence
    from seedbed.cli.options import write_table

    rows = evidence.rows(
        disease=disease, therapy=therapy, endpoint=endpoint, use=use, preferred=True if preferred else None
    )
    if out is None:
        _print(_values(rows, with_study=True))
        _summary(rows)
        return
    write_table(rows, out)
    _say(f"{out}: {len(rows)} values of {rows['study'].nunique()} studies")


def _summary(rows: pd.DataFrame) -> None:
    from seedbed import evidence

    absent = [study.id for study in evidence.studies() if study.id not in set(rows["study"])]
    counts = Counter(rows["use"])
    kinds = ", ".join(f"{count} {use}" for use, count in sorted(counts.items()))
    _say(f"{rows['study'].nunique()} studies, {len(rows)} values ({kinds}), {rows['seen'].mean():.0%} read")
    only = [name for name in absent if evidence.study(name).contrasts]
    if only:
        _say("studies with contrasts and no rate: " + ", ".join(only))


def _values(rows: pd.DataFrame, *, with_study: bool) -> Table:
    heads = ["arm", "endpoint", "at", "value", "95 % interval", "events/n", "scale", "clock", "use", "marks"]
    shown = Table(*(["study"] if with_study else []), *heads, show_lines=False)
    for row in rows.to_dict("records"):
        cells = [
            row["arm"], _endpoint(row), _at(row["time_days"]), _value(row), _interval(row), _counts(row),
            row["scale"], row["clock"], row["use"], _marks(row),
        ]  # fmt: skip
        shown.add_row(*([row["study"]] if with_study else []), *cells)
    return shown


def _endpoint(row: dict) -> str:
    statistic = row["statistic"] if row["statistic"] in ("median", "mean", "maximum", "pooled") else ""
    return " ".join(filter(None, [row["endpoint"], statistic, row["assessment"]]))


def _at(days: float) -> str:
    return "" if pd.isna(days) else f"day {days:g}"


def _number(value: float, unit: str) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.1%}" if unit == "1" else f"{value:.4g} {unit if unit == 'day' else ''}".strip()


def _value(row: dict) -> str:
    if pd.isna(row["value"]):
        return f"{_number(row['range_lower'], row['unit'])} to {_number(row['range_upper'], row['unit'])}"
    return _number(row["value"], row["unit"])


def _interval(row: dict) -> str:
    if not row["interval_kind"] or (pd.isna(row["lower"]) and pd.isna(row["upper"])):
        return ""
    ends = [_number(row[side], row["unit"]) or "…" for side in ("lower", "upper")]
    kind = {"published": "", "exact": " exact", "exact_rounded": " exact", "approximate": " approx."}
    return f"{ends[0]} – {ends[1]}{kind[row['interval_kind']]}"


def _counts(row: dict) -> str:
    n = "" if pd.isna(row["n"]) else str(row["n"])
    return f"{row['events']}/{n or '?'}" if not pd.isna(row["events"]) else n


def _marks(row: dict) -> str:
    marks = [
        "" if row["seen"] else "recalled",
        "digest only" if row["level"] == "digest" else "",
        "preferred" if row["preferred"] else "",
        f"subgroup: {row['subgroup']}" if row["subgroup"] else "",
        "doubtful" if row["doubt"] else "",
        "confirmed" if row["confirmed"] else "",
    ]
    return ", ".join(filter(None, marks))


def forest(
    endpoint: Annotated[str, typer.Option("--endpoint", help="A rate or survival endpoint, such as cr or pfs.")],
    therapy: Therapy = None,
    disease: Disease = None,
    out: Out = None,
    transform: Annotated[str, typer.Option(help="Scale that rates are pooled on: logit or freeman_tukey.")] = "logit",
    every_row: Annotated[bool, typer.Option("--all", help="Show rows that are not preferred too; not pooled.")] = False,
    language: Language = "en",
) -> None:
    """Pool published rates, each scale apart, print the result and write a forest plot."""
    from seedbed.errors import ContentError, unknown
    from seedbed.report import forest as forests

    if transform not in ("logit", "freeman_tukey"):
        raise ContentError(unknown("transform", transform, ["logit", "freeman_tukey"]))
    rows = forests.select(endpoint=endpoint, therapy=therapy, disease=disease, every_row=every_row)
    lines = forests.lines(rows, forests.pool(rows, transform), forests.words(language))
    shown = Table("study", "events/n", "rate [95 % interval]", "marks")
    for line in lines.to_dict("records"):
        marks = line["mark"].replace("read", "")
        shown.add_row(
            line["label"], line["counts"], line["rate"], marks, style="bold" if line["kind"] == "header" else ""
        )
    _print(shown)
    path = out or Path(f"forest-{'-'.join(filter(None, [endpoint, therapy, disease]))}.html")
    chart = forests.forest(
        endpoint=endpoint, therapy=therapy, disease=disease, transform=transform, every_row=every_row, language=language
    )
    _say(f"written: {forests.save(chart, path)}")


def claims(
    run: Annotated[
        Path | None, typer.Option("--run", help="A run folder whose results fill the model's column.")
    ] = None,
    predict: Annotated[
        bool, typer.Option("--predict", help="Run every protocol that the claims name, and answer all of them.")
    ] = False,
    subjects: Annotated[int, typer.Option(min=20, help="With --predict: virtual patients of each protocol.")] = 1000,
    ensemble: Annotated[
        str | None, typer.Option(help="With --predict: calibrated ensemble, or 'none'; the library's default without.")
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="With --predict: where the runs stand; runs there are used again.")
    ] = Path("runs/claims"),
    workers: Workers = 2,
    keep: Annotated[Path | None, typer.Option(help="Keep the model's answers in this YAML file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the page to this Markdown file.")] = None,
) -> None:
    """Set each claim of the 2025 review beside its primary sources and the model's prediction."""
    from seedbed.evidence import claims as pages
    from seedbed.report import catalogue
    from seedbed.study import claims as asked

    answers = pages.stored()
    if run is not None:
        answers |= asked.from_run(run)
    if predict:
        answers |= asked.predict(folder, subjects=subjects, ensemble=ensemble, workers=workers, report=_say)
    if keep is not None:
        pages.keep(answers, keep)
        _say(f"written: {keep}")
    page = pages.page(answers, partial(catalogue.load("en").name, "endpoint"))
    if out is None:
        _say(page)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    _say(f"written: {out}")


def curve(
    study: Annotated[str, typer.Argument(help="Id of a study.")],
    arm: Annotated[str, typer.Argument(help="Id of an arm of it.")],
    endpoint: Annotated[str, typer.Option("--endpoint", help="A survival endpoint.")] = "pfs",
    out: Annotated[Path | None, typer.Option(help="Write the rebuilt patients to this CSV file.")] = None,
) -> None:
    """Rebuild the patients behind a survival curve from its published landmarks (Guyot's method)."""
    from seedbed import evidence

    rebuilt = evidence.reconstruct_arm(study, arm, endpoint)
    shown = Table("day", "published", "rebuilt", "error")
    for point in rebuilt.points.to_dict("records"):
        shown.add_row(
            f"{point['time']:g}", f"{point['published']:.3f}", f"{point['rebuilt']:.3f}", f"{point['error']:+.4f}"
        )
    _print(shown)
    events, n = int(rebuilt.patients["event"].sum()), len(rebuilt.patients)
    _say(f"{n} patients, {events} events; largest round-trip error {rebuilt.largest_error:.4f}")
    if not rebuilt.censoring_known:
        _say(
            "no numbers at risk after the start: nobody is censored before the last point, so intervals are too narrow"
        )
    if out is not None:
        rebuilt.patients.to_csv(out, index=False)
        _say(f"written: {out}")


def check(
    folder: Annotated[Path | None, typer.Argument(help="A folder of study files; the library by default.")] = None,
) -> None:
    """Check evidence files; lists every problem with file, line and cure."""
    from seedbed import evidence

    found = evidence.studies() if folder is None else evidence.read_folder(folder)
    values = sum(len(arm.endpoints) for study in found for arm in study.arms)
    _say(f"{len(found)} studies, {values} values: no problem")


def _print(shown: Table) -> None:
    console = Console()
    (console if console.is_terminal else Console(width=WIDTH)).print(shown)


def _say(text: str) -> None:
    Console(soft_wrap=True).print(text, markup=False, highlight=False)
