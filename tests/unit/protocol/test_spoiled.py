"""Spoiled protocols: one message with every problem, its line, what was expected and the nearest match."""

import pytest

from seedbed import protocol
from seedbed.errors import ContentError
from seedbed.trial import enrollment

PRODUCT = """
products:
  own:
    id: own
    title: {en: Own, zh: 自}
    antigens: []
    composition: single
    costimulation: CD28
    potency: {median: 1, cv: 0.4, source: {how: assumed, reason: x}}
    expansion: {median: 1, cv: 0.1, source: {how: assumed, reason: x}}
    memory_fraction: {mean: 0.3, lower: 0.1, upper: 0.8, concentration: 5, source: {how: assumed, reason: x}}
    manufacturing: {median_days: 14, cv: 0.2, failure_probability: 0.02, source: {how: assumed, reason: x}}
    source: {how: assumed, reason: x}
"""
CHANGE = "care: [standard]\n    parameters:\n      {}, source: {{how: assumed, reason: x}}}}"
SPOILED = {
    "unknown key": (
        [("follow_up_days: 400", "follow_up_day: 400")],
        ['line 6  unknown key "follow_up_day"', 'did you mean "follow_up_days"?', 'missing key "follow_up_days"'],
    ),
    "unknown key deep inside": (
        [("dose: 5,", "dosis: 5, dose: 5,")],
        ['line 25  unknown key "elements.growth_factor.drugs.0.dosis"', 'did you mean "dose"?'],
    ),
    "wrong unit": (
        [("unit: ug/kg", "unit: cell/kg")],
        ['line 25  unit "cell/kg" does not fit filgrastim', "expected one of g, g/m2, g/kg, mg"],
    ),
    "cells in milligrams": (
        [("dose: 2.0e+6, unit: cell/kg", "dose: 2.0e+6, unit: mg/kg")],
        ["line 20  elements.cart.unit = \"mg/kg\"; expected 'cell' or 'cell/kg'"],
    ),
    "unknown unit": (
        [("unit: ug/kg", "unit: ug/kgg")],
        ['unit "ug/kgg" does not fit filgrastim', 'did you mean "ug/kg"?'],
    ),
    "impossible day order": (
        [("clock: stem_cells, day: 2", "clock: stem_cells, day: -6")],
        ['line 20  CAR-T cells on day -6 of "asct_cart", not after the first conditioning on day -6'],
    ),
    "days that fall": (
        [("first: 5, last: 7", "days: [5, 4]")],
        ["line 25  days of filgrastim do not rise: [5, 4]"],
    ),
    "last before first": (
        [("first: 5, last: 7", "first: 7, last: 5")],
        ["line 25  filgrastim is given on no day: last is before first"],
    ),
    "conditioning after the cells": (
        [("regimen: beam", "drugs: [{drug: melphalan, dose: 140, unit: mg/m2, days: [1]}]")],
        ["line 18  melphalan on day 1 of conditioning; expected days before the stem cells (below 0)"],
    ),
    "CAR-T without target": (
        [("product: cd19_cd28", "product: own"), ("assessments:", PRODUCT + "assessments:")],
        ['CAR-T product "own" has no target; expected antigens among CD19, CD20', "line 37"],
    ),
    "negative dose": (
        [("dose: 5,", "dose: -5,")],
        ["line 25  elements.growth_factor.drugs.0.dose = -5; expected greater than 0"],
    ),
    "unknown drug": (
        [("drug: filgrastim", "drug: filgrastym")],
        ['line 25  unknown drug "filgrastym"', 'did you mean "filgrastim"?'],
    ),
    "unknown regimen": (
        [("regimen: beam", "regimen: beem")],
        ['line 18  unknown regimen "beem"', 'did you mean "beam"?'],
    ),
    "unknown product": (
        [("product: cd19_cd28", "product: cd19_cd82")],
        ['line 20  unknown product "cd19_cd82"', 'did you mean "cd19_cd28"?'],
    ),
    "change of an unknown parameter": (
        [("care: [standard]", CHANGE.format("k_il7_los: {multiply: 2"))],
        ['line 32  unknown parameter "k_il7_los"', 'did you mean "k_il7_loss"?'],
    ),
    "change of a parameter in another unit": (
        [("care: [standard]", CHANGE.format("k_il7_loss: {set: 2, unit: 1/hour"))],
        ['line 32  unit "1/hour" of k_il7_loss; expected "1/day", as in the model'],
    ),
    "change of a parameter in two ways": (
        [("care: [standard]", CHANGE.format("k_il7_loss: {set: 2, multiply: 2"))],
        ["line 32  arms.asct_cart.parameters.k_il7_loss: give either set (with its unit) or multiply"],
    ),
    "empty eligibility": (
        [("eligibility:\n  - {covariate: age, at_least: 18}", "eligibility: []")],
        ["line 7  eligibility is empty; state at least one condition"],
    ),
    "contradictory eligibility": (
        [("at_least: 18", "at_least: 80, at_most: 18")],
        ["line 8  eligibility.0: nobody can be at least 80 and at most 18"],
    ),
    "condition without a bound": (
        [("{covariate: age, at_least: 18}", "{covariate: age}")],
        ["line 8  eligibility.0: a condition needs one of at_least"],
    ),
    "unknown element": (
        [("[conditioning, stem_cells, cart, growth_factor]", "[conditioning, stem_cells, cart, growth_faktor]")],
        ['unknown element "growth_faktor"', 'did you mean "growth_factor"?', 'element "growth_factor" is in no arm'],
    ),
    "graft without conditioning": (
        [("[conditioning, stem_cells,", "[stem_cells,"), ("elements:\n  conditioning", "elements:\n  conditioning")],
        ['arm "asct_cart" has stem cells alone; expected conditioning and stem cells together'],
    ),
    "clock that does not run": (
        [("[conditioning, stem_cells, cart, growth_factor]", "[cart, growth_factor]")],
        [
            'counts days from the stem_cells clock, which arm "asct_cart" does not have',
            "expected one of cart, enrollment",
        ],
    ),
    "CAR-T not placed against the graft": (
        [("clock: stem_cells, day: 2", "clock: cart, day: 0")],
        ['the first CAR-T infusion of "asct_cart" is not placed against the stem cells; use clock: stem_cells'],
    ),
    "split dose that does not add up": (
        [("day: 2}", "day: 2, infusions: [{day: 0, share: 0.5}, {day: 1, share: 0.4}]}")],
        ["line 20  the shares of the dose sum to 0.9; expected 1 for a split dose"],
    ),
    "infusions that do not rise": (
        [("day: 2}", "day: 2, infusions: [{day: 1, share: 0.5}, {day: 0, share: 0.5}]}")],
        ["line 20  days of the infusions [1, 0]; expected rising days that begin with 0"],
    ),
    "two kinds of costimulation in one arm": (
        [
            (
                "elements:\n",
                "elements:\n  other: {kind: cart, product: cd22_4_1bb, dose: 1, unit: cell, clock: cart, day: 9}\n",
            ),
            ("cart, growth_factor]", "cart, other, growth_factor]"),
        ],
        ['arm "asct_cart" mixes products with costimulation 4-1BB and CD28; expected the same in one arm'],
    ),
    "an emulated arm that is not there": (
        [("population: large", "emulates: {study: sauter_2019, arms: {asct_car: asct_cart}}\npopulation: large")],
        ['line 4  unknown arm "asct_car"', 'did you mean "asct_cart"?'],
    ),
    "unknown care": (
        [("care: [standard]", "care: [standrad]")],
        ['line 30  unknown care "standrad"', 'did you mean "standard"?'],
    ),
    "visits beyond the follow-up": (
        [("[28, 90, 180, 365]", "[28, 90, 900]")],
        ["line 33  assessment response on day 900; expected at most follow_up_days = 400"],
    ),
    "visits that fall": (
        [("[28, 90, 180, 365]", "[90, 28]")],
        ["line 33  days of assessment response do not rise"],
    ),
    "days and a row of days": (
        [("first: 5, last: 7", "first: 5")],
        ["line 25  elements.growth_factor.drugs.0: give either days, or first and last"],
    ),
}


