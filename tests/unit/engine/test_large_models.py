"""Long plans are worked in loops and long functions in parts: the same answers, to rounding."""

import numpy as np
import pytest

from seedbed import engine
from seedbed.engine import linear_algebra, machine

N = 14


def dense_model():
    generator = np.random.default_rng(5)
    weights = generator.uniform(0, 1.0 / N, (N, N))
    lines = ["model dense"]
    for i in range(N):
        terms = " + ".join(f"{weights[i, j]:.5f}*x{j}/(1 + x{(j + i) % N})" for j in range(N))
        lines.append(f"x{i}' = {terms} - k*x{i}; x{i} = {1 + i / N};")
    return engine.read_model("\n".join([*lines, "k = 1.3; end"]))


def course(network):
    program = engine.compile_model(network, varied=("k",))
    batch = program.start({"k": [1.0, 1.5]}, relative_tolerance=1e-8)
    return batch.advance(times=[0.0, 1.0, 5.0])


@pytest.fixture(scope="module")
def written_out():
    return course(dense_model())


def test_loops_give_the_same_answer(written_out, monkeypatch):
    monkeypatch.setattr(machine, "LONGEST_PLAN", 10)
    np.testing.assert_allclose(course(dense_model()), written_out, rtol=1e-10)  # another order of elimination


def test_parts_give_the_same_bits(written_out, monkeypatch):
    monkeypatch.setattr(machine, "LONGEST_FUNCTION", 100)
    np.testing.assert_allclose(course(dense_model()), written_out, rtol=1e-12)


def test_the_dense_plan_stores_every_entry():
    plan = linear_algebra.plan_dense(5)
    assert plan.n_entries == 25
    assert plan.order == (0, 1, 2, 3, 4)


def test_a_sum_of_many_terms_is_read_and_differentiated():
    terms = " + ".join(f"k{i}*A" for i in range(700))
    values = " ".join(f"k{i} = 0.001;" for i in range(700))
    network = engine.read_model(f"model many; S := {terms}; A' = -S; A = 1; {values} end")
    found = engine.compile_model(network, observables=("A",)).start(relative_tolerance=1e-8).advance(until=1.0)
    assert found[0, 0] == pytest.approx(np.exp(-0.7), rel=1e-6)
