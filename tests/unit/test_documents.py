import pytest

from seedbed.documents import Content, content_hash, load, read
from seedbed.errors import ContentError


class Drug(Content):
    name: str
    dose: float


class Regimen(Content):
    id: str
    drugs: tuple[Drug, ...]
    note: str = ""


def _write(tmp_path, text):
    file = tmp_path / "regimen.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_good_file_becomes_an_object(tmp_path):
    file = _write(tmp_path, "id: beam\ndrugs:\n- {name: melphalan, dose: 140}\n")
    assert read(file, Regimen).drugs[0].dose == 140


def test_all_problems_of_a_file_are_listed_at_once_with_lines_and_the_nearest_key(tmp_path):
    file = _write(tmp_path, "id: beam\nnotes: hello\ndrugs:\n- name: melphalan\n  dose: many\n- nme: x\n")
    with pytest.raises(ContentError) as caught:
        read(file, Regimen)
    message = str(caught.value)
    assert "5 problems" in message
    assert 'line 2  unknown key "notes"' in message
    assert 'did you mean "note"?' in message
    assert "line 5  drugs.0.dose" in message
    assert 'line 6  unknown key "drugs.1.nme"' in message
    assert 'missing key "drugs.1.dose"' in message


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    with pytest.raises(ContentError, match='line 2  key "id" stands twice'):
        load(_write(tmp_path, "id: a\nid: b\n"))


def test_text_that_is_not_yaml_is_named_with_its_line(tmp_path):
    with pytest.raises(ContentError, match="line 2"):
        load(_write(tmp_path, "id: a\n  b: [\n"))


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path):
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"id: a\nnote: caf\xe9\n")
    with pytest.raises(ContentError, match="line 2  byte 0xe9 is not UTF-8; expected a text file; save it as UTF-8"):
        load(file)
    file.write_bytes(b"id: a\nnote: \x00\n")
    with pytest.raises(ContentError, match="line 2  not YAML: control characters"):
        load(file)


def test_a_file_that_holds_no_keys_says_what_it_should_hold(tmp_path):
    with pytest.raises(ContentError, match="the file is empty; expected keys id, drugs, note"):
        read(_write(tmp_path, ""), Regimen)
    with pytest.raises(ContentError, match="the file holds one list, not keys with values"):
        read(_write(tmp_path, "- a\n"), Regimen)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(ContentError, match=r"absent\.yaml"):
        load(tmp_path / "absent.yaml")


def test_the_hash_depends_on_content_and_not_on_key_order(tmp_path):
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 2})
    assert content_hash(_write(tmp_path, "x")) == content_hash(_write(tmp_path, "x"))
