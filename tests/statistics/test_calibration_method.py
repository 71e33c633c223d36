"""Evidence: exact. The method of calibration on a small trial simulator whose truth is known.

Truth recovered, two seeds agree, a null world is recognised, an interrupted calibration goes on to the same bits,
and (slow) ranks of truths from the prior are uniform among the draws, for what decisions use and for parameters.
"""

import dataclasses
import functools
import operator
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import sbc
import synthetic_trial as trial

from seedbed.calibration.cross_validation import cross_validate, studies_of, without
from seedbed.calibration.diagnostics import correlations, misfits, movement
from seedbed.calibration.fit import Budget, Earlier, calibrate
from seedbed.calibration.posterior import Posterior
from seedbed.calibration.priors import LogNormal
from seedbed.calibration.sampler import sample
from seedbed.calibration.simulator import Work
from seedbed.calibration.space import Latent, arm_coordinates
from seedbed.calibration.store import Store
from seedbed.calibration.validation import Row

TINY = Budget(
    prior_members=192, round_members=96, least_rounds=1, most_rounds=1, subjects=32, particles=192, ensemble=64,
    wanted_effective=20,
)  # fmt: skip


@pytest.fixture(scope="module")
def truth():
    return sbc.truth_of(1)


@pytest.fixture(scope="module")
def result(truth):
    return sbc.calibrated(truth, 1)


def test_known_truth_is_recovered(truth, result):
    parameters = result.latent.place("shared")
    draws = result.vectors[:, parameters]
    z = (truth[parameters] - draws.mean(0)) / draws.std(0)
    assert np.all(np.abs(z) < 3.5)
    skeleton = Latent(trial.space(), trial.skeleton())
    true = sbc.predicted(skeleton, truth[None, :], 11).iloc[0]
    low, high = sbc.predicted(result.latent, result.vectors, 12).quantile([0.02, 0.98]).to_numpy()
    assert np.all((true >= low) & (true <= high))
    assert result.effective >= 100


def test_new_members_lie_where_the_emulator_said(result):
    last = result.rounds[-1]
    assert last.overall_drift < 0.3
    assert np.median(np.abs(last.residual_mean)) < 0.3
    assert 0.7 < np.median(last.residual_sd) < 1.2


def test_what_the_data_moved(result):
    moved = movement(result.latent, result.vectors).set_index("parameter")
    assert moved.loc["conditioning_kill_median", "moved"]
    assert moved.loc["conditioning_kill_median", "bits"] > moved.loc["between_study:kinetics", "bits"]
    assert set(correlations(result.latent, result.vectors, least=0.0).columns) == {"first", "second", "correlation"}
    assert (misfits(result)["tail"] > 0.001).all()


def test_two_seeds_agree(truth, result):
    terms = result.latent.terms
    work = Work(trial.SyntheticSimulator(), result.latent.space, terms, 64, 77, Store(None))
    other = calibrate(result.latent, work, sbc.SMALL)
    first, second = (sbc.predicted(r.latent, r.vectors, 13) for r in (result, other))
    assert np.all(np.abs(first.mean() - second.mean()) < 0.6 * first.std())
    np.testing.assert_allclose(first.std(), second.std(), rtol=0.5)


def published_row(term):
    observed = term.observed if term.kind == "share" else np.exp(term.observed)
    place = (term.id, term.study, term.arm, term.endpoint, term.family, np.nan, term.kind)
    return Row(*place, observed, np.nan, np.nan, term.size, "fit")


def test_a_study_left_out_is_predicted_by_the_others(result):
    chosen = [term for term in result.latent.terms.items if term.within is None and "|" not in term.endpoint]
    rows = [published_row(term) for term in chosen]
    found = cross_validate(result.posterior, result.draws, rows, 1)
    assert len(found) == len(rows)
    assert found["hit"].mean() > 0.7


def test_taking_a_study_out_by_weights_agrees_with_sampling_the_posterior_of_the_others(result):
    """Independent: the sampler, on the terms of the other studies alone."""
    whole = result.posterior
    study = studies_of(whole)[0]
    others = {term.study for term in result.latent.terms.items} - {study.id}
    latent = Latent(result.latent.space, result.latent.terms.subset(others, by="study"))
    rest = Posterior(latent, {arm: whole.emulators[arm] for arm in latent.terms.arms})
    sampled = sample(rest, 1000, np.random.default_rng(4)).vectors[:, latent.place("shared")]
    weighted, effective = without(whole, study, result.draws, np.random.default_rng(5))
    ours = weighted[:, result.latent.place("shared")]
    assert effective > 30
    assert np.all(np.abs(ours.mean(0) - sampled.mean(0)) < 0.35)
    np.testing.assert_allclose(ours.std(0), sampled.std(0), rtol=0.3)


