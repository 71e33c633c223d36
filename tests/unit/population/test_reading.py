"""Populations that are wrong: one message with every problem, its file and its line."""

import textwrap

import pytest

from seedbed import population
from seedbed.errors import ContentError

SOURCE = "source: {how: assumed, reason: a test}"
GOOD = f"""
id: mine
title: {{en: Mine, zh: 我的}}
based_on: large_b_cell_lymphoma
covariates:
  age:
    meaning: age
    unit: year
    distribution: {{distribution: normal, mean: 50, sd: 5}}
    {SOURCE}
"""


def _write(tmp_path, text):
    file = tmp_path / "mine.yaml"
    file.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    return file


def _message(tmp_path, text, **options):
    with pytest.raises(ContentError) as caught:
        population.read(_write(tmp_path, text), **options)
    return str(caught.value)


def test_a_population_changes_the_one_it_is_based_on(tmp_path):
    who = population.read(_write(tmp_path, GOOD))
    base = population.read("large_b_cell_lymphoma")
    assert who.id == "mine"
    assert who.covariates["age"].distribution.mean == 50
    assert who.covariates["ferritin"] == base.covariates["ferritin"]


def test_null_takes_an_entry_away(tmp_path):
    who = population.read(_write(tmp_path, GOOD + "effects:\n  tp53_growth: null\n"))
    assert "tp53_growth" not in who.effects
    assert "tp53_chemosensitivity" in who.effects


def test_a_missing_parameter_is_named(tmp_path):
    message = _message(tmp_path, GOOD + "effects:\n  burden: null\n", required_parameters=("tumor_burden_systemic",))
    assert 'the population does not set model parameter "tumor_burden_systemic"; add it' in message


def test_an_unknown_parameter_is_named_with_the_nearest(tmp_path):
    text = GOOD + f"parameters:\n  k_tumor_grwth: {{value: 0.02, {SOURCE}}}\n"
    message = _message(tmp_path, text, known_parameters=("k_tumor_growth", "chemosensitivity"))
    assert 'line 11  unknown model parameter "k_tumor_grwth"' in message
    assert 'did you mean "k_tumor_growth"?' in message


def test_effects_name_covariates_of_the_right_kind(tmp_path):
    text = GOOD + (
        "effects:\n"
        f"  a: {{covariate: agee, changes: chemosensitivity, form: power, value: 1, reference: 1, {SOURCE}}}\n"
        f"  b: {{covariate: age, changes: chemosensitivity, form: factor, value: 1, {SOURCE}}}\n"
        f"  c: {{covariate: remission_status, changes: k, form: power, value: 1, reference: 1, {SOURCE}}}\n"
        f"  d: {{covariate: remission_status, changes: k, form: levels, levels: {{XX: 2}}, {SOURCE}}}\n"
    )
    message = _message(tmp_path, text)
    assert 'line 11  unknown covariate "agee"' in message
    assert 'line 12  form "factor" on "age", which is not yes or no' in message
    assert 'line 13  form "power" on "remission_status"; use form "levels"' in message
    assert 'line 14  unknown level of "remission_status" "XX"; expected one of CR, PD, PR, SD' in message


def test_correlations_name_what_is_drawn_and_do_not_contradict(tmp_path):
    text = GOOD + (
        "correlations:\n"
        f"  a: {{between: [age, agee], rank: 0.5, {SOURCE}}}\n"
        f"  b: {{between: [age, crp], rank: 0.95, {SOURCE}}}\n"
        f"  c: {{between: [age, ferritin], rank: -0.95, {SOURCE}}}\n"
    )
    message = _message(tmp_path, text)
    assert 'unknown covariate "agee"' in message
    assert "the correlations contradict one another" in message


def test_a_condition_needs_its_covariate_and_all_of_its_levels(tmp_path):
    text = GOOD.replace(
        "{distribution: normal, mean: 50, sd: 5}",
        "{distribution: conditional, given: remission_status, levels: {PD: {distribution: fixed, value: 50}}}",
    )
    message = _message(tmp_path, text)
    assert 'no distribution for level "CR" of remission_status; add it' in message
    missing = _message(tmp_path, text.replace("given: remission_status", "given: remision_status"))
    assert 'unknown covariate "remision_status"' in missing
    assert 'did you mean "remission_status"?' in missing


def test_two_setters_of_one_parameter_are_refused(tmp_path):
    text = GOOD + f"parameters:\n  tumor_burden_systemic: {{value: 3, {SOURCE}}}\n"
    assert 'effect "burden" sets "tumor_burden_systemic", which parameters.tumor_burden_systemic sets too' in _message(
        tmp_path, text
    )


def test_unknown_keys_and_missing_sources_have_lines(tmp_path):
    message = _message(tmp_path, GOOD.replace(SOURCE, "note: none"))
    assert 'unknown key "covariates.age.note"' in message
    assert 'missing key "covariates.age.source"' in message


def test_a_base_that_only_serves_others_is_refused(tmp_path):
    assert "only serves others as a base" in _message(tmp_path, GOOD.replace("id: mine", "id: mine\nabstract: true"))


def test_a_circle_of_bases_is_refused(tmp_path):
    assert '"mine" is based on itself' in _message(tmp_path, GOOD.replace("large_b_cell_lymphoma", "mine"))


def test_what_no_file_gives_is_missing(tmp_path):
    message = _message(tmp_path, GOOD.replace("based_on: large_b_cell_lymphoma\n", ""))
    assert 'missing key "disease"' in message
    assert 'missing key "attrition"' in message


def test_a_circle_of_covariates_is_refused(tmp_path):
    template = "  {}: {{meaning: x, distribution: {{distribution: conditional, given: {}, levels: {}}}, {}}}\n"
    level = "{x: {distribution: fixed, value: 1.0}}"
    text = GOOD + template.format("one", "two", level, SOURCE) + template.format("two", "one", level, SOURCE)
    assert "covariates that depend on one another: one, two; break the circle" in _message(tmp_path, text)


def test_an_unknown_base_is_named(tmp_path):
    message = _message(tmp_path, GOOD.replace("large_b_cell_lymphoma", "large_b_cell_lymfoma"))
    assert 'did you mean "large_b_cell_lymphoma"?' in message
