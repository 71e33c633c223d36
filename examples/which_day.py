"""Compare infusion days (the command: `seedbed sweep sweep_infusion_day_tp53`)."""

import seedbed

answer = seedbed.sweep("sweep_infusion_day_tp53", subjects=40)
print(answer.best.round(2).to_string())
