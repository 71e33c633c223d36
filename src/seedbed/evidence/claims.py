"""The claims of the 2025 review beside their primary sources and what the model predicts, as a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from seedbed import library
from seedbed.documents import Content, Document, load, parse, read
from seedbed.errors import ContentError, Problem, unknown
from seedbed.evidence.frames import kinetics, rows
from seedbed.evidence.reader import study
from seedbed.evidence.vocabulary import vocabulary

VERDICTS = {
    "agrees": "the primary sources agree",
    "partly": "the primary sources agree in part",
    "disagrees": "the primary sources disagree",
    "no_source": "no primary source was found",
    "untestable": "cannot be tested from what was read",
}
PREDICTIONS = "evidence/predictions.yaml"
Namer = Callable[[str], str]
"""Gives the word of an endpoint of the model's summary."""


def _plain(endpoint: str) -> str:
    return endpoint.replace("_", " ")


class Prediction(Content):
    """What the model is asked: an estimate of an arm, or its difference from another arm."""

    protocol: str
    arm: str
    endpoint: str
    time_days: float | None = None
    versus: str = ""

    @property
    def key(self) -> str:
        """Return the name under which an answer is kept."""
        time = "" if self.time_days is None else f"@{self.time_days:g}"
        return f"{self.protocol}.{self.arm}{'-' + self.versus if self.versus else ''}.{self.endpoint}{time}"

    def question(self, name: Namer) -> str:
        """Return the question in words."""
        time = "" if self.time_days is None else f" at day {self.time_days:g}"
        sides = f"{self.arm} less {self.versus}" if self.versus else self.arm
        return f"{name(self.endpoint)}{time}, {sides} ({self.protocol})"


class Claim(Content):
    """One claim, the rows that bear on it, and the verdict on it."""

    id: str
    claim: str
    evidence: tuple[str, ...]
    verdict: Literal["agrees", "partly", "disagrees", "no_source", "untestable"]
    finding: str
    predictions: tuple[Prediction, ...] = ()


class Implausible(Content):
    """A statement of ``seedbed check plausibility`` that fails on the frozen ensemble, and why."""

    check: int
    statement: str
    value: float
    range: tuple[float, float]
    reason: str


class Claims(Content):
    """All claims of the review, and what a physician would not believe of the model that answers them."""

    review: str
    claims: tuple[Claim, ...]
    plausibility: str = ""
    implausible: tuple[Implausible, ...] = ()


class Answer(Content):
    """One answer of the model."""

    estimate: float
    lower: float | None = None
    upper: float | None = None
    unit: str
    made_with: str


class Predictions(Content):
    """Answers of the model by the key of their question."""

    answers: dict[str, Answer]


def read_claims(path: Path | str) -> Claims:
    """Return the claims of a file.

    Raises
    ------
    ContentError
        Form, and every row or fact that does not exist, with lines.
    """
    document = load(path)
    claims = parse(document, Claims)
    problems = [
        problem
        for i, claim in enumerate(claims.claims)
        for j, name in enumerate(claim.evidence)
        for problem in _missing(document, name, ("claims", i, "evidence", j))
    ]
    if problems:
        raise ContentError(problems)
    return claims


@cache
def _index() -> dict[str, str]:
    """Return every name that a claim may cite, with its line of text."""
    lines = {f"{row['study']}.{row['arm']}.{row['row']}": _row_text(row) for row in rows().to_dict("records")}
    for fact in kinetics().to_dict("records"):
        name = f"fact:{fact['id']}"
        lines[name] = "; ".join(filter(None, [lines.get(name, ""), _fact_text(fact)]))
    for one in {name.split(".")[0] for name in lines if not name.startswith("fact:")}:
        for contrast in study(one).contrasts:
            lines[f"{one}.contrast.{contrast.id}"] = f"`{one}` {_contrast_text(contrast)}"
    return lines


def _missing(document: Document, name: str, place: Sequence[str | int]) -> list[Problem]:
    if name in _index():
        return []
    return [unknown("row", name, list(_index()), file=str(document.path), line=document.line(place))]


@cache
def claims() -> Claims:
    """Return the claims of the library."""
    return read_claims(library.path("evidence/claims.yaml"))


def _number(value: float | None, unit: str) -> str:
    if value is None or pd.isna(value):
        return ""
    return f"{100 * value:.3g} %" if unit == "1" else f"{value:.3g} {unit}"


def _points(value: float | None, _: str) -> str:
    """Return a difference of two rates, in percentage points and not in percent of either."""
    return "" if value is None or pd.isna(value) else f"{100 * value:+.1f} points"


