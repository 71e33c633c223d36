"""Parameter sets change typical values, spreads, effects and the clinic's factors, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from seedbed import library, population
from seedbed.population.distributions import LogitNormalAround, LogNormalAround
from seedbed.population.drawing import PREFIX, Parameter, draw
from seedbed.population.parameter_sets import Adjustments, Change, ParameterSets
from seedbed.trial.enrollment import model_parameters

SUBJECTS = np.arange(600)


@pytest.fixture(scope="module")
def patients():
    who = population.read(library.find("populations", "large_b_cell_lymphoma"))
    return lambda sets=None: draw(who, model_parameters(who.model), SUBJECTS, 1, sets)


def sets(columns, changes, **other):
    return ParameterSets({k: Change(**v) for k, v in changes.items()}, pd.DataFrame(columns), **other)


def test_only_what_a_set_names_changes(patients):
    plain = patients()
    found = patients(sets({"a": [2.0, 1.0]}, {"a": {"changes": "median", "of": "chemosensitivity"}}))
    column = PREFIX + "chemosensitivity"
    np.testing.assert_allclose(found[column] / plain[column], np.where(SUBJECTS % 2 == 0, 2.0, 1.0))
    pd.testing.assert_frame_equal(found.drop(columns=column), plain.drop(columns=column))


def test_a_parameter_without_spread_gets_a_column(patients):
    name = next(
        n for n, p in model_parameters("asct_cart").items() if PREFIX + n not in patients().columns and p.value > 0
    )
    found = patients(sets({"a": [1.5]}, {"a": {"changes": "median", "of": name}}))
    np.testing.assert_allclose(found[PREFIX + name], 1.5 * model_parameters("asct_cart")[name].value)


def test_spread_stretches_about_the_typical_value(patients):
    plain = patients()[PREFIX + "k_tumor_growth"]
    found = patients(sets({"a": [2.0]}, {"a": {"changes": "spread", "of": "k_tumor_growth"}}))[
        PREFIX + "k_tumor_growth"
    ]
    assert np.median(found) == pytest.approx(np.median(plain), rel=0.12)
    assert np.log(found).std() > 1.6 * np.log(plain).std()


def test_effects_take_the_set_s_size(patients):
    table = patients()
    name = PREFIX + "chemosensitivity"
    found = patients(sets({"a": [0.4]}, {"a": {"changes": "effect", "of": "tp53_chemosensitivity"}}))
    ratio = found[name] / table[name]
    altered = table["tp53_altered"].astype(bool)
    np.testing.assert_allclose(ratio[altered], 0.4 / 0.75)
    np.testing.assert_allclose(ratio[~altered], 1.0)


def test_shares_stay_shares():
    share = Parameter(0.3, LogitNormalAround(distribution="logitnormal", sd=0.5))
    adjusted = Adjustments(medians={"f": np.array([2.0])}, spreads={"f": np.array([3.0])})
    found = adjusted.value("f", np.array([0.3, 0.9]), share.value, share.between_patient)
    assert logit(found[0]) == pytest.approx(logit(0.3) + np.log(2))
    assert np.all((found > 0) & (found < 1))
    positive = LogNormalAround(distribution="lognormal", cv=0.5)
    assert Adjustments(spreads={"k": np.array([2.0])}).value("k", 4.0, 2.0, positive) == pytest.approx(8.0)


def test_products_differ_as_fitted_or_as_drawn():
    known = sets(
        {"e": [2.0, 4.0], "e@axi_cel": [3.0, 2.0], "product_sd:e": [0.3, 0.0]},
        {"e": {"changes": "median", "of": "k", "differs_by_product": True}},
    )
    np.testing.assert_allclose(known.of_product([0, 1, 2], "axi_cel", "b_all")["k"], [1.5, 0.5, 1.5])
    other = known.of_product([0, 1], "another", "b_all")["k"]
    assert other[0] != 1.0
    assert other[1] == pytest.approx(1.0)
    assert known.of_product([0, 2], "another", "b_all")["k"].tolist() == [other[0], other[0]]
    assert known.of_product([0], None, "b_all") == {}


def test_a_calibration_numbers_its_subjects_by_member():
    found = sets(
        {"a": [1.0, 2.0]}, {"a": {"changes": "factor", "of": "fever_threshold"}}, members=np.array([7, 9]), block=100
    )
    np.testing.assert_allclose(found.adjustments([700, 950, 799], "b_all").factors["fever_threshold"], [1.0, 2.0, 1.0])


def test_a_change_may_be_for_some_diseases_only():
    own = {"changes": "median", "of": "k_tumor_growth", "only_in": ("multiple_myeloma",)}
    found = sets({"a": [2.0]}, {"a": own})
    assert not found.adjustments([0], "large_b_cell_lymphoma").touches("k_tumor_growth")
    assert found.adjustments([0], "multiple_myeloma").medians["k_tumor_growth"].tolist() == [2.0]
