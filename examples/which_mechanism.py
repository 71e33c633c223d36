"""Ask which mechanism makes a difference between arms (the command: `seedbed attribute wei_2022_tp53`)."""

from seedbed import attribute

answer = attribute("wei_2022_tp53", subjects=40, until_days=100, parameter_sets=4)
print(answer.shares[["outcome", "world", "part", "estimate", "lower", "upper"]].round(3).to_string())