def _row_text(row: Mapping[str, Any]) -> str:
    value = _number(row["value"], row["unit"])
    if not value:
        value = f"{_number(row['range_lower'], row['unit'])} to {_number(row['range_upper'], row['unit'])}"
    ends = [_number(row[side], row["unit"]) for side in ("lower", "upper")]
    about = " approx." if row["interval_kind"] == "approximate" else ""
    interval = f" [{ends[0]} to {ends[1]}{about}]" if all(ends) else ""
    count = "" if pd.isna(row["events"]) or pd.isna(row["n"]) else f", {row['events']} of {row['n']}"
    marks = "".join(
        [
            "" if row["seen"] else ", recalled",
            ", digest only" if row["level"] == "digest" else "",
            ", doubtful" if row["doubt"] else "",
        ]
    )
    time = "" if pd.isna(row["time_days"]) else f" at day {row['time_days']:g}"
    name = vocabulary().endpoints[row["endpoint"]].means
    return f"`{row['study']}` ({row['arm']}): {name}{time}: {value}{interval}{count}{marks}; {row['source']}"


def _fact_text(fact: Mapping[str, Any]) -> str:
    value = fact["finding"] or _number(fact["value"], fact["unit"])
    group = f" ({fact['group']})" if fact["group"] else ""
    return f"`{fact['id']}` {fact['context']}{group}: {fact['quantity'].replace('_', ' ')} {value}; {fact['source']}"


def _contrast_text(contrast: Any) -> str:
    value = "" if contrast.value is None else f" {contrast.value:g}"
    p = f", P {contrast.p}" if contrast.p else ""
    return f"{contrast.arm} against {contrast.versus}: {contrast.endpoint} {contrast.measure}{value}{p}"


def stored() -> dict[str, Answer]:
    """Return the answers kept in the library; none before a calibrated ensemble was frozen."""
    return dict(read(library.path(PREDICTIONS), Predictions).answers)


def keep(answers: Mapping[str, Answer], path: Path | str) -> None:
    """Write answers as a file that can stand in the library as ``evidence/predictions.yaml``."""
    content = {"answers": {key: answers[key].model_dump() for key in sorted(answers)}}
    Path(path).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def page(predictions: Mapping[str, Answer] | None = None, name: Namer = _plain) -> str:
    """Return the page of claims as Markdown.

    Parameters
    ----------
    predictions : answers by key; those of the library by default
    name : gives the word of an endpoint; its id in plain words by default
    """
    answers = stored() if predictions is None else predictions
    content = claims()
    counts = {verdict: sum(claim.verdict == verdict for claim in content.claims) for verdict in VERDICTS}
    often = {verdict: "once" if count == 1 else f"{count} times" for verdict, count in counts.items() if count}
    tally = "; ".join(f"{times} {VERDICTS[verdict]}" for verdict, times in often.items())
    parts = [_HEAD.format(review=study(content.review).title, tally=tally, n=len(content.claims))]
    parts += [_section(number, claim, answers, name) for number, claim in enumerate(content.claims, start=1)]
    if content.implausible:
        parts.append(_implausible(content))
    return "\n".join(parts)


_HEAD = """# What the review of 2025 claims, what its sources say, what the model predicts

*{review}* (Chin J Cancer Res 37:505). Written by `seedbed evidence claims --out docs/claims.md`; do not edit.
Rates stand with their published or exact 95 % interval. "Recalled" numbers were not read; "digest only" ones were
read in a digest of the review and not in their study; "approx." intervals ignore censoring.
Predictions (`seedbed evidence claims --predict`) stand with their 95 % interval from parameters and Monte Carlo. An arm
is of those whom the study's arm would have taken; a difference is of the same virtual patients in both arms, as a
randomized trial would see it, without the study's selection; differences of rates are percentage points.

Of {n} claims: {tally}.
"""


def _section(number: int, claim: Claim, answers: Mapping[str, Answer], name: Namer) -> str:
    lines = [f"## {number}. {claim.claim}", "", f"**{VERDICTS[claim.verdict].capitalize()}.** {claim.finding}", ""]
    lines += [f"- {_index()[row]}" for row in claim.evidence] or ["- no row of the evidence base bears on it"]
    lines += ["", "| the model is asked | prediction | made with |", "|---|---|---|"]
    lines += [_line(question.question(name), question, answers.get(question.key)) for question in claim.predictions]
    return "\n".join([*lines, ""])


def _implausible(content: Claims) -> str:
    head = ["## What is not plausible about the model", "", content.plausibility.strip(), ""]
    table = ["| check | statement | value | range | why |", "|---|---|---|---|---|"]
    table += [
        f"| {item.check} | {item.statement} | {item.value:g} | {item.range[0]:g} to {item.range[1]:g} | {item.reason} |"
        for item in content.implausible
    ]
    return "\n".join([*head, *table, ""])


def _line(words: str, question: Prediction, answer: Answer | None) -> str:
    if answer is None:
        return f"| {words} | not run yet | |"
    tell = _points if question.versus and answer.unit == "1" else _number
    ends = [tell(answer.lower, answer.unit), tell(answer.upper, answer.unit)]
    interval = f" [{ends[0]} to {ends[1]}]" if all(ends) else ""
    return f"| {words} | {tell(answer.estimate, answer.unit)}{interval} | {answer.made_with} |"
