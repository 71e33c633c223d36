"""Rival structures: which plans they stand in, and that CAR-T alone is in them about as it was."""

import numpy as np
import pytest

from seedbed import library
from seedbed.documents import load
from seedbed.study import worlds
from seedbed.study.arms_of_protocol import read_arms

MODEL = "asct_cart"
COMBINATIONS_ONLY = ("no_reinvigoration", "bispecific_needs_few_t_cells")


def sweeps():
    found = {name: load(library.find("plans", name)).data for name in library.names("plans")}
    return {name: data for name, data in found.items() if data.get("kind") == "sweep"}


def test_every_sweep_has_two_rivals_and_every_rival_a_sweep():
    named = {name: data.get("structures", []) for name, data in sweeps().items()}
    assert all(len(set(structures)) >= 2 for structures in named.values()), named
    assert {one for structures in named.values() for one in structures} == set(worlds.structures_of(MODEL))


def cart_alone(folder, structure, subjects):
    """Return the endpoints of CAR-T alone after Flu/Cy under the ensemble, in a structure or as the model is."""
    trial, who = read_arms("asct_cart_lbcl", ["cart"])
    used = worlds.worlds_of(MODEL, (structure,) if structure else (), ("posterior",))
    setup = worlds.Setup(folder, subjects, seed=3, until_days=110.0, workers=1)
    return worlds.simulate_world(setup, trial, who, used[-1])


@pytest.mark.parametrize("structure", COMBINATIONS_ONLY)
def test_a_rival_of_a_combination_leaves_cart_alone_as_it_is(tmp_path, structure):
    peaks = [cart_alone(tmp_path, name, 20)["cart_cmax_per_ul"].to_numpy() for name in (None, structure)]
    assert np.array_equal(*peaks, equal_nan=True)


@pytest.mark.slow
def test_rivals_are_scaled_to_cart_alone(tmp_path):
    """Within a third of the model's own geometric means of the peaks, 360 virtual patients each."""

    def means(structure):
        logs = np.log(cart_alone(tmp_path, structure, 360)[["cart_cmax_per_ul", "il6_peak_pg_ml"]].clip(lower=0.01))
        return logs.mean()

    own = means(None)
    for structure in set(worlds.structures_of(MODEL)) - set(COMBINATIONS_ONLY):
        assert np.abs(means(structure) - own).max() < np.log(4 / 3), structure
