import pytest

from seedbed.errors import ContentError
from seedbed.evidence import claims as pages


def answer(estimate=0.5, **changed):
    whole = {"estimate": estimate, "lower": 0.4, "upper": 0.6, "unit": "1", "made_with": "one, n = 5"} | changed
    return pages.Answer.model_validate(whole)


def test_answers_fill_the_slots_of_the_page():
    page = pages.page({"wei_2022_tp53.cart.best_complete_response": answer()})
    assert "| best complete response, cart (wei_2022_tp53) | 50 % [40 % to 60 %] | one, n = 5 |" in page
    assert "| best complete response, asct_cart less cart (wei_2022_tp53) | not run yet | |" in page


def test_differences_of_rates_are_percentage_points():
    page = pages.page({"wei_2022_tp53.asct_cart-cart.best_complete_response": answer(-0.00709, lower=-0.1)})
    assert "asct_cart less cart (wei_2022_tp53) | -0.7 points [-10.0 points to +60.0 points] | one, n = 5 |" in page


def test_answers_are_kept_and_read_again(tmp_path):
    answers = {"wei_2022_tp53.cart.best_complete_response": answer(), "b": answer(-0.2, lower=None, upper=None)}
    pages.keep(answers, tmp_path / "predictions.yaml")
    assert pages.read(tmp_path / "predictions.yaml", pages.Predictions).answers == answers


def test_a_claim_that_cites_an_unknown_row_is_refused(tmp_path):
    path = tmp_path / "claims.yaml"
    claim = "{id: one, claim: words, evidence: [zuma_1.axi_cel.crr], verdict: agrees, finding: words}"
    path.write_text(f"review: yan_2025_review\nclaims:\n  - {claim}\n")
    with pytest.raises(ContentError, match=r'unknown row "zuma_1.axi_cel.crr".*did you mean "zuma_1.axi_cel.cr'):
        pages.read_claims(path)


def test_what_is_not_plausible_lies_outside_its_range_and_stands_on_the_page():
    failing = pages.claims().implausible
    assert failing
    assert not [item for item in failing if item.range[0] <= item.value <= item.range[1]]
    page = pages.page({})
    assert all(f"| {item.statement} | {item.value:g} |" in page for item in failing)
