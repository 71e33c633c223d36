"""What the pool itself shows: survival by arm, hazard ratio by period, rates; small tables for the report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seedbed.analysis.cox import log_hazard_ratios
from seedbed.analysis.risk_sets import risk_sets
from seedbed.analysis.survival import kaplan_meier
from seedbed.study.design.estimand import Handling, cut, observe, whole_pool
from seedbed.study.design.plan import Plan
from seedbed.study.design.pool import PoolData

POINTS = 120
PERIODS_MONTHS = ((0, 3), (3, 6), (6, 12), (12, 24), (24, 60))
DAYS_PER_MONTH = 30.4375


def pool_survival(plan: Plan, pool: PoolData) -> pd.DataFrame:
    """Return the survival of the endpoint by arm in the whole pool: arm, month, survival, lower, upper."""
    drawn = whole_pool(pool)
    data = cut(observe(plan, pool, drawn, Handling.of_plan(plan).truth()))
    rows = []
    days = np.linspace(0, plan.final.follow_up_days, POINTS)
    for index, arm in enumerate(pool.arms):
        mine = (drawn.arm[0] == index) & data.included[0]
        curve = kaplan_meier(data.time[0][mine], data.event[0][mine])
        for day in days:
            point = curve.at(float(day))
            if np.isfinite(point.value):
                rows.append((arm, day / DAYS_PER_MONTH, point.value, point.lower, point.upper))
    return pd.DataFrame(rows, columns=["arm", "month", "survival", "lower", "upper"])


def hazard_ratio_by_period(plan: Plan, pool: PoolData) -> pd.DataFrame:
    """Return the hazard ratio within periods of follow-up, which shows whether hazards are proportional.

    Columns: arm, from_month, to_month, hazard_ratio, lower, upper, events. The interval is that of the pool's size.
    """
    drawn = whole_pool(pool)
    data = cut(observe(plan, pool, drawn, Handling.of_plan(plan).truth()))
    rows = []
    for index, arm in enumerate(pool.arms[1:], start=1):
        for start, stop in PERIODS_MONTHS:
            low, high = start * DAYS_PER_MONTH, min(stop * DAYS_PER_MONTH, plan.final.follow_up_days)
            if low >= plan.final.follow_up_days:
                continue
            there = data.included & (data.time > low) & ((drawn.arm == 0) | (drawn.arm == index))
            event = data.event & (data.time <= high)
            sets = risk_sets(np.minimum(data.time, high), event, drawn.arm == index, include=there)
            beta, error = (float(value[0]) for value in log_hazard_ratios([sets]))
            if sets.n_events[0] < 10 or abs(beta) > 10:
                continue
            bounds = np.exp([beta, beta - 1.96 * error, beta + 1.96 * error])
            rows.append((arm, start, high / DAYS_PER_MONTH, *bounds, int(sets.n_events[0])))
    columns = ["arm", "from_month", "to_month", "hazard_ratio", "lower", "upper", "events"]
    return pd.DataFrame(rows, columns=columns)


def pool_rates(plan: Plan, pool: PoolData) -> pd.DataFrame:
    """Return the co-primary rates and the intercurrent events of each arm of the pool: arm, what, kind, share."""
    rows = []
    for index, arm in enumerate(pool.arms):
        for column, rate in enumerate(plan.co_primary):
            rows.append((arm, rate.endpoint, "rate", float(np.nanmean(pool.courses.rates[index, :, column]))))
        for event in plan.estimand.intercurrent_events:
            day = getattr(pool.courses, event)[index]
            share = float((day <= plan.final.follow_up_days).mean())
            rows.append((arm, event, "intercurrent_event", share))
    return pd.DataFrame(rows, columns=["arm", "what", "kind", "share"])
