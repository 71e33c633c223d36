from dataclasses import replace

import numpy as np
import pytest

from seedbed.errors import SimulationError, UnsupportedModelError
from seedbed.study.benchmark import bars, comparison, own, peers, problems

TEXT = "model m; A' = -k*A; B' = k*A - g*B; A = 1; B = 0; k = 1; g = 0.2; end"
ABSENT = ("pydiffsol", "amici")
PIECES = "model m; A' = piecewise(-k*A, A > 0.5, -A); A = 1; k = 1; end"


@pytest.fixture
def problem(tmp_path):
    path = tmp_path / "model.ant"
    path.write_text(TEXT)
    found = problems.file_problem(str(path), until=10.0, n=3, points=11)
    doses = ((2.0, "A", np.array([1.0, 2.0, 3.0])),)
    return comparison.with_reference(replace(found, doses=doses), 3)


def test_two_solvers_agree_on_a_dosed_problem(problem):
    for name in ("seedbed", "libRoadRunner"):
        observed, seconds = peers.PEERS[name].run(problem, 1e-8, 3)
        assert comparison.errors_of(problem, observed).max() < 1e-4
        assert seconds > 0


def test_patients_differ_and_repeat(problem):
    assert problem.values.shape == (3, len(problem.varied))
    assert len(np.unique(problem.values[:, 0])) == 3
    again = problems.sampled_values(problem.sbml, problem.varied, 0.1, 3)
    np.testing.assert_array_equal(again, problem.values)


def test_a_wrong_peer_has_an_error_and_a_failed_one_infinity(problem):
    right = peers.run_seedbed(problem, 1e-9, 3)[0]
    assert comparison.errors_of(problem, right * 1.01) == pytest.approx(0.01, rel=0.01)
    assert np.isinf(comparison.errors_of(problem, right * np.nan)).all()


def test_speed_at_an_error_lies_between_the_tolerances():
    rows = [comparison.Measurement("x", t, s, e, e) for t, s, e in ((1e-4, 100.0, 1e-3), (1e-6, 25.0, 1e-5))]
    speed, inside = comparison.speed_at_error(rows, "x", 1e-4)
    assert speed == pytest.approx(50.0)
    assert inside
    assert comparison.speed_at_error(rows, "x", 1e-7) == (pytest.approx(25.0), False)
    assert np.isnan(comparison.speed_at_error(rows, "y", 1e-4)[0])


def test_measuring_keeps_the_median(problem):
    found = comparison.measure(problem, ["seedbed"], (1e-4, 1e-6), 2, 2)
    assert [m.tolerance for m in found] == [1e-4, 1e-6]
    assert found[1].error < found[0].error


def test_models_with_events_are_refused(tmp_path):
    path = tmp_path / "model.ant"
    path.write_text("model m; A' = -A; A = 1; at (A < 0.5): A = 1; end")
    with pytest.raises(UnsupportedModelError, match="events in a benchmark"):
        problems.file_problem(str(path), 1.0, 2)


def test_errors_need_a_reference(problem):
    with pytest.raises(SimulationError, match="need a reference"):
        comparison.errors_of(replace(problem, reference=None), problem.reference)


def test_the_library_problem_can_be_read():
    problem = problems.library_problem("asct_cart", 2)
    assert len(problem.doses) > 10
    assert problem.values.shape[0] == 2


def test_a_peer_that_cannot_take_a_model_says_why(monkeypatch, tmp_path):
    path = tmp_path / "model.ant"
    path.write_text(PIECES)
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda module: None if module == "amici" else module)
    wanted = ["seedbed", "libRoadRunner", "diffsol", "AMICI"]
    able, reasons = peers.usable(problems.file_problem(str(path), 1.0, 1), wanted)
    assert able == ["seedbed", "libRoadRunner"]
    assert "in a model for diffsol" in reasons["diffsol"]
    assert reasons["AMICI"] == "not installed"


def test_no_number_depends_on_the_company(problem):
    assert own.differing_numbers(problem) == 0


def test_the_engine_by_itself_is_measured(problem):
    assert own.lane_gain(problem, 4, 1) > 0
    assert own.thread_gain(problem, 1) > 0
    share, peak, operations = own.share_of_peak(problem, 1)
    assert 0 < share < 1
    assert peak > 1e8
    # Two states, eight stages: at least the sums over stages, a hundred operations a state.
    assert 200 < operations < 2000
    load, compiling = own.cache_share(problem, 1)
    assert load > 0
    assert compiling > 0
    assert own.peak_mebibytes(problem, 3) > 10


def test_bars_name_what_they_need(monkeypatch, problem):
    settings = bars.Settings(2, 1, None)
    rows = list(bars.reference_bars(settings))
    assert [row.met for row in rows] == [None] * 4
    assert {row.measured for row in rows} == {bars.NO_FOLDER}
    monkeypatch.setattr(bars.Settings, "problem", lambda _self, name: None if name == "bench47" else problem)
    monkeypatch.setattr(bars, "TOLERANCES", (1e-4, 1e-6))
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda module: None if module in ABSENT else module)
    rows = list(bars.speed_bars(settings))
    assert [row.measured for row in rows[:3]] == [bars.NO_FOLDER] * 3
    met = {row.what.rsplit(" ", 1)[1]: row.met for row in rows[3:]}
    assert set(met) == {"libRoadRunner", "diffsol"}, [row.what for row in rows]
    assert met["diffsol"] is None
    assert met["libRoadRunner"] is not None


def test_a_missing_design_folder_is_said(tmp_path):
    with pytest.raises(SimulationError, match="there is no folder"):
        problems.design_folder(tmp_path / "nowhere")
