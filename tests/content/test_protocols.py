"""Every protocol of the library, and everything it names: it loads, fits its population and gives doses."""

import json

import numpy as np
import pytest

from seedbed import evidence, library, protocol
from seedbed.trial import enrollment

NAMES = library.names("protocols")
WANTED = {
    "sauter_2019",
    "cao_2021",
    "wei_2022_tp53",
    "xue_2022_cnsl",
    "myeloma_cd19_bcma_consolidation",
    "infusion_day_lbcl",
    "asct_cart_anti_pd1_lbcl",
    "asct_cart_bispecific_lbcl",
    "asct_cart_lbcl",
}
DISEASES = {
    "b_all",
    "burkitt_lymphoma",
    "large_b_cell_lymphoma",
    "large_b_cell_lymphoma_double_hit",
    "large_b_cell_lymphoma_tp53",
    "mantle_cell_lymphoma",
    "multiple_myeloma_new_high_risk",
    "multiple_myeloma_relapsed",
    "primary_cns_lymphoma",
    "secondary_cns_lymphoma",
}


def test_the_protocols_that_were_asked_for_are_there():
    assert set(NAMES) >= WANTED
    assert set(library.names("populations")) >= DISEASES
    days = protocol.read("infusion_day_lbcl").arms
    assert [arm.cart_offset for arm in days.values()] == [0, 2, 4, 7, 14, 21]
    for disease in DISEASES:
        arms = protocol.read(f"{disease}_asct_or_cart").arms
        assert {arm.therapy for arm in arms.values()} == {"asct", "cart"}


@pytest.mark.parametrize("name", NAMES)
def test_a_protocol_loads_enrolls_and_gives_doses_to_states_of_its_model(name):
    trial, who = enrollment.read(name)
    assert trial.id == name
    trial = protocol.square(trial)
    enrolled = enrollment.enroll(trial, who, 40, seed=1)
    targets = {dose.target for item in trial.inputs.interventions.values() for dose in item.doses}
    for arm in trial.arms.values():
        table = enrolled.arm_tables[arm.id]
        doses = protocol.doses(arm, table, enrolled.subjects)
        assert {dose.target for dose in doses} <= targets
        assert bool(doses) == (arm.therapy != "neither" or bool(arm.elements))
        given = [np.asarray(dose.amount)[np.isfinite(dose.time)] for dose in doses]
        assert all((amount > 0).all() for amount in given)
        assert len(protocol.timeline(arm)) > 0 or not arm.elements
        assert arm.title.zh
    json.dumps(enrollment.resolve(trial, who))


@pytest.mark.parametrize("name", NAMES)
def test_an_emulated_study_stands_in_the_evidence_with_its_arms(name):
    trial = protocol.read(name)
    if trial.emulates is None:
        pytest.skip("stands for no published study")
    studies = {study.id: study for study in evidence.studies()}
    known = {arm.id for arm in studies[trial.emulates.study].arms}
    assert set(trial.emulates.arms.values()) <= known


def test_no_study_of_asct_with_car_t_is_used_that_the_evidence_does_not_hold():
    known = {study.id for study in evidence.studies()}
    assert {trial.emulates.study for trial in map(protocol.read, NAMES) if trial.emulates} <= known


def test_every_regimen_and_product_of_the_library_is_read():
    for name in library.names("regimens"):
        regimen = protocol.catalogue.regimen(name)
        assert regimen.id == name
        for drug in regimen.drugs:
            sizes = {"weight_kg": np.array([70.0]), "bsa_m2": np.array([1.8])}
            amounts = protocol.drug_inputs(protocol.drugs()[drug.drug], drug.dose, drug.unit, **sizes)
            assert all(amount.item() > 0 for amount in amounts.values())
    for name in library.names("products"):
        product = protocol.catalogue.product(name)
        assert product.id == name
        assert set(product.antigens) <= set(protocol.catalogue.antigens())


def test_drugs_are_interventions_of_the_model():
    interventions = protocol.catalogue.inputs("asct_cart").interventions
    for name, drug in protocol.drugs().items():
        assert {entry.intervention for entry in drug.inputs} <= set(interventions), name


def test_the_exposures_of_conditioning_are_those_that_define_the_units():
    sizes = {"weight_kg": np.array([75.0]), "bsa_m2": np.array([1.9])}

    def exposure(regimen):
        total = {}
        for drug in protocol.catalogue.regimen(regimen).drugs:
            for name, amount in protocol.drug_inputs(
                protocol.drugs()[drug.drug], drug.dose, drug.unit, **sizes
            ).items():
                total[name] = total.get(name, 0.0) + amount.item() * len(drug.dose_days())
        return total

    assert exposure("beam") == pytest.approx({"cns_alkylator": 1.0, "antimetabolite": 1.0, "alkylator": 0.7}, abs=1e-3)
    assert exposure("melphalan_200") == pytest.approx({"alkylator": 1.0})
    flu_cy = exposure("fludarabine_cyclophosphamide")
    assert flu_cy["antimetabolite"] == pytest.approx(0.51, abs=0.01)
    assert flu_cy["alkylator"] == pytest.approx(0.195, abs=0.01)
    assert exposure("thiotepa_carmustine")["thiotepa"] == pytest.approx(1.0)
