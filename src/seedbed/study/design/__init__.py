"""Design a randomized trial on a pool of simulated subjects: power, error, duration, bias, assurance.

``design(plan) -> Design`` works through a plan (`plan.Plan`, a file in ``library/plans/design_*.yaml``): it reads or
simulates the pool (`pool`), draws trial replicates (`conduct`), records them as a trial would (`estimand`), tests
and decides (`replicate`, `decisions`), and tabulates (`operating`, `curves`).

>>> from seedbed.study.design import design
>>> result = design("design_asct_cart_tp53")              # doctest: +SKIP
>>> result.tables["operating_characteristics"]            # doctest: +SKIP
"""

from seedbed.study.design.observed import observed
from seedbed.study.design.plan import Plan, changed
from seedbed.study.design.plan import read as read_plan
from seedbed.study.design.pool import PoolData, from_tables, read_runs
from seedbed.study.design.work import (
    Design,
    characterize,
    counterfactual_pool,
    design,
    make_pool,
    read,
    replicate_workers,
    total_replicates,
)

__all__ = [
    "Design",
    "Plan",
    "PoolData",
    "changed",
    "characterize",
    "counterfactual_pool",
    "design",
    "from_tables",
    "make_pool",
    "observed",
    "read",
    "read_plan",
    "read_runs",
    "replicate_workers",
    "total_replicates",
]
