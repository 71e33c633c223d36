"""Ensembles are written and read whole, and say what they change."""

import numpy as np
import pytest

from seedbed import library
from seedbed.calibration.ensemble import Ensemble, Provenance, prior_ensemble, read, sets_of, write
from seedbed.calibration.priors import LogNormal, Normal
from seedbed.calibration.space import Latent, Parameter, Space
from seedbed.calibration.terms import Term, Terms
from seedbed.errors import ContentError
from seedbed.population.parameter_sets import Change, default_ensemble, read_sets

SPACE = Space(
    (Parameter("expansion", LogNormal(median=1.0, sd_log=0.2), 0.1), Parameter("shift", Normal(mean=0.0, sd=1.0))),
    {"one": "axi_cel", "two": None},
    {"response": 0.3},
)
TERMS = Terms((Term("one/cr", "one", "s", "response", "cr", "share", 0.5, 9.0),))
LATENT = Latent(SPACE, TERMS)


def ensemble(n=6, **changed):
    provenance = {
        "id": "test",
        "title": {"en": "test", "zh": "测试"},
        "plan": "calibrate_small",
        "model": "asct_cart",
        "seed": 4,
        "sets": n,
        "effective": 5.0,
        "members": 10,
        "products": ("axi_cel",),
        "parameters": {
            "expansion": Change(changes="median", of="k_effector_proliferation_max", differs_by_product=True),
            "shift": Change(changes="effect", of="tp53_growth", scale="plain"),
        },
        "priors": {"expansion": LogNormal(median=1.0, sd_log=0.2), "shift": Normal(mean=0.0, sd=1.0)},
        "fitted": ("one",),
        "predicted": (),
        "rounds": (),
        "hashes": {"plan": "p"},
        "created": "2026-11-22",
        "minutes": 1.0,
    }
    return Ensemble(prior_ensemble(LATENT, n, seed=1), Provenance.model_validate(provenance | changed))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv(library.VARIABLE, str(tmp_path))
    (tmp_path / "ensembles").mkdir()
    return tmp_path / "ensembles"


def test_columns_say_what_holds_for_which_product():
    vectors = np.random.default_rng(2).standard_normal((5, LATENT.size))
    table = sets_of(LATENT, vectors)
    assert list(table) == ["expansion", "shift", "expansion@axi_cel", "product_sd:expansion", "between_study:response"]
    ratio = np.log(table["expansion@axi_cel"] / table["expansion"])
    own = vectors[:, LATENT.product_place("axi_cel")][:, 0]
    np.testing.assert_allclose(ratio, table["product_sd:expansion"] * own)


def test_what_is_written_is_read(shelf):
    written = ensemble()
    write(written, shelf)
    found = read("test")
    np.testing.assert_allclose(found.sets, written.sets, rtol=1e-6)
    assert found.provenance.parameters == written.provenance.parameters
    sets = read_sets("test")
    assert sets.rows([0, 7, 13]).tolist() == [0, 1, 1]
    fitted = sets.values_for("axi_cel")["expansion"].to_numpy()
    np.testing.assert_allclose(fitted, written.sets["expansion@axi_cel"], rtol=1e-6)


def test_a_changed_table_is_refused(shelf):
    path = write(ensemble(), shelf)
    table = path.with_suffix(".csv")
    table.write_text(table.read_text().replace("expansion@axi_cel", "expansion@other"))
    with pytest.raises(ContentError, match="not the one that its provenance was written for"):
        read("test")
    table.write_text("shift\n1\n")
    with pytest.raises(ContentError, match='column "expansion" is absent'):
        read_sets("test")
    table.unlink()
    with pytest.raises(ContentError, match="the table of the ensemble is absent"):
        read_sets("test")


def test_the_default_is_the_one_that_says_so(shelf):
    write(ensemble(), shelf)
    assert default_ensemble("asct_cart") != "test"
    write(ensemble(id="chosen", default=True, model="another"), shelf)
    assert default_ensemble("another") == "chosen"


def test_an_unknown_ensemble_names_the_nearest(shelf):
    write(ensemble(), shelf)
    with pytest.raises(ContentError, match=r'unknown ensemble "tost".*did you mean "test"'):
        read("tost")
