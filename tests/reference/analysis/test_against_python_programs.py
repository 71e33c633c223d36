"""Evidence: independent. statsmodels (SurvfuncRight, survdiff, PHReg) and lifelines, run in the test."""

import warnings

import numpy as np
import pandas as pd
import pytest

from seedbed.analysis import competing, cox, hazard_tests, replicates, survival
from seedbed.analysis.risk_sets import risk_sets

ARMS = ("experimental", "control")
EXACT = 1e-9  # the same closed formula in double precision


def trials(n_replicates: int = 12, n: int = 300) -> list[pd.DataFrame]:
    """Trials with ties at visits, censoring, delayed effect and strata."""
    generator = np.random.default_rng(11)
    made = []
    for replicate in range(n_replicates):
        experimental = np.arange(n) % 2 == 0
        first = generator.exponential(250, n)
        later = np.where(first < 120, first, 120 + (first - 120) * np.where(experimental, 1.8, 1.0))
        cut = generator.uniform(200, 700, n)
        width = 28 if replicate % 2 else 1
        made.append(
            pd.DataFrame(
                {
                    "arm": np.where(experimental, *ARMS),
                    "time": np.ceil(np.minimum(later, cut) / width) * width,
                    "event": later <= cut,
                    "stratum": generator.integers(0, 3, n),
                }
            )
        )
    return made


@pytest.fixture(scope="module")
def replicate_trials() -> list[pd.DataFrame]:
    return trials()


def stacked(made: list[pd.DataFrame]):
    columns = [np.stack([trial[name].to_numpy() for trial in made]) for name in ("time", "event", "arm")]
    return columns[0], columns[1], columns[2] == "experimental"


def test_fast_logrank_agrees_with_statsmodels(replicate_trials):
    from statsmodels.duration.survfunc import survdiff

    z = hazard_tests.logrank_z([risk_sets(*stacked(replicate_trials))])
    for replicate, trial in enumerate(replicate_trials):
        chi_square, _ = survdiff(trial["time"], trial["event"].astype(int), trial["arm"])
        assert z[replicate] ** 2 == pytest.approx(chi_square, rel=EXACT)


def test_fast_stratified_logrank_agrees_with_statsmodels(replicate_trials):
    from statsmodels.duration.survfunc import survdiff

    time, event, experimental = stacked(replicate_trials)
    stratum = np.stack([trial["stratum"].to_numpy() for trial in replicate_trials])
    z = hazard_tests.logrank_z([risk_sets(time, event, experimental, include=stratum == level) for level in range(3)])
    for replicate, trial in enumerate(replicate_trials):
        chi_square, _ = survdiff(trial["time"], trial["event"].astype(int), trial["arm"], strata=trial["stratum"])
        assert z[replicate] ** 2 == pytest.approx(chi_square, rel=EXACT)


def test_kaplan_meier_agrees_with_statsmodels(replicate_trials):
    from statsmodels.duration.survfunc import SurvfuncRight

    for trial in replicate_trials[:3]:
        theirs = SurvfuncRight(trial["time"], trial["event"].astype(int))
        ours = survival.kaplan_meier(trial["time"], trial["event"]).table().set_index("time")
        ours = ours.loc[theirs.surv_times]
        np.testing.assert_allclose(ours["survival"], theirs.surv_prob, rtol=EXACT)
        np.testing.assert_allclose(ours["at_risk"], theirs.n_risk)
        finite = np.isfinite(theirs.surv_prob_se)
        np.testing.assert_allclose(ours["standard_error"][finite], theirs.surv_prob_se[finite], rtol=1e-8)


def test_fast_hazard_ratio_agrees_with_statsmodels(replicate_trials):
    beta, error = cox.log_hazard_ratios([risk_sets(*stacked(replicate_trials))])
    for replicate, trial in enumerate(replicate_trials):
        ratio = cox.hazard_ratio(trial, arms=ARMS)
        assert beta[replicate] == pytest.approx(np.log(ratio.value), abs=1e-6)  # PHReg stops at about 1e-8
        assert error[replicate] == pytest.approx(ratio.standard_error, rel=1e-6)


def test_fast_rmst_and_milestone_agree_with_the_single_trial(replicate_trials):
    sets = risk_sets(*stacked(replicate_trials))
    means = replicates.rmst_differences(sets, 400.0)
    points = replicates.milestone_differences(sets, 365.0)
    for replicate, trial in enumerate(replicate_trials):
        mean, test = survival.rmst_difference(trial, arms=ARMS, horizon=400.0)
        assert means.value[replicate] == pytest.approx(mean.value, rel=EXACT, abs=1e-9)
        assert means.z()[replicate] == pytest.approx(test.z, rel=EXACT, abs=1e-9)
        point, test = survival.milestone_difference(trial, arms=ARMS, time=365.0)
        assert points.z()[replicate] == pytest.approx(test.z, rel=EXACT)
        assert points.value[replicate] == pytest.approx(point.value, rel=EXACT, abs=1e-12)
        assert points.standard_error[replicate] == pytest.approx(point.standard_error, rel=EXACT)


