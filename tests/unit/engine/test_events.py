import numpy as np
import pytest

from seedbed import engine


def course(text, times, **options):
    program = engine.compile_model(engine.read_model(text), **options.pop("compile", {}))
    batch = program.start(relative_tolerance=1e-9, absolute_tolerance=1e-12, **options)
    observed = batch.advance(times=times)[0]
    return {name: observed[:, k] for k, name in enumerate(program.observables)}, batch.status.iloc[0]


def test_an_event_on_a_state_fires_at_its_moment():
    found, _ = course("model m; x' = -x; x = 1; n = 0; at (x < 0.5): x = 2, n = n + 1; end", [0.0, 0.6, 0.8, 3.0])
    first = np.log(2.0)
    np.testing.assert_allclose(found["x"][1], np.exp(-0.6), atol=1e-8)
    np.testing.assert_allclose(found["x"][2], 2 * np.exp(-(0.8 - first)), atol=1e-7)
    assert found["n"][-1] == 2  # again when 2 exp(-t) passes 0.5, ln 4 later


def test_an_event_on_time_is_not_stepped_over():
    text = "model m; x' = 0; x = 0; at (time >= 1.25): x = x + 1; at (time > 700): x = x + 10; end"
    found, status = course(text, [0.0, 1.24, 1.25, 699.0, 701.0])
    assert found["x"].tolist() == [0.0, 0.0, 1.0, 1.0, 11.0]
    assert status["steps"] < 30


@pytest.mark.parametrize("relation", [">", ">="])
def test_single_precision_sees_the_clock(relation):
    text = f"model m; x' = 0; x = 0; at (time {relation} 123.456): x = x + 1; end"
    program = engine.compile_model(engine.read_model(text), float_type="float32")
    assert program.start().advance(times=[0.0, 123.0, 124.0])[0, :, 0].tolist() == [0.0, 0.0, 1.0]


def test_a_short_pulse_of_a_rate_is_not_stepped_over():
    found, _ = course("model m; x' = piecewise(1, (time > 300) && (time < 300.01), 0); x = 0; end", [0.0, 1000.0])
    assert found["x"][1] == pytest.approx(0.01, rel=1e-9)


def test_events_at_the_start_follow_their_initial_value():
    text = "model m; x' = 0; x = 1; y' = 0; y = 0; at (x > 0.5), t0=false: y = y + 1; at (x > 0.5): y = y + 10; end"
    found, _ = course(text, [0.0, 1.0])
    assert found["y"].tolist() == [1.0, 1.0]


def test_one_event_may_set_off_another():
    found, _ = course("model m; x' = 1; x = 0; y' = 0; y = 0; at (x > 1): y = 5; at (y > 4): x = -10; end", [0.0, 2.0])
    assert found["y"][1] == 5.0
    assert found["x"][1] == pytest.approx(-9.0, abs=1e-8)


def test_events_without_end_are_reported():
    text = "model m; x' = 1; x = 0; y' = 0; y = 0; at (x > 1 && y < 0.5): y = 1; at (x > 1 && y > 0.5): y = 0; end"
    _, status = course(text, [0.0, 5.0])
    assert status["code"] == 4
    assert status["reason"] == "events set each other off without end"
    assert status["time"] == pytest.approx(1.0, abs=1e-6)


def test_a_dose_may_set_off_an_event():
    network = engine.read_model("model m; x' = 0; x = 0; n' = 0; n = 0; at (x > 1): n = n + 1; end")
    program = engine.compile_model(network)
    batch = program.start(doses=[engine.Dose("x", 2.0, 5.0)])
    assert batch.advance(times=[1.0, 2.0, 3.0])[0, :, 1].tolist() == [0.0, 0.0, 1.0]


def test_the_clock_must_be_readable():
    from seedbed.errors import SimulationError

    network = engine.read_model("model m; x' = piecewise(1, time - floor(time) < 0.1, 0); x = 0; end")
    program = engine.compile_model(network)
    with pytest.raises(SimulationError, match="max_step"):
        program.start()
    found = program.start(max_step=0.01).advance(until=10.05)[0, 0]
    assert found == pytest.approx(1.05, abs=0.02)


def test_an_event_resizes_a_compartment_and_keeps_amounts():
    text = """model m; compartment V; V = 2; species S in V; S = 3; k = 0; S -> ; k*S*V;
    at (time >= 1): V = 4; end"""
    found, _ = course(text, [0.0, 2.0], compile={"observables": ("S", "S*V", "V")})
    assert found["S"].tolist() == [3.0, 1.5]
    assert found["S*V"].tolist() == [6.0, 6.0]
