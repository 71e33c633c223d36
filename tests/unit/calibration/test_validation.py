"""Predictive intervals, scores and rivals."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from seedbed.calibration.readings import Piece, Readings
from seedbed.calibration.terms import Term, Terms
from seedbed.calibration.validation import (
    Row,
    by_study,
    chain,
    clustered_error,
    interval_score,
    meta_analysis_rival,
    parameter_part,
    predict_arm,
    score_row,
    totals,
)
from seedbed.calibration.validation_run import without_cart


def row(kind="share", observed=0.5, size=60.0, name="a/cr"):
    return Row(name, "study", "a", "cr", "response", np.nan, kind, observed, np.nan, np.nan, size, "fit")


def noisy_members(sd, patients=100, k=400, seed=1):
    draw = np.random.default_rng(seed)
    true = logit(0.4) + sd * draw.standard_normal(k)
    return (draw.binomial(patients, expit(true)) / patients, np.full(k, float(patients))), true


def predict(seen, members, tau, seed, repeats=20):
    terms = Terms((Term(seen.id, "a", "s", "response", "cr", seen.kind, 0.5, 10.0),))
    links = parameter_part(seen.kind, *members)[:, None]
    return predict_arm(terms, links, {"response": tau}, [seen], seed, repeats=repeats)[seen.id]


@pytest.mark.parametrize("sd", [0.0, 0.3, 0.8])
def test_monte_carlo_noise_is_taken_out_of_the_parameters_part(sd):
    members, true = noisy_members(sd)
    part = parameter_part("share", *members)
    assert part.std() == pytest.approx(true.std(), abs=0.06)
    assert expit(part).mean() == pytest.approx(np.average(members[0]), abs=1e-6)


def test_values_keep_their_spread_and_missing_members_take_the_mean():
    draw = np.random.default_rng(2)
    estimate = 2.0 + 0.5 * draw.standard_normal(300) + 0.2 * draw.standard_normal(300)
    estimate[:10] = np.nan
    weight = np.where(np.isnan(estimate), 0.0, 25.0)
    part = parameter_part("value", estimate, weight)
    assert part[10:].std() == pytest.approx(0.5, abs=0.06)
    assert np.all(part[:10] == part[0])


def test_each_step_adds_its_width():
    members, _ = noisy_members(0.4)
    found = predict(row(), members, np.full(400, 0.3), seed=1)
    score = score_row(row(), found)
    assert score["width_parameters"] == pytest.approx(2 * 1.645 * 0.4 * 0.24, rel=0.15)
    assert score["width_study"] > 0.03
    assert score["width_sampling"] > 0.05
    total = score["width_parameters"] + score["width_study"] + score["width_sampling"]
    assert total == pytest.approx(score["upper"] - score["lower"], abs=1e-9)
    assert score["hit"]
    assert predict(row(), members, np.full(400, 0.3), seed=1).with_sampling.tolist() == found.with_sampling.tolist()


def test_predictive_intervals_cover_what_they_say():
    hits, n = 0, 300
    draw = np.random.default_rng(3)
    members, _ = noisy_members(0.4, k=300)
    for i in range(n):
        chance = expit(logit(0.4) + 0.4 * draw.standard_normal() + 0.3 * draw.standard_normal())
        seen = row(observed=draw.binomial(60, chance) / 60, name=f"a/{i}")
        hits += score_row(seen, predict(seen, members, np.full(300, 0.3), seed=i, repeats=10))["hit"]
    assert hits / n == pytest.approx(0.9, abs=0.05)


def test_conditional_terms_are_put_together_again():
    terms = Terms(
        (
            Term("orr", "a", "s", "response", "orr", "share", 0.8, 50.0),
            Term("cr", "a", "s", "response", "cr", "share", 0.5, 40.0, "orr"),
        )
    )
    assert chain({t.id: t for t in terms.items}, "cr") == ["orr", "cr"]
    links = np.tile(logit([0.8, 0.5]), (200, 1))
    whole = Row("cr", "s", "a", "cr", "response", np.nan, "share", 0.4, 0.3, 0.5, 50.0, "fit")
    found = predict_arm(terms, links, {"response": np.full(200, 0.2)}, [whole], seed=1)["cr"]
    np.testing.assert_allclose(found.parameters, 0.4)
    assert found.with_study.mean() == pytest.approx(0.4, abs=0.01)
    assert found.with_sampling.std() == pytest.approx(np.hypot(found.with_study.std(), np.sqrt(0.24 / 50)), rel=0.1)


def test_interval_score_punishes_misses():
    assert interval_score(0.5, 0.4, 0.6) == pytest.approx(0.2)
    assert interval_score(0.7, 0.4, 0.6) == pytest.approx(0.2 + 20 * 0.1)
    assert interval_score(0.3, 0.4, 0.6, level=0.5) == pytest.approx(0.2 + 4 * 0.1)


def test_the_meta_analysis_rival_covers_a_new_study():
    draw, hits = np.random.default_rng(4), 0
    for i in range(150):
        sizes = draw.integers(30, 200, 9)
        shares = draw.binomial(sizes, expit(0.3 + 0.4 * draw.standard_normal(9))) / sizes
        others = pd.DataFrame({"study": [f"s{j}" for j in range(8)], "value": shares[:8], "n": sizes[:8]})
        seen = row(observed=shares[8], size=float(sizes[8]), name=f"x/{i}")
        hits += meta_analysis_rival(seen, others, seed=i, n_draws=2000)["hit"]
    assert hits / 150 == pytest.approx(0.9, abs=0.07)


def test_too_few_studies_make_no_rival():
    others = pd.DataFrame({"study": ["s1", "s1"], "value": [0.4, 0.5], "n": [10, 20]})
    assert np.isnan(meta_analysis_rival(row(), others, seed=1)["score"])


def test_values_are_scored_as_logarithms():
    others = pd.DataFrame({"study": list("abcd"), "value": [8.0, 10.0, 12.0, 9.0], "n": [20] * 4})
    seen = row("value", observed=10.0, size=100.0)
    rival = meta_analysis_rival(seen, others, seed=1)
    assert rival["hit"]
    assert rival["score"] == pytest.approx(np.log(rival["upper"] / rival["lower"]))


def test_clustered_error_counts_studies_and_not_rows():
    draw = np.random.default_rng(5)
    study = draw.standard_normal(40)
    values, clusters = np.repeat(study, 10), [str(i) for i in range(40) for _ in range(10)]
    assert clustered_error(values, clusters) == pytest.approx(study.std(ddof=1) / np.sqrt(40), rel=0.02)
    assert np.isnan(clustered_error(np.ones(3), ["a"] * 3))


@pytest.fixture
def scored():
    return pd.DataFrame(
        {
            "use": ["fit", "fit", "predict"],
            "study": ["a", "b", "c"],
            "kind": ["share", "value", "share"],
            "hit": [True, False, True],
            "lower": [0.1, 10.0, 0.2],
            "upper": [0.3, 20.0, 0.4],
            "score": [0.2, 0.6, 0.5],
            "meta_lower": [0.1, 10.0, np.nan],
            "meta_upper": [0.4, 10.0, np.nan],
            "meta_score": [0.3, 0.5, np.nan],
            "meta_hit": [True, True, False],
        }
    )


def test_totals_keep_fitted_and_predicted_apart(scored):
    found = totals(scored).set_index("use")
    assert found.loc["fit", ["hits", "rows", "compared"]].tolist() == [1, 2, 2]
    assert found.loc["fit", "difference"] == pytest.approx(0.0)
    assert found.loc["fit", "width"] == pytest.approx((0.2 + np.log(2.0)) / 2)
    assert found.loc["fit", "rival_width"] == pytest.approx(0.15)
    assert "predict" not in found.index


def test_scores_study_by_study(scored):
    found = by_study(scored).set_index("study")
    assert found.index.tolist() == ["a", "b"]
    assert found["difference"].tolist() == pytest.approx([-0.1, 0.1])
    assert set(found["rival"]) == {"meta_analysis"}


def test_a_rival_of_medians_does_not_count_sampling_twice():
    draw, hits = np.random.default_rng(8), 0
    for i in range(200):
        values = np.exp(2.3 + np.hypot(0.15, 0.1) * draw.standard_normal(9))
        others = pd.DataFrame({"study": list("abcdefgh"), "value": values[:8], "n": [60] * 8})
        hits += meta_analysis_rival(row("value", values[8], 100.0, f"x/{i}"), others, seed=i, n_draws=1000)["hit"]
    assert hits / 200 == pytest.approx(0.9, abs=0.05)


def test_a_null_world_without_cart_counts_those_who_got_the_stem_cells():
    """Nobody is infused there, so a share of the infused would be 0 of 0."""
    term = Term("a/cr", "a", "s", "response", "cr", "share", 0.5, 10.0)
    reading = Readings.load("published").endpoints["cr"]
    assert without_cart(Piece(term, reading, "infused")).denominator == "transplanted"
    assert without_cart(Piece(term, reading, "treated")).denominator == "treated"
    assert without_cart(Piece(term, reading, None)).denominator is None
