"""The rows of ``summary.json``: one per arm, endpoint and time.

``summarize(endpoints, definitions=None, *, parameter_sets=None, level=0.95) -> list[dict]``

where `endpoints` is the table ``endpoints`` (a row a subject and arm), `definitions` says which columns become
which rows (default: ``library/summaries/standard.yaml``; a definition whose columns the table does not have is
left out), and `parameter_sets` is an optional Series of the set each subject used, indexed by subject. Each row
is ``{arm, endpoint, time_days, estimate, lower, upper, n, unit, between_patient, parameter_sd,
monte_carlo_se}``: plain Python values, None where something does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from seedbed import library
from seedbed.analysis.competing import cumulative_incidence
from seedbed.analysis.proportion import binomial
from seedbed.analysis.results import LEVEL, Estimate, normal_quantile
from seedbed.analysis.survival import SurvivalCurve, kaplan_meier
from seedbed.analysis.uncertainty import parameter_spread
from seedbed.documents import Content, read
from seedbed.errors import TableError

Row = dict[str, Any]
Labeled = Iterator[tuple[Row, Estimate]]
LEAST_AT_RISK = 0.05
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


class Rate(Content):
    """A share of subjects: those whose value is among `counts`, or at least `at_least`, or true."""

    kind: Literal["rate"]
    endpoint: str
    column: str
    counts: tuple[str, ...] = ()
    at_least: float | None = None
    missing: Literal["counts_as_no", "left_out"] = "left_out"
    describes: str = ""

    def columns(self) -> tuple[str, ...]:
        """Return the columns it reads."""
        return (self.column,)


class Time(Content):
    """A time to an event: survival at landmarks [day] and the median time."""

    kind: Literal["time"]
    endpoint: str
    time: str
    event: str
    landmarks_days: tuple[float, ...]
    describes: str = ""

    def columns(self) -> tuple[str, ...]:
        """Return the columns it reads."""
        return (self.time, self.event)


class Incidence(Content):
    """A cumulative incidence at landmarks [day], the other cause being a competing event.

    The first of progression or death is the event of `time` and `event`; it is of cause "death" where the death
    of `death_time` and `death_event` falls on the same day, else of cause "progression".
    """

    kind: Literal["incidence"]
    endpoint: str
    time: str
    event: str
    death_time: str
    death_event: str
    cause: Literal["death", "progression"]
    landmarks_days: tuple[float, ...]
    describes: str = ""

    def columns(self) -> tuple[str, ...]:
        """Return the columns it reads."""
        return (self.time, self.event, self.death_time, self.death_event)


class Quantity(Content):
    """A continuous value: its median over subjects, and the quantiles between patients."""

    kind: Literal["quantity"]
    endpoint: str
    column: str
    unit: str
    describes: str = ""

    def columns(self) -> tuple[str, ...]:
        """Return the columns it reads."""
        return (self.column,)


Definition = Annotated[Rate | Time | Incidence | Quantity, Field(discriminator="kind")]


class Definitions(Content):
    """The file of definitions."""

    describes: str
    endpoints: tuple[Definition, ...]


def standard_definitions() -> tuple[Definition, ...]:
    """Return the definitions of ``library/summaries/standard.yaml``."""
    return read(library.find("summaries", "standard"), Definitions).endpoints


def summarize(
    endpoints: pd.DataFrame,
    definitions: Sequence[Definition] | None = None,
    *,
    parameter_sets: pd.Series | None = None,
    level: float = LEVEL,
) -> list[Row]:
    """Return the summary rows of a table of endpoints.

    Parameters
    ----------
    endpoints : DataFrame with columns ``subject``, ``arm`` and those the definitions name
    definitions : which rows to make; the library's standard ones by default
    parameter_sets : Series indexed by subject, the parameter set of each; None before calibration
    level : level of the intervals

    Returns
    -------
    Rows as the module's docstring describes, ordered by arm, then definition, then time. ``lower`` and
    ``upper`` are the interval of the estimate at the number of virtual subjects run. ``parameter_sd`` is None
    unless there are at least two parameter sets.

    Raises
    ------
    TableError
        ``subject`` or ``arm`` is missing, or a subject has no parameter set.
    """
    for name in ("subject", "arm"):
        if name not in endpoints:
            raise TableError(f'table endpoints: column "{name}" is missing')
    chosen = standard_definitions() if definitions is None else tuple(definitions)
    chosen = tuple(item for item in chosen if all(name in endpoints for name in item.columns()))
    rows: list[Row] = []
    for arm, group in endpoints.groupby("arm", sort=False, observed=True):
        sets = _sets_of(group, parameter_sets)
        for definition in chosen:
            rows.extend({"arm": str(arm), **row} for row in _rows(definition, group, sets, level))
    return rows


def _sets_of(group: pd.DataFrame, parameter_sets: pd.Series | None) -> list[pd.DataFrame]:
    """Return the rows of each parameter set, or none when there are fewer than two sets."""
    if parameter_sets is None or parameter_sets.nunique() < 2:
        return []
    sets = group["subject"].map(parameter_sets)
    if sets.isna().any():
        raise TableError(f"{int(sets.isna().sum())} subjects have no parameter set")
    return [rows for _, rows in group.groupby(sets.to_numpy())]


def _rows(definition: Definition, group: pd.DataFrame, sets: list[pd.DataFrame], level: float) -> Iterator[Row]:
    makers: dict[type, Callable[..., Labeled]] = {
        Rate: _rate,
        Time: _time,
        Incidence: _incidence,
        Quantity: _quantity,
    }
    make = makers[type(definition)]
    by_set = [[estimate for _, estimate in make(definition, rows, level)] for rows in sets]
    for index, (labels, estimate) in enumerate(make(definition, group, level)):
        parameter_sd = parameter_spread([estimates[index] for estimates in by_set])
        yield _row(labels, estimate, parameter_sd)


def _row(labels: Row, estimate: Estimate, parameter_sd: float | None) -> Row:
    quantiles = labels["between_patient"]
    return {
        "endpoint": labels["endpoint"],
        "time_days": labels["time_days"],
        "estimate": _plain(estimate.value),
        "lower": _plain(estimate.lower),
        "upper": _plain(estimate.upper),
        "n": estimate.n,
        "unit": labels["unit"],
        "between_patient": {k: _plain(v) for k, v in quantiles.items()} if quantiles else None,
        "parameter_sd": parameter_sd,
        "monte_carlo_se": _plain(estimate.standard_error),
    }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _labels(
    endpoint: str, unit: str, time_days: float | None = None, quantiles: dict[str, float] | None = None
) -> Row:
    return {"endpoint": endpoint, "time_days": time_days, "unit": unit, "between_patient": quantiles}


def _no_estimate(n: int = 0) -> Estimate:
    return Estimate(np.nan, np.nan, np.nan, np.nan, n)


def _rate(definition: Rate, group: pd.DataFrame, level: float) -> Labeled:
    column = group[definition.column]
    if definition.missing == "left_out":
        column = column.dropna()
    hits = int(_is_hit(definition, column).sum())
    yield _labels(definition.endpoint, "1"), binomial(hits, len(column), level=level) if len(column) else _no_estimate()


def _is_hit(definition: Rate, column: pd.Series) -> pd.Series:
    if definition.counts:
        return column.isin(definition.counts)
    if definition.at_least is not None:
        return pd.to_numeric(column, errors="coerce") >= definition.at_least
    return column.isin([True])


def _time(definition: Time, group: pd.DataFrame, level: float) -> Labeled:
    present = group.dropna(subset=[definition.time, definition.event])
    curve = kaplan_meier(present[definition.time], present[definition.event], level=level) if len(present) else None
    for day in definition.landmarks_days:
        yield _labels(definition.endpoint, "1", day), curve.at(day) if curve else _no_estimate()
    known = _where_enough_at_risk(curve) if curve else None
    quantiles = _time_quantiles(known) if known else None
    labels = _labels(f"{definition.endpoint}_median", "day", None, quantiles)
    yield labels, known.quantile(0.5) if known else _no_estimate()


def _where_enough_at_risk(curve: SurvivalCurve) -> SurvivalCurve | None:
    """Return a curve up to where 5 % are still at risk, so that one late event among the last makes no median."""
    enough = curve.at_risk >= LEAST_AT_RISK * curve.n
    if not enough.any():
        return None
    arrays = ("time", "at_risk", "events", "survival", "standard_error", "lower", "upper")
    return replace(curve, **{name: getattr(curve, name)[enough] for name in arrays})


def _time_quantiles(curve: SurvivalCurve) -> dict[str, float]:
    return {name: curve.time_reaching(1 - share) for name, share in QUANTILES.items()}


def _incidence(definition: Incidence, group: pd.DataFrame, level: float) -> Labeled:
    present = group.dropna(subset=list(definition.columns()))
    if present.empty:
        yield from ((_labels(definition.endpoint, "1", day), _no_estimate()) for day in definition.landmarks_days)
        return
    event = present[definition.event].astype(bool)
    died = present[definition.death_event].astype(bool) & (
        present[definition.death_time] <= present[definition.time]
    )
    cause = np.where(~event, 0, np.where(died, 1, 2))
    wanted = 1 if definition.cause == "death" else 2
    curve = cumulative_incidence(present[definition.time], cause, cause_of_interest=wanted, level=level)
    for day in definition.landmarks_days:
        yield _labels(definition.endpoint, "1", day), curve.at(day)


def _quantity(definition: Quantity, group: pd.DataFrame, level: float) -> Labeled:
    values = pd.to_numeric(group[definition.column], errors="coerce").dropna().to_numpy(dtype=float)
    if values.size == 0:
        yield _labels(definition.endpoint, definition.unit), _no_estimate()
        return
    quantiles = dict(zip(QUANTILES, np.quantile(values, list(QUANTILES.values())).tolist(), strict=True))
    yield _labels(definition.endpoint, definition.unit, None, quantiles), median(values, level=level)


def median(values: np.ndarray, *, level: float = LEVEL) -> Estimate:
    """Return the median with its order-statistic interval.

    The standard error is the width of the interval of level 0.683 over two, so that it needs no density
    estimate. Source: David and Nagaraja 2003, section 7.1.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    lower, upper = _order_statistics(ordered, level)
    narrow = _order_statistics(ordered, 0.6826894921370859)
    return Estimate(float(np.median(ordered)), lower, upper, (narrow[1] - narrow[0]) / 2, ordered.size, level)


def _order_statistics(ordered: np.ndarray, level: float) -> tuple[float, float]:
    n = ordered.size
    half = normal_quantile(level) * np.sqrt(n) / 2
    below = max(0, int(np.floor(n / 2 - half)))
    above = min(n - 1, int(np.ceil(n / 2 + half)))
    return float(ordered[below]), float(ordered[above])