def _spoil(text, replacements):
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_the_protocol_is_good_before_it_is_spoiled(good, write):
    assert protocol.read(write(good)).id == "mine"


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_protocol_says_what_is_wrong_and_where(name, good, write):
    replacements, expected = SPOILED[name]
    with pytest.raises(ContentError) as caught:
        protocol.read(write(_spoil(good, replacements)))
    message = str(caught.value)
    for part in expected:
        assert part in message, message


def test_problems_of_form_and_of_sense_come_in_one_message(good, write):
    spoiled = _spoil(
        good,
        [
            ("dose: 5, unit: ug/kg", "dose: -5, unit: cell/kg, colour: red"),
            ("regimen: beam", "regimen: beem"),
            ("  - {covariate: age, at_least: 18}", "  - {covariate: agee, at_least: 18}"),
            ("population: large_b_cell_lymphoma", "population: large_b_cell_lymphoma"),
        ],
    )
    with pytest.raises(ContentError) as caught:
        enrollment.read(write(spoiled))
    message = str(caught.value)
    for part in ("5 problems", "unknown key", "greater than 0", 'unit "cell/kg"', '"beem"', 'unknown covariate "agee"'):
        assert part in message, message


def test_a_protocol_that_does_not_fit_its_population_says_so(good, write):
    spoiled = _spoil(
        good,
        [
            ("product: cd19_cd28", "product: bcma_4_1bb"),
            (
                "    care: [standard]",
                "    care: [standard]\n    selection: [{covariate: remission_status, one_of: [CR, VGPR]}]",
            ),
        ],
    )
    with pytest.raises(ContentError) as caught:
        enrollment.read(write(spoiled))
    message = str(caught.value)
    assert 'no tumor cell of population "large_b_cell_lymphoma" carries BCMA' in message
    assert '"VGPR" is no level of remission_status; expected one of PD, SD, PR, CR' in message


