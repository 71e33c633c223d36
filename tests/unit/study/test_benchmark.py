import numpy as np
import pytest

from seedbed.errors import SimulationError, UnsupportedModelError
from seedbed.study import benchmark

TEXT = "model m; A' = -k*A; B' = k*A - g*B; A = 1; B = 0; k = 1; g = 0.2; end"


@pytest.fixture
def problem(tmp_path):
    path = tmp_path / "model.ant"
    path.write_text(TEXT)
    found = benchmark.file_problem(str(path), until=10.0, n=3, points=11)
    doses = ((2.0, "A", np.array([1.0, 2.0, 3.0])),)
    return benchmark.with_reference(benchmark.replace(found, doses=doses), 3)


def test_two_solvers_agree_on_a_dosed_problem(problem):
    for name in ("seedbed", "libRoadRunner"):
        observed, seconds = benchmark.PEERS[name][1](problem, 1e-8, 3)
        assert benchmark.errors_of(problem, observed).max() < 1e-4
        assert seconds > 0


def test_patients_differ_and_repeat(problem):
    assert problem.values.shape == (3, len(problem.varied))
    assert len(np.unique(problem.values[:, 0])) == 3
    again = benchmark.sampled_values(problem.sbml, problem.varied, 0.1, 3)
    np.testing.assert_array_equal(again, problem.values)


def test_a_wrong_peer_has_an_error_and_a_failed_one_infinity(problem):
    right = benchmark.run_seedbed(problem, 1e-9, 3)[0]
    assert benchmark.errors_of(problem, right * 1.01) == pytest.approx(0.01, rel=0.01)
    assert np.isinf(benchmark.errors_of(problem, right * np.nan)).all()


def test_speed_at_an_error_lies_between_the_tolerances():
    rows = [benchmark.Measurement("x", t, s, e, e) for t, s, e in ((1e-4, 100.0, 1e-3), (1e-6, 25.0, 1e-5))]
    speed, inside = benchmark.speed_at_error(rows, "x", 1e-4)
    assert speed == pytest.approx(50.0)
    assert inside
    assert benchmark.speed_at_error(rows, "x", 1e-7) == (pytest.approx(25.0), False)
    assert np.isnan(benchmark.speed_at_error(rows, "y", 1e-4)[0])


def test_measuring_keeps_the_median(problem):
    found = benchmark.measure(problem, ["seedbed"], (1e-4, 1e-6), 2, 2)
    assert [m.tolerance for m in found] == [1e-4, 1e-6]
    assert found[1].error < found[0].error


def test_models_with_events_are_refused(tmp_path):
    path = tmp_path / "model.ant"
    path.write_text("model m; A' = -A; A = 1; at (A < 0.5): A = 1; end")
    with pytest.raises(UnsupportedModelError, match="events in a benchmark"):
        benchmark.file_problem(str(path), 1.0, 2)


def test_errors_need_a_reference(problem):
    with pytest.raises(SimulationError, match="need a reference"):
        benchmark.errors_of(benchmark.replace(problem, reference=None), problem.reference)


def test_the_library_problem_can_be_read():
    problem = benchmark.library_problem("asct_cart", 2)
    assert len(problem.doses) > 10
    assert problem.values.shape[0] == 2
