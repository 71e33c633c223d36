"""Forest plots of published rates: one line a study, a diamond a stratum, scales apart.

Usable from a notebook::

    from seedbed.report import forest
    table = forest.select(endpoint="cr", therapy="asct_cart")
    forest.draw(forest.lines(table, forest.pool(table), forest.words("en")), forest.words("en"))
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import yaml

from seedbed import evidence, library
from seedbed.analysis.meta_analysis import STRATUM, Transform, pool_strata
from seedbed.errors import ContentError, Problem, unknown
from seedbed.report import theme
from seedbed.report.catalogue import Catalogue

LINE = 19
MONTH = 365.25 / 12
GROUPING = (*STRATUM, "family")
FORMATS = (".html", ".svg", ".png", ".pdf", ".json")


@cache
def words(language: str = "en") -> Catalogue:
    """Return the words of forest plots in a language."""
    path = library.path("evidence/words.yaml")
    texts = yaml.safe_load(path.read_text(encoding="utf-8"))
    if language not in texts:
        raise ContentError(unknown("language", language, list(texts)))
    return Catalogue(language, texts[language], str(path))


def select(
    *, endpoint: str, therapy: str | None = None, disease: str | None = None, every_row: bool = False
) -> pd.DataFrame:
    """Return the published rates of an endpoint, ready to be pooled.

    Parameters
    ----------
    endpoint, therapy, disease : names of the vocabulary; a disease may be a family
    every_row : also rows that are not preferred: their patients may stand in other rows, so they are not pooled

    Returns
    -------
    DataFrame
        Columns of `evidence.rows`, with ``kind``, ``family`` and, for rates, an empty ``clock``: only survival is
        told apart by where its time begins.

    Raises
    ------
    ContentError
        A name is unknown, the endpoint is not a rate, or nothing fits.
    """
    vocabulary = evidence.vocabulary()
    table = evidence.rows(endpoint=endpoint, therapy=therapy, disease=disease)
    kind = vocabulary.endpoints[endpoint].kind
    table = table[(table["unit"] == "1") & table["value"].notna() & (table["subgroup"] == "")]
    if not every_row:
        table = table[table["preferred"]]
    if kind not in ("rate", "survival") or table.empty:
        cure = "see `seedbed evidence list`, or add --all for rows that are not preferred"
        raise ContentError(Problem(f'no rate of "{endpoint}" fits what was asked', cure=cure))
    family = table["disease"].map(lambda name: vocabulary.diseases[name].family)
    clock = table["clock"] if kind == "survival" else ""
    return table.assign(kind=kind, family=family, clock=clock).reset_index(drop=True)


def pool(table: pd.DataFrame, transform: Transform = "logit") -> pd.DataFrame:
    """Return the pooled rate of each stratum of `select`.

    Only preferred rows enter, so that each patient counts once, and no survival that is blind to follow-up.
    """
    sound = (table["kind"] != "survival") | (table["statistic"] != "crude")
    once = table[table["preferred"] & sound]
    return pool_strata(once, by=["family"], transform=transform)


def lines(table: pd.DataFrame, pooled: pd.DataFrame, t: Catalogue) -> pd.DataFrame:
    """Return the lines of the plot from top to bottom.

    Returns
    -------
    DataFrame
        ``y``, ``kind`` (header, study, pooled, note), ``label``, ``counts``, ``rate`` (texts), ``value``,
        ``lower``, ``upper``, ``prediction_lower``, ``prediction_upper``, ``mark``, ``approximate``, ``size``
    """
    records: list[dict[str, Any]] = []
    results = {_key(row): row for row in pooled.to_dict("records")}
    ordered = table.sort_values(["family", "scale", "time_days", "clock"], na_position="first", kind="stable")
    for key, group in ordered.groupby(list(GROUPING), dropna=False, sort=False):
        records.append({"kind": "header", "label": _heading(dict(zip(GROUPING, key, strict=True)), t)})
        records += [_study_line(row) for row in group.sort_values("value").to_dict("records")]
        records += _pooled_lines(results.get(_key(dict(zip(GROUPING, key, strict=True)))), t)
    frame = pd.DataFrame(records)
    columns = ["kind", "label", "counts", "rate", "value", "lower", "upper", "prediction_lower", "prediction_upper"]
    frame = frame.reindex(columns=[*columns, "mark", "approximate", "size", "source"])
    frame[["label", "counts", "rate", "mark", "source"]] = frame[["label", "counts", "rate", "mark", "source"]].fillna(
        ""
    )
    return frame.assign(y=range(len(frame)), approximate=frame["approximate"].eq(True))


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple("" if pd.isna(row[name]) else str(row[name]) for name in GROUPING)


def _heading(stratum: dict[str, Any], t: Catalogue) -> str:
    vocabulary = evidence.vocabulary()
    family = stratum["family"]
    parts = [_word(t, "family", family, vocabulary.families[family])]
    if pd.notna(stratum["time_days"]):
        parts.append(_time(stratum["time_days"], t))
    if stratum["scale"]:
        parts.append(t("scale", scale=_word(t, "scale", stratum["scale"], vocabulary.scales[stratum["scale"]])))
    if stratum["clock"]:
        parts.append(t("clock", clock=_word(t, "clock", stratum["clock"], vocabulary.clocks[stratum["clock"]])))
    return " · ".join(parts)


def _word(t: Catalogue, kind: str, name: str, otherwise: str) -> str:
    """Return the word of the language, or that of the vocabulary."""
    key = f"{kind}.{name}"
    return t(key) if key in t else otherwise


def _time(days: float, t: Catalogue) -> str:
    months = days / MONTH
    near = abs(months - round(months)) < 0.06 and months >= 1
    return t("months", months=round(months)) if near else t("days", days=f"{days:g}")


def _study_line(row: dict[str, Any]) -> dict[str, Any]:
    events = "" if pd.isna(row["events"]) else f"{row['events']}"
    n = "" if pd.isna(row["n"]) else f"{row['n']}"
    return {
        "kind": "study",
        "label": f"{row['study']} · {row['arm']}",
        "counts": f"{events}/{n}" if events else n,
        "rate": _rate(row["value"], row["lower"], row["upper"]),
        "value": row["value"],
        "lower": row["lower"],
        "upper": row["upper"],
        "mark": _mark(row),
        "approximate": row["interval_kind"] == "approximate",
        "size": math.sqrt(row["n"]) if n else 1.0,
        "source": row["source"],
    }


def _mark(row: dict[str, Any]) -> str:
    if row["doubt"]:
        return "doubt"
    if not row["seen"]:
        return "recalled"
    return "digest" if row["level"] == "digest" else "read"


def _rate(value: float, lower: float, upper: float) -> str:
    text = f"{value:.0%}"
    if pd.isna(lower) and pd.isna(upper):
        return text
    ends = ["" if pd.isna(end) else f"{end:.0%}" for end in (lower, upper)]
    return f"{text} [{ends[0]}–{ends[1]}]"


def _pooled_lines(result: dict[str, Any] | None, t: Catalogue) -> Iterator[dict[str, Any]]:
    if result is None or result["not_pooled"]:
        if result and result["not_pooled"] != "too_few":
            yield {"kind": "note", "label": t(f"not_pooled_{result['not_pooled']}")}
        return
    ends = {name: result[name] for name in ("lower", "upper", "prediction_lower", "prediction_upper")}
    rate = _rate(result["estimate"], result["lower"], result["upper"])
    counts = f"n = {result['n']:.0f}"
    label = t("pooled", k=result["k"])
    yield {"kind": "pooled", "label": label, "counts": counts, "rate": rate, "value": result["estimate"], **ends}
    spread = t("spread", tau2=f"{result['tau2']:.2f}", i2=f"{result['i2']:.0%}")
    ahead = ""
    if not pd.isna(result["prediction_lower"]):
        low, high = (f"{result[name]:.0%}" for name in ("prediction_lower", "prediction_upper"))
        ahead = "; " + t("prediction", lower=low, upper=high)
    yield {"kind": "note", "label": spread + ahead}


def draw(
    table: pd.DataFrame, t: Catalogue, *, title: str = "", axis: str | None = None, caption: str = ""
) -> alt.HConcatChart:
    """Draw the lines of `lines`: names, the plot, counts and rates, side by side.

    Parameters
    ----------
    table : lines of the plot
    axis : title of the axis of rates
    caption : words below the title
    """
    height = LINE * len(table)
    y = alt.Y("y:O", axis=None, scale=alt.Scale(domain=list(range(len(table)))))
    left = _texts(table, "label", y).properties(width=330, height=height, title=alt.Title(t("study"), fontSize=11))
    plot = _plot(table, y, axis or t("axis")).properties(width=340, height=height)
    counts = _texts(table, "counts", y).properties(width=70, height=height, title=alt.Title(t("events"), fontSize=11))
    rates = _texts(table, "rate", y).properties(width=110, height=height, title=alt.Title(t("value"), fontSize=11))
    chart = alt.hconcat(left, plot, counts, rates, spacing=8).resolve_scale(y="shared")
    if title:
        chart = chart.properties(
            title=alt.Title(
                title, subtitle=_wrapped(caption), subtitleFontSize=10.5, subtitleColor=theme.MUTED, offset=10
            )
        )
    return theme.finish(chart, t, description=title)


def _wrapped(text: str, width: int = 150) -> list[str]:
    out = [""]
    for word in text.split(" "):
        if len(out[-1]) + len(word) > width:
            out.append("")
        out[-1] = f"{out[-1]} {word}".strip()
    return out


def _texts(table: pd.DataFrame, column: str, y: alt.Y) -> alt.LayerChart:
    base = alt.Chart(table).encode(y=y, text=f"{column}:N")
    strong = alt.FieldOneOfPredicate(field="kind", oneOf=["header", "pooled"])
    bold = base.transform_filter(strong).mark_text(align="left", x=0, fontWeight=600)
    return (
        bold
        + base.transform_filter("datum.kind == 'study'").mark_text(align="left", x=8)
        + base.transform_filter("datum.kind == 'note'").mark_text(
            align="left", x=8, color=theme.MUTED, fontStyle="italic"
        )
    )


def _plot(table: pd.DataFrame, y: alt.Y, title: str) -> alt.LayerChart:
    x = alt.X(
        "value:Q", title=title, scale=alt.Scale(domain=[0, 1], nice=False), axis=alt.Axis(format="%", tickCount=5)
    )
    base = alt.Chart(table).encode(y=y)
    studies = base.transform_filter("datum.kind == 'study'")
    pooled = base.transform_filter("datum.kind == 'pooled'")
    tooltip = ["label:N", "rate:N", "counts:N", "source:N"]
    dash = alt.condition("datum.approximate", alt.value([3, 2]), alt.value([1, 0]))
    bars = studies.mark_rule(color=theme.INK).encode(x=alt.X("lower:Q"), x2=alt.X2("upper:Q"), strokeDash=dash)
    size = alt.Size("size:Q", legend=None, scale=alt.Scale(range=[25, 190], zero=True))
    hollow = alt.condition("datum.mark == 'read'", alt.value(theme.ARM_COLORS["asct_cart"]), alt.value(theme.PAPER))
    points = (
        studies.transform_filter("datum.mark != 'doubt'")
        .mark_square(stroke=theme.ARM_COLORS["asct_cart"], opacity=1)
        .encode(x=x, size=size, fill=hollow, tooltip=tooltip)
    )
    crosses = studies.transform_filter("datum.mark == 'doubt'").mark_point(shape="cross", color=theme.MISS, angle=45)
    crosses = crosses.encode(x=x, tooltip=tooltip)
    ahead = pooled.mark_rule(color=theme.MUTED, strokeWidth=1).encode(
        x=alt.X("prediction_lower:Q"), x2=alt.X2("prediction_upper:Q")
    )
    inside = pooled.mark_rule(color=theme.HIT, strokeWidth=5, opacity=0.55).encode(
        x=alt.X("lower:Q"), x2=alt.X2("upper:Q")
    )
    diamond = pooled.mark_point(shape="diamond", filled=True, size=130, color=theme.HIT, opacity=1).encode(
        x=x, tooltip=tooltip
    )
    return bars + points + crosses + ahead + inside + diamond


def save(chart: alt.TopLevelMixin, path: Path) -> Path:
    """Write a chart as HTML (whole, offline), SVG, PNG, PDF or Vega-Lite JSON, by its suffix.

    Raises
    ------
    ContentError
        The suffix is another one.
    """
    if path.suffix not in FORMATS:
        raise ContentError(Problem(f'cannot write "{path}"', expected="a file ending in " + ", ".join(FORMATS)))
    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {".html": {"inline": True}, ".png": {"ppi": 150}}.get(path.suffix, {})
    chart.save(str(path), **options)
    return path


def forest(
    *,
    endpoint: str,
    therapy: str | None = None,
    disease: str | None = None,
    transform: Transform = "logit",
    every_row: bool = False,
    language: str = "en",
) -> alt.HConcatChart:
    """Return the forest plot of an endpoint; arguments and errors as in `select` and `pool`."""
    t = words(language)
    table = select(endpoint=endpoint, therapy=therapy, disease=disease, every_row=every_row)
    vocabulary = evidence.vocabulary()
    treatment = _word(t, "therapy", therapy, vocabulary.therapies[therapy]) if therapy else ""
    subject = " · ".join(filter(None, [treatment, disease]))
    survival = table["kind"].iloc[0] == "survival"
    used = "complementary_log_log" if survival else transform
    means = _word(t, "endpoint", endpoint, vocabulary.endpoints[endpoint].means)
    title = t("title", endpoint=means, therapy=subject or "-")
    caption = t("caption", transform=t(f"transform_{used}"))
    shown = lines(table, pool(table, transform), t)
    return draw(shown, t, title=title, axis=t("axis_survival") if survival else None, caption=caption)
