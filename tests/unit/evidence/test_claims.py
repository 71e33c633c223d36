import json

import pytest

from seedbed.errors import ContentError, RunError
from seedbed.evidence import claims as pages


def run_folder(tmp_path, rows, protocol="wei_2022_tp53"):
    request = {"inputs": {"protocol": {"id": protocol}}, "ensemble": None, "subjects": 500}
    (tmp_path / "manifest.json").write_text(json.dumps({"request": request}))
    (tmp_path / "summary.json").write_text(json.dumps(rows))
    return tmp_path


def row(arm, endpoint, estimate, time_days=None, unit="1"):
    interval = {"lower": estimate - 0.1, "upper": estimate + 0.1}
    return {"arm": arm, "endpoint": endpoint, "time_days": time_days, "estimate": estimate, "unit": unit, **interval}


def test_a_run_fills_the_slots_it_answers(tmp_path):
    rows = [row("asct_cart", "best_complete_response", 0.8), row("cart", "best_complete_response", 0.5)]
    answers = pages.from_run(run_folder(tmp_path, rows))
    alone = answers["wei_2022_tp53.cart.best_complete_response"]
    assert (alone.estimate, alone.lower, alone.made_with) == (0.5, 0.4, "uncalibrated, n = 500")
    difference = answers["wei_2022_tp53.asct_cart-cart.best_complete_response"]
    assert difference.estimate == pytest.approx(0.3)
    assert difference.lower is None
    page = pages.page(answers)
    assert "| best complete response, cart (wei_2022_tp53) | 50 % [40 % to 60 %] | uncalibrated, n = 500 |" in page
    assert "| best complete response, asct_cart less cart (wei_2022_tp53) | 30 % |" in page


def test_a_run_of_another_protocol_answers_nothing(tmp_path):
    rows = [row("asct_cart", "best_complete_response", 0.8)]
    assert pages.from_run(run_folder(tmp_path, rows, protocol="other")) == pages.stored()


def test_answers_are_kept_and_read_again(tmp_path):
    answers = pages.from_run(run_folder(tmp_path, [row("cart", "best_complete_response", 0.5)]))
    pages.keep(answers, tmp_path / "predictions.yaml")
    assert pages.read(tmp_path / "predictions.yaml", pages.Predictions).answers == answers


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="is not a finished run"):
        pages.from_run(tmp_path)


def test_a_claim_that_cites_an_unknown_row_is_refused(tmp_path):
    path = tmp_path / "claims.yaml"
    claim = "{id: one, claim: words, evidence: [zuma_1.axi_cel.crr], verdict: agrees, finding: words}"
    path.write_text(f"review: yan_2025_review\nclaims:\n  - {claim}\n")
    with pytest.raises(ContentError, match=r'unknown row "zuma_1.axi_cel.crr".*did you mean "zuma_1.axi_cel.cr'):
        pages.read_claims(path)
