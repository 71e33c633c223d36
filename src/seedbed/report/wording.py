"""Words that several sections share: names of endpoints at a time, values with units, intervals, lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from seedbed.report.blocks import Table
from seedbed.report.catalogue import Catalogue
from seedbed.report.summary import MONTH

Formatter = Callable[[Any], str]
RESPONSE_LEVELS = ("sCR", "CR", "CRu", "VGPR", "PR", "MR", "SD", "PD", "NE")
"""Responses from the deepest to none; each is a word ``response_level.<level>``."""


def words(text: object, t: Catalogue) -> str:
    """Return a text of the content in the language of the report; content without translation stands as it is."""
    if isinstance(text, Mapping):
        return str(text.get(t.language) or text.get("en") or "")
    return str(text)


def endpoint(t: Catalogue, name: str, time_days: float | None = None) -> str:
    """Return the name of an endpoint of the summary, at a time where it has one."""
    if time_days is None or pd.isna(time_days):
        return t(f"endpoint.{name}")
    months = round(time_days / MONTH)
    if abs(months * MONTH - time_days) <= 3 and months >= 6:
        return t("endpoint_at.months", endpoint=t(f"endpoint.{name}"), months=months)
    return t("endpoint_at.days", endpoint=t(f"endpoint.{name}"), days=t.count(time_days))


def quantity(t: Catalogue, value: float | None, unit: str) -> str:
    """Return a value in words: a share of one as a percentage, a number of days with one decimal."""
    if unit == "1":
        return t.percent(value)
    if unit == "day":
        return t.number(value, 1 if value is not None and abs(value) < 100 else 0)
    return t.significant(value)


def is_share(row: pd.Series | Mapping[str, Any]) -> bool:
    """Tell whether a row of the summary is a rate: a share without spread between patients."""
    return row["unit"] == "1" and row["between_patient"] is None


def estimate(t: Catalogue, row: Mapping[str, Any] | pd.Series | None) -> tuple[str, str]:
    """Return the estimate of a summary row and its interval, in words."""
    if row is None or pd.isna(row["estimate"]):
        return t("format.missing"), ""
    unit = row["unit"] if row["unit"] != "1" or is_share(row) else ""
    value = quantity(t, row["estimate"], unit)
    named = value if unit in ("1", "") else t("format.with_unit", value=value, unit=unit_name(t, unit))
    return named, bounds(t, row["lower"], row["upper"], unit)


def bounds(t: Catalogue, lower: float, upper: float, unit: str) -> str:
    """Return an interval in words, empty where there is none; an end that is not reached is said so."""
    if pd.isna(lower) and pd.isna(upper):
        return ""
    ends = (quantity(t, end, unit) if pd.notna(end) else t("format.not_reached") for end in (lower, upper))
    return t.interval(*ends)


def unit_name(t: Catalogue, unit: str) -> str:
    """Return how a unit is written."""
    return t.name("unit", unit)


def points(t: Catalogue, share: float, *, digits: int = 1) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return t("format.points", value=signed(t, 100.0 * share, digits))


def signed(t: Catalogue, value: float, digits: int = 1) -> str:
    """Return a number with its sign."""
    return ("+" if round(value, digits) > 0 else "") + t.number(value, digits)


def joined(t: Catalogue, parts: Sequence[str]) -> str:
    """Return several statements as one sentence."""
    return t("format.semicolon").join(parts) + t("format.stop")


def data_table(frame: pd.DataFrame, columns: Mapping[str, tuple[str, Formatter]], *, n_text: int = 1) -> Table:
    """Return a table of texts from the data of a chart.

    Parameters
    ----------
    columns : column of the frame, its heading, and how a value is written
    """
    made = [[write(value) for value in frame[name]] for name, (_, write) in columns.items()]
    return Table(tuple(heading for heading, _ in columns.values()), tuple(zip(*made, strict=True)), n_text=n_text)
