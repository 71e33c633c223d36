"""Latent vectors, emulators, posterior, sampler and store, each against what is known exactly."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from seedbed.calibration.emulator import Basis, Simulated, fit_arm
from seedbed.calibration.fit import marginal_log_likelihood, prior_design
from seedbed.calibration.posterior import Posterior
from seedbed.calibration.priors import LogNormal, Normal
from seedbed.calibration.proof import rank, uniformity
from seedbed.calibration.sampler import effective_size, sample, systematic
from seedbed.calibration.simulator import MemberTerms, Work
from seedbed.calibration.space import Latent, Parameter, Space
from seedbed.calibration.store import Store, write_whole
from seedbed.calibration.terms import Term, Terms, log_likelihood
from seedbed.errors import RunError, SimulationError

SPACE = Space(
    (Parameter("potency", LogNormal(median=2.0, sd_log=0.5), 0.25), Parameter("shift", Normal(mean=0.0, sd=1.0))),
    {"one": "alpha", "two": "beta", "three": None},
    {"response": 0.3, "kinetics": 0.2},
)
TERMS = Terms(
    (
        Term("one/cr", "one", "s1", "response", "cr", "share", 0.4, 50.0),
        Term("one/orr", "one", "s1", "response", "orr", "share", 0.7, 50.0),
        Term("two/peak", "two", "s2", "kinetics", "peak", "value", 1.2, 20.0),
        Term("three/cr", "three", "s3", "response", "cr", "share", 0.0, 16.0),
    )
)
LATENT = Latent(SPACE, TERMS)


def smooth(x):
    """Return three known smooth functions of two coordinates on the link scale."""
    return np.column_stack([0.5 + x[:, 0] - 0.5 * x[:, 1], -0.3 + 0.4 * x[:, 0] * x[:, 1] + 0.2 * x[:, 1] ** 2])


def simulated(n=400, patients=64, seed=0, dimension=2):
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((n, dimension))
    truth = smooth(x)
    shares = draw.binomial(patients, expit(truth)) / patients
    return Simulated(x, shares, np.full(shares.shape, float(patients))), truth


def posterior():
    emulators = {}
    for i, arm in enumerate(TERMS.arms):
        terms = TERMS.subset({arm}, by="arm")
        data, _ = simulated(seed=i)
        columns = [t % 2 for t in range(len(terms))]
        emulators[arm] = fit_arm(terms, Simulated(data.coordinates, data.estimate[:, columns], data.weight[:, columns]))
    return Posterior(LATENT, emulators)


def test_latent_places_cover_the_vector_once():
    covered = np.concatenate([np.arange(LATENT.size)[LATENT.place(kind)] for kind in LATENT.sizes])
    assert covered.tolist() == list(range(LATENT.size))
    assert LATENT.sizes == {"shared": 2, "spread": 1, "product": 2, "tau": 2, "study": 3, "row": 4}


def test_only_the_varying_parameter_differs_between_products():
    vectors = np.random.default_rng(1).standard_normal((5, LATENT.size))
    typical, alpha = LATENT.of_arm(vectors, "three"), LATENT.of_arm(vectors, "one")
    deviation = LATENT.product_deviation(vectors)[:, 0] * vectors[:, LATENT.product_place("alpha")][:, 0]
    np.testing.assert_allclose(alpha[:, 0] - typical[:, 0], deviation)
    np.testing.assert_array_equal(alpha[:, 1], typical[:, 1])
    assert SPACE.values(np.zeros((1, 2))).to_dict("records") == [{"potency": 2.0, "shift": 0.0}]


def test_basis_slope_is_the_derivative():
    basis = Basis(3, ((0, 1), (1, 2)))
    draw = np.random.default_rng(2)
    x, coefficients, upstream = (
        draw.standard_normal((4, 3)),
        draw.standard_normal((basis.size, 2)),
        draw.standard_normal((4, 2)),
    )

    def total(at):
        return ((basis.features(at) @ coefficients) * upstream).sum(axis=1)

    step = 1e-6
    numeric = np.column_stack([(total(x + step * e) - total(x - step * e)) / (2 * step) for e in np.eye(3)])
    np.testing.assert_allclose(basis.slope(x, coefficients, upstream), numeric, rtol=1e-6, atol=1e-8)


def test_emulator_finds_the_function_and_its_own_error():
    data, _ = simulated(600)
    terms = Terms((Term("a", "a", "s", "f", "e", "share", 0.5, 9), Term("b", "a", "s", "f", "e", "share", 0.5, 9)))
    emulator = fit_arm(terms, data)
    _, truth = fresh = simulated(400, seed=9)
    wrong = emulator.predict(fresh[0].coordinates) - truth
    assert np.all(np.sqrt((wrong**2).mean(axis=0)) < 0.08)
    assert np.all(emulator.error > 0.5 * np.sqrt((wrong**2).mean(axis=0)))
    assert np.all(emulator.explained > 0.95)


def test_emulator_error_shows_what_it_cannot_fit():
    draw = np.random.default_rng(3)
    x = draw.standard_normal((500, 2))
    jump = np.where(np.abs(x[:, 0]) % 1.0 > 0.5, 1.0, -1.0)[:, None]
    data = Simulated(x, draw.binomial(200, expit(jump)) / 200, np.full((500, 1), 200.0))
    emulator = fit_arm(Terms((Term("a", "a", "s", "f", "e", "share", 0.5, 9),)), data)
    assert emulator.error[0] == pytest.approx(1.0, abs=0.15)


def test_emulator_survives_terms_that_nobody_reaches():
    data, _ = simulated(50)
    nobody = Simulated(data.coordinates, np.full((50, 1), np.nan), np.zeros((50, 1)))
    emulator = fit_arm(Terms((Term("a", "a", "s", "f", "e", "share", 0.5, 9),)), nobody)
    assert emulator.error[0] == 5.0
    everybody = Simulated(data.coordinates, np.ones((50, 1)), np.full((50, 1), 64.0))
    assert np.all(
        expit(fit_arm(Terms((Term("a", "a", "s", "f", "e", "share", 0.5, 9),)), everybody).predict(data.coordinates))
        > 0.95
    )


def test_posterior_slope_is_the_derivative():
    target = posterior()
    vectors = 0.7 * np.random.default_rng(4).standard_normal((3, LATENT.size))
    _, slope = target.log_likelihood_and_slope(vectors)
    step = 1e-5
    numeric = np.column_stack(
        [
            (target.log_likelihood(vectors + step * e) - target.log_likelihood(vectors - step * e)) / (2 * step)
            for e in np.eye(LATENT.size)
        ]
    )
    np.testing.assert_allclose(slope, numeric, rtol=1e-4, atol=1e-5)


class Gaussian:
    """A likelihood whose posterior is known: y = A x + noise."""

    size = 6

    def __init__(self):
        draw = np.random.default_rng(5)
        self.a, self.y, self.precision = draw.standard_normal((4, self.size)), draw.standard_normal(4) * 2, 30.0

    def log_likelihood_and_slope(self, vectors):
        miss = self.y - vectors @ self.a.T
        return -0.5 * self.precision * (miss**2).sum(1), self.precision * miss @ self.a


def test_sampler_draws_a_known_posterior():
    target = Gaussian()
    draws = sample(target, 1500, np.random.default_rng(6))
    covariance = np.linalg.inv(np.eye(6) + target.precision * target.a.T @ target.a)
    mean = covariance @ (target.precision * target.a.T @ target.y)
    np.testing.assert_allclose(draws.vectors.mean(0), mean, atol=0.15)
    np.testing.assert_allclose(np.diag(np.cov(draws.vectors.T)), np.diag(covariance), rtol=0.3, atol=0.01)
    total = np.eye(4) / target.precision + target.a @ target.a.T
    evidence = -0.5 * target.y @ np.linalg.solve(total, target.y) - 0.5 * np.linalg.slogdet(total * target.precision)[1]
    assert draws.log_evidence == pytest.approx(evidence, abs=0.6)


class Useless(Gaussian):
    def log_likelihood_and_slope(self, vectors):
        return np.full(len(vectors), np.nan), np.zeros_like(vectors)


def test_sampler_refuses_a_likelihood_that_is_never_finite():
    with pytest.raises(SimulationError, match="no draw from the prior has a finite likelihood"):
        sample(Useless(), 64, np.random.default_rng(7))


def test_weights():
    assert effective_size(np.zeros(50)) == pytest.approx(50)
    assert effective_size(np.array([0.0, -1e9])) == pytest.approx(1)
    picked = systematic(np.log([0.5, 0.25, 0.25]), 8, np.random.default_rng(8))
    assert np.bincount(picked).tolist() == [4, 2, 2]


def test_marginal_likelihood_integrates_the_deviation():
    middle, sd = np.array([[0.3, -0.2, 0.8, -2.0]]), np.full((1, 4), 0.6)
    draws = middle + sd * np.random.default_rng(9).standard_normal((200_000, 4))
    expected = np.log(np.exp(log_likelihood(TERMS, draws)).mean(axis=0))
    np.testing.assert_allclose(marginal_log_likelihood(TERMS, middle, sd)[0], expected, atol=0.02)


def test_prior_design_fills_the_space():
    design = prior_design(LATENT, 256, seed=1)
    used = LATENT.place("product").stop
    assert np.all(np.abs(design[:, :used].mean(0)) < 0.02)
    np.testing.assert_allclose(design[:, :used].std(0), 1.0, atol=0.05)
    assert not design[:, used:].any()


class Counting:
    """A simulator that counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, arm, parameters, members, n_subjects, seed):
        self.calls += 1
        n_terms = len(TERMS.of_arm(arm))
        values = parameters["shift"].to_numpy()[:, None] + np.zeros((1, n_terms))
        return MemberTerms(values, np.full(values.shape, float(n_subjects)))


