import numpy as np
import pytest

from seedbed.engine import linear_algebra


def factorize(plan, matrix):
    """Follow the plan as the generated code does."""
    order = plan.order
    values = {slot: matrix[row, column] for (row, column), slot in plan.slots.items()}
    slot = {(p, q): plan.slots[order[p], order[q]] for p in plan.rows() for q in (*plan.lower[p], p, *plan.upper[p])}
    for p in plan.rows():
        for q in plan.lower[p]:
            values[slot[p, q]] *= values[slot[q, q]]
            for r in plan.upper[q]:
                values[slot[p, r]] -= values[slot[p, q]] * values[slot[q, r]]
        values[slot[p, p]] = 1 / values[slot[p, p]]
    return values, slot


def solve(plan, values, slot, right):
    x = right[list(plan.order)].copy()
    for p in plan.rows():
        for q in plan.lower[p]:
            x[p] -= values[slot[p, q]] * x[q]
    for p in reversed(plan.rows()):
        for q in plan.upper[p]:
            x[p] -= values[slot[p, q]] * x[q]
        x[p] *= values[slot[p, p]]
    result = np.empty_like(x)
    result[list(plan.order)] = x
    return result


@pytest.mark.parametrize("density", [0.0, 0.05, 0.2, 1.0])
def test_factors_solve_the_system(density):
    generator = np.random.default_rng(1)
    n = 25
    matrix = np.where(generator.random((n, n)) < density, generator.normal(size=(n, n)), 0.0) + 10 * np.eye(n)
    plan = linear_algebra.plan(n, zip(*np.nonzero(matrix), strict=True))
    right = generator.normal(size=n)
    found = solve(plan, *factorize(plan, matrix), right)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right), rtol=1e-10)  # well conditioned: rounding only


def test_an_arrow_matrix_has_no_fill():
    n = 30
    arrow = [(0, k) for k in range(n)] + [(k, 0) for k in range(n)]
    plan = linear_algebra.plan(n, arrow)
    assert plan.n_entries == 3 * n - 2
    assert plan.order[-1] == 0 or plan.order[-2] == 0


def test_every_state_is_eliminated_once():
    plan = linear_algebra.plan(6, [(0, 5), (5, 0), (2, 3)])
    assert sorted(plan.order) == list(range(6))
