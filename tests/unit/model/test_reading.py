"""A model is read whole or refused with every problem at once."""

import re

import pytest

from seedbed.errors import ContentError, ModelError
from seedbed.model import model_names, read_model, read_unchecked


def test_a_model_is_read_from_its_folder_or_its_file(small):
    assert read_model(small.path.parent).id == "small"
    model = read_model(small.path)
    assert list(model.states) == ["tumor", "drug"]
    assert model.states["tumor"].counts_cells
    assert not model.states["drug"].counts_cells
    assert model.parameters["k_growth"].origin == "derived"
    assert model.parameters["tumor_start"].origin == "literature"
    assert model.parameters["k_kill"].origin == "assumed"
    assert model.values()["EC50_drug"] == 5
    assert model.interventions["drug"].doses[0].per_unit == "f_available"


def test_the_library_lists_its_models():
    assert {"asct_cart", "asct_cart_v0", "kimmel2021", "stein2019", "muellerschoell2021", "kloft2006"} <= set(
        model_names()
    )


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(ContentError, match='did you mean "asct_cart"'):
        read_model("asct_crat")


def test_every_problem_is_told_at_once(small):
    small.spoil("equations", "k_growth*tumor", "3*k_grwth*tumor")
    small.spoil("declarations", "range: [0.1, 1]", "range: [0.6, 1]")
    with pytest.raises(ModelError) as caught:
        read_model(small.path)
    text = str(caught.value)
    for piece in ("unknown name", "number 3 in a formula", "outside its range", "used nowhere", "[NoBareNumbers]"):
        assert piece in text
    assert len(caught.value.problems) == 4


def test_a_missing_value_is_an_error(small):
    small.spoil("declarations", "value: 0.1, ", "")
    with pytest.raises(ModelError, match=re.escape('missing key "parameters.k_growth.value"')):
        read_unchecked(small.path)


def test_an_unknown_key_is_an_error(small):
    small.spoil("declarations", "place: tumor", "palce: tumor")
    with pytest.raises(ModelError, match='did you mean "place"'):
        read_unchecked(small.path)


def test_a_wrong_model_file_is_an_error(small):
    small.spoil("model", "observables: [tumor, drug, size]\n", "")
    with pytest.raises(ModelError, match='missing key "observables"'):
        read_unchecked(small.path)


def test_a_mechanism_without_files_names_the_nearest(small):
    small.spoil("model", "mechanisms: [growth]", "mechanisms: [growht]")
    with pytest.raises(ModelError, match='did you mean "growth"'):
        read_unchecked(small.path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("distribution: lognormal, cv: 0.5", "distribution: lognormal", "a lognormal spread needs cv"),
        ("distribution: uniform, lower: 0.2", "distribution: uniform", "a uniform spread needs lower"),
        ("lower: 0.2, upper: 0.9", "lower: 0.9, upper: 0.2", "lower must be below upper"),
        ("range: [1, 9]", "range: [9, 1]", "range must run from low to high"),
        ("role: patient", "role: person", "patient"),
    ],
)
def test_a_wrong_shape_is_told(old, new, message, small):
    small.spoil("declarations", old, new)
    with pytest.raises(ModelError, match=message):
        read_unchecked(small.path)


def test_the_hash_follows_the_content(small):
    before = read_unchecked(small.path).content_hash
    small.spoil("declarations", "value: 0.1", "value: 0.2")
    assert read_unchecked(small.path).content_hash != before
