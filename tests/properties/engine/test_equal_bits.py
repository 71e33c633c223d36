"""The bits of a patient's result do not depend on the company it is computed in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed import engine

TEXT = """model m
  A' = -k*A/(Km + A); B' = k*A/(Km + A) - g*B^h/(1 + B^h); C' = g*B^h/(1 + B^h) - 300*C;
  A = 10; B = 0; C = 0; k = 2; Km = 1; g = 1.5; h = 1.4;
  at (B > 1.2): A = A + 1;
end"""
TIMES = np.linspace(0, 20, 9)
N = 23


def program_with(lanes):
    reducers = (
        engine.Peak("peak", "B"),
        engine.TimeAbove("above", "B", limit=0.5),
        engine.BirthDeath("fate", "k", "g"),
    )
    network = engine.read_model(TEXT)
    return engine.compile_model(network, ("k", "h"), ("A", "B", "C"), reducers, lanes=lanes)


def patients():
    generator = np.random.default_rng(3)
    return np.column_stack([generator.uniform(0.5, 4, N), generator.uniform(1.1, 2.5, N)])


def doses(rows):
    return [engine.Dose("A", np.where(np.arange(N) % 3 == 0, np.nan, 1.0 + np.arange(N) % 5)[rows], 3.0)]


def results(program, rows, threads=1):
    batch = program.start(patients()[rows], doses=doses(rows), threads=threads)
    observed = batch.advance(times=TIMES)
    return np.column_stack([observed.reshape(len(rows), -1), *batch.reduced().values(), batch.status["steps"]])


@pytest.fixture(scope="module")
def whole():
    return results(program_with(None), np.arange(N))


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_lane_width_changes_no_bit(whole, lanes):
    np.testing.assert_array_equal(results(program_with(lanes), np.arange(N)), whole)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(whole, threads):
    np.testing.assert_array_equal(results(program_with(None), np.arange(N), threads), whole)


@given(rows=st.lists(st.integers(0, N - 1), min_size=1, max_size=N))
@settings(max_examples=15, deadline=None)
def test_order_subset_and_repetition_change_no_bit(whole, rows):
    rows = np.array(rows)
    np.testing.assert_array_equal(results(program_with(None), rows), whole[rows])


def test_a_failing_neighbour_changes_no_bit():
    network = engine.read_model("model m; x' = r*x*x - x; x = 1; r = 0.5; end")
    program = engine.compile_model(network, ("r",), ("x",))
    alone = program.start({"r": [0.5]}).advance(times=TIMES)
    batch = program.start({"r": [5.0, 0.5, 9.0]})
    np.testing.assert_array_equal(batch.advance(times=TIMES)[1], alone[0])
    assert (batch.status["code"] != 0).tolist() == [True, False, True]
