"""Design the randomized trial (the command: `seedbed design design_asct_cart_tp53`); simulates the pool first."""

import seedbed

answer = seedbed.design("design_asct_cart_tp53")
print(answer.tables["operating_characteristics"].round(3).to_string())
