import os
import socket
import stat

import pytest

from seedbed.errors import RunError
from seedbed.trial import disk

DEAD = 2**22 - 7


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    file = tmp_path / "a.json"
    disk.write_atomically(file, "old")
    with disk.replacing(file) as temporary:
        temporary.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "a.json"
    disk.write_atomically(file, "old")

    def fail():
        with disk.replacing(file) as temporary:
            temporary.write_text("ne")
            raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"a\.json: cannot be written \(No space left on device\); free space"):
        fail()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_of_two_that_create_a_file_one_succeeds(tmp_path):
    assert disk.create(tmp_path / "a", "first")
    assert not disk.create(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"


def test_creating_needs_no_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    assert disk.create(tmp_path / "a", "first")
    assert not disk.create(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"


def test_only_what_dead_processes_of_this_machine_left_is_swept_away(tmp_path):
    host = socket.gethostname()
    left = tmp_path / f".000000.{host}.{DEAD}.1.tmp"
    kept = [tmp_path / f".000000.{host}.{os.getppid()}.1.tmp", tmp_path / f".000000.elsewhere.{DEAD}.1.tmp"]
    for folder in (left, *kept):
        folder.mkdir()
    (tmp_path / f".manifest.json.{host}.{DEAD}.1.tmp").write_text("{")
    disk.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match=r"file/a: cannot be written \(Not a directory\); .*another folder"):
        disk.make_folder(tmp_path / "file" / "a")


def test_files_are_readable_by_the_group_as_the_user_set_it(tmp_path):
    usual, atomic = tmp_path / "usual", tmp_path / "atomic"
    usual.write_text("x")
    disk.write_atomically(atomic, "x")
    assert stat.S_IMODE(usual.stat().st_mode) == stat.S_IMODE(atomic.stat().st_mode)
