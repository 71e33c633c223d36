"""Words that the reports of studies share: values of outcomes with units, worlds, content in a language."""

from __future__ import annotations

import math

from seedbed.report.catalogue import Catalogue
from seedbed.report.wording import signed as with_sign
from seedbed.sources import Words
from seedbed.study.outcomes import Outcome
from seedbed.study.worlds import World


def in_language(text: Words, t: Catalogue) -> str:
    """Return a text of the content in the language of the report."""
    return text.zh if t.language == "zh" else text.en


def shown(t: Catalogue, outcome: Outcome, value: float, *, signed: bool = False) -> str:
    """Return a value of an outcome: shares in percent, differences of shares in percentage points."""
    if value is None or not math.isfinite(value):
        return t("format.missing")
    if outcome.is_share:
        return t("format.points", value=with_sign(t, 100.0 * value)) if signed else t.percent(value, 1)
    digits = 2 if outcome.unit == "log10" else 1
    return with_sign(t, value, digits) if signed else t.number(value, digits)


def between(t: Catalogue, outcome: Outcome, lower: float, upper: float) -> str:
    """Return an interval of an outcome without units."""
    factor, digits = (100.0, 1) if outcome.is_share else (1.0, 2 if outcome.unit == "log10" else 1)
    return t.interval(t.number(factor * lower, digits), t.number(factor * upper, digits))


def world_name(t: Catalogue, world: World) -> str:
    """Return the name of a world: its knowledge, or its rival structure."""
    return in_language(world.title, t) if world.title is not None else t(f"study.world.{world.knowledge}")
