"""The page of claims is written by the program and is current."""

from functools import partial
from pathlib import Path

import seedbed
from seedbed.evidence import claims
from seedbed.report import catalogue

PAGE = Path(seedbed.__file__).parents[2] / "docs" / "claims.md"


def test_the_page_of_claims_is_current():
    page = claims.page(name=partial(catalogue.load("en").name, "endpoint"))
    assert PAGE.read_text(encoding="utf-8") == page, "run: seedbed evidence claims --out docs/claims.md"


def test_the_page_says_where_claims_and_sources_disagree():
    page = claims.page()
    assert page.count("**The primary sources disagree.**") == 3
    assert "not run yet" in page or claims.stored()
