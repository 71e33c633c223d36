"""Evidence: exact (birth-death formulae of Kendall 1948) and independent (tau-leaping and Gillespie, below)."""

from itertools import pairwise

import numpy as np
import pytest

from seedbed.trial.extinction import (
    Limits,
    Window,
    counts_after,
    founding_counts,
    step_clones,
)

LIMITS = Limits()


def rates(time):
    """A clone that grows, is killed hard for ten days, and grows again."""
    return 0.10, 0.06 + 0.9 * ((time > 5) & (time < 15))


def integrals(start, stop, steps=4000):
    time = np.linspace(start, stop, steps + 1)
    birth, death = rates(0.5 * (time[1:] + time[:-1]))
    width = np.diff(time)
    rho = np.concatenate([[0.0], np.cumsum((death - birth) * width)])
    weighted = np.sum(death * np.exp(0.5 * (rho[1:] + rho[:-1])) * width)
    return rho[-1], weighted


def extinct(founders, weighted):
    """Return the probability that a clone of independent cells has died out: (J / (1 + J)) to the number of cells."""
    return (weighted / (1 + weighted)) ** founders


def windowed(n_runs, founders, days, arrival_rate=0.0):
    """Step a clone visit by visit, with the mean of the path computed by small Euler steps."""
    cells = np.full(n_runs, float(founders))
    random = np.random.default_rng(1)
    for start, stop in pairwise(days):
        rho, weighted = integrals(start, stop, 400)
        mean = cells * np.exp(-rho) + arrival_rate * mean_arrivals(start, stop)
        window = Window(cells, mean, np.full(n_runs, rho), np.full(n_runs, weighted))
        cells = counts_after(window, tuple(random.uniform(size=(3, n_runs))))
    return cells


def mean_arrivals(start, stop, steps=400):
    time = np.linspace(start, stop, steps + 1)
    middle, width = 0.5 * (time[1:] + time[:-1]), np.diff(time)
    birth, death = rates(middle)
    later = np.cumsum(((death - birth) * width)[::-1])[::-1]
    return np.sum(np.exp(-later) * width)


def tau_leap(n_runs, founders, stop, arrival_rate=0.0, tau=0.005):
    random = np.random.default_rng(2)
    cells = np.full(n_runs, founders)
    for step in range(round(stop / tau)):
        birth, death = rates((step + 0.5) * tau)
        change = random.poisson(birth * tau * cells) - random.binomial(cells, -np.expm1(-death * tau))
        cells = np.maximum(cells + change + random.poisson(arrival_rate * tau, n_runs), 0)
    return cells


def gillespie(founders, stop, random):
    cells, time = founders, 0.0
    ceiling = 0.10 + 0.96
    while cells and time < stop:
        time += random.exponential(1 / (ceiling * cells))
        if time >= stop:
            break
        birth, death = rates(time)
        pick = random.uniform() * ceiling
        cells += 1 if pick < birth else -1 if pick < birth + death else 0
    return cells


@pytest.mark.parametrize("days", [np.array([0.0, 40.0]), np.arange(0.0, 41.0), np.array([0.0, 7.0, 9.0, 30.0, 40.0])])
def test_extinction_along_the_path_is_the_exact_probability_whatever_the_visits(days):
    founders, n_runs = 2000, 6000
    _, weighted = integrals(0, 40)
    exact = extinct(founders, weighted)
    observed = np.mean(windowed(n_runs, founders, days) == 0)
    assert 0.05 < exact < 0.95
    assert observed == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / n_runs))


def test_survivors_sizes_agree_with_tau_leaping():
    ours, theirs = windowed(8000, 2000, np.arange(0.0, 41.0, 4)), tau_leap(8000, 2000, 40.0)
    assert np.mean(ours == 0) == pytest.approx(np.mean(theirs == 0), abs=0.025)
    assert ours[ours > 0].mean() == pytest.approx(theirs[theirs > 0].mean(), rel=0.1)
    assert np.quantile(ours[ours > 0], 0.9) == pytest.approx(np.quantile(theirs[theirs > 0], 0.9), rel=0.12)


def test_extinction_agrees_with_gillespie():
    random = np.random.default_rng(3)
    died = np.mean([gillespie(50, 10.0, random) == 0 for _ in range(1500)])
    _, weighted = integrals(0, 10)
    exact = extinct(50, weighted)
    assert died == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 1500))


def test_mutants_that_arrive_agree_with_tau_leaping():
    ours = windowed(8000, 0, np.arange(0.0, 41.0, 2), arrival_rate=0.05)
    theirs = tau_leap(8000, 0, 40.0, arrival_rate=0.05)
    assert np.mean(ours == 0) == pytest.approx(np.mean(theirs == 0), abs=0.025)
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.1)


def test_an_extinct_clone_without_arrivals_stays_extinct():
    zero = np.zeros(5)
    window = Window(zero, zero, np.full(5, -3.0), np.full(5, 0.1))
    assert np.all(step_clones(["a"], window, seed=1, subjects=np.arange(5), day=3, limits=LIMITS) == 0)


def test_a_large_clone_follows_its_mean():
    large = np.full(3, 1e11)
    window = Window(large, 2 * large, np.full(3, -np.log(2)), np.full(3, 0.2))
    assert np.array_equal(step_clones(["a"], window, seed=1, subjects=np.arange(3), day=3, limits=LIMITS), 2 * large)


def test_a_large_clone_killed_to_a_few_cells_is_counted_cell_by_cell():
    rho = np.full(4000, np.log(1e11 / 3))
    start = np.full(4000, 1e11)
    window = Window(start, start * np.exp(-rho), rho, np.expm1(rho))
    random = np.random.default_rng(4)
    cells = counts_after(window, tuple(random.uniform(size=(3, 4000))))
    assert np.mean(cells == 0) == pytest.approx(np.exp(-3), abs=0.015)
    assert np.array_equal(cells, np.round(cells))


def test_a_kill_beyond_the_largest_double_leaves_only_what_arrived():
    start, end = np.full(3, 50.0), np.array([0.0, 0.0, 40.0])
    window = Window(start, end, np.full(3, 800.0), np.full(3, np.inf))
    cells = counts_after(window, tuple(np.full((3, 3), 0.5)))
    assert cells[:2].tolist() == [0.0, 0.0]
    assert 30 < cells[2] < 50


def test_founding_counts_are_poisson_where_the_mean_is_small():
    mean = np.full(20000, 3.0)
    counts = founding_counts(mean, np.random.default_rng(5).uniform(size=20000), LIMITS)
    assert np.mean(counts == 0) == pytest.approx(np.exp(-3), abs=0.006)
    assert founding_counts(np.array([1e10]), np.array([0.2]), LIMITS)[0] == 1e10
