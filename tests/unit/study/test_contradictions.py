"""Contradictions of the evidence: which differences would carry them."""

import pytest

from seedbed.errors import ContentError
from seedbed.study import contradictions as study


def test_the_library_s_counts_are_those_published():
    (item,) = study.read_plan().contradictions
    assert study.counts(item.first) == (10, 15)
    assert study.counts(item.second) == (0, 16)


def test_an_unknown_row_is_refused():
    with pytest.raises(ContentError, match="did you mean"):
        study.counts(study.Side(rows=("wang_2016.nhl1.crs_anny",)))


def test_each_set_changes_what_it_names():
    (item,) = study.read_plan().contradictions
    whole, product = study._emulated(item, ())
    assert (whole.protocol, product) == ("sauter_2019", "mskcc_19_28z")
    changed, product = study._emulated(item, ("dose", "product", "burden"))
    assert changed.cells_per_kg == pytest.approx(1.4e6)
    assert (changed.cells, product) == ("cd19_first_generation", "coh_cd19_tcm_zeta")
    assert changed.chosen[0].one_of == ("CR",)


def answer(changed, lower, upper, published):
    return study.Answer(changed, (lower + upper) / 2, lower, upper, published)


def test_a_set_suffices_only_where_both_results_are_carried():
    found = [answer((), 0.4, 0.8, 0.67), answer(("dose",), 0.1, 0.5, 0.0), answer(("dose", "burden"), 0.0, 0.2, 0.0)]
    assert study.sufficient(found) == [("dose", "burden")]
    assert study.sufficient([answer((), 0.0, 0.2, 0.67), *found[1:]]) == []
    assert list(study.subsets(("a", "b"))) == [(), ("a",), ("b",), ("a", "b")]
