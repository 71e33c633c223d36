"""States that are zero stay zero, states that cannot be negative are not, and mass is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed import engine

INVASION = """model invasion
  A' = s - d*A - r*A*T/(K + A); T' = r*T*A/(K + A) - d*T + u*(M - T); M' = u*T - g*M*M^h/(1 + M^h); D' = -kill*D;
  A = 3; T = 0; M = 0; D = 0; s = 5; d = 0.1; r = 40; K = 1; u = 300; g = 2; h = 0.7; kill = 1e4;
end"""


@pytest.mark.parametrize("tolerance", [1e-3, 1e-4, 1e-6, 1e-8])
def test_a_growing_clone_does_not_come_from_nothing(tolerance):
    program = engine.compile_model(engine.read_model(INVASION), varied=("r",), observables=("T", "M"))
    values = np.linspace(1.0, 80.0, 50)
    doses = [engine.Dose("T", 30.0, 1e-9), engine.Dose("A", 5.0, 100.0), engine.Dose("D", [7.0] * 50, 10.0)]
    batch = program.start({"r": values}, doses=doses, relative_tolerance=tolerance, absolute_tolerance=tolerance)
    observed = batch.advance(times=np.arange(0.0, 61.0))
    assert (observed[:, :31] == 0.0).all()  # exactly, until the first cell is given
    assert (observed[:, -1, 0] > 0).all()


@given(
    k=st.floats(1e-3, 1e3), m=st.floats(1e-3, 1e3), hill=st.floats(0.3, 4.0), tolerance=st.sampled_from([1e-3, 1e-6])
)
@settings(max_examples=25, deadline=None)
def test_cells_are_not_negative_and_mass_is_kept(k, m, hill, tolerance):
    program = chain()
    batch = program.start(
        {"k": [k], "m": [m], "h": [hill]}, relative_tolerance=tolerance, absolute_tolerance=tolerance, max_steps=100_000
    )
    observed = batch.advance(times=[0.0, 0.01, 0.1, 1.0, 10.0, 1000.0])[0]
    assert (observed >= 0).all()
    # Linear invariants are kept to rounding, but for what reading a state as max(state, 0) hides.
    np.testing.assert_allclose(observed.sum(axis=1), 1.0, atol=5 * tolerance)


def chain():
    text = "model chain; A -> B; k*A^h/(1 + A^h); B -> C; m*B/(0.1 + B); A = 1; B = 0; C = 0; k = 1; m = 1; h = 1; end"
    return engine.compile_model(engine.read_model(text), ("k", "m", "h"), ("A", "B", "C"))
