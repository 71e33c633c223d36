"""Statistics on tables only: a table in, a result out; nothing here knows any biology."""

from seedbed.analysis.results import Estimate, TestResult
from seedbed.analysis.summary import standard_definitions, summarize
from seedbed.analysis.survival import kaplan_meier, numbers_at_risk, survival_curves
from seedbed.analysis.tte import check_tte

__all__ = [
    "Estimate",
    "TestResult",
    "check_tte",
    "kaplan_meier",
    "numbers_at_risk",
    "standard_definitions",
    "summarize",
    "survival_curves",
]
