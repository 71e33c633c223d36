"""Which patients benefit: effects by covariate from the same virtual patients in two arms.

``select(plan) -> Selection`` runs both arms (`pairs`), compares strata (`strata`), grows an honest shallow tree
(`tree`), bounds the share who benefit (`bounds`) and says what an enrichment rule keeps (`enrichment`).

>>> from seedbed.study.select import select
>>> select("select_asct_before_cart_lbcl").tables["tests"]      # doctest: +SKIP
"""

from seedbed.study.select.pairs import Pairs
from seedbed.study.select.plan import Plan
from seedbed.study.select.plan import read as read_plan
from seedbed.study.select.work import Selection, analyze, select

__all__ = ["Pairs", "Plan", "Selection", "analyze", "read_plan", "select"]
