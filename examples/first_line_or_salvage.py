"""Compare a therapy in first response with the same at relapse (the command: `seedbed sweep first_line_myeloma`)."""

from seedbed import first_line

answer = first_line("first_line_myeloma", subjects=40, parameter_sets=4)
print(answer.summary[["world", "quantity", "strategy", "estimate", "lower", "upper"]].round(3).to_string())