def test_finished_batches_are_not_simulated_again(tmp_path):
    coordinates = {arm: np.random.default_rng(1).standard_normal((20, 2)) for arm in TERMS.arms}
    first, second = Counting(), Counting()
    for simulate in (first, second):
        work = Work(simulate, SPACE, TERMS, 8, 1, Store(tmp_path), batch_members=8)
        result = work.members(0, coordinates)
    assert (first.calls, second.calls) == (9, 0)
    np.testing.assert_allclose(result["two"].estimate[:, 0], coordinates["two"][:, 1])
    (tmp_path / "round-0/two/members-00008.parquet").unlink()
    third = Counting()
    Work(third, SPACE, TERMS, 8, 1, Store(tmp_path), batch_members=8).members(0, coordinates)
    assert third.calls == 1


def test_a_simulator_that_loses_members_is_refused():
    def forgetful(arm, parameters, members, n_subjects, seed):
        return MemberTerms(np.zeros((1, 2)), np.zeros((1, 2)))

    with pytest.raises(SimulationError, match="8 members asked for"):
        Work(forgetful, SPACE, TERMS, 8, 1, Store(None), batch_members=8).members(0, {"one": np.zeros((8, 2))})
    with pytest.raises(SimulationError, match="different numbers of members"):
        Work(forgetful, SPACE, TERMS, 8, 1, Store(None)).members(0, {"one": np.zeros((8, 2)), "two": np.zeros((4, 2))})


