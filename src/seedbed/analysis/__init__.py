"""Statistics on tables only: a table in, a result out; nothing here knows any biology.

Survival (`survival`, `hazard_tests`, `cox`), competing risks (`competing`, `gray`), rates (`proportion`), arms of
the same virtual patients (`paired`, `interaction`), balance and uncertainty (`balance`, `uncertainty`, `weighted`),
trials in stages (`sequential`, `power`), thousands of replicates at once (`risk_sets`, `replicates`), rows of
``summary.json`` (`summary`). Negative z always favors the experimental arm, except in `sequential`, which speaks
of benefit.
"""

from seedbed.analysis.balance import standardized_mean_differences
from seedbed.analysis.competing import cumulative_incidence, incidence_curves
from seedbed.analysis.cox import hazard_ratio, proportional_hazards
from seedbed.analysis.gray import gray_test
from seedbed.analysis.hazard_tests import logrank, max_combo, one_sample_logrank
from seedbed.analysis.interaction import (
    Square,
    excess_of_patients,
    excess_of_survival,
    excess_over_independent_action,
)
from seedbed.analysis.paired import PairedDifference, mean_difference
from seedbed.analysis.proportion import binomial, bootstrap, rate_difference
from seedbed.analysis.results import Estimate, TestResult
from seedbed.analysis.sequential import conditional_power, efficacy_boundary, predictive_power
from seedbed.analysis.summary import standard_definitions, summarize
from seedbed.analysis.survival import (
    kaplan_meier,
    milestone_difference,
    numbers_at_risk,
    rmst,
    rmst_difference,
    survival_curves,
)
from seedbed.analysis.tte import check_tte
from seedbed.analysis.uncertainty import paired_components, variance_components

__all__ = [
    "Estimate",
    "PairedDifference",
    "Square",
    "TestResult",
    "binomial",
    "bootstrap",
    "check_tte",
    "conditional_power",
    "cumulative_incidence",
    "efficacy_boundary",
    "excess_of_patients",
    "excess_of_survival",
    "excess_over_independent_action",
    "gray_test",
    "hazard_ratio",
    "incidence_curves",
    "kaplan_meier",
    "logrank",
    "max_combo",
    "mean_difference",
    "milestone_difference",
    "numbers_at_risk",
    "one_sample_logrank",
    "paired_components",
    "predictive_power",
    "proportional_hazards",
    "rate_difference",
    "rmst",
    "rmst_difference",
    "standard_definitions",
    "standardized_mean_differences",
    "summarize",
    "survival_curves",
    "variance_components",
]
