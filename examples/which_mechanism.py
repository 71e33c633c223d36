"""Ask which mechanism makes a difference between arms (the command: `seedbed attribute wei_2022_tp53`)."""

import seedbed

answer = seedbed.attribute("wei_2022_tp53", subjects=40, until_days=100, prior_sets=2)
print(answer.shares[["outcome", "kind", "estimate", "lower", "upper"]].round(3).to_string())
