"""Units of content as Antimony definitions."""

import pytest

from seedbed.errors import UnitError
from seedbed.model.dimensions import definition, definitions, factors, identifier


@pytest.mark.parametrize(
    ("unit", "name", "line"),
    [
        ("1", "dimensionless", None),
        ("day", "time_unit", None),
        ("1/day", "per_day", "unit per_day = 1 / (86400 second);"),
        ("pg/mL", "pg_per_mL", "unit pg_per_mL = 1e-12 gram / (1e-3 litre);"),
        ("giga_cell", "giga_cell", "unit giga_cell = 1e9 item;"),
        ("mL^2*day", "mL_2_day", "unit mL_2_day = 1e-3 litre * 1e-3 litre * 86400 second;"),
    ],
)
def test_definition(unit, name, line):
    assert identifier(unit) == name
    assert definition(unit) == line


def test_definitions_stand_once():
    assert definitions(["mg", "mg", "1", "L"]) == ["unit L = 1 litre;", "unit mg = 1e-3 gram;"]


@pytest.mark.parametrize(("unit", "message"), [("pgg/mL", 'did you mean "pg"'), ("", "empty"), ("pg mL", "be read")])
def test_a_wrong_unit(unit, message):
    with pytest.raises(UnitError, match=message):
        factors(unit, file="a.yaml", line=3)
