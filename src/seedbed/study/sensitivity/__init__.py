"""What endpoints and the treatment effect depend on: a screening by ranks, and Morris or Sobol indices.

``sensitivity(plan) -> Sensitivity``. The screening (`ranks`) reads a run and uses how its patients differ; the design
(`design`) moves typical values of the model over their ranges and simulates the same panel of patients, with the same
luck, at every point (`points`). SALib makes designs and indices (`indices`; the extra ``sensitivity``).

>>> from seedbed.study.sensitivity import sensitivity
>>> sensitivity("sensitivity_asct_before_cart_lbcl").tables["indices"]      # doctest: +SKIP
"""

from seedbed.study.sensitivity.plan import Plan
from seedbed.study.sensitivity.plan import read as read_plan
from seedbed.study.sensitivity.work import Sensitivity, sensitivity

__all__ = ["Plan", "Sensitivity", "read_plan", "sensitivity"]
