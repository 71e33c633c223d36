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
from seedbed.analysis.uncertainty import components
from seedbed.documents import Content, read
from seedbed.errors import TableError

Row = dict[str, Any]
Labeled = Iterator[tuple[Row, Estimate, pd.Series]]
"""Labels of a row, its estimate, and one number a subject whose mean moves as the estimate does."""
LEAST_AT_RISK = 0.05
CENTRAL = (0.25, 0.5, 0.9)
"""Share of the values around the median that tells how densely they lie there: the first that is not one value."""
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


def differences(
    endpoints: pd.DataFrame,
    arms: tuple[str, str],
    definition: Definition,
    *,
    parameter_sets: pd.Series | None = None,
    level: float = LEVEL,
) -> list[Row]:
    """Return the difference of a definition's rows between two arms of the same virtual patients.

    Parameters
    ----------
    endpoints, parameter_sets : as in `summarize`
    arms : (experimental, control); the difference is experimental minus control

    Returns
    -------
    Rows ``{endpoint, time_days, estimate, lower, upper, n, unit, parameter_sd, monte_carlo_se}``; the interval is
    that of parameters and Monte Carlo together, each subject compared with itself.
    """
    groups = [endpoints[endpoints["arm"] == arm].set_index("subject", drop=False) for arm in arms]
    sets = groups[0]["subject"].map(parameter_sets) if parameter_sets is not None else groups[0]["subject"] * 0
    made = [list(MAKERS[type(definition)](definition, group, level)) for group in groups]
    return [_difference(one, other, sets, level) for one, other in zip(*made, strict=True)]


def _difference(
    one: tuple[Row, Estimate, pd.Series], other: tuple[Row, Estimate, pd.Series], sets: pd.Series, level: float
) -> Row:
    own = (one[2] - other[2]).dropna()
    middle = one[1].value - other[1].value
    parts = None
    if len(own) > 1 and np.isfinite(middle):
        table = pd.DataFrame({"subject": own.index, "parameter_set": sets.loc[own.index], "value": own})
        parts = components(table)
    half = normal_quantile(level) * np.hypot(parts.parameter_sd or 0.0, parts.monte_carlo_se) if parts else np.nan
    return {
        **{name: one[0][name] for name in ("endpoint", "time_days", "unit")},
        "estimate": _plain(middle),
        "lower": _plain(middle - half),
        "upper": _plain(middle + half),
        "n": len(own),
        "parameter_sd": parts.parameter_sd if parts else None,
        "monte_carlo_se": _plain(parts.monte_carlo_se) if parts else None,
    }


def _sets_of(group: pd.DataFrame, parameter_sets: pd.Series | None) -> pd.Series | None:
    """Return the parameter set of each row, or None when there are fewer than two sets."""
    if parameter_sets is None or parameter_sets.nunique() < 2:
        return None
    sets = group["subject"].map(parameter_sets)
    if sets.isna().any():
        raise TableError(f"{int(sets.isna().sum())} subjects have no parameter set")
    return sets


def _rows(definition: Definition, group: pd.DataFrame, sets: pd.Series | None, level: float) -> Iterator[Row]:
    for labels, estimate, values in MAKERS[type(definition)](definition, group, level):
        yield _row(labels, estimate, _parameter_sd(values, sets))


def _parameter_sd(values: pd.Series, sets: pd.Series | None) -> float | None:
    """Return the spread of an estimate between parameter sets, the luck of each set's few patients taken out."""
    known = values[np.isfinite(values)]
    if sets is None or known.empty:
        return None
    table = pd.DataFrame({"subject": known.index, "parameter_set": sets.loc[known.index], "value": known})
    return components(table).parameter_sd


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


def _labels(endpoint: str, unit: str, time_days: float | None = None, quantiles: dict[str, float] | None = None) -> Row:
    return {"endpoint": endpoint, "time_days": time_days, "unit": unit, "between_patient": quantiles}


def _no_estimate(n: int = 0) -> Estimate:
    return Estimate(np.nan, np.nan, np.nan, np.nan, n)


def _rate(definition: Rate, group: pd.DataFrame, level: float) -> Labeled:
    column = group[definition.column]
    if definition.missing == "left_out":
        column = column.dropna()
    hits = _is_hit(definition, column)
    found = binomial(int(hits.sum()), len(column), level=level) if len(column) else _no_estimate()
    yield _labels(definition.endpoint, "1"), found, hits.astype(float)


def _is_hit(definition: Rate, column: pd.Series) -> pd.Series:
    if definition.counts:
        return column.isin(definition.counts)
    if definition.at_least is not None:
        return pd.to_numeric(column, errors="coerce") >= definition.at_least
    return column.isin([True])


