"""The observed orders of the method, of its error estimate and of its dense output prove the coefficients."""

import numpy as np
import pytest

from seedbed import engine
from seedbed.engine.rosenbrock import DENSE, GAMMA, N_STAGES, STAGE_TIMES, TIME_SLOPES, A, C

# x'' = -x as a system with a forcing by the clock; exact: x = cos(t) + t sin(t) / 2
FORCED = "model m; x' = v; v' = -x + cos(time); x = 1; v = 0; end"
# A nonlinear chain with y1 = exp(sin t), by the clock
NONLINEAR = "model m; y' = y*cos(time); z' = -z*z*(1 + sin(time)) ; y = 1; z = 1; end"


UNTIL = 2.0


def largest_error(text, n_steps, exact, part):
    """Return the largest error at the fraction `part` of each of n equal steps."""
    program = engine.compile_model(engine.read_model(text), lanes=1)
    # With a tolerance so wide every step is accepted, and all have the length of max_step.
    batch = program.start(relative_tolerance=0.1, absolute_tolerance=1e9, max_step=UNTIL / n_steps)
    times = (np.arange(n_steps) + part) * UNTIL / n_steps
    found = batch.advance(times=[*times, UNTIL])[0, :-1, 0]
    assert abs(batch.status["steps"][0] - n_steps) <= 1
    return np.abs(found - exact(times)).max()


def orders(text, exact, part, counts=(20, 40, 80)):
    errors = [largest_error(text, n, exact, part) for n in counts]
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        (FORCED, lambda t: np.cos(t) + t * np.sin(t) / 2),
        (NONLINEAR, lambda t: np.exp(np.sin(t))),
    ],
)
def test_the_step_has_order_five(text, exact):
    observed = orders(text, exact, part=0.0)
    assert (observed > 4.6).all(), observed
    assert observed[-1] < 6.5


def test_the_dense_output_has_order_four():
    observed = orders(FORCED, lambda t: np.cos(t) + t * np.sin(t) / 2, part=0.4)
    assert observed[-1] > 3.7, observed


def one_step(y, h, t=0.0, lam=-1.3):
    """Step y' = lam y^2 + t with the tableau in plain NumPy; return the end and the embedded end."""
    f = lambda t, y: lam * y * y + t  # noqa: E731
    jacobian, k = 2 * lam * y, []
    for i in range(N_STAGES):
        stage = y + sum(a * kj for a, kj in zip(A[i], k, strict=True))
        right = f(t + STAGE_TIMES[i] * h, stage) + sum(c * kj for c, kj in zip(C[i], k, strict=True)) / h
        right += h * TIME_SLOPES[i]
        k.append(right / (1 / (GAMMA * h) - jacobian))
    end = y + sum(a * kj for a, kj in zip((*A[7], 1.0), k, strict=True))
    return end, end - k[-1]


def test_the_error_estimate_has_order_four():
    errors = []
    for n in (10, 20, 40):
        h, y, t = 1.0 / n, 1.0, 0.0
        reference = fine(1.0)
        for _ in range(n):
            _, y = one_step(y, h, t)
            t += h
        errors.append(abs(y - reference))
    observed = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert (observed > 3.6).all(), observed
    assert (observed < 4.9).all(), observed


def fine(until, n=2000):
    y, h = 1.0, until / n
    for k in range(n):
        y, _ = one_step(y, h, k * h)
    return y


def test_the_method_is_l_stable():
    # y' = z y with z h -> -infinity: one step must not keep the start
    def amplification(z):
        k = []
        for i in range(N_STAGES):
            stage = 1.0 + sum(a * kj for a, kj in zip(A[i], k, strict=True))
            k.append((z * stage + sum(c * kj for c, kj in zip(C[i], k, strict=True))) / (1 / GAMMA - z))
        return 1.0 + sum(a * kj for a, kj in zip((*A[7], 1.0), k, strict=True))

    assert abs(amplification(-1e9)) < 1e-6
    imaginary = [abs(amplification(1j * w)) for w in np.logspace(-2, 6, 200)]
    assert max(imaginary) < 1 + 1e-9  # A-stable along the imaginary axis


def test_dense_output_meets_both_ends_with_the_right_slope():
    assert len(DENSE) == 3
    assert all(len(row) == N_STAGES for row in DENSE)


def test_halving_the_tolerance_lowers_the_error():
    text = "model m; y' = -2000*(y - cos(time)) - sin(time); y = 1; z' = y - z; z = 0; end"
    program = engine.compile_model(engine.read_model(text), observables=("y", "z"))
    exact = (np.cos(3.0) + np.sin(3.0) - np.exp(-3.0)) / 2
    errors = [
        abs(program.start(relative_tolerance=r, absolute_tolerance=r).advance(until=3.0)[0, 1] - exact)
        for r in (1e-3, 1e-5, 1e-7)
    ]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