def test_an_unknown_population_is_named(good, write):
    with pytest.raises(ContentError, match='did you mean "large_b_cell_lymphoma"'):
        enrollment.read(write(good.replace("population: large_b_cell_lymphoma", "population: large_b_cell_lymphom")))


def test_an_unknown_protocol_of_the_library_is_named():
    with pytest.raises(ContentError, match='did you mean "wei_2022_tp53"'):
        protocol.read("wei_2022_tp35")


def test_a_file_that_cannot_be_understood_still_lists_its_form(write):
    with pytest.raises(ContentError, match='missing key "arms"'):
        protocol.read(write("id: x\n"))


POPULATION = """\
id: own
title: {en: Own, zh: 自}
based_on: large_b_cell_lymphoma
effects:
  burden: null
"""


def test_a_population_of_ones_own_stands_beside_the_protocol_and_is_checked_with_it(good, write):
    file = write(good.replace("population: large_b_cell_lymphoma", "population: own.yaml").replace("beam", "beem"))
    (file.parent / "own.yaml").write_text(POPULATION, encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        enrollment.read(file)
    message = str(caught.value)
    assert 'unknown regimen "beem"' in message
    assert 'the population does not set model parameter "tumor_burden_systemic"' in message
    (file.parent / "own.yaml").write_text(POPULATION.replace("  burden: null", "  tp53_growth: null"), encoding="utf-8")
    file.write_text(file.read_text(encoding="utf-8").replace("beem", "beam"), encoding="utf-8")
    _, who = enrollment.read(file)
    assert who.id == "own"
