"""The vector functions, seen through observables of parameters, against NumPy in double precision."""

import numpy as np
import pytest

from seedbed import engine

TEXT = "model m; z' = 0; z = 0; x = 1; y = 1; end"


@pytest.fixture(scope="module")
def evaluate():
    network = engine.read_model(TEXT)
    formulas = ("exp(x)", "ln(x)", "x^y", "sqrt(x)", "abs(x)", "sin(x)", "max(x, y)", "floor(x)", "tanh(x)")
    network.model.getParameter("x").setValue(-1.0)  # so that the sign of x is taken for granted nowhere
    program = engine.compile_model(network, varied=("x", "y"), observables=formulas)

    def run(formula, x, y=1.0):
        x = np.asarray(x, float)
        batch = program.start({"x": x, "y": np.broadcast_to(np.asarray(y, float), x.shape)})
        return batch.advance(until=0.0)[:, formulas.index(formula)]

    return run


def test_exponential(evaluate):
    x = np.concatenate([np.linspace(-700, 700, 4001), [0.0, 1e-300, -1e-17]])
    np.testing.assert_allclose(evaluate("exp(x)", x), np.exp(x), rtol=5e-16)  # two units in the last place
    assert evaluate("exp(x)", [-800.0, 800.0]).tolist() == [0.0, np.inf]


def test_logarithm(evaluate):
    x = np.concatenate([np.logspace(-307, 307, 4001), np.linspace(0.5, 2, 1001), [5e-324, 1e-310]])
    np.testing.assert_allclose(evaluate("ln(x)", x), np.log(x), rtol=4e-16, atol=1e-300)
    special = evaluate("ln(x)", [0.0, -1.0])
    assert special[0] == -np.inf
    assert np.isnan(special[1])


def test_power(evaluate):
    generator = np.random.default_rng(2)
    x, y = generator.uniform(0.01, 50, 2000), generator.uniform(-5, 5, 2000)
    np.testing.assert_allclose(evaluate("x^y", x, y), x**y, rtol=3e-14)  # |y ln x| times a rounding error


@pytest.mark.parametrize(
    ("base", "exponent", "expected"),
    [(0.0, 0.5, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, np.inf), (-2.0, 3.0, -8.0), (-2.0, 2.0, 4.0), (-2.0, 0.5, np.nan)],
)
def test_power_at_its_edges(evaluate, base, exponent, expected):
    np.testing.assert_allclose(evaluate("x^y", [base], [exponent]), [expected], rtol=1e-14)


@pytest.mark.parametrize("name", ["sqrt(x)", "abs(x)", "sin(x)", "floor(x)", "tanh(x)"])
def test_other_functions(evaluate, name):
    x = np.linspace(0.1, 9.0, 57)
    exact = {"sqrt(x)": np.sqrt, "abs(x)": np.abs, "sin(x)": np.sin, "floor(x)": np.floor, "tanh(x)": np.tanh}[name]
    np.testing.assert_allclose(evaluate(name, x), exact(x), rtol=4e-16)


def test_larger_of_two(evaluate):
    assert evaluate("max(x, y)", [1.0, -2.0], [-1.0, 5.0]).tolist() == [1.0, 5.0]
