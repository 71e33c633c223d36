"""Evidence: independent. R survival, cmprsk, mvtnorm, rpact; script and versions in validation/analysis."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seedbed.analysis import competing, cox, gray, hazard_tests, proportion, sequential, survival
from seedbed.analysis.hazard_tests import WeightedScores, max_combo_p_values

DATA = Path(__file__).parent / "data"
ARMS = ("experimental", "control")
EXACT = 1e-9  # both programs evaluate the same closed formula in double precision


@pytest.fixture(scope="module")
def reference() -> dict[str, float]:
    return pd.read_csv(DATA / "r_reference.csv").set_index("name")["value"].to_dict()


@pytest.fixture(scope="module")
def trial() -> pd.DataFrame:
    return pd.read_csv(DATA / "trial.csv")


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("day", [182, 364])
def test_kaplan_meier(reference, trial, arm, day):
    curve = survival.survival_curves(trial)[arm]
    point = curve.at(day)
    key = f"km.{arm}.{day}"
    assert point.value == pytest.approx(reference[f"{key}.survival"], rel=EXACT)
    assert point.standard_error == pytest.approx(reference[f"{key}.se"], rel=EXACT)
    assert point.lower == pytest.approx(reference[f"{key}.lower"], rel=EXACT)
    assert point.upper == pytest.approx(reference[f"{key}.upper"], rel=EXACT)
    counted = survival.numbers_at_risk(trial, [day]).set_index("arm").loc[arm]
    assert counted["at_risk"] == reference[f"{key}.at_risk"]


@pytest.mark.parametrize("arm", ARMS)
def test_median_and_restricted_mean(reference, trial, arm):
    curve = survival.survival_curves(trial)[arm]
    assert curve.quantile().value == reference[f"median.{arm}.value"]
    assert curve.quantile().lower == reference[f"median.{arm}.lower"]
    mean = survival.rmst(curve, horizon=540)
    assert mean.value == pytest.approx(reference[f"rmst.{arm}.value"], rel=EXACT)
    assert mean.standard_error == pytest.approx(reference[f"rmst.{arm}.se"], rel=EXACT)


def test_logrank_plain_stratified_and_weighted(reference, trial):
    assert hazard_tests.logrank(trial, arms=ARMS).statistic == pytest.approx(reference["logrank.chisq"], rel=EXACT)
    stratified = hazard_tests.logrank(trial, arms=ARMS, strata="stratum")
    assert stratified.statistic == pytest.approx(reference["logrank_stratified.chisq"], rel=EXACT)
    combined = hazard_tests.max_combo(trial, arms=ARMS)
    assert combined.details["z_fh_10"] ** 2 == pytest.approx(reference["logrank_fh10.chisq"], rel=1e-6)


@pytest.mark.parametrize(
    ("model", "options"), [("plain", {}), ("stratified", {"strata": "stratum"}), ("adjusted", {"covariates": ["age"]})]
)
def test_cox(reference, trial, model, options):
    ratio = cox.hazard_ratio(trial, arms=ARMS, **options)
    # iterative fits: both stop at a relative step of about 1e-9 in the likelihood, 1e-5 in the coefficient
    assert np.log(ratio.value) == pytest.approx(reference[f"cox.{model}.coef"], rel=1e-5)
    assert ratio.standard_error == pytest.approx(reference[f"cox.{model}.se"], rel=1e-5)


def test_proportional_hazards(reference, trial):
    assert cox.proportional_hazards(trial, arms=ARMS).statistic == pytest.approx(reference["zph.chisq"], rel=1e-5)


def test_gray_and_aalen_johansen(reference, trial):
    table = pd.read_csv(DATA / "competing.csv")
    for cause in (1, 2):
        result = gray.gray_test(table, arms=ARMS, cause_of_interest=cause)
        assert result.statistic == pytest.approx(reference[f"gray.cause{cause}"], rel=EXACT)
        by_stratum = table.assign(stratum=trial["stratum"])
        stratified = gray.gray_test(by_stratum, arms=ARMS, cause_of_interest=cause, strata="stratum")
        assert stratified.statistic == pytest.approx(reference[f"gray_stratified.cause{cause}"], rel=EXACT)
        curves = competing.incidence_curves(table, cause_of_interest=cause)
        for arm in ARMS:
            for day in (182, 364):
                key = f"incidence.{arm}.cause{cause}.{day}"
                assert curves[arm].at(day).value == pytest.approx(reference[f"{key}.value"], rel=EXACT)
                assert curves[arm].at(day).standard_error == pytest.approx(reference[f"{key}.se"], rel=EXACT)


def fleming_harrington_covariance() -> np.ndarray:
    pooled = np.linspace(1, 0.35, 140)
    moments = [np.sum(0.25 * pooled**j) for j in range(5)]
    weights = np.array([[1, 0, 0], [1, -1, 0], [0, 1, 0], [0, 1, -1]])
    hankel = np.array([[moments[i + j] for j in range(3)] for i in range(3)])
    return weights @ hankel @ weights.T


@pytest.mark.parametrize("edge", [1.2, 2.1, 2.9])
def test_max_combo_distribution(reference, edge):
    covariance = fleming_harrington_covariance()
    # the smallest z is the log-rank's, the others lie above it
    z = np.array([-1.0, -0.5, -0.9, -0.4]) * edge
    scores = WeightedScores((z * np.sqrt(np.diag(covariance)))[None], covariance[None])
    # pmvnorm's ridge of 1e-7 and its quasi-Monte Carlo leave about 2e-5
    assert max_combo_p_values(scores)[0] == pytest.approx(reference[f"maxcombo.two_sided.{edge:g}"], abs=2e-5)
    one_sided = max_combo_p_values(scores, one_sided=True)[0]
    assert one_sided == pytest.approx(reference[f"maxcombo.one_sided.{edge:g}"], abs=2e-5)


@pytest.mark.parametrize(("kind", "spending"), [("asOF", "obrien_fleming"), ("asP", "pocock")])
def test_boundaries(reference, kind, spending):
    boundary = sequential.efficacy_boundary([0.35, 0.7, 1.0], alpha=0.025, spending=spending)
    expected = [reference[f"boundary.{kind}.{look}"] for look in (1, 2, 3)]
    np.testing.assert_allclose(boundary.critical, expected, atol=1e-6)  # rpact's root search


def test_exact_binomial(reference):
    rate = proportion.binomial(17, 64)
    assert rate.lower == pytest.approx(reference["binomial.lower"], rel=EXACT)
    assert rate.upper == pytest.approx(reference["binomial.upper"], rel=EXACT)