def test_a_null_world_is_recognised():
    """Conditioning kills no more tumor than lymphodepletion; the prior allows that and much more."""
    kill = LogNormal(median=2.0, sd_log=1.0)
    parameters = (dataclasses.replace(trial.PARAMETERS[0], prior=kill), *trial.PARAMETERS[1:])
    skeleton = Latent(trial.space(parameters=parameters), trial.skeleton())
    truth = np.zeros(skeleton.size)
    truth[0] = float(kill.coordinate(0.6))
    terms = trial.published(truth, 3, space_of=lambda: trial.space(parameters=parameters))
    latent = Latent(trial.space(parameters=parameters), terms)
    found = calibrate(latent, Work(trial.SyntheticSimulator(), latent.space, terms, 64, 3, Store(None)), sbc.SMALL)
    values = latent.space.values(latent.coordinates(found.vectors, None))
    both = trial.true_outputs(values, trial.COMBINATION)["pfs_730"]
    alone = trial.true_outputs(values, dataclasses.replace(trial.COMBINATION, conditioning=False))["pfs_730"]
    low, high = np.quantile(both - alone, [0.05, 0.95])
    assert low < 0.03
    assert high < 0.15


def run_on(latent, store=None, earlier=None, simulate=None):
    work = Work(simulate or trial.SyntheticSimulator(), latent.space, latent.terms, 64, 5, store or Store(None))
    return calibrate(latent, work, sbc.SMALL, earlier=earlier)


@dataclasses.dataclass
class Recording:
    """Notes which arms are simulated."""

    arms: set = dataclasses.field(default_factory=set)

    def __call__(self, arm, *arguments):
        self.arms.add(arm)
        return trial.SyntheticSimulator()(arm, *arguments)


def test_an_update_simulates_new_arms_only_and_ends_where_all_arms_together_do(tmp_path, truth):
    """The last arm is added to a calibration of the others; predictions are those of all arms at once."""
    terms = trial.published(truth, 1)
    new = terms.arms[-1]
    some = {arm: setting for arm, setting in trial.ARMS.items() if arm != new}
    first = Latent(trial.space(some), terms.subset(set(some), by="arm"))
    store = Store(tmp_path)
    run_on(first, store)
    vectors = [v for n in range(9) if (v := store.read_array(f"members-{n}")) is not None]
    work = Work(trial.SyntheticSimulator(), first.space, first.terms, 64, 5, store)
    rounds = [work.members(n, arm_coordinates(first, v, first.terms.arms)) for n, v in enumerate(vectors)]
    simulated = {arm: functools.reduce(operator.add, [found[arm] for found in rounds]) for arm in first.terms.arms}

    latent, noted = Latent(trial.space(), terms), Recording()
    updated = run_on(latent, earlier=Earlier(first, vectors[-1], simulated), simulate=noted)
    assert noted.arms == {new}
    assert updated.effective > 100
    together = run_on(latent)
    one, other = (sbc.predicted(latent, r.vectors, 13) for r in (updated, together))
    assert np.all(np.abs(one.mean() - other.mean()) < 0.6 * other.std())
    np.testing.assert_allclose(one.std(), other.std(), rtol=0.5, atol=0.002)


class Interrupted(Exception):
    pass


@dataclasses.dataclass
class Fragile:
    """Stops after some batches, as a power cut would."""

    left: int

    def __call__(self, *arguments):
        if self.left == 0:
            raise Interrupted
        self.left -= 1
        return trial.SyntheticSimulator()(*arguments)


def test_an_interrupted_calibration_goes_on_to_the_same_bits(tmp_path, truth):
    terms = trial.published(truth, 1)
    latent = Latent(trial.space(), terms)

    def run(folder, simulate):
        return calibrate(latent, Work(simulate, latent.space, terms, 32, 1, Store(folder), batch_members=48), TINY)

    undisturbed = run(tmp_path / "a", trial.SyntheticSimulator())
    for n_batches in (7, 9, 8):
        with pytest.raises(Interrupted):
            run(tmp_path / "b", Fragile(n_batches))
    resumed = run(tmp_path / "b", trial.SyntheticSimulator())
    np.testing.assert_array_equal(resumed.vectors, undisturbed.vectors)
    np.testing.assert_array_equal(resumed.vectors, undisturbed.vectors)


@pytest.mark.slow
def test_ranks_of_truths_are_uniform():
    table, ranks = sbc.study(60, first_seed=500)
    error = np.sqrt(0.9 * 0.1 / len(ranks))
    assert (table["coverage_90"] > 0.9 - 3.2 * error).all()
    assert (table["spread_p_value"] > 0.002).all()
    assert (table["p_value"] > 0.001).all()