def test_a_folder_of_another_calibration_is_refused(tmp_path):
    store = Store(tmp_path / "work")
    store.claim({"plan": "a", "seed": 1})
    store.claim({"plan": "a", "seed": 1})
    with pytest.raises(RunError, match=r"another calibration \(seed differ\)"):
        store.claim({"plan": "a", "seed": 2})
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="holds other files"):
        Store(other).claim({"plan": "a"})


def test_files_appear_whole(tmp_path):
    write_whole(tmp_path / "a" / "b.bin", b"whole")
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["b.bin"]
    with pytest.raises(RunError, match="cannot be written"):
        write_whole(tmp_path / "a" / "b.bin" / "c", b"")


def test_ranks_of_exact_draws_are_uniform_and_of_narrow_ones_are_not():
    draw = np.random.default_rng(10)
    exact = [rank(draw.standard_normal(), draw.standard_normal(99), draw) for _ in range(400)]
    narrow = [rank(draw.standard_normal(), 0.6 * draw.standard_normal(99), draw) for _ in range(400)]
    assert uniformity(exact).spread_p_value > 0.01
    assert uniformity(exact).coverage_90 == pytest.approx(0.9, abs=0.05)
    assert uniformity(narrow).spread > 1.3
    assert uniformity(narrow).spread_p_value < 1e-4


def test_ties_get_random_ranks():
    draw = np.random.default_rng(11)
    places = [rank(0.0, np.zeros(50), draw) for _ in range(300)]
    assert 0.4 < np.mean(places) < 0.6
    assert uniformity(pd.Series(places)).p_value > 1e-3
