import math

import numpy as np
import pytest

from seedbed.engine.expression import DYNAMIC, SHARED, VARIED, Graph

POINT = 0.7
FORMULAS = {
    "product": lambda g, x: g.mul(g.mul(x, x), g.add(x, g.one)),
    "quotient": lambda g, x: g.divide(x, g.add(g.mul(x, x), g.constant(2.0))),
    "hill": lambda g, x: g.divide(g.pow(x, g.constant(1.7)), g.add(g.one, g.pow(x, g.constant(1.7)))),
    "variable_exponent": lambda g, x: g.pow(g.add(x, g.one), x),
    "exp_log": lambda g, x: g.mul(g.unary("exp", g.neg(x)), g.unary("log", x)),
    "extremes": lambda g, x: g.extreme("max", g.mul(x, x), g.extreme("min", x, g.constant(0.3))),
    "piecewise": lambda g, x: g.select(g.relation("lt", x, g.one), g.mul(x, x), x),
    **{
        name: (lambda g, x, name=name: g.unary(name, x))
        for name in (
            "sqrt",
            "abs",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "sinh",
            "cosh",
            "tanh",
            "asinh",
            "atanh",
        )
    },
    "acosh": lambda g, x: g.unary("acosh", g.add(x, g.one)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_derivative_agrees_with_a_difference_quotient(name):
    graph = Graph()
    x = graph.input("state", 0)
    node = FORMULAS[name](graph, x)
    slope = graph.evaluate(graph.derivative(node, x), {x: POINT})
    step = 1e-6
    difference = (graph.evaluate(node, {x: POINT + step}) - graph.evaluate(node, {x: POINT - step})) / (2 * step)
    assert slope == pytest.approx(difference, rel=1e-7, abs=1e-9)  # truncation and rounding of the quotient


def test_equal_expressions_are_one_node():
    graph = Graph()
    x, k = graph.input("state", 0), graph.input("varied", 0)
    assert graph.add(x, k) == graph.add(k, x)
    assert graph.mul(graph.mul(x, k), graph.one) == graph.mul(k, x)


def test_simplification_keeps_derivatives_short():
    graph = Graph()
    x, k = graph.input("state", 0), graph.input("shared", 0)
    assert graph.derivative(graph.mul(k, x), x) == k
    assert graph.derivative(k, x) == graph.zero
    assert graph.sub(x, x) == graph.zero
    assert graph.neg(graph.neg(x)) == x


def test_levels_tell_when_a_value_can_change():
    graph = Graph()
    shared, varied, state = graph.input("shared", 0), graph.input("varied", 0), graph.input("state", 0)
    assert graph.levels[graph.unary("exp", shared)] == SHARED
    assert graph.levels[graph.add(shared, varied)] == VARIED
    assert graph.levels[graph.mul(varied, state)] == DYNAMIC


def test_fixed_factors_are_brought_together():
    graph = Graph()
    k, m, x = graph.input("shared", 0), graph.input("shared", 1), graph.input("state", 0)
    product = graph.mul(k, graph.mul(m, x))
    assert graph.mul(k, m) in graph.arguments[product]


def test_zero_to_small_powers():
    graph = Graph()
    zero = graph.input("state", 0)
    for exponent, expected in ((0.0, 1.0), (1.0, 0.0), (2.0, 0.0), (1.5, 0.0)):
        assert graph.evaluate(graph.pow(zero, graph.constant(exponent)), {zero: 0.0}) == expected


def test_literal_arithmetic_outside_the_domain_gives_nan_or_infinity():
    graph = Graph()
    assert graph.operations[graph.unary("log", graph.constant(-1.0))] == "nan"
    assert graph.values[graph.unary("log", graph.constant(0.0))] == -math.inf
    assert graph.values[graph.unary("exp", graph.constant(1e4))] == math.inf


def test_logic_folds():
    graph = Graph()
    x = graph.relation("lt", graph.input("state", 0), graph.one)
    assert graph.logical("and", x, graph.true) == x
    assert graph.logical("or", x, graph.true) == graph.true
    assert graph.logical_not(graph.logical_not(x)) == x
    assert graph.select(graph.true, graph.one, graph.zero) == graph.one


def test_evaluate_takes_arrays():
    graph = Graph()
    x = graph.input("varied", 0)
    values = np.array([1.0, 4.0])
    np.testing.assert_array_equal(graph.evaluate(graph.unary("sqrt", x), {x: values}), [1.0, 2.0])
