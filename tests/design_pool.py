"""Pools with known hazards, for tests of trial designs: no simulation of patients behind them."""

import numpy as np
import pandas as pd

from seedbed.study.design.plan import Plan
from seedbed.study.design.pool import PoolData, from_tables

PLAN = {
    "kind": "design",
    "id": "test",
    "title": "A test",
    "question": "Does it work?",
    "pool": {"protocol": "none", "subjects": 1000, "follow_up_days": 2000},
    "arms": [
        {"id": "asct", "pool_arm": "asct", "role": "control"},
        {"id": "asct_cart", "pool_arm": "asct_cart", "role": "experimental"},
    ],
    "subjects": 300,
    "accrual": {"per_month": 15},
    "drop_out": {"share_per_year": 0.0},
    "assessments": {"days": [30, 90, 180], "then_every_days": 90},
    "estimand": {
        "population": "all",
        "treatments": "both",
        "endpoint": "os",
        "intercurrent_events": dict.fromkeys(
            ("cart_not_infused", "transplant_not_done", "next_therapy", "allograft"), "treatment_policy"
        ),
        "summary": "hazard_ratio",
    },
    "analysis": {
        "primary": "logrank",
        "beside": ["max_combo", "rmst", "cox", "milestone"],
        "horizon_days": 730,
        "milestone_days": 365,
    },
    "final": {"events": 150, "follow_up_days": 2000, "last_subject_followed_days": 1500},
    "replicates": {"main": 2000, "by_size": 200},
    "synopsis": {"rationale": "r", "objective": "o", "eligibility": ["adults"], "safety": "s"},
}


def plan(**changes) -> Plan:
    """Return the plan above with top-level parts replaced or, where both are mappings, updated."""
    data = {**PLAN}
    for name, value in changes.items():
        data[name] = {**data[name], **value} if isinstance(data.get(name), dict) and isinstance(value, dict) else value
    return Plan.model_validate(data)


def exponential_tables(n: int, hazards: dict[str, float], *, seed: int = 1, extra: dict | None = None):
    """Return events, endpoints and subjects of arms with constant hazards of death and of progression.

    `extra` gives the hazard of progression by arm; the same luck is used in all arms.
    """
    generator = np.random.default_rng(seed)
    luck, second = generator.exponential(size=n), generator.exponential(size=n)
    subject = np.arange(n)
    events, endpoints = [], []
    for arm, hazard in hazards.items():
        parts = [("death", luck / hazard)]
        if extra:
            parts.append(("progression", second / extra[arm]))
            parts.append(("true_progression", second / extra[arm]))
            parts.append(("next_therapy", second / extra[arm] + 20))
        parts.append(("stem_cell_infusion", np.full(n, 5.0)))
        for name, day in parts:
            kept = day <= luck / hazard
            events.append(pd.DataFrame({"subject": subject[kept], "arm": arm, "event": name, "day": day[kept]}))
        endpoints.append(pd.DataFrame({"subject": subject, "arm": arm, "crs_grade": (subject * 7) % 5}))
    subjects = pd.DataFrame(
        {
            "subject": subject,
            "tp53": generator.uniform(size=n) < 0.4,
            "age": generator.normal(58, 9, n),
            "parameter_set": subject % 10,
        }
    )
    return pd.concat(events), pd.concat(endpoints), subjects


def exponential_pool(the_plan: Plan, n: int, hazards: dict[str, float], **options) -> PoolData:
    """Return the pool of `exponential_tables`."""
    return from_tables(the_plan, *exponential_tables(n, hazards, **options), follow_up_days=2000.0)
