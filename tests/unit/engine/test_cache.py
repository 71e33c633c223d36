import pytest

from seedbed import engine
from seedbed.engine import cache, machine

TEXT = "model m; x' = -k*x; x = 1; k = 1; end"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    return tmp_path


def compile_it(**options):
    return engine.compile_model(engine.read_model(TEXT), **options)


def test_the_second_time_nothing_is_compiled(folder, monkeypatch):
    first = compile_it().start().advance(until=1.0)
    assert len(list(folder.glob("*.kernel"))) == 1
    monkeypatch.setattr(machine, "compile_text", lambda text: pytest.fail("compiled again"))
    assert compile_it().start().advance(until=1.0) == first


def test_another_layout_is_another_kernel(folder):
    compile_it()
    compile_it(lanes=1)
    compile_it(varied=("k",))
    assert len(list(folder.glob("*.kernel"))) == 3


def test_a_damaged_file_is_compiled_again(folder):
    compile_it()
    (kernel,) = folder.glob("*.kernel")
    kernel.write_bytes(kernel.read_bytes()[:-1] + b"?")
    assert cache.read(kernel.stem) is None
    compile_it()
    assert cache.read(kernel.stem) is not None


def test_an_unwritable_folder_costs_only_speed(tmp_path, monkeypatch):
    place = tmp_path / "file"
    place.write_text("not a folder")
    monkeypatch.setenv(cache.VARIABLE, str(place))
    assert compile_it().start().advance(until=0.0)[0, 0] == 1.0


def test_old_kernels_are_forgotten(folder, monkeypatch):
    monkeypatch.setattr(cache, "KEPT_FILES", 2)
    for k in range(4):
        cache.write(f"{k}", b"body")
    assert len(list(folder.glob("*.kernel"))) == 2
