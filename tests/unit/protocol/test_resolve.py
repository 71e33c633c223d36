import json

import pytest

from seedbed import protocol
from seedbed.errors import ContentError
from seedbed.trial import enrollment


@pytest.mark.parametrize("name", ["wei_2022_tp53", "myeloma_cd19_bcma_consolidation", "xue_2022_cnsl"])
def test_a_resolved_protocol_comes_back_equal_even_through_json(name):
    trial, who = enrollment.read(name)
    trial = protocol.square(trial)
    data = json.loads(json.dumps(enrollment.resolve(trial, who)))
    assert enrollment.read_resolved(data) == (trial, who)


def test_a_resolved_protocol_needs_no_library(monkeypatch):
    data = protocol.resolve(protocol.read("wei_2022_tp53"))

    def fail(*_):
        raise AssertionError("looked something up")

    monkeypatch.setattr("seedbed.library.find", fail)
    monkeypatch.setattr("seedbed.library.names", fail)
    trial = protocol.read_resolved(data)
    assert trial.regimens["beam"].drugs[0].drug == "carmustine"
    assert trial.products["cd19_cd22_cocktail"].antigens == ("CD19", "CD22")
    assert set(trial.drugs) >= {"melphalan", "filgrastim", "fludarabine"}
    assert "lenalidomide" not in trial.drugs
    assert trial.inputs.interventions["cart"].doses[0].target == "cart_infused_blood"


def test_data_that_are_no_protocol_are_refused():
    with pytest.raises(ContentError, match='missing key "title"'):
        protocol.read_resolved({"id": "x"})
