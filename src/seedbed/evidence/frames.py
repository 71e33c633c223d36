"""The evidence as tables: one row a published value, with an interval and times in days."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from seedbed.errors import ContentError, Problem, unknown
from seedbed.evidence.checks import COUNTED
from seedbed.evidence.intervals import clopper_pearson
from seedbed.evidence.reader import facts, studies, study
from seedbed.evidence.schema import Arm, PublishedValue, Study
from seedbed.evidence.vocabulary import vocabulary

DAYS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12}
COLUMNS = (
    "study", "arm", "row", "disease", "therapy", "product", "endpoint", "statistic", "time_days", "scale", "clock",
    "value", "lower", "upper", "interval_kind", "range_lower", "range_upper",
    "spread_kind", "spread_lower", "spread_upper", "events", "n", "n_from_arm", "unit",
    "published_value", "published_unit", "rule", "assessment", "denominator", "subgroup", "seen", "confidence",
    "preferred", "cohort_group", "part", "arm_use", "use", "design", "level", "source", "doubt",
    "confirmed", "verified", "note",
)  # fmt: skip
Choice = str | Collection[str] | None


def rows(
    *,
    therapy: Choice = None,
    disease: Choice = None,
    endpoint: Choice = None,
    use: Choice = None,
    study: Choice = None,
    product: Choice = None,
    preferred: bool | None = None,
    among: Sequence[Study] | None = None,
) -> pd.DataFrame:
    """Return published values as a table, one row a value.

    Parameters
    ----------
    therapy, disease, endpoint, use, study, product : one name or several; a disease may be a family, such as
        ``"b_cell_lymphoma"``
    preferred : keep only rows that are, or are not, the ones to fit
    among : studies to look in; those of the library by default

    Returns
    -------
    DataFrame
        `COLUMNS`. Rates are fractions; times are in days, whatever was printed (`published_value`,
        `published_unit`). ``lower`` and ``upper`` are the published interval (``interval_kind`` "published"),
        else exact binomial where the count is known ("exact") or follows from the rate ("exact_rounded"), else
        binomial at the sample size, blind to censoring and so too narrow ("approximate"). ``n`` is the arm's
        where the row prints none and counts the whole arm (``n_from_arm``).

    Raises
    ------
    ContentError
        A name is unknown; says the nearest one.
    """
    table = pd.DataFrame([_record(s, a, r) for s in among or studies() for a in s.arms for r in a.endpoints])
    table = table.reindex(columns=list(COLUMNS)).astype({"events": "Int64", "n": "Int64"})
    choices = {"therapy": therapy, "disease": disease, "endpoint": endpoint, "use": use, "product": product}
    keep = pd.Series(True, index=table.index)
    for column, choice in choices.items():
        if choice is not None:
            keep &= table[column].isin(_wanted(column, choice))
    if study is not None:
        keep &= table["study"].isin(_study_ids(study, among))
    if preferred is not None:
        keep &= table["preferred"] == preferred
    return table[keep].reset_index(drop=True)


def published(study_id: str) -> pd.DataFrame:
    """Return all values of one study, for setting them beside simulated ones; columns as in `rows`."""
    return rows(study=study(study_id).id)


def _words(choice: str | Collection[str]) -> list[str]:
    return [choice] if isinstance(choice, str) else list(choice)


def _wanted(column: str, choice: str | Collection[str]) -> list[str]:
    words = vocabulary()
    known: dict[str, Collection[str]] = {
        "therapy": words.therapies,
        "endpoint": words.endpoints,
        "product": words.products,
        "use": ("calibrate", "not_fitted", "context"),
        "disease": [*words.diseases, *words.families],
    }
    strange = [unknown(column, word, list(known[column])) for word in _words(choice) if word not in known[column]]
    if strange:
        raise ContentError(strange)
    if column == "disease":
        return [disease for word in _words(choice) for disease in words.diseases_of(word)]
    return _words(choice)


def _study_ids(choice: str | Collection[str], among: Sequence[Study] | None) -> list[str]:
    if among is None:
        return [study(name).id for name in _words(choice)]
    return _words(choice)


def _record(one: Study, arm: Arm, row: PublishedValue) -> dict[str, Any]:
    source = one.sources.get(row.source)
    interval, kind = _interval(row, _size(one, arm, row))
    factor = DAYS.get(row.unit, 1.0)
    return {
        "study": one.id,
        "arm": arm.id,
        "row": row.id,
        "disease": arm.disease or one.disease,
        "therapy": arm.therapy,
        "product": arm.product,
        "cohort_group": arm.cohort_group,
        "part": arm.part,
        "design": one.design.kind,
        "value": math.nan if row.value is None else row.value * factor,
        "lower": interval[0] * factor,
        "upper": interval[1] * factor,
        "interval_kind": kind,
        "range_lower": row.range.lower * factor if row.range else math.nan,
        "range_upper": row.range.upper * factor if row.range else math.nan,
        "spread_kind": row.spread.kind if row.spread else None,
        "spread_lower": row.spread.lower * factor if row.spread else math.nan,
        "spread_upper": row.spread.upper * factor if row.spread else math.nan,
        "unit": "day" if row.unit in DAYS else row.unit,
        "published_value": math.nan if row.value is None else row.value,
        "published_unit": row.unit,
        "events": row.events,
        "n": _size(one, arm, row),
        "n_from_arm": row.n is None and _size(one, arm, row) is not None,
        "time_days": math.nan if row.time_days is None else row.time_days,
        "arm_use": arm.use,
        "use": row.use or arm.use,
        "level": source.level if source else "",
        "source": source.short if source else "",
        "confirmed": row.verified.confirmed if row.verified else False,
        "verified": row.verified.found if row.verified else "",
        **{name: getattr(row, name) for name in _PLAIN},
    }


_PLAIN = (
    "endpoint", "statistic", "scale", "clock", "rule", "assessment", "denominator", "subgroup", "seen",
    "confidence", "preferred", "doubt", "note",
)  # fmt: skip


def _size(one: Study, arm: Arm, row: PublishedValue) -> int | None:
    """Return the denominator: the printed one, or that of the arm where the row counts the whole arm."""
    whole = ("randomized",) if one.design.kind == "randomized" else ("infused", "transplanted", "enrolled")
    return row.n or (arm.n if row.denominator in whole and not row.subgroup else None)


def _interval(row: PublishedValue, n: int | None) -> tuple[tuple[float, float], str]:
    """Return the interval of a row in its own unit, and where it comes from."""
    if row.interval is not None:
        lower, upper = row.interval.lower, row.interval.upper
        return (math.nan if lower is None else lower, math.nan if upper is None else upper), "published"
    if row.unit != "1" or row.value is None or n is None or row.statistic in ("pooled", "upper_limit"):
        return (math.nan, math.nan), ""
    if row.events is not None and row.statistic in COUNTED:
        return clopper_pearson(row.events, n), "exact"
    if row.statistic in COUNTED:
        return clopper_pearson(round(row.value * n), n), "exact_rounded"
    return clopper_pearson(row.value * n, n), "approximate"


def contrasts() -> pd.DataFrame:
    """Return published comparisons of two groups: hazard ratios, differences, P values."""
    records = []
    for one in studies():
        for contrast in one.contrasts:
            bounds = contrast.interval
            record = contrast.model_dump(exclude={"interval", "verified", "source"})
            records.append(
                {
                    "study": one.id,
                    **record,
                    "lower": bounds.lower if bounds else None,
                    "upper": bounds.upper if bounds else None,
                    "source": one.sources[contrast.source].short,
                }
            )
    return pd.DataFrame(records)


def kinetics(*, quantity: Choice = None, therapy: Choice = None, use: Choice = None) -> pd.DataFrame:
    """Return kinetic facts as a table, one row a number: a fact with groups gives one row for each.

    Raises
    ------
    ContentError
        A quantity that no fact has.
    """
    table = pd.DataFrame([record for fact in facts() for record in _fact_records(fact)])
    for column, choice in (("quantity", quantity), ("therapy", therapy), ("use", use)):
        if choice is None:
            continue
        known = sorted(set(table[column]))
        strange = [unknown(column, word, known) for word in _words(choice) if word not in known]
        if strange:
            raise ContentError([Problem(problem.what, nearest=problem.nearest) for problem in strange])
        table = table[table[column].isin(_words(choice))]
    return table.reset_index(drop=True)


def _fact_records(fact: Any) -> list[dict[str, Any]]:
    plain = fact.model_dump(exclude={"value", "groups", "lower", "upper", "events", "n", "verified"})
    several = isinstance(fact.value, tuple)
    count = len(fact.value) if several else 1

    def member(values: Any, position: int) -> Any:
        return values[position] if isinstance(values, tuple) else values

    return [
        {
            **plain,
            "group": fact.groups[i] if fact.groups else "",
            **{name: member(getattr(fact, name), i) for name in ("value", "lower", "upper", "events", "n")},
        }
        for i in range(count)
    ]
