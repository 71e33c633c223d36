"""Imports point down only, heavy libraries have one door each, and no file grows out of hand."""

import ast
from functools import cache
from pathlib import Path

import pytest

import seedbed

SOURCE = Path(seedbed.__file__).parent
LAYERS = [
    {"cli", "api"},
    {"report"},
    {"study"},
    {"calibration"},
    {"trial"},
    {"population", "protocol", "analysis"},
    {"engine"},
    {"model", "evidence"},
    {"lenient", "sources", "library"},
    {"tables", "units", "streams", "documents", "memory"},
    {"errors"},
]
ALLOWED_UPWARD = {("tables", "library")}
DOORS = {
    "altair": {"report"},
    "vl_convert": {"report"},
    "llvmlite": {"engine"},
    "libsbml": {"engine", "model"},
    "antimony": {"engine", "model"},
    "distributed": {"trial"},
    "SALib": {"study"},
    "statsmodels": {"analysis"},
    "roadrunner": {"study"},
    "pydiffsol": {"study"},
    "jinja2": {"report"},
    "typer": {"cli"},
}
FILES = sorted(SOURCE.rglob("*.py"))


def level(package):
    return next((depth for depth, names in enumerate(LAYERS) if package in names), None)


@cache
def imported_modules(file):
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "seedbed" else []
            found += names or [node.module]
    return found


def package_of(file):
    part = file.relative_to(SOURCE).parts[0]
    return part.removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_point_down(file):
    mine = package_of(file)
    if mine == "__init__":
        return
    for module in imported_modules(file):
        if not module.startswith("seedbed.") or module == "seedbed.__version__":
            continue
        theirs = module.split(".")[1]
        assert level(theirs) is not None, f"{theirs} has no layer; add it to LAYERS"
        legal = level(mine) < level(theirs) or mine == theirs or (mine, theirs) in ALLOWED_UPWARD
        same_layer_foundation = level(mine) == level(theirs) and level(mine) >= level("sources")
        assert legal or same_layer_foundation, f"{mine} must not import {theirs}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_heavy_libraries_have_one_door(file):
    for module in imported_modules(file):
        owners = DOORS.get(module.split(".")[0])
        assert owners is None or package_of(file) in owners


def test_statistics_know_nothing_of_biology():
    forbidden = {"model", "engine", "population", "protocol", "trial", "evidence"}
    for file in (SOURCE / "analysis").glob("*.py"):
        used = {module.split(".")[1] for module in imported_modules(file) if module.startswith("seedbed.")}
        assert not used & forbidden, file


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_file_is_longer_than_800_lines(file):
    assert file.read_text(encoding="utf-8").count("\n") <= 800