def _time(definition: Time, group: pd.DataFrame, level: float) -> Labeled:
    present = group.dropna(subset=[definition.time, definition.event])
    curve = kaplan_meier(present[definition.time], present[definition.event], level=level) if len(present) else None
    time, event = present[definition.time].astype(float), present[definition.event].astype(bool)
    for day in definition.landmarks_days:
        if curve is None or day > _followed(group):
            yield _labels(definition.endpoint, "1", day), _no_estimate(len(present)), pd.Series(dtype=float)
        else:
            yield _labels(definition.endpoint, "1", day), curve.at(day), _by_day(time, event, event, day)
    known = _where_enough_at_risk(curve) if curve else None
    quantiles = _time_quantiles(known) if known else None
    middle = known.quantile(0.5) if known else _no_estimate()
    labels = _labels(f"{definition.endpoint}_median", "day", None, quantiles)
    yield labels, middle, _stretched(_by_day(time, event, event, middle.value), middle)


def _followed(group: pd.DataFrame) -> float:
    """Return the last day that is known of: a curve that ends at zero before it says nothing of later days."""
    return float(group["data_cut_days"].max()) if "data_cut_days" in group else np.inf


def _by_day(time: pd.Series, event: pd.Series, counted: pd.Series, day: float) -> pd.Series:
    """Return numbers whose mean is the share with a counted event by a day, weighted for those censored before.

    Their mean is the Kaplan-Meier or Aalen-Johansen estimate: Satten and Datta 2001, doi 10.1198/000313001317098185.
    """
    if not len(time) or not np.isfinite(day):
        return pd.Series(np.nan, index=time.index)
    censoring = kaplan_meier(time, ~event)
    before = np.searchsorted(censoring.time, time.to_numpy(), side="left")
    uncensored = np.concatenate([[1.0], censoring.survival])[before]
    return pd.Series(np.where(counted & (time <= day), 1.0 / np.maximum(uncensored, 1e-9), 0.0), index=time.index)


def _stretched(values: pd.Series, middle: Estimate) -> pd.Series:
    """Return numbers of a share at a median, on the scale of the median: by the ratio of their standard errors."""
    error = float(values.std(ddof=0)) / np.sqrt(max(len(values), 1))
    return values * (middle.standard_error / error) if error > 0 else values * np.nan


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
        for day in definition.landmarks_days:
            yield _labels(definition.endpoint, "1", day), _no_estimate(), pd.Series(dtype=float)
        return
    event = present[definition.event].astype(bool)
    died = present[definition.death_event].astype(bool) & (present[definition.death_time] <= present[definition.time])
    cause = np.where(~event, 0, np.where(died, 1, 2))
    wanted = 1 if definition.cause == "death" else 2
    curve = cumulative_incidence(present[definition.time], cause, cause_of_interest=wanted, level=level)
    time = present[definition.time].astype(float)
    for day in definition.landmarks_days:
        if day > _followed(group):
            yield _labels(definition.endpoint, "1", day), _no_estimate(len(present)), pd.Series(dtype=float)
            continue
        values = _by_day(time, event, pd.Series(cause == wanted, index=present.index), day)
        yield _labels(definition.endpoint, "1", day), curve.at(day), values


def _quantity(definition: Quantity, group: pd.DataFrame, level: float) -> Labeled:
    known = pd.to_numeric(group[definition.column], errors="coerce").dropna().astype(float)
    if known.empty:
        yield _labels(definition.endpoint, definition.unit), _no_estimate(), known
        return
    quantiles = dict(zip(QUANTILES, np.quantile(known, list(QUANTILES.values())).tolist(), strict=True))
    middle = median(known.to_numpy(), level=level)
    yield _labels(definition.endpoint, definition.unit, None, quantiles), middle, _pull_on_median(known)


def _pull_on_median(known: pd.Series) -> pd.Series:
    """Return one number a subject whose mean moves as the median does: its side, over the density at the median.

    Unlike the values themselves, a tail cannot make it large. Source: the influence function, Hampel 1974
    (doi 10.1080/01621459.1974.10482962); the density is that of the central quarter of the values.
    """
    for share in CENTRAL:
        lower, upper = np.quantile(known, [(1.0 - share) / 2.0, (1.0 + share) / 2.0])
        if upper > lower:
            break
    return np.sign(known - known.median()) / 2.0 * (upper - lower) / share


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


MAKERS: dict[type, Callable[..., Labeled]] = {
    Rate: _rate,
    Time: _time,
    Incidence: _incidence,
    Quantity: _quantity,
}
"""What makes the rows of each kind of definition."""
