"""Every population of the library: it loads, fits the model, draws plausible patients and names its sources."""

import numpy as np
import pytest

from seedbed import evidence, library, population
from seedbed.model import read_model
from seedbed.protocol import catalogue
from seedbed.trial.enrollment import model_parameters

NAMES = library.names("populations")
WANTED = {
    "large_b_cell_lymphoma",
    "large_b_cell_lymphoma_tp53",
    "large_b_cell_lymphoma_double_hit",
    "burkitt_lymphoma",
    "mantle_cell_lymphoma",
    "primary_cns_lymphoma",
    "secondary_cns_lymphoma",
    "multiple_myeloma_new_high_risk",
    "multiple_myeloma_relapsed",
    "b_all",
}
NEEDED = {
    "age",
    "weight_kg",
    "bsa_m2",
    "performance_status",
    "prior_lines",
    "creatinine_clearance",
    "tumor_burden_ml",
    "cns_burden_ml",
    "ldh_ratio",
    "remission_status",
    "tp53_altered",
    "double_hit",
    "neutrophils",
    "platelets",
    "hemoglobin",
    "crp",
    "ferritin",
    "t_cell_fitness",
    "cd34_collected",
}
#: Kinetic facts of the evidence base, and works cited in full beside the number.
OTHER_SOURCES = {"Mosteller 1987"} | {fact.id for fact in evidence.facts()}


def _read(name):
    who = population.read(
        name,
        known_parameters=model_parameters("asct_cart"),
        required_parameters=catalogue.inputs("asct_cart").required_of_population,
    )
    return who, population.draw(who, model_parameters(who.model), np.arange(1500), seed=11)


def test_the_populations_that_were_asked_for_are_there():
    assert set(NAMES) >= WANTED


@pytest.mark.parametrize("name", NAMES)
def test_a_population_draws_plausible_patients(name):
    who, drawn = _read(name)
    assert who.id == name
    assert set(drawn.columns) >= NEEDED
    assert drawn["age"].between(18, 80).all()
    assert drawn["bsa_m2"].between(1.1, 2.9).all()
    assert (drawn["tumor_burden_ml"] >= 0).all()
    numbers = drawn.filter(regex="^parameter:").to_numpy(dtype=float)
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    assert set(who.antigens) <= set(catalogue.antigens())
    assert {item.position for item in who.antigens.values()} == {1, 2}


@pytest.mark.parametrize("name", NAMES)
def test_every_source_of_a_population_is_known(name):
    who, _ = _read(name)
    known = {study.id for study in evidence.studies()} | set(read_model(who.model).references) | OTHER_SOURCES
    parts = [who.covariates, who.correlations, who.effects, who.parameters, who.antigens]
    named = {item.source.study for part in parts for item in part.values() if item.source.study}
    assert named <= known, named - known


@pytest.mark.parametrize("name", NAMES)
def test_assumed_numbers_have_a_range(name):
    who, _ = _read(name)
    for part in (who.correlations, who.effects, who.parameters):
        for key, item in part.items():
            by_definition = getattr(item, "form", "") == "set" or key == "lenalidomide_sensitivity"
            assert item.source.how != "assumed" or item.source.range or by_definition, key


@pytest.mark.parametrize("name", ["large_b_cell_lymphoma", "mantle_cell_lymphoma", "primary_cns_lymphoma"])
def test_remission_ranges_from_cured_to_a_billion_cells(name):
    _, drawn = _read(name)
    complete = drawn[drawn["remission_status"] == "CR"]
    burden = complete["tumor_burden_ml"] + complete["cns_burden_ml"]
    assert burden.max() <= 1.0
    assert 0.1 < (burden == 0).mean() < 0.35
    assert (burden < 1e-6).mean() > 0.25


def test_tp53_and_double_hit_effects_are_priors_with_their_uncertainty():
    who, _ = _read("large_b_cell_lymphoma")
    for name in ("tp53_chemosensitivity", "tp53_growth", "double_hit_chemosensitivity", "double_hit_growth"):
        effect = who.effects[name]
        assert effect.uncertainty is not None
        assert effect.source.how == "assumed"
        assert effect.uncertainty.median == effect.value


def test_a_secondary_cns_lymphoma_may_have_systemic_disease_and_a_primary_has_none():
    _, drawn = _read("cns_lymphoma")
    primary = drawn[~drawn["secondary"].astype(bool)]
    assert not primary["systemic_disease"].any()
    assert 0.3 < drawn["systemic_disease"].mean() < 0.45
    assert (drawn.loc[drawn["systemic_disease"], "tumor_burden_ml"] >= 0.5).all()
    assert (drawn.loc[~drawn["systemic_disease"], "tumor_burden_ml"] <= 0.5).all()
    _, only_primary = _read("primary_cns_lymphoma")
    assert (only_primary["tumor_burden_ml"] == 0).all()
    assert (only_primary["cns_burden_ml"] > 0).mean() > 0.9
