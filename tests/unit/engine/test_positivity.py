from seedbed import engine
from seedbed.engine.positivity import nonnegative_states
from seedbed.engine.system import assemble


def proved(text):
    system = assemble(engine.read_model(text))
    return {system.states[k] for k in nonnegative_states(system, frozenset())[0]}


def test_growth_decay_and_transfer_are_proved():
    text = "model t; A' = -k*A/(m + A); B' = k*A/(m + A) - d*B; A = 1; B = 0; k = 1; m = 1; d = 1; end"
    assert proved(text) == {"A", "B"}


def test_an_oscillator_is_not():
    assert proved("model m; x' = y; y' = (1 - x*x)*y - x; x = 1; y = 0; end") == set()


def test_a_doubt_spreads():
    assert proved("model t; A' = B - A; B' = -1; A = 1; B = 1; end") == set()


def test_a_constant_sink_is_not_proved():
    assert proved("model t; A' = p - 1; A = 1; p = 2; end") == set()


def test_a_negative_start_is_not_proved():
    assert proved("model t; A' = -A; A = -1; end") == set()


def test_an_event_must_keep_it():
    assert proved("model t; A' = -A; A = 1; at (time > 1): A = A - 5; end") == set()


def test_a_hill_term_vanishes_with_its_state():
    assert proved("model t; A' = -k*A^h/(1 + A^h); A = 1; k = 1; h = 0.5; end") == {"A"}
