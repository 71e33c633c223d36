"""Translation between the languages, and what libSBML says."""

import pytest

from seedbed.errors import ModelError
from seedbed.model import consistency_messages, read_model, to_antimony, to_sbml


def test_numbers_become_dimensionless_so_that_units_can_be_checked(small):
    model = read_model(small.path)
    assert consistency_messages(model.sbml) == []
    assert 'level="3" version="2"' in model.sbml


def test_a_mismatch_is_found(small):
    small.spoil("declarations", "value: 1, unit: 1/day", "value: 1, unit: mg/day")
    assert any("units" in message for message in consistency_messages(read_model(small.path).sbml))


def test_back_to_antimony(small):
    model = read_model(small.path)
    assert consistency_messages(to_sbml(to_antimony(model.sbml), model.id)) == []


def test_what_cannot_be_read():
    with pytest.raises(ModelError, match="Antimony cannot read the model"):
        to_sbml("model x\n  a = = 3;\nend", "x")
    with pytest.raises(ModelError, match="Antimony cannot read the SBML"):
        to_antimony("<sbml>")


def test_units_check_reports_what_antimony_refuses(small):
    from seedbed.model import ALL_CHECKS, read_unchecked

    units = next(check for check in ALL_CHECKS if check.__name__ == "UnitsAgree")
    small.spoil("equations", "-k_loss*drug;", "-k_loss*/drug;")
    problems = units().run(read_unchecked(small.path))
    assert "Antimony cannot read" in problems[0].what
