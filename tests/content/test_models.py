"""Evidence: exact. Every model of the library passes every check, and every mechanism has a test."""

import ast
from pathlib import Path

import pytest

from seedbed import documents, library
from seedbed.model import ALL_CHECKS, model_names, read_model

TESTS = Path(__file__).parents[1]
CLONES = (
    "double_positive",
    "antigen1_negative",
    "antigen2_negative",
    "double_negative",
    "cns_positive",
    "cns_negative",
)


@pytest.mark.parametrize("check", ALL_CHECKS)
@pytest.mark.parametrize("name", model_names())
def test_model_passes(name, check):
    assert check().run(read_model(name)) == []


def test_every_mechanism_has_a_test():
    """A mechanism is tested by name, or with its whole model against a reference trajectory."""
    against_reference = "\n".join(path.read_text() for path in (TESTS / "reference").glob("test_*.py"))
    untested = []
    for name in model_names():
        if f'"{name}"' in against_reference:
            continue
        file = TESTS / "content" / f"test_{name}_mechanisms.py"
        found = [n.name for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.FunctionDef)]
        for mechanism in read_model(name).mechanisms:
            if not any(function.startswith(f"test_{mechanism.id}_") for function in found):
                untested.append(f"{name}: {mechanism.id}")
    assert untested == []


@pytest.mark.parametrize("name", ["asct_cart", "asct_cart_v0"])
def test_rates_of_every_clone_stand_in_the_model(name):
    model = read_model(name)
    for clone in CLONES:
        assert model.states[f"tumor_{clone}"].unit == "giga_cell"
        for rate, unit in (("birth", "1/day"), ("death", "1/day"), ("mutants", "giga_cell/day")):
            assert model.quantities[f"{rate}_{clone}"].unit == unit


def test_the_mended_model_observes_what_the_first_did():
    first, mended = read_model("asct_cart_v0"), read_model("asct_cart")
    assert mended.observables == first.observables
    units = {**first.states, **first.quantities}
    now = {**mended.states, **mended.quantities}
    assert {name: now[name].unit for name in first.observables} == {
        name: units[name].unit for name in first.observables
    }
    assert set(first.states) <= set(mended.states)
    assert len(mended.states) <= 75


def test_no_value_moved_in_the_feasibility_fit_is_kept():
    """The proposal's starred values were chosen with the combination's results in view."""
    first, mended = read_model("asct_cart_v0").parameters, read_model("asct_cart").parameters
    starred = {
        name
        for name, parameter in first.items()
        if parameter.assumed and parameter.assumed.reason.startswith("moved in the feasibility fit")
    }
    assert len(starred) == 35
    kept = {name for name in starred & set(mended) if mended[name].value == first[name].value}
    assert kept == set()
    assert not any("feasibility" in (p.assumed.reason if p.assumed else "") for p in mended.values())


def test_costimulation_levels_set_product_parameters():
    model = read_model("asct_cart")
    levels = documents.load(library.path("models/asct_cart/costimulation.yaml")).data["levels"]
    assert set(levels) == {"none", "cd28", "41bb", "both"}
    names = {name for name in model.parameters if name.startswith("costimulation_")}
    for level in levels.values():
        assert set(level["values"]) == names
        low, high = level["assumed"]["range"]
        assert all(low <= value <= high for value in level["values"].values())
    assert {model.parameters[name].role for name in names} == {"product"}
    assert set(levels["41bb"]["values"].values()) == {1}
