import numpy as np
import pytest

from seedbed import engine
from seedbed.errors import ModelError, SimulationError, UnsupportedModelError

DECAY = "model decay; A' = -k*A; B' = k*A - m*B; A = 1; B = 0; k = 0.5; m = 0.25; D = 3; end"


@pytest.fixture(scope="module")
def network():
    return engine.read_model(DECAY)


@pytest.fixture(scope="module")
def program(network):
    return engine.compile_model(network, varied=("k",), observables=("A", "B", "A + B"))


def exact(k, t):
    return np.exp(-np.multiply.outer(np.asarray(k), np.asarray(t)))


def test_course_equals_the_exact_solution(program):
    k, times = [0.1, 0.5, 2.0], np.linspace(0, 10, 21)
    run = program.simulate({"k": k}, times, relative_tolerance=1e-9, absolute_tolerance=1e-12)
    np.testing.assert_allclose(run.observables[:, :, 0], exact(k, times), atol=1e-8)
    assert run.status["reason"].tolist() == ["ok"] * 3


def test_formulas_are_observables(program):
    observed = program.simulate({"k": [0.5]}, [0.0, 1.0]).observables[0]
    np.testing.assert_array_equal(observed[:, 2], observed[:, 0] + observed[:, 1])


def test_output_before_the_dose_and_effect_after_it(program):
    batch = program.start({"k": [0.5, 0.5]}, doses=[engine.Dose("A", [1.0, np.nan], 2.0)])
    before = batch.advance(until=1.0)
    np.testing.assert_allclose(before[:, 0], np.exp(-0.5), rtol=1e-5)
    np.testing.assert_allclose(batch.observe()[:, 0], np.exp(-0.5), rtol=1e-5)
    after = batch.advance(until=2.0)
    expected = [(np.exp(-0.5) + 2) * np.exp(-0.5), np.exp(-1)]
    np.testing.assert_allclose(after[:, 0], expected, rtol=1e-5)


def test_amounts_may_be_formulas_of_parameters(program):
    batch = program.start({"k": [0.5, 1.0]}, doses=[engine.Dose("A", 0.0, "D * k")], relative_tolerance=1e-8)
    found = batch.advance(until=1.0)[:, 0]
    np.testing.assert_allclose(found, [(1 + 1.5) * np.exp(-0.5), (1 + 3.0) * np.exp(-1.0)], rtol=1e-6)


def test_hourly_doses_to_a_year(program):
    hours = np.arange(365 * 24) / 24
    batch = program.start({"k": [0.5]}, doses=[engine.Dose("A", t, 0.01) for t in hours], max_steps=100_000)
    found = batch.advance(until=365.0)[0, 0]
    ratio = np.exp(-0.5 / 24)
    assert found == pytest.approx(0.01 * ratio / (1 - ratio), rel=1e-4)  # steady state just before the next dose


def test_pausing_doses_and_setting_states(program):
    batch = program.start({"k": [0.5, 0.5, 0.5]}, relative_tolerance=1e-8)
    batch.advance(until=1.0)
    batch.dose("A", [1.0, 0.0, np.nan])
    batch.set_state("B", 0.0, where=[False, True, False])
    np.testing.assert_allclose(batch.state("A") - np.exp(-0.5), [1.0, 0.0, 0.0], atol=1e-7)
    assert batch.state("B")[1] == 0.0
    assert batch.state("B")[2] > 0.2
    np.testing.assert_allclose(batch.observe()[:, 0], batch.state("A"))


def test_a_copy_goes_its_own_way(program):
    batch = program.start({"k": [0.5]})
    batch.advance(until=1.0)
    twin = batch.copy()
    twin.dose("A", 1.0)
    twin.advance(until=2.0)
    assert batch.time == 1.0
    assert batch.advance(until=2.0)[0, 0] == pytest.approx(np.exp(-1), rel=1e-4)
    assert twin.state("A")[0] == pytest.approx((np.exp(-0.5) + 1) * np.exp(-0.5), rel=1e-4)


def test_shared_parameters_change_without_compiling(program):
    run = program.start({"k": [0.5]}, shared={"m": 0.0}, relative_tolerance=1e-8).advance(until=50.0)
    assert run[0, 1] == pytest.approx(1.0, rel=1e-6)  # nothing leaves B


