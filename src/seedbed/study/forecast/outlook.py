"""What the weighted virtual patients go on to do: courses with bands, recovery, toxicity, response, survival.

Every row holds three uncertainties apart, as standard deviations (`seedbed.analysis.weighted`): ``between_patient_sd``
of patients like this one; ``parameter_sd`` over parameter sets, NaN where it is not resolved; and ``monte_carlo_se`` of
the estimate from the effective number of virtual patients.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaincinv

from seedbed import streams
from seedbed.analysis.results import normal_quantile
from seedbed.analysis.weighted import weighted_components
from seedbed.study.forecast.adjustment import Adjustment
from seedbed.study.forecast.plan import Plan
from seedbed.study.forecast.population import VirtualPopulation
from seedbed.trial.measurement import read_map

Floats = NDArray[np.float64]
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
BAND = 0.9
MONTHS = (3, 6, 12, 18, 24)
MONTH = 365.25 / 12
DAYS_TO = ("anc_engraftment_day", "platelet_engraftment_day")
"""Columns of the endpoints that count from the stem cells; a patient who never gets there has no value."""
AMOUNTS = ("days_anc_below_0_5", "cart_cmax_per_ul", "cart_tmax_days", "il6_peak_pg_ml")
LOGARITHMIC = ("cart_cmax_per_ul", "il6_peak_pg_ml")
GRADES = {"crs_grade_2": ("crs_grade", 2), "crs_grade_3": ("crs_grade", 3), "icans_grade_3": ("icans_grade", 3)}
RESPONSES = {"CR": ("sCR", "CR", "CRu"), "PR": ("VGPR", "PR"), "SD": ("MR", "SD"), "PD": ("PD",), "NE": ("NE",)}
"""Levels of every criterion by what they come to; NE is nobody assessed: dead, or no visit in the window."""
SOURCES = ("between_patient_sd", "parameter_sd", "monte_carlo_se")


def three_spreads(values: Floats, weights: Floats, sets: NDArray[np.int64]) -> dict[str, float]:
    """Return `SOURCES` of the weighted mean of a number per virtual patient; NaN where nobody has a value."""
    if not (np.isfinite(values) & (weights > 0)).any():
        return dict.fromkeys(SOURCES, float("nan"))
    found = weighted_components(values, weights, sets)
    return {name: getattr(found, name) for name in SOURCES}


def weighted_quantiles(values: Floats, weights: Floats, shares: Floats) -> Floats:
    """Return quantiles of weighted values, infinite ones included; NaN where nothing has weight.

    Parameters
    ----------
    values, weights : (n,); values that are NaN are left out
    shares : (k,) between 0 and 1

    Examples
    --------
    >>> weighted_quantiles(np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0, 1.0]), np.array([0.5]))
    array([2.])
    """
    known = ~np.isnan(values) & (weights > 0)
    if not known.any():
        return np.full(len(shares), np.nan)
    order = np.argsort(values[known], kind="stable")
    ordered, mass = values[known][order], weights[known][order]
    reached = np.cumsum(mass) / mass.sum()
    place = np.clip(np.searchsorted(reached, np.asarray(shares) - 1e-12), 0, len(ordered) - 1)
    return ordered[place]


def courses(population: VirtualPopulation, adjusted: Adjustment, plan: Plan, names: tuple[str, ...]) -> pd.DataFrame:
    """Return bands of what will be measured on each day, among those alive then.

    Returns
    -------
    DataFrame
        ``quantity``, ``day`` (of the clock), ``q05`` to ``q95``, ``alive`` (weighted share), and `SOURCES` of the
        natural logarithm.
    """
    content = read_map()
    died = np.where(population.endpoints["os_event"].to_numpy(dtype=bool), population.since_origin("os_days"), np.inf)
    number = np.arange(population.n)
    rows = []
    for name in names:
        quantity = plan.quantities[name]
        luck = streams.normal(plan.seed, f"forecast of {name}", number, np.arange(len(population.days)))
        measured = population.courses[name] * np.exp(quantity.assay_noise(content) * luck)
        logs = adjusted.apply(np.log(np.maximum(measured, quantity.floor)))
        for column, day in enumerate(population.days):
            own = np.where(died > day, adjusted.weights, 0.0)
            found = np.exp(weighted_quantiles(logs[:, column], own, np.array(list(QUANTILES.values()))))
            bands = dict(zip(QUANTILES, found, strict=True))
            spreads = three_spreads(logs[:, column], own, population.sets)
            rows.append({"quantity": name, "day": day, **bands, "alive": own.sum(), **spreads})
    return pd.DataFrame(rows)


def numbers(population: VirtualPopulation, adjusted: Adjustment) -> pd.DataFrame:
    """Return the weighted quantiles of days and amounts; inf is "not reached".

    Returns
    -------
    DataFrame
        ``outcome``, ``q05`` to ``q95``, ``reached`` (weighted share with a value), and `SOURCES` of those who reach it;
        of `LOGARITHMIC` amounts they are those of the natural logarithm.
    """
    rows = []
    for name in (*DAYS_TO, *AMOUNTS):
        values = outcome_values(population, name)
        if np.isnan(values).all():
            continue
        weights = adjusted.weights
        shown = _adjusted_amount(adjusted, name, values)
        found = weighted_quantiles(shown, weights, np.array(list(QUANTILES.values())))
        known = np.where(np.isnan(values), 0.0, weights)
        reached = float(known[np.isfinite(values)].sum() / known.sum()) if known.sum() > 0 else float("nan")
        scaled = np.log(shown) if name in LOGARITHMIC else shown
        spreads = three_spreads(scaled, weights, population.sets)
        rows.append({"outcome": name, **dict(zip(QUANTILES, found, strict=True)), "reached": reached, **spreads})
    return pd.DataFrame(rows)


def _adjusted_amount(adjusted: Adjustment, name: str, values: Floats) -> Floats:
    if name in LOGARITHMIC:
        return np.exp(adjusted.apply(np.log(np.maximum(values, 1e-3))[:, None])[:, 0])
    return np.maximum(adjusted.apply(values[:, None])[:, 0], 0.0)


def outcome_values(population: VirtualPopulation, name: str) -> Floats:
    """Return a number of each virtual patient: of `DAYS_TO` inf where the day never came."""
    values = population.endpoints[name].to_numpy(dtype=float)
    given = population.endpoints["stem_cell_day"].notna().to_numpy()
    return np.where(np.isnan(values) & given, np.inf, values) if name in DAYS_TO else values


def chances(population: VirtualPopulation, weights: Floats, effective_size: float) -> pd.DataFrame:
    """Return the probabilities of toxicity and of each response at day 90, all of them of everybody.

    Returns
    -------
    DataFrame
        ``outcome``, ``probability``, ``lower``, ``upper`` (95 %, Monte Carlo only, by the effective number of
        patients), and `SOURCES`.
    """
    flags = {name: endpoint_grade(population, *rule) for name, rule in GRADES.items()}
    response = population.endpoints["response_d90"].fillna("NE")
    for name, levels in RESPONSES.items():
        flags[f"response_d90_{name}"] = response.isin(levels).to_numpy(dtype=float)
    return pd.DataFrame(
        [
            {
                "outcome": name,
                **share_row(float(weights @ values), effective_size, three_spreads(values, weights, population.sets)),
            }
            for name, values in flags.items()
        ]
    )


def endpoint_grade(population: VirtualPopulation, column: str, least: int) -> Floats:
    """Return whether each virtual patient reached a grade; no grade is no sign."""
    return (population.endpoints[column].fillna(0.0).to_numpy(dtype=float) >= least).astype(float)


def share_row(share: float, effective_size: float, spreads: Mapping[str, float]) -> dict[str, float]:
    """Return a share with its interval and `SOURCES`; chance is at least what the interval stands for.

    What happened to none of few virtual patients is not certain, though their standard error is 0.
    """
    found = interval_of(share, effective_size)
    least = (found["upper"] - found["lower"]) / (2.0 * normal_quantile(0.95))
    return {**found, **spreads, "monte_carlo_se": float(np.fmax(spreads["monte_carlo_se"], least))}


def interval_of(share: float, effective_size: float, level: float = 0.95) -> dict[str, float]:
    """Return a weighted share with its interval: Jeffreys' beta by the effective number of patients."""
    yes, no = share * effective_size + 0.5, (1.0 - share) * effective_size + 0.5
    tail = (1.0 - level) / 2.0
    lower, upper = betaincinv(yes, no, tail), betaincinv(yes, no, 1.0 - tail)
    return {"probability": share, "lower": float(lower), "upper": float(upper)}


