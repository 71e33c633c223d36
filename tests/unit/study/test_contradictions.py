"""Contradictions of the evidence: which differences would carry them."""

import pytest

from seedbed.errors import ContentError
from seedbed.study import contradictions as study


def test_the_library_s_counts_are_those_published():
    day_two, remission = study.read_plan().contradictions
    assert study.counts(day_two.first) == (10, 15)
    assert study.counts(day_two.second) == (0, 16)
    assert study.counts(remission.first) == (64, 111)  # published as 58 %
    assert study.counts(remission.second) == (4, 7)


def test_an_unknown_row_is_refused():
    with pytest.raises(ContentError, match="did you mean"):
        study.counts(study.Side(rows=("wang_2016.nhl1.crs_anny",)))


def test_each_set_changes_what_it_names():
    item = study.read_plan().contradictions[0]
    whole, product = study._emulated(item, ())
    assert (whole.protocol, product) == ("sauter_2019", "mskcc_19_28z")
    changed, product = study._emulated(item, ("dose", "product", "burden"))
    assert changed.cells_per_kg == pytest.approx(1.4e6)
    assert (changed.cells, product) == ("cd19_first_generation", "coh_cd19_tcm_zeta")
    assert changed.chosen[0].one_of == ("CR",)


def test_conditions_are_added_and_replace_those_on_the_same_covariate():
    item = study.read_plan().contradictions[1]
    changed, _ = study._emulated(item, ("remission", "residue"))
    held = {condition.covariate: condition for condition in changed.chosen}
    assert held["remission_status"].one_of == ("CR",)
    assert held["tumor_burden_ml"].at_least == pytest.approx(0.001)
    assert held["prior_lines"].at_least == pytest.approx(2)
    assert len(changed.chosen) == len(held)


def answer(changed, lower, upper, published):
    return study.Answer(changed, (lower + upper) / 2, lower, upper, published)


def test_a_set_suffices_only_where_both_results_are_carried():
    found = [answer((), 0.4, 0.8, 0.67), answer(("dose",), 0.1, 0.5, 0.0), answer(("dose", "burden"), 0.0, 0.2, 0.0)]
    assert study.sufficient(found) == [("dose", "burden")]
    assert study.sufficient([answer((), 0.0, 0.2, 0.67), *found[1:]]) == []


def test_every_set_holds_what_is_always_changed():
    def difference(always):
        return study.Difference(describes={"en": "x", "zh": "x"}, changes={}, always=always)

    free = {"a": difference(False), "b": difference(False)}
    assert list(study.subsets(free)) == [(), ("a",), ("b",), ("a", "b")]
    assert list(study.subsets({**free, "c": difference(True)})) == [(), ("c",), ("c", "a"), ("c", "b"), ("c", "a", "b")]
