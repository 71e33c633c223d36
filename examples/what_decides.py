"""Ask what decides the effect (the command: `seedbed sensitivity sensitivity_asct_before_cart_lbcl`)."""

import seedbed

if __name__ == "__main__":
    answer = seedbed.sensitivity("sensitivity_asct_before_cart_lbcl", samples=4, subjects=700)
    effect = answer.tables["indices"].query("outcome == 'progression_free' and where == 'difference'")
    print(effect[["factor", "swing", "swing_lower", "swing_upper"]].round(3).to_string())
