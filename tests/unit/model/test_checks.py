"""Each check finds the one thing it is for, with file, line and cure, and nothing in a sound model."""

import pytest

from seedbed.model import checks, read_unchecked


def only(check, path):
    problems = check().run(read_unchecked(path))
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


@pytest.mark.parametrize("check", checks.ALL_CHECKS)
def test_a_sound_model_passes(check, small):
    assert check().run(read_unchecked(small.path)) == []


@pytest.mark.parametrize("check", checks.ALL_CHECKS)
def test_every_check_says_what_it_is_for(check):
    assert check.__doc__
    assert not check.__doc__.startswith("Return")


@pytest.mark.parametrize(
    ("check", "file", "old", "new", "message", "line"),
    [
        (checks.StatementsAreReadable, "equations", "drug' = -k_loss*drug;", "drug = 3;", 'cannot read "drug = 3"', 7),
        (checks.NamesAreKnown, "equations", "k_growth*tumor", "k_grwth*tumor", 'unknown name "k_grwth"', 4),
        (checks.InitialValuesAreKnown, "declarations", "tumor_start}", "tumor_strat}", '"tumor_strat"', 4),
        (checks.NamesAreUnique, "declarations", "  size: {", "  drug: {", 'id "drug" already stands for', 7),
        (checks.NamesAreUnique, "equations", "growth: =>", "drug: =>", 'id "drug" already stands for', 4),
        (checks.NoBareNumbers, "equations", "k_growth*tumor", "3.5*k_growth*tumor", "number 3.5 in a formula", 4),
        (checks.NoBareNumbers, "equations", "(EC50_drug + drug)", "(1e-3*EC50_drug + drug)", "number 1e-3", 5),
        (checks.StatesHaveARate, "equations", "drug' = -k_loss*drug;", "", 'state "drug" never changes', 5),
        (
            checks.StatesHaveARate,
            "equations",
            "drug' = -k_loss*drug;",
            "drug' = -k_loss*drug;\ndrug' = k_loss*drug;",
            'state "drug" has two rates',
            5,
        ),
        (
            checks.EveryParameterIsUsed,
            "equations",
            "k_kill*drug/(EC50_drug + drug)",
            "k_kill",
            'parameter "EC50_drug" is used nowhere',
            18,
        ),
        (
            checks.EveryParameterHasASource,
            "declarations",
            ", source: {study: paper, location: Table 1, how: derived}",
            "",
            "k_growth has neither source nor assumed",
            16,
        ),
        (checks.EveryParameterHasASource, "declarations", "{study: paper", "{study: papre", 'unknown study "papre"', 9),
        (checks.ValuesLieInTheirRange, "declarations", "value: 0.5, unit", "value: 7, unit", "outside its range", 17),
        (checks.ValuesLieInTheirRange, "declarations", "lower: 0.2", "lower: 0.6", "outside its spread", 20),
        (checks.ValuesLieInTheirRange, "declarations", "value: 2", "value: 0", "median of a lognormal", 9),
        (checks.UnitsAreReadable, "declarations", "unit: mg, initial", "unit: mgg, initial", 'unknown symbol "mgg"', 5),
        (checks.ObservablesExist, "model", "[tumor, drug, size]", "[tumour, drug, size]", '"tumour"', 5),
        (checks.InterventionsReachStates, "model", "target: drug,", "target: drugg,", 'unknown state "drugg"', 7),
        (checks.InterventionsReachStates, "model", "f_available}", "f_avail}", 'unknown parameter "f_avail"', 7),
    ],
)
def test_a_spoiled_model_is_told_where(check, file, old, new, message, line, small):
    problem = only(check, small.spoil(file, old, new))
    assert message in problem.what
    assert problem.line == line


def test_rules_and_quantities_must_match(small):
    small.spoil("equations", "size := ", "siez := ")
    problems = checks.QuantitiesHaveARule().run(read_unchecked(small.path))
    assert [problem.what for problem in problems] == ['quantity "size" has 0 rules', 'unknown quantity "siez"']
    assert problems[1].nearest == "size"


def test_a_rate_for_something_that_is_no_state(small):
    small.spoil("equations", "drug' =", "k_loss' =")
    problems = checks.QuantitiesHaveARule().run(read_unchecked(small.path))
    assert [problem.what for problem in problems] == ['unknown state "k_loss"']


def test_nearest_name_is_offered(small):
    problem = only(checks.NamesAreKnown, small.spoil("equations", "k_growth*tumor", "k_grwth*tumor"))
    assert problem.nearest == "k_growth"


def test_two_sources_are_one_too_many(small):
    small.spoil("declarations", "how: derived}}", "how: derived}, assumed: {reason: and a guess, range: [0, 1]}}")
    assert "both source and assumed" in only(checks.EveryParameterHasASource, small.path).what


def test_a_logitnormal_median_lies_between_0_and_1(small):
    small.spoil("declarations", "distribution: lognormal, cv: 0.5", "distribution: logitnormal, sd: 0.5")
    assert "median of a logitnormal" in only(checks.ValuesLieInTheirRange, small.path).what


def test_units_that_do_not_agree(small):
    problems = checks.UnitsAgree().run(read_unchecked(small.spoil("declarations", "5, unit: mg", "5, unit: mg/L")))
    assert problems
    assert all("units" in problem.what for problem in problems)
