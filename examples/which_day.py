"""Compare infusion days (the command: `seedbed sweep sweep_infusion_day_tp53`)."""

from seedbed import sweep

answer = sweep("sweep_infusion_day_tp53", subjects=40, parameter_sets=5)
print(answer.best.round(2).to_string())
