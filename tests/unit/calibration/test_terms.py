"""Published results cut into terms."""

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import binom, norm

from seedbed.calibration.terms import (
    Term,
    Terms,
    conditional_survival,
    effective_trials,
    log_likelihood,
    log_likelihood_slope,
    median_error,
)
from seedbed.errors import TableError


def term(name="a/cr", kind="share", observed=0.5, size=40.0, **other):
    return Term(name, "a", "s", "response", "cr", kind, observed, size, **other)


def test_likelihood_is_the_binomial_and_the_normal():
    terms = Terms((term(observed=0.25, size=40), term("a/peak", "value", 3.0, 16.0)))
    at = np.array([[logit(0.3), 3.2], [logit(0.2), 2.5]])
    found = log_likelihood(terms, at)
    expected = binom.logpmf(10, 40, [0.3, 0.2])
    assert found[0, 0] - found[1, 0] == pytest.approx(expected[0] - expected[1], rel=1e-12)
    expected = norm.logpdf(3.0, [3.2, 2.5], 0.25)
    assert found[0, 1] - found[1, 1] == pytest.approx(expected[0] - expected[1], rel=1e-12)


def test_slope_is_the_derivative():
    terms = Terms((term(observed=0.25), term("a/peak", "value", 3.0, 16.0)))
    at, step = np.array([[-1.0, 2.0]]), 1e-6
    numeric = (log_likelihood(terms, at + step) - log_likelihood(terms, at - step)) / (2 * step)
    np.testing.assert_allclose(log_likelihood_slope(terms, at), numeric, rtol=1e-6)


def test_a_chain_of_conditional_binomials_is_the_multinomial():
    from scipy.stats import multinomial

    chance, n, seen = (0.4, 0.3, 0.3), 50, (22, 12, 16)
    orr, cr = seen[0] + seen[1], seen[0]
    terms = Terms((term("orr", observed=orr / n, size=n), term("cr", observed=cr / orr, size=orr)))
    worse = (0.2, 0.4, 0.4)

    def chain(p):
        return log_likelihood(terms, np.array([logit(p[0] + p[1]), logit(p[0] / (p[0] + p[1]))])).sum()

    expected = multinomial.logpmf(seen, n, chance) - multinomial.logpmf(seen, n, worse)
    assert chain(chance) - chain(worse) == pytest.approx(expected, rel=1e-9)


def test_effective_trials_invert_a_binomial_interval():
    share, n = 0.4, 60
    half = 1.96 * np.sqrt(share * 0.6 / n)
    assert effective_trials(share, share - half, share + half, 500) == pytest.approx(n, rel=1e-3)
    assert effective_trials(share, share - half, share + half, 45) == 45
    with pytest.raises(TableError, match="has no width"):
        effective_trials(0.4, 0.4, 0.4, 10)


def test_landmarks_without_censoring_become_those_still_at_risk():
    pieces = conditional_survival([0.6, 0.45, 0.45], [100, 100, 100])
    assert [share for share, _ in pieces] == pytest.approx([0.6, 0.75, 1.0])
    assert [trials for _, trials in pieces] == pytest.approx([100, 60, 45], rel=0.02)


def test_landmarks_with_censoring_weigh_less():
    free = conditional_survival([0.6, 0.4], [100, 100])
    censored = conditional_survival([0.6, 0.4], [100, 60])
    assert censored[1][1] < 0.6 * free[1][1]


def test_a_rising_curve_is_refused():
    with pytest.raises(TableError, match=r"rises from 0.4 to 0.5"):
        conditional_survival([0.4, 0.5], [10, 10])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"interval": (8.0, 12.0)}, np.log(1.5) / 3.92),
        ({"quartiles": (5.0, 20.0)}, 1.2533 * np.log(4) / 1.349 / 5),
        ({}, 1.2533 * 0.8 / 5),
    ],
)
def test_error_of_a_median(given, expected):
    assert median_error(25, **given) == pytest.approx(expected, rel=1e-3)


def test_error_of_a_median_from_extremes_agrees_with_simulation():
    draws = np.exp(0.5 * np.random.default_rng(1).standard_normal((4000, 40)))
    errors = [median_error(40, extremes=(row.min(), row.max())) for row in draws[:500]]
    assert np.mean(errors) == pytest.approx(np.std(np.log(np.median(draws, axis=1))), rel=0.07)


def test_impossible_terms_are_refused():
    with pytest.raises(TableError, match="must lie in 0-1"):
        term(observed=1.2)
    with pytest.raises(TableError, match="size > 0"):
        term(size=0)
    with pytest.raises(TableError, match="stand twice: a/cr"):
        Terms((term(), term()))


def test_terms_know_their_order():
    terms = Terms((term("x"), Term("y", "b", "s", "survival", "pfs", "share", 0.1, 5)))
    assert (terms.arms, terms.families) == (["a", "b"], ["response", "survival"])
    assert terms.clusters == [("s", "response"), ("s", "survival")]
    assert terms.subset({"b"}, by="arm").ids == ["y"]
    assert terms.of_arm("b").tolist() == [1]
