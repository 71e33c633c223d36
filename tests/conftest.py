"""What holds for every test: one thread of linear algebra, own cache and home folder, repeatable examples."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

for library in ("OPENBLAS", "OMP", "MKL"):  # read when NumPy is first imported, which no plugin does before
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("repeatable", database=None, deadline=None, derandomize=True)
settings.load_profile("repeatable")

CACHE = "SEEDBED_CACHE"
"""Environment variable with the folder of compiled kernels; child processes of a test inherit it."""


def pytest_configure(config):
    """Compile each kernel once per session, in a folder of the session's own unless one is given."""
    if CACHE not in os.environ:
        config.own_cache = os.environ[CACHE] = tempfile.mkdtemp(prefix="seedbed-tests-")


def pytest_unconfigure(config):
    if own := getattr(config, "own_cache", None):
        os.environ.pop(CACHE, None)
        shutil.rmtree(own, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def home(tmp_path_factory):
    """Give the session an empty home folder, which must still be empty at its end."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            patch.delenv(name, raising=False)
        yield folder
    written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    assert not written, f"written into the home folder: {written}"
