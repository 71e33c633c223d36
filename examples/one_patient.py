"""Forecast one patient, for research (the command: `seedbed forecast examples/patient.yaml`)."""

from pathlib import Path

import seedbed

answer = seedbed.forecast(Path(__file__).with_name("patient.yaml"), subjects=400)
print(answer.tables["survival"].round(2).to_string())
