import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from seedbed import evidence
from seedbed.errors import ContentError
from seedbed.evidence import reconstruct


def censored_trial(n=200, seed=3):
    random = np.random.default_rng(seed)
    death, lost = random.exponential(500, n), random.uniform(100, 1500, n)
    return np.minimum(death, lost), death <= lost


def published(time, event, points, risk_times):
    curve = KaplanMeierFitter().fit(time, event)
    survival = [float(curve.predict(point)) for point in points]
    return survival, [int((time > at).sum()) if at else len(time) for at in risk_times]


def test_a_densely_digitized_curve_comes_back_with_its_events():
    time, event = censored_trial()
    points, risk_times = np.arange(20.0, 1200.0, 20.0), [0, 200, 400, 600, 800, 1000]
    survival, at_risk = published(time, event, points, risk_times)
    rebuilt = reconstruct(points, survival, risk_times=risk_times, at_risk=at_risk)
    assert rebuilt.largest_error < 0.012  # rounding of about one patient among those at risk late
    assert list(rebuilt.at_risk["rebuilt"]) == pytest.approx(at_risk, abs=1)
    assert len(rebuilt.patients) == 200
    assert rebuilt.patients["event"].sum() == pytest.approx(event[time <= 1180].sum(), abs=6)
    again = KaplanMeierFitter().fit(rebuilt.patients["time"], rebuilt.patients["event"])
    assert [float(again.predict(point)) for point in points] == pytest.approx(list(rebuilt.points["rebuilt"]), abs=1e-9)


def test_without_censoring_whole_counts_come_back_exactly():
    rebuilt = reconstruct([100, 200, 300], [0.8, 0.5, 0.5], risk_times=[0], at_risk=[20])
    assert rebuilt.largest_error < 1e-12
    assert list(rebuilt.patients.loc[rebuilt.patients["event"], "time"]) == [100] * 4 + [200] * 6
    assert not rebuilt.censoring_known


def test_a_flat_tail_makes_no_events():
    rebuilt = reconstruct([100, 400, 900], [0.6, 0.6, 0.6], risk_times=[0, 500], at_risk=[50, 12])
    assert set(rebuilt.patients.loc[rebuilt.patients["event"], "time"]) == {100}


def test_landmarks_spread_their_events_between_them():
    rebuilt = reconstruct([365, 730], [0.5, 0.4], risk_times=[0], at_risk=[100], spread_events=True)
    deaths = rebuilt.patients.loc[rebuilt.patients["event"], "time"]
    assert deaths.nunique() == len(deaths) == 60
    assert rebuilt.largest_error < 1e-12


def test_the_printed_number_of_events_sets_the_censoring_of_the_last_interval():
    free = reconstruct([100, 200], [0.8, 0.4], risk_times=[0], at_risk=[100])
    fixed = reconstruct([100, 200], [0.8, 0.4], risk_times=[0], at_risk=[100], total_events=40)
    assert free.patients["event"].sum() == 60
    assert fixed.patients["event"].sum() == pytest.approx(40, abs=1)
    assert fixed.largest_error < 0.02


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([100, 200], [0.5, 0.6], [0], [10]), "leaves 0 to 1 or rises"),
        (([100], [1.2], [0], [10]), "leaves 0 to 1 or rises"),
        (([], [], [0], [10]), "no point of the curve"),
        (([100], [0.5], [10], [10]), "no number at risk at day 0"),
        (([100, 200], [0.5, 0.4], [0, 150], [10, 12]), "numbers at risk rise"),
        (([100, 200], [0.5, 0.4], [0, 150], [100, 80]), "80 at risk at day 150, but the curve leaves at most 50"),
    ],
)
def test_contradictions_are_refused(arguments, words):
    times, survival, risk_times, at_risk = arguments
    with pytest.raises(ContentError, match=words):
        reconstruct(times, survival, risk_times=risk_times, at_risk=at_risk)


def test_curves_of_the_library_are_rebuilt_where_the_points_allow():
    rebuilt = evidence.reconstruct_arm("mskcc_mtv_367", "cart", "pfs")
    assert list(rebuilt.points["published"]) == [0.5, 0.41, 0.36]
    assert rebuilt.largest_error < 0.002  # half a patient of 367
    with pytest.raises(ContentError, match="two landmarks and the number of patients are needed"):
        evidence.reconstruct_arm("sauter_2019", "asct_cart", "pfs")
    with pytest.raises(ContentError, match='did you mean "axi_cel"'):
        evidence.reconstruct_arm("zuma_1", "axicel", "pfs")
