"""The clinic's content: complete for every disease, readable, and served by the model."""

from typing import get_args

import pytest
from pydantic import BaseModel

from seedbed import library, tables
from seedbed.model import read_model
from seedbed.population.schema import Disease, ResponseCriteria
from seedbed.trial import criteria
from seedbed.trial.care import read_care
from seedbed.trial.clinic import LATENT, read_contents
from seedbed.trial.endpoints import LANDMARKS
from seedbed.trial.measurement import Quantity, read_map
from seedbed.trial.outcomes import read_outcomes
from seedbed.trial.rules import read_rules


def quantities(content):
    for name, value in content:
        if isinstance(value, Quantity):
            yield name, value
        elif isinstance(value, dict):
            for inner in value.values():
                yield from quantities(inner)
        elif isinstance(value, BaseModel):
            yield from quantities(value)


@pytest.mark.parametrize("name", library.names("care"))
def test_care_rules_give_positive_doses_to_targets_of_the_model(name):
    model = read_model("asct_cart")
    for rule in read_care(name).rules:
        assert 0 < rule.dose.amount <= max(rule.dose.maximum, rule.dose.amount)
        assert rule.dose.target in model.states, rule.id


def test_the_model_gives_every_signal_the_clinic_reads():
    model = read_model("asct_cart")
    contents = read_contents()
    known = {*model.states, *model.quantities}
    needed = {*contents.measurement_map.signals, *contents.outcomes.signals, *LATENT}
    assert needed <= known, needed - known


@pytest.mark.parametrize("content", [read_map(), read_outcomes()], ids=["measurements", "outcomes"])
def test_every_number_has_a_unit_and_a_source(content):
    found = list(quantities(content))
    assert len(found) > 30
    for name, quantity in found:
        assert quantity.unit, name
        assert quantity.source.reason or quantity.source.study, name


def test_thresholds_of_support_rise():
    support, imaging = read_map().support, read_map().imaging
    pressure = [support.fluids.value, support.one_vasopressor.value, support.several_vasopressors.value]
    oxygen = [support.low_flow_oxygen.value, support.high_flow_oxygen.value, support.positive_pressure.value]
    avid = [getattr(imaging, f"avid_for_score_{score}").value for score in (2, 3, 4, 5)]
    assert all(steps == sorted(steps) for steps in (pressure, oxygen, avid))


def test_every_disease_has_outcomes_and_a_response_rule():
    assert set(read_outcomes().after_progression) == set(get_args(Disease))
    for name in library.names("rules"):
        rules = read_rules(name)
        assert set(rules.criteria.response) == set(get_args(ResponseCriteria))
        assert set(rules.response.true_progression_volume) == set(get_args(ResponseCriteria))
        for response_criteria in get_args(ResponseCriteria):
            assert set(LANDMARKS) <= set(rules.schedule.response_days_for(response_criteria))


def test_response_categories_are_those_of_the_documented_column():
    column = next(column for column in tables.columns("endpoints") if column.name == "best_response")
    named = {
        category for rule in read_rules().criteria.response.values() for category in criteria.module(rule).CATEGORIES
    }
    assert named - {"NE"} == set(column.categories)