def progression_free(population: VirtualPopulation, weights: Floats, effective_size: float) -> pd.DataFrame:
    """Return progression-free survival from day 0 of the clock.

    Returns
    -------
    DataFrame
        ``day``, ``probability``, ``lower``, ``upper`` (95 %, Monte Carlo only), and `SOURCES` of those whose state on
        the day is known; censored patients leave the weighted risk set.
    """
    time = population.since_origin("pfs_days")
    event = population.endpoints["pfs_event"].to_numpy(dtype=bool)
    censored = np.where(event, np.inf, time)
    tenth = float(np.quantile(censored, 0.1, method="lower"))
    horizon = tenth if np.isfinite(tenth) else MONTHS[-1] * MONTH
    grid = np.unique(np.append(np.arange(0.0, horizon, 7.0), [m * MONTH for m in MONTHS if m * MONTH <= horizon]))
    curve = weighted_survival(time, event, weights, grid)
    rows = []
    for day, probability in zip(grid, curve, strict=True):
        free = np.where(time > day, 1.0, np.where(event, 0.0, np.nan))
        spreads = three_spreads(free, weights, population.sets)
        rows.append({"day": day, **share_row(probability, effective_size, spreads)})
    return pd.DataFrame(rows)


def weighted_survival(time: Floats, event: NDArray[np.bool_], weights: Floats, grid: Floats) -> Floats:
    """Return the weighted Kaplan-Meier estimate on a grid of days; who is censored on a day was at risk on it."""
    order = np.lexsort((~event, time))
    ordered, mass = time[order], weights[order]
    at_risk = np.cumsum(mass[::-1])[::-1]
    factor = np.where(event[order] & (at_risk > 0), 1.0 - mass / np.where(at_risk > 0, at_risk, 1.0), 1.0)
    survival = np.append(1.0, np.cumprod(np.clip(factor, 0.0, 1.0)))
    return survival[np.searchsorted(ordered, grid, side="right")]


def by_month(survival: pd.DataFrame) -> Mapping[int, pd.Series]:
    """Return the rows of the survival curve at the months that reports name."""
    days = survival["day"].to_numpy()
    return {m: survival.iloc[int(np.argmin(np.abs(days - m * MONTH)))] for m in MONTHS if days[-1] >= m * MONTH - 1e-6}
