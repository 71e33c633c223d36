"""Read a model of the library, or of the user's own folder, and refuse it with all its problems at once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeVar

from seedbed import library
from seedbed.documents import Content, Document, load, parse, read
from seedbed.errors import ContentError, ModelError, nearest
from seedbed.model.checks import STRUCTURE_CHECKS, run_checks
from seedbed.model.fragments import parse_fragment
from seedbed.model.schema import MechanismContent, ModelContent, Reference, References
from seedbed.model.structure import Mechanism, Model

Schema = TypeVar("Schema", bound=Content)


def model_names() -> list[str]:
    """Return the ids of the library's models."""
    return library.names("models")


def read_model(name_or_path: str | Path) -> Model:
    """Return a model, checked in everything but its units (`checks.UnitsAgree` takes longer).

    Parameters
    ----------
    name_or_path : id in the library, or the path of a `model.yaml` or of its folder

    Raises
    ------
    ModelError
        Every problem of every file of the model, with lines.
    ContentError
        No such model.
    """
    path = library.find("models", name_or_path)
    return _read(path / "model.yaml" if path.is_dir() else path)


@cache
def _read(path: Path) -> Model:
    model = read_unchecked(path)
    problems = run_checks(model, STRUCTURE_CHECKS)
    if problems:
        raise ModelError(problems)
    return model


def read_unchecked(path: Path) -> Model:
    """Return a model whose files have the right shape; whether they fit each other is not looked at."""
    document = load(path)
    content = _shaped(document, ModelContent)
    folder = path.parent / "mechanisms"
    mechanisms, problems = [], []
    for index, name in enumerate(content.mechanisms):
        try:
            mechanisms.append(_mechanism(folder, name))
        except FileNotFoundError:
            known = sorted(file.stem for file in folder.glob("*.ant"))
            what = f'mechanism "{name}" has no {name}.ant and {name}.yaml'
            cure = "write both files, or take the name out"
            problems.append(document.problem(what, ("mechanisms", index), nearest=nearest(name, known), cure=cure))
        except ContentError as error:
            problems.extend(error.problems)
    if problems:
        raise ModelError(problems)
    return Model(path, document, content, tuple(mechanisms), _references(path))


def _shaped(document: Document, schema: type[Schema]) -> Schema:
    try:
        return parse(document, schema)
    except ContentError as error:
        raise ModelError(error.problems) from error


def _mechanism(folder: Path, name: str) -> Mechanism:
    equations, declarations = folder / f"{name}.ant", folder / f"{name}.yaml"
    if not equations.exists() or not declarations.exists():
        raise FileNotFoundError(name)
    document = load(declarations)
    content = parse(document, MechanismContent)
    return Mechanism(name, content, document, parse_fragment(equations.read_text(encoding="utf-8"), equations))


def _references(path: Path) -> dict[str, Reference]:
    """Return the library's references, and those beside the model where it stands elsewhere."""
    files: Iterable[Path] = (library.path("references/models.yaml"), path.parent / "references.yaml")
    found: dict[str, Reference] = {}
    for file in files:
        if file.exists():
            found.update(read(file, References).references)
    return found
