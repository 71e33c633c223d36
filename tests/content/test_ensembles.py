"""Every ensemble of the library is whole, large enough, and belongs to the model that stands beside it."""

import numpy as np
import pytest

from seedbed import library
from seedbed.calibration.ensemble import read
from seedbed.calibration.run import identity
from seedbed.calibration.surroundings import read_plan
from seedbed.population.parameter_sets import default_ensemble, read_sets

NAMES = library.names("ensembles")


@pytest.mark.parametrize("name", NAMES)
def test_an_ensemble_is_whole_and_large_enough(name):
    ensemble = read(name)
    assert len(ensemble.sets) == ensemble.provenance.sets >= 200
    assert ensemble.provenance.effective >= 200
    assert np.isfinite(ensemble.sets.to_numpy()).all()
    assert set(ensemble.provenance.priors) == set(ensemble.provenance.parameters)


@pytest.mark.parametrize("name", NAMES)
def test_an_ensemble_belongs_to_the_model_of_the_library(name):
    provenance = read(name).provenance
    assert provenance.hashes["model"] == identity(read_plan(provenance.plan))["model"], "calibrate again"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_set_changes_is_there_to_be_changed(name):
    sets = read_sets(name)
    values = sets.adjustments(np.arange(4), "large_b_cell_lymphoma")
    assert values.medians or values.factors


def test_at_most_one_ensemble_of_a_model_is_the_default():
    defaults = [read(name).provenance for name in NAMES]
    models = [provenance.model for provenance in defaults if provenance.default]
    assert len(models) == len(set(models))
    assert default_ensemble("no such model") is None
