import numpy as np
import pytest

from seedbed import protocol
from seedbed.protocol.quantities import convertible, for_patient, in_unit

SIZE = {"weight_kg": np.array([60.0, 90.0]), "bsa_m2": np.array([1.7, 2.1])}


def test_doses_come_to_base_units_by_the_size_of_the_patient():
    np.testing.assert_allclose(for_patient(140, "mg/m2", **SIZE), [238, 294])
    np.testing.assert_allclose(for_patient(5, "ug/kg", **SIZE), [0.3, 0.45])
    np.testing.assert_allclose(for_patient(2e6, "cell/kg", **SIZE), [1.2e8, 1.8e8])
    np.testing.assert_allclose(for_patient(2, "g", **SIZE), [2000, 2000])


def test_a_dose_per_kg_becomes_one_per_surface_through_the_patient():
    np.testing.assert_allclose(in_unit(10, "mg/kg", "mg/m2", **SIZE), [600 / 1.7, 900 / 2.1])


def test_only_units_of_one_kind_convert():
    assert convertible("mg/m2", "ug/kg")
    assert not convertible("mg/m2", "cell/kg")
    assert not convertible("mg/m2", "furlong")


@pytest.mark.parametrize(
    ("drug", "dose", "unit", "expected"),
    [
        ("melphalan", 140, "mg/m2", {"alkylator": [0.7, 0.7]}),
        ("carmustine", 300, "mg/m2", {"cns_alkylator": [1.0, 1.0]}),
        ("thiotepa", 5, "mg/kg", {"thiotepa": [0.5, 0.5]}),
        ("filgrastim", 5, "ug/kg", {"filgrastim": [300.0, 450.0]}),
        ("methylprednisolone", 106.6, "mg", {"dexamethasone": [20.0, 20.0]}),
        ("bendamustine", 90, "mg/m2", {"alkylator": [0.065, 0.065], "antimetabolite": [0.15, 0.15]}),
    ],
)
def test_a_drug_becomes_interventions_of_the_model(drug, dose, unit, expected):
    found = protocol.drug_inputs(protocol.drugs()[drug], dose, unit, **SIZE)
    assert found.keys() == expected.keys()
    for name, amounts in expected.items():
        np.testing.assert_allclose(found[name], amounts)
