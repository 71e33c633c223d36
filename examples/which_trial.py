"""Design the randomized trial (the command, at full size: `seedbed design design_asct_cart_tp53`)."""

from seedbed import design

answer = design("design_asct_cart_tp53", pool_subjects=1000, replicates=400)
print(answer.tables["operating_characteristics"].round(3).to_string())
