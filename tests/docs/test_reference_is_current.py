"""The reference pages say what the program and its library say now; every error and table has its entry."""

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_generated_page_is_current(generator):
    stale = [
        name
        for name, text in generator.pages().items()
        if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != text
    ]
    assert not stale, "run: python docs/generate.py"


def test_the_index_holds_every_page(generator):
    assert (DOCS / "README.md").read_text(encoding="utf-8") == generator.index(), "run: python docs/generate.py"
    linked = set(re.findall(r"\]\(([^)]+)\)", generator.index()))
    assert linked == {file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")} - {"README.md"}