def test_milestone_test_agrees_with_lifelines(replicate_trials):
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import survival_difference_at_fixed_point_in_time_test

    for trial in replicate_trials[1::2]:  # those with visits: lifelines interpolates its variance between them
        fitted = []
        for arm in ARMS:
            rows = trial[trial["arm"] == arm]
            fitted.append(KaplanMeierFitter().fit(rows["time"], rows["event"]))
        theirs = survival_difference_at_fixed_point_in_time_test(280.0, *fitted)
        _, ours = survival.milestone_difference(trial, arms=ARMS, time=280.0)
        assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-8)


def test_weighted_scores_agree_with_lifelines(replicate_trials):
    from lifelines.statistics import logrank_test

    scores = hazard_tests.weighted_scores(risk_sets(*stacked(replicate_trials)))
    for replicate, trial in enumerate(replicate_trials[:4]):
        parts = [trial[trial["arm"] == arm] for arm in ARMS]
        columns = (parts[0]["time"], parts[1]["time"], parts[0]["event"], parts[1]["event"])
        for index, (p, q) in enumerate([(0, 1), (1, 0), (1, 1)], start=1):
            theirs = logrank_test(*columns, weightings="fleming-harrington", p=p, q=q)
            assert scores.z[replicate, index] ** 2 == pytest.approx(theirs.test_statistic, rel=1e-8)


def test_rmst_agrees_with_lifelines(replicate_trials):
    from lifelines import KaplanMeierFitter
    from lifelines.utils import restricted_mean_survival_time

    trial = replicate_trials[0]
    fitter = KaplanMeierFitter().fit(trial["time"], trial["event"])
    curve = survival.kaplan_meier(trial["time"], trial["event"])
    assert survival.rmst(curve, horizon=365).value == pytest.approx(
        restricted_mean_survival_time(fitter, t=365), rel=1e-6
    )


def test_aalen_johansen_agrees_with_lifelines(replicate_trials):
    from lifelines import AalenJohansenFitter

    trial = replicate_trials[0]
    generator = np.random.default_rng(3)
    cause = np.where(trial["event"], generator.integers(1, 3, len(trial)), 0)
    time = trial["time"] + generator.uniform(0, 0.5, len(trial))  # lifelines breaks ties by chance
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = AalenJohansenFitter(calculate_variance=False).fit(time, cause, event_of_interest=1)
    ours = competing.cumulative_incidence(time, cause)
    theirs = fitted.cumulative_density_.iloc[:, 0]
    for day in (100.0, 300.0):
        assert ours.at(day).value == pytest.approx(theirs.loc[:day].iloc[-1], rel=1e-8)


def test_stratified_differences_average_the_single_strata(replicate_trials):
    time, event, experimental = stacked(replicate_trials)
    stratum = np.stack([trial["stratum"].to_numpy() for trial in replicate_trials])
    strata = [risk_sets(time, event, experimental, include=stratum == level) for level in range(3)]
    plain = risk_sets(time, event, experimental)
    means = replicates.stratified_rmst_differences(plain, strata, 200.0)
    points = replicates.stratified_milestone_differences(plain, strata, 180.0)
    for replicate in (0, 1):
        trial = replicate_trials[replicate]
        sizes, expected = [], []
        for _, rows in trial.groupby("stratum"):
            mean, _ = survival.rmst_difference(rows, arms=ARMS, horizon=200.0)
            point, _ = survival.milestone_difference(rows, arms=ARMS, time=180.0)
            sizes.append(len(rows))
            expected.append((mean.value, mean.standard_error, point.value, point.standard_error))
        weight, parts = np.array(sizes) / sum(sizes), np.array(expected)
        assert means.value[replicate] == pytest.approx(weight @ parts[:, 0], rel=EXACT)
        assert means.standard_error[replicate] == pytest.approx(np.sqrt(weight**2 @ parts[:, 1] ** 2), rel=EXACT)
        assert points.value[replicate] == pytest.approx(weight @ parts[:, 2], rel=1e-8)
        assert points.standard_error[replicate] == pytest.approx(np.sqrt(weight**2 @ parts[:, 3] ** 2), rel=EXACT)
