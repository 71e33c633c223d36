"""Ask who benefits (the command: `seedbed select select_asct_before_cart_lbcl`)."""

import seedbed

answer = seedbed.select("select_asct_before_cart_lbcl", subjects=200)
print(answer.tables["strata"].round(2).to_string())
