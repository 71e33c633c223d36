"""Prove the forecast on patients whose future is known: virtual ones, held out of the population one at a time.

Each in turn is "measured" on some days with the assays' noise, forecast from all the others, and compared with what
really came. `coverage` is how often the 90 % band holds it, `narrowing` how much narrower the band is than without
the measurements.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import streams
from seedbed.study.forecast import adjustment
from seedbed.study.forecast.outlook import outcome_values, weighted_quantiles
from seedbed.study.forecast.patient import Clock, Course, Patient
from seedbed.study.forecast.plan import Plan
from seedbed.study.forecast.population import VirtualPopulation
from seedbed.study.forecast.weights import weigh
from seedbed.trial.measurement import read_map

Floats = NDArray[np.float64]
MEASURED_ON = (0, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 28)
TARGET_DAYS = (35, 42, 60, 90)
BAND = np.array([0.05, 0.95])


def measured_patient(
    population: VirtualPopulation, row: int, plan: Plan, quantities: tuple[str, ...], clock: Clock
) -> Patient:
    """Return a virtual patient as a file would hold it: covariates, and noisy values to day 28."""
    content, days = read_map(), np.array(MEASURED_ON, dtype=float)
    subject = population.subjects["subject"].to_numpy()[[row]]
    courses = {}
    for name in quantities:
        quantity = plan.quantities[name]
        noise = streams.normal(plan.seed + 1, f"proof {name}", subject, np.arange(len(days)))[0]
        values = population.at(name, days)[row] * np.exp(quantity.assay_noise(content) * noise)
        known = np.isfinite(values)
        courses[name] = Course(unit=quantity.unit, values=dict(zip(days[known], values[known], strict=True)))
    own = population.subjects.iloc[row]
    covariates = {name: _plain(own[name]) for name in plan.covariates if name in own.index}
    return Patient(
        research_use_only=True,
        protocol="held_out",
        arm=str(population.endpoints["arm"].iloc[row]),
        clock=clock,
        covariates=covariates,
        measurements=courses,
    )


def _plain(value: object) -> float | bool | str:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return value if isinstance(value, str) else float(value)  # type: ignore[arg-type]


def alive_rows(population: VirtualPopulation, until_day: float, n: int) -> NDArray[np.int64]:
    """Return the first virtual patients who are alive on a day of the clock."""
    died = np.where(population.endpoints["os_event"], population.since_origin("os_days"), np.inf)
    return np.flatnonzero(died > until_day)[:n]


def prove(
    population: VirtualPopulation, plan: Plan, *, n: int, quantities: tuple[str, ...], clock: Clock = "cart"
) -> pd.DataFrame:
    """Forecast `n` held-out virtual patients with and without measurements to day 28.

    Returns
    -------
    DataFrame, a row a patient, target and kind of forecast
        ``row``, ``target`` (quantity and day, or outcome), ``measured`` (bool), ``truth``, ``lower``, ``upper``,
        ``width`` (on the log scale for laboratory values), ``effective_size``.
    """
    rows = []
    for row in alive_rows(population, max(TARGET_DAYS), n):
        full = measured_patient(population, int(row), plan, quantities, clock)
        bare = full.model_copy(update={"measurements": {}, "seen_until_day": full.last_day})
        for one, measured in ((full, True), (bare, False)):
            weights = weigh(one, population, plan, without=int(row))
            adjusted = adjustment.fit(one, population, plan, weights.values)
            targets = _targets(population, int(row), quantities, plan)
            values = adjusted.apply(np.column_stack([theirs for *_, theirs in targets]))
            for column, (target, truth, _) in enumerate(targets):
                lower, upper = weighted_quantiles(values[:, column], weights.values, BAND)
                rows.append(
                    {
                        "row": int(row),
                        "target": target,
                        "measured": measured,
                        "truth": truth,
                        "lower": lower,
                        "upper": upper,
                        "effective_size": weights.effective_size,
                    }
                )
    table = pd.DataFrame(rows)
    return table.assign(
        covered=(table["lower"] <= table["truth"]) & (table["truth"] <= table["upper"]),
        width=table["upper"] - table["lower"],
    )


def _targets(
    population: VirtualPopulation, row: int, quantities: tuple[str, ...], plan: Plan
) -> list[tuple[str, float, Floats]]:
    """Return name, truth and the others' values of what is forecast; laboratory values as logarithms."""
    days = np.array(TARGET_DAYS, dtype=float)
    content, numbers = read_map(), np.arange(population.n)
    found = []
    for name in quantities:
        quantity = plan.quantities[name]
        noise = quantity.assay_noise(content)
        own = streams.normal(plan.seed + 2, f"proof {name}", population.subjects["subject"].to_numpy()[[row]], days)[0]
        theirs = streams.normal(plan.seed + 3, f"proof {name}", numbers, days)
        mine = np.log(np.maximum(population.at(name, days)[row] * np.exp(noise * own), quantity.floor))
        values = np.log(np.maximum(population.at(name, days) * np.exp(noise * theirs), quantity.floor))
        found += [(f"{name} d{day:g}", float(mine[place]), values[:, place]) for place, day in enumerate(days)]
    for outcome in ("days_anc_below_0_5",):
        truth = float(outcome_values(population, outcome)[row])
        if np.isfinite(truth):
            found.append((outcome, truth, outcome_values(population, outcome)))
    return found


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return coverage and mean width by target, with and without measurements, and how much narrower the band is.

    Returns
    -------
    DataFrame, a row a target
        ``n``, ``coverage``, ``coverage_without``, ``narrowing`` (1 - ratio of the mean widths).
    """
    finite = table[np.isfinite(table["width"])]
    grouped = finite.groupby(["target", "measured"])
    coverage, width = grouped["covered"].mean().unstack(), grouped["width"].mean().unstack()
    return pd.DataFrame(
        {
            "n": grouped.size().unstack()[True],
            "coverage": coverage[True],
            "coverage_without": coverage[False],
            "narrowing": 1.0 - width[True] / width[False],
        }
    ).reset_index()
