"""Evidence: double-programmed. The exported SBML run by libRoadRunner (CVODE) against the engine, doses included."""

import numpy as np
import pytest

import asct_cart_doses as doses
from roadrunner_course import Course
from seedbed import engine, protocol
from seedbed.model import read_model, to_antimony, to_sbml
from seedbed.trial import enrollment

ONE_CELL = 1e-9
PLANS = {
    "flucy_cart": [*doses.fludarabine_cyclophosphamide(), *doses.cart()],
    "beam_asct": [*doses.beam(), *doses.graft(), *doses.filgrastim()],
    "both": [*doses.beam(), *doses.graft(), *doses.cart(2), *doses.filgrastim(), (28.0, "tocilizumab_central", 560.0)],
}
PATIENTS = {
    "tumor_burden_systemic": np.array([95.0, 1.0]),
    "k_effector_proliferation_max": np.array([1.95, 1.5]),
    "costimulation_cytokine": np.array([1.0, 2.0]),
}


N_SUBJECTS = 50
ARMS = ("asct_cart", "asct", "cart", "neither")


def excess(found, expected):
    """Difference over what the project allows: 1e-4 of the reference and one cell (or 1e-9 of the state's unit)."""
    return np.abs(found - expected) / (1e-4 * np.abs(expected) + ONE_CELL)


@pytest.fixture(scope="module")
def model():
    return read_model("asct_cart")


@pytest.fixture(scope="module")
def names(model):
    return tuple(model.states)


@pytest.fixture(scope="module")
def program(model, names):
    return engine.compile_model(engine.read_model(model.sbml), varied=tuple(PATIENTS), observables=names)


@pytest.mark.parametrize("plan", PLANS)
def test_two_integrators_agree(plan, model, names, program):
    times = np.arange(0.0, 181.0, 2.0)
    batch = program.start(
        PATIENTS,
        start=0.0,
        doses=tuple(engine.Dose(target=state, time=day, amount=amount) for day, state, amount in PLANS[plan]),
        relative_tolerance=1e-9,
        absolute_tolerance=1e-14,
        max_steps=200_000,
    )
    found = batch.advance(times=times)
    course = Course(model.sbml, relative=1e-10, absolute=1e-14)
    for patient in range(2):
        values = {name: float(drawn[patient]) for name, drawn in PATIENTS.items()}
        expected = course.run(list(times), list(names), PLANS[plan], values)
        beyond = excess(found[patient], expected.to_numpy())
        assert beyond.max() < 1, names[int(beyond.max(axis=0).argmax())]


@pytest.fixture(scope="module")
def enrolled():
    trial, who = enrollment.read("asct_cart_lbcl")
    trial = protocol.square(trial)
    return trial, enrollment.enroll(trial, who, N_SUBJECTS, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARMS)
def test_two_integrators_agree_for_virtual_patients_in_every_arm(name, enrolled, model, names):
    trial, people = enrolled
    drawn = enrollment.parameters(people, name)
    given = protocol.doses(trial.arms[name], people.arm_tables[name], people.subjects)
    times = np.arange(0.0, 401.0, 10.0)
    program = engine.compile_model(engine.read_model(model.sbml), varied=tuple(drawn.columns), observables=names)
    batch = program.start(
        drawn.to_numpy(dtype=float),
        doses=tuple(given),
        relative_tolerance=1e-9,
        absolute_tolerance=1e-14,
        max_steps=200_000,
    )
    found = batch.advance(times=times)
    course = Course(model.sbml, relative=1e-10, absolute=1e-14)
    for patient in range(N_SUBJECTS):
        plan = [(float(dose.time[patient]), dose.target, float(dose.amount[patient])) for dose in given]
        plan = [dose for dose in plan if not np.isnan(dose[0]) and dose[0] <= times[-1]]
        values = {parameter: float(drawn[parameter].iloc[patient]) for parameter in drawn}
        expected = course.run(list(times), list(names), plan, values)
        beyond = excess(found[patient], expected.to_numpy())
        assert beyond.max() < 1, (patient, names[int(beyond.max(axis=0).argmax())])


def test_antimony_export_is_the_same_model(model):
    again = Course(to_sbml(to_antimony(model.sbml), model.id))
    first = Course(model.sbml)
    observed = list(model.observables)
    plan = PLANS["flucy_cart"]
    np.testing.assert_allclose(
        again.run([10.0, 30.0], observed, plan), first.run([10.0, 30.0], observed, plan), rtol=1e-6, atol=1e-9
    )
