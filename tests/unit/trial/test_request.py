"""A run repeats from the content that its request embeds, whatever the installed library says by then."""

import pytest

from seedbed import library, tables
from seedbed.errors import RunError
from seedbed.trial.enrollment import model_parameters
from seedbed.trial.request import Options, embedded_content, make_request

TUMOR = "models/asct_cart/mechanisms/tumor.yaml"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEEDBED_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def request_of_today():
    return make_request("wei_2022_tp53", Options(subjects=10))


def with_file(request, name, old, new):
    assert old in request.files[name]
    return request.model_copy(update={"files": request.files | {name: request.files[name].replace(old, new, 1)}})


def other_table(request, words):
    return with_file(request, "tables/failures.yaml", "describes: ", f"describes: {words} ")


def test_content_like_the_installed_one_is_read_where_it_is(request_of_today, tmp_path):
    with embedded_content(request_of_today):
        assert len(library.roots()) == 1
    assert not (tmp_path / "cache").exists()


def test_other_content_is_read_inside_the_block_and_forgotten_after_it(request_of_today):
    before = tables.describe("failures").describes
    for words in ("Alpha", "Beta", "Alpha"):
        with embedded_content(other_table(request_of_today, words)):
            assert tables.describe("failures").describes == f"{words} {before}"
        assert tables.describe("failures").describes == before


def test_parameters_are_those_of_the_content_in_use(request_of_today):
    usual = model_parameters("asct_cart")
    changed = with_file(request_of_today, TUMOR, "  value: ", "  value: 1")
    with embedded_content(changed):
        ours = model_parameters("asct_cart")
    assert [key for key in usual if usual[key].value != ours[key].value]
    assert model_parameters("asct_cart") is usual


def test_a_cached_file_that_was_cut_short_is_written_again(request_of_today, tmp_path):
    changed = other_table(request_of_today, "Alpha")
    with embedded_content(changed):
        pass
    file = next((tmp_path / "cache").rglob("failures.yaml"))
    whole = file.read_text()
    file.write_text(whole[:10])
    with embedded_content(changed):
        assert file.read_text() == whole


def test_an_unwritable_cache_is_told(request_of_today, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(RunError, match="cannot be written"), embedded_content(other_table(request_of_today, "Beta")):
        pass


def test_own_content_is_embedded_beside_that_of_the_package(tmp_path, monkeypatch):
    own = tmp_path / "mine" / "care"
    own.mkdir(parents=True)
    shipped = library.path("care/tocilizumab_crs2.yaml").read_text(encoding="utf-8")
    (own / "mine.yaml").write_text(shipped.replace("tocilizumab_crs2", "mine"), encoding="utf-8")
    (own / "tocilizumab_crs3.yaml").write_text("changed", encoding="utf-8")
    monkeypatch.setenv(library.VARIABLE, str(own.parent))
    files = make_request("wei_2022_tp53", Options(subjects=10)).files
    assert "id: mine" in files["care/mine.yaml"]
    assert files["care/tocilizumab_crs3.yaml"] == "changed"
    assert files["care/tocilizumab_crs2.yaml"] == shipped