def test_initial_values_may_vary(network):
    program = engine.compile_model(network, varied=("A",), observables=("A",))
    found = program.start({"A": [1.0, 7.0]}).advance(until=0.0)
    np.testing.assert_array_equal(found[:, 0], [1.0, 7.0])


def test_tolerances_by_state(program):
    loose = program.start({"k": [0.5]}, absolute_tolerance={"A": 1.0, "B": 1.0}).advance(times=[0.0, 20.0])
    tight = program.start({"k": [0.5]}, absolute_tolerance={"A": 1e-10}).advance(times=[0.0, 20.0])
    reference = np.exp(-10.0)
    assert abs(tight[0, 1, 0] - reference) < abs(loose[0, 1, 0] - reference)


def test_single_precision_is_an_option(network):
    program = engine.compile_model(network, varied=("k",), observables=("A",), float_type="float32")
    found = program.start({"k": [0.5]}, relative_tolerance=1e-4).advance(until=2.0)
    assert found[0, 0] == pytest.approx(np.exp(-1.0), rel=2e-4)


# ---- what goes wrong ---------------------------------------------------------------------------------------
def test_an_exploding_patient_stops_alone():
    network = engine.read_model("model m; x' = r*x*x; x = 1; r = 1; end")
    program = engine.compile_model(network, varied=("r",), observables=("x",))
    batch = program.start({"r": [1.0, 0.01]})
    found = batch.advance(times=[0.0, 0.5, 2.0])
    assert batch.status["code"].tolist()[1] == 0
    assert batch.status["code"][0] in (2, 3)
    assert batch.status["time"][0] == pytest.approx(1.0, abs=1e-3)  # the pole of 1/(1 - t)
    assert "'x'" in batch.status["reason"][0]
    assert np.isnan(found[0, 2, 0])
    assert found[1, 2, 0] == pytest.approx(1 / 0.98, rel=1e-4)


def test_a_step_limit_is_reported_and_stops_nobody_else(program):
    batch = program.start({"k": [0.5, 0.5]}, doses=[engine.Dose("A", [0.5, np.nan], 1.0)], max_steps=12)
    batch.advance(until=30.0)
    assert batch.status["code"][0] == 1
    assert batch.status["reason"][0].startswith("step limit reached")
    after = batch.advance(until=31.0)
    assert np.isnan(after[0]).all()


def test_a_step_limit_names_the_state_with_the_largest_share_of_the_error():
    text = "model m; large' = -large; x' = 100*y; y' = -100*x; large = 1e12; x = 1; y = 0; end"
    batch = engine.compile_model(engine.read_model(text), observables=("x",)).start(max_steps=50)
    batch.advance(until=100.0)
    assert batch.status["code"][0] == 1
    assert batch.status["reason"][0].endswith(("'x'", "'y'"))  # not the state whose error is largest in its own unit


def test_a_state_that_is_not_a_number_names_the_state():
    network = engine.read_model("model m; x' = -log(y); y' = -1; x = 1; y = 1; end")
    batch = engine.compile_model(network, observables=("x",)).start()
    batch.advance(until=3.0)
    assert batch.status["code"][0] in (2, 3)
    assert batch.status["time"][0] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"k": [0.5, np.nan]}, r"value of 'k' for patient 1 is nan"),
        ({"k": [np.inf]}, r"value of 'k' for patient 0 is inf"),
        ({}, "no values for the varied parameters k"),
        ({"k": [1.0], "kk": [1.0]}, 'unknown varied parameter "kk"'),
        ({"k": [-1.0]}, "'k' is negative for patient 0"),
        (np.ones((3, 2)), r"shape \(3, 2\)"),
    ],
)
def test_bad_values_are_refused(program, values, message):
    with pytest.raises(SimulationError, match=message):
        program.start(values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"relative_tolerance": 0.0}, "relative_tolerance"),
        ({"absolute_tolerance": -1.0}, "absolute_tolerance"),
        ({"absolute_tolerance": {"AA": 1.0}}, 'unknown state "AA"'),
        ({"start": np.nan}, "finite time"),
        ({"max_steps": 0}, "at least 1"),
        ({"shared": {"mm": 1.0}}, 'unknown shared parameter "mm"'),
        ({"shared": {"k": 1.0}}, "varies between patients"),
        ({"shared": {"m": np.nan}}, "'m' is nan"),
        ({"doses": [engine.Dose("AA", 1.0, 1.0)]}, 'unknown dose target "AA"'),
        ({"doses": [engine.Dose("A", -1.0, 1.0)]}, "before the start"),
        ({"doses": [engine.Dose("A", [1.0, 2.0], 1.0)]}, "expected one number or 1"),
        ({"doses": [engine.Dose("A", np.inf, 1.0)]}, "infinite"),
        ({"doses": [engine.Dose("A", 1.0, "D * A * q")]}, "unknown id"),
        ({"windows": {"p": (0.0, 1.0)}}, 'unknown reducer with a window "p"'),
    ],
)
def test_bad_options_are_refused(program, options, message):
    with pytest.raises((SimulationError, ModelError), match=message):
        program.start({"k": [0.5]}, **options)


