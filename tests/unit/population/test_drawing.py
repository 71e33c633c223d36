import numpy as np
import pytest

from seedbed import population
from seedbed.population import Parameter
from seedbed.population.distributions import LogNormalAround
from seedbed.trial.enrollment import model_parameters

SPREAD = LogNormalAround(distribution="lognormal", cv=0.3)
N = 4000


@pytest.fixture(scope="module")
def who():
    return population.read("large_b_cell_lymphoma")


@pytest.fixture(scope="module")
def drawn(who):
    return population.draw(who, model_parameters(who.model), np.arange(N), seed=3)


def test_every_covariate_and_the_subject_number_stand_in_the_table(who, drawn):
    assert list(drawn["subject"]) == list(range(N))
    assert set(who.covariates) <= set(drawn.columns)
    assert not drawn.isna().to_numpy().any()


def test_a_body_surface_follows_from_height_and_weight(drawn):
    np.testing.assert_allclose(drawn["bsa_m2"], np.sqrt(drawn["height_cm"] * drawn["weight_kg"] / 3600))


def test_burden_depends_on_remission_from_none_to_bulky(drawn):
    by_status = drawn.groupby("remission_status")["tumor_burden_ml"]
    complete = by_status.get_group("CR")
    assert (complete <= 1.0).all()
    assert 0.24 < (complete == 0).mean() < 0.36
    assert by_status.get_group("PD").median() > 50
    np.testing.assert_array_equal(drawn["parameter:tumor_burden_systemic"], drawn["tumor_burden_ml"])


def test_responders_are_more_chemosensitive(drawn):
    medians = drawn.groupby("remission_status")["parameter:chemosensitivity"].median()
    assert medians["CR"] > medians["PR"] > medians["PD"]


def test_a_tp53_alteration_multiplies_chemosensitivity_and_growth(who):
    parameters = {"chemosensitivity": Parameter(1.0), "k_tumor_growth": Parameter(0.03)}
    free = who.model_copy(update={"effects": {k: e for k, e in who.effects.items() if k.startswith("tp53")}})
    table = population.draw(free.model_copy(update={"parameters": {}}), parameters, np.arange(500), seed=1)
    altered = table["tp53_altered"].to_numpy(dtype=bool)
    np.testing.assert_allclose(table["parameter:chemosensitivity"], np.where(altered, 0.75, 1.0))
    np.testing.assert_allclose(table["parameter:k_tumor_growth"], np.where(altered, 0.036, 0.03))


def test_a_parameter_of_the_model_spreads_around_its_own_value(who):
    bare = who.model_copy(update={"effects": {}, "parameters": {}, "correlations": {}})
    table = population.draw(bare, {"k": Parameter(5.0, SPREAD), "fixed": Parameter(2.0)}, np.arange(N), seed=1)
    assert table["parameter:k"].median() == pytest.approx(5.0, rel=0.03)
    assert "parameter:fixed" not in table


def test_a_disease_replaces_the_typical_value_and_keeps_the_spread(who):
    table = population.draw(
        who.model_copy(update={"effects": {}}), {"k_tumor_growth": Parameter(9.0, SPREAD)}, np.arange(N), seed=1
    )
    assert table["parameter:k_tumor_growth"].median() == pytest.approx(0.034, rel=0.05)


def test_another_seed_gives_other_patients(who):
    one, two = (population.draw(who, {}, np.arange(50), seed=seed) for seed in (1, 2))
    assert not np.allclose(one["age"], two["age"])
