"""Evidence: published. Boundaries of Jennison and Turnbull and of Lan-DeMets programs, and textbook examples."""

import numpy as np
import pytest

from seedbed.analysis import cox, hazard_tests, power, proportion, sequential
from seedbed.analysis.tte import example_tte

ARMS = ("six_mp", "placebo")


@pytest.mark.parametrize(("n_looks", "constant"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (10, 2.555)])
def test_pocock_constants(n_looks, constant):
    """Jennison and Turnbull 2000, table 2.1, two-sided alpha 0.05; constants printed to three decimals."""
    fractions = np.arange(1, n_looks + 1) / n_looks
    above, below = sequential.crossing_probabilities(fractions, upper=[constant] * n_looks, lower=[-constant] * n_looks)
    assert above.sum() + below.sum() == pytest.approx(0.05, abs=1.5e-4)


@pytest.mark.parametrize(("n_looks", "constant"), [(2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040), (10, 2.087)])
def test_obrien_fleming_constants(n_looks, constant):
    """Jennison and Turnbull 2000, table 2.3, two-sided alpha 0.05; constants printed to three decimals."""
    fractions = np.arange(1, n_looks + 1) / n_looks
    bounds = constant / np.sqrt(fractions)
    above, below = sequential.crossing_probabilities(fractions, upper=bounds, lower=-bounds)
    assert above.sum() + below.sum() == pytest.approx(0.05, abs=1.5e-4)


def test_lan_demets_obrien_fleming_bounds():
    """Five equal looks, two-sided 0.05: Reboussin et al. 2000 (Control. Clin. Trials 21:190), table of ld98."""
    found = sequential.efficacy_boundary([0.2, 0.4, 0.6, 0.8, 1.0], alpha=0.025, spending="obrien_fleming")
    np.testing.assert_allclose(found.critical, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310], atol=2e-4)


def test_lan_demets_pocock_bounds():
    """Five equal looks, two-sided 0.05: 2.44, 2.43, 2.41, 2.40, 2.39 as printed by ld98 and gsDesign."""
    found = sequential.efficacy_boundary([0.2, 0.4, 0.6, 0.8, 1.0], alpha=0.025, spending="pocock")
    np.testing.assert_allclose(found.critical, [2.44, 2.43, 2.41, 2.40, 2.39], atol=5e-3)


def test_freireich_remission_times():
    """Log-rank 16.79 and Cox coefficient -1.57 (Efron): Collett 2015 and the R and SAS manuals."""
    assert hazard_tests.logrank(example_tte(), arms=ARMS).statistic == pytest.approx(16.79, abs=0.005)
    assert np.log(cox.hazard_ratio(example_tte(), arms=ARMS).value) == pytest.approx(-1.572, abs=5e-4)


def test_schoenfeld_power():
    """87.5 events give 90 % power for a hazard ratio of 0.5, one-sided 0.025 (Collett 2015, chapter 15)."""
    assert power.schoenfeld_power(0.5, 87.5) == pytest.approx(0.9, abs=5e-4)


def test_newcombe_interval():
    """Newcombe 1998 (Stat. Med. 17:873), table II, method 10: 56/70 - 48/80 has 0.0524 to 0.3339."""
    found = proportion.rate_difference((56, 70), (48, 80))
    assert found.lower == pytest.approx(0.0524, abs=5e-5)
    assert found.upper == pytest.approx(0.3339, abs=5e-5)


def test_clopper_pearson():
    """8 of 10: 0.4439 to 0.9748."""
    found = proportion.binomial(8, 10)
    assert (found.lower, found.upper) == (pytest.approx(0.4439, abs=5e-5), pytest.approx(0.9748, abs=5e-5))
