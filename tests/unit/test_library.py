"""A library of the user's own is searched first, and one that is none is refused instead of passed over."""

import pytest

from seedbed import library
from seedbed.errors import ContentError


def use(monkeypatch, folder):
    monkeypatch.setenv(library.VARIABLE, str(folder))


def test_an_own_folder_is_searched_first(tmp_path, monkeypatch):
    (tmp_path / "care").mkdir()
    (tmp_path / "care" / "standard.yaml").write_text("mine")
    use(monkeypatch, tmp_path)
    assert library.find("care", "standard") == tmp_path / "care" / "standard.yaml"
    assert "tocilizumab_crs2" in library.names("care")


def test_a_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    use(monkeypatch, tmp_path / "absent")
    with pytest.raises(ContentError, match='absent", which is no folder'):
        library.names("care")


def test_a_folder_inside_a_library_is_refused(tmp_path, monkeypatch):
    (tmp_path / "models" / "asct_cart").mkdir(parents=True)
    use(monkeypatch, tmp_path / "models")
    with pytest.raises(ContentError, match="name the folder above them"):
        library.find("models", "asct_cart")


def test_an_empty_folder_may_be_filled_later(tmp_path, monkeypatch):
    use(monkeypatch, tmp_path)
    assert library.roots()[0] == tmp_path
