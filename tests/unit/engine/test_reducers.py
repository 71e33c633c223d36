import numpy as np
import pytest

from seedbed import engine
from seedbed.errors import SimulationError

WAVE = "model wave; A' = cos(time); A = 0; N' = -(d - b)*N; N = 100; b = 0.3; d = 0.5; end"
#: exact answers for A = sin(t) on 0 ... 10
EXPECTED = {
    "peak": 1.0,
    "peak_time": np.pi / 2,
    "minimum": -1.0,
    "minimum_time": 3 * np.pi / 2,
    "area": 1 - np.cos(3.0),
    "below": 10 - 4 * np.pi / 3,
    "above": 4 * np.pi / 3,
    "up": np.pi / 6,
    "down": 7 * np.pi / 6,
    "last": 2 * np.pi + 5 * np.pi / 6,
    "value": np.sin(2.0),
}
REDUCERS = (
    engine.Peak("peak", "A"),
    engine.TimeOfPeak("peak_time", "A", stop=5.0),
    engine.Minimum("minimum", "A"),
    engine.TimeOfMinimum("minimum_time", "A"),
    engine.Area("area", "A", start=0.0, stop=3.0),
    engine.TimeBelow("below", "A", limit=0.5),
    engine.TimeAbove("above", "A", limit="0.5"),
    engine.FirstCrossing("up", "A", limit=0.5),
    engine.FirstCrossing("down", "A", limit=-0.5, direction="down"),
    engine.LastTimeAbove("last", "A", limit=0.5),
    engine.ValueAt("value", "A", start=2.0),
    engine.BirthDeath("fate", birth="b", death="d"),
)


@pytest.fixture(scope="module")
def program():
    return engine.compile_model(engine.read_model(WAVE), observables=("A",), reducers=REDUCERS)


@pytest.fixture(scope="module")
def reduced(program):
    return program.simulate(None, [0.0, 3.3, 10.0], relative_tolerance=1e-9).reduced


@pytest.mark.parametrize("name", EXPECTED)
def test_reducer_equals_the_exact_answer(reduced, name):
    assert reduced[name][0] == pytest.approx(EXPECTED[name], abs=2e-7)  # dense output at this tolerance


def test_birth_death_integrals_equal_the_closed_form(reduced):
    assert reduced["fate.net_loss"][0] == pytest.approx(2.0, rel=1e-12)
    assert reduced["fate.weighted_death"][0] == pytest.approx(0.5 * (np.exp(2.0) - 1) / 0.2, rel=1e-10)


def test_a_reset_starts_again(program):
    batch = program.start()
    batch.advance(until=5.0)
    for name in ("fate", "peak"):
        batch.reset_reducer(name)
    batch.advance(until=6.0)
    reduced = batch.reduced()
    assert reduced["fate.net_loss"][0] == pytest.approx(0.2, rel=1e-9)
    assert reduced["peak"][0] == pytest.approx(np.sin(6.0), rel=1e-4)


def test_windows_for_each_patient(program):
    windows = {"peak": ([0.0, 2.0, np.nan], [1.0, 4.0, np.nan]), "area": (0.0, [1.0, 2.0, 0.0])}
    batch = program.start(n=3, windows=windows, relative_tolerance=1e-9)
    batch.advance(until=10.0)
    np.testing.assert_allclose(batch.reduced()["peak"][:2], [np.sin(1.0), np.sin(2.0)], atol=1e-7)
    assert np.isnan(batch.reduced()["peak"][2])  # a window that never opens
    np.testing.assert_allclose(batch.reduced()["area"], 1 - np.cos([1.0, 2.0, 0.0]), atol=1e-7)


def test_pausing_changes_no_reducer(program):
    straight, paused = program.start(relative_tolerance=1e-9), program.start(relative_tolerance=1e-9)
    straight.advance(until=10.0)
    for day in range(1, 11):
        paused.advance(until=float(day))
    for name, values in straight.reduced().items():
        np.testing.assert_allclose(paused.reduced()[name], values, atol=2e-7)


def test_a_dose_counts_as_a_peak():
    network = engine.read_model("model m; A' = -k*A; A = 0; k = 5; end")
    reducers = (engine.Peak("peak", "A"), engine.TimeOfPeak("when", "A"), engine.Area("area", "A"))
    program = engine.compile_model(network, reducers=reducers)
    batch = program.start(doses=[engine.Dose("A", 3.0, 10.0)], relative_tolerance=1e-8)
    batch.advance(until=10.0)
    reduced = batch.reduced()
    assert (reduced["peak"][0], reduced["when"][0]) == (10.0, 3.0)
    assert reduced["area"][0] == pytest.approx(2.0, rel=1e-6)


def test_reducers_are_checked():
    network = engine.read_model(WAVE)
    with pytest.raises(SimulationError, match="used twice: p"):
        engine.compile_model(network, reducers=(engine.Peak("p", "A"), engine.Area("p", "A")))
    with pytest.raises(SimulationError, match=r"unknown (id|observable)"):
        engine.compile_model(network, reducers=(engine.Peak("p", "AAA"),))
    with pytest.raises(SimulationError, match="direction"):
        engine.FirstCrossing("p", "A", direction="sideways")
    with pytest.raises(SimulationError, match="not a reducer"):
        engine.compile_model(network, reducers=("peak",))


def test_unknown_reducers_are_named(program):
    with pytest.raises(SimulationError, match='unknown reducer "peek"'):
        program.start().reset_reducer("peek")
