"""The page of claims is written by the program and is current."""

from pathlib import Path

import seedbed
from seedbed.evidence import claims

PAGE = Path(seedbed.__file__).parents[2] / "docs" / "claims.md"


def test_the_page_of_claims_is_current():
    assert PAGE.read_text(encoding="utf-8") == claims.page(), "run: seedbed evidence claims --out docs/claims.md"


def test_the_page_says_where_claims_and_sources_disagree():
    page = claims.page()
    assert page.count("**The primary sources disagree.**") == 3
    assert "not run yet" in page or claims.stored()
