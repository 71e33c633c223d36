"""Run a small virtual trial and look at its tables (the command: `seedbed run wei_2022_tp53`)."""

import seedbed

trial = seedbed.run("wei_2022_tp53", subjects=60, until=150, seed=2)
print(trial.folder)
print(trial.endpoints.groupby("arm")[["crs_grade_clinician", "icans_grade", "cart_cmax_per_ul"]].median())