def test_a_dose_after_the_end_changes_nothing(program):
    plain = program.start({"k": [0.5]}).advance(until=1.0)
    dosed = program.start({"k": [0.5]}, doses=[engine.Dose("A", 99.0, 5.0)]).advance(until=1.0)
    np.testing.assert_array_equal(plain, dosed)


def test_time_does_not_go_back(program):
    batch = program.start({"k": [0.5]})
    batch.advance(until=2.0)
    with pytest.raises(SimulationError, match="lies before the batch"):
        batch.advance(until=1.0)
    with pytest.raises(SimulationError, match="must not go back"):
        batch.advance(times=[4.0, 3.0])
    with pytest.raises(SimulationError, match="either"):
        batch.advance()


def test_setters_check(program):
    batch = program.start({"k": [0.5]})
    with pytest.raises(SimulationError, match="cannot be negative"):
        batch.set_state("A", -1.0)
    with pytest.raises(SimulationError, match="NaN"):
        batch.set_state("A", np.nan)
    with pytest.raises(SimulationError, match=r"unknown state"):
        batch.state("Bq")
    with pytest.raises(SimulationError, match="infinite"):
        batch.dose("A", np.inf)


def test_unknown_names_get_the_nearest(network):
    with pytest.raises(SimulationError, match='unknown parameter "kk"'):
        engine.compile_model(network, varied=("kk",))
    with pytest.raises(SimulationError, match='unknown observable "AA"'):
        engine.compile_model(network, observables=("AA",))
    with pytest.raises(SimulationError, match="float_type"):
        engine.compile_model(network, float_type="float16")
    with pytest.raises(SimulationError, match="lanes"):
        engine.compile_model(network, lanes=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model m; x -> ; k*(x; end", "not Antimony"),
        ("<?xml version='1.0'?><sbml", "problem"),
        ("model m; x := y; y := x; z' = x; z = 0; end", "circle|Loop"),
    ],
)
def test_unreadable_models_are_refused(text, message):
    with pytest.raises(ModelError, match=message):
        engine.compile_model(engine.read_model(text))


def test_missing_files_are_named():
    with pytest.raises(ModelError, match=r"no model file 'nowhere\.xml'"):
        engine.read_model("nowhere.xml")


def test_a_parameter_without_a_value_is_an_error():
    network = engine.read_model("model m; x' = -k*x; x = 1; k = 1; end")
    network.model.getParameter("k").unsetValue()
    program = engine.compile_model(network)
    with pytest.raises(SimulationError, match="value of 'k' is nan"):
        program.start()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model m; x' = -x; x = 1; at 3 after (x < 0.5): x = 1; end", "delay of event"),
        ("model m; x' = -delay(x, 1); x = 1; end", r"delay\(\)"),
        ("model m; x' = -rateOf(y); x = 1; y' = 1; y = 0; end", r"rateOf\(\)"),
        ("model m; x' = -x; x = 1; at (x < 0.5), priority=2: x = 1; end", "priority of event"),
    ],
)
def test_constructs_outside_the_subset_are_named(text, message):
    with pytest.raises(UnsupportedModelError, match=message):
        engine.read_model(text)


def test_an_assignment_rule_cannot_vary():
    network = engine.read_model("model m; x' = -y; x = 1; y := 2*x; end")
    with pytest.raises(SimulationError, match="assignment rule"):
        engine.compile_model(network, varied=("y",))
