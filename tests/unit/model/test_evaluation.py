"""Formulas at one point."""

import pytest

from seedbed.errors import ModelError
from seedbed.model.evaluation import evaluate


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("2^a - b/4", 6.5),
        ("max(a, -b) + min(1, b)", 4.0),
        ("exp(ln(a))", 3.0),
        ("sqrt(abs(-4))", 2.0),
        ("piecewise(a, time < 1, b)", 3.0),
        ("piecewise(a, time > 1, b, b <= 6, 9)", 6.0),
        ("piecewise(a, b >= 7, 9)", 9.0),
    ],
)
def test_value(formula, value):
    assert evaluate(formula, {"a": 3.0, "b": 6.0}) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("formula", ["a +", "a[0]", "unknown + 1", "f(a)", "piecewise(a, b, 1)"])
def test_what_is_no_formula(formula):
    with pytest.raises(ModelError, match="cannot"):
        evaluate(formula, {"a": 3.0, "b": 6.0})
