"""Where the content stands: models, protocols, populations, evidence, plans, words. No logic lives there.

The folders named in the environment variable ``SEEDBED_LIBRARY`` are searched before the library that seedbed
ships, so that a modeler's own content stands beside it, or in its place, without touching the package.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from importlib import resources
from pathlib import Path
from typing import ParamSpec, TypeVar

from seedbed.errors import ContentError, Problem, unknown

VARIABLE = "SEEDBED_LIBRARY"
_FIRST: ContextVar[tuple[Path, ...]] = ContextVar("first", default=())
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def roots() -> tuple[Path, ...]:
    """Return the folders that are searched: those of `first`, the user's own, the library of the package.

    Raises
    ------
    ContentError
        One of the user's own is no library: it would be passed over, and the package's content used in its place.
    """
    return (*_FIRST.get(), *_own(os.environ.get(VARIABLE, "")), _shipped())


def _shipped() -> Path:
    return Path(str(resources.files(__name__)))


@cache
def _own(folders: str) -> tuple[Path, ...]:
    own = tuple(Path(folder) for folder in folders.split(os.pathsep) if folder)
    problems = [problem for folder in own for problem in _problems(folder)]
    if problems:
        raise ContentError(problems)
    return own


def _problems(folder: Path) -> list[Problem]:
    if not folder.is_dir():
        return [Problem(f'{VARIABLE} names "{folder}", which is no folder', cure="correct the path, or make it")]
    held = {item.name for item in folder.iterdir()}
    kinds = sorted(item.name for item in _shipped().iterdir() if item.is_dir() and item.name[0] not in "._")
    if not held or held & set(kinds):
        return []
    what = f'{VARIABLE} names "{folder}", which holds no folder that a library has'
    return [Problem(what, expected=f"one of {', '.join(kinds)}", cure="name the folder above them")]


@contextmanager
def first(folder: Path) -> Iterator[None]:
    """Search a folder before all others, in this thread only and while the block runs."""
    token = _FIRST.set((folder, *_FIRST.get()))
    try:
        yield
    finally:
        _FIRST.reset(token)


def cached(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Return a function of the library's content that remembers its results, apart for other folders searched."""
    remembered = cache(lambda _roots, *arguments, **names: function(*arguments, **names))

    @wraps(function)
    def recall(*arguments: _Arguments.args, **names: _Arguments.kwargs) -> _Result:
        return remembered(roots(), *arguments, **names)

    return recall


def path(relative: str) -> Path:
    """Return the path of a file or folder of the library.

    Raises
    ------
    ContentError
        The library holds no such file.
    """
    for root in roots():
        if (root / relative).exists():
            return root / relative
    raise ContentError(Problem(f'the library holds no "{relative}"', str(roots()[-1])))


def texts(folder: Path) -> dict[str, str]:
    """Return the text of the content files in a folder and below it, by their path in it."""
    files = (file for file in sorted(folder.rglob("*")) if file.suffix in {".yaml", ".ant", ".csv"})
    return {file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8") for file in files}


def names(kind: str) -> list[str]:
    """Return the ids of one kind of content, such as ``"protocols"``, in alphabetical order."""
    folders = [root / kind for root in roots()]
    files = {file.stem for folder in folders for file in folder.glob("*.yaml")}
    return sorted(files | {file.parent.name for folder in folders for file in folder.glob("*/model.yaml")})


def find(kind: str, name_or_path: str | Path) -> Path:
    """Return the file of a content named by its id or by a path of the user's own.

    Raises
    ------
    ContentError
        Neither an id of the library nor a file; names the nearest id.
    """
    own = Path(name_or_path)
    for root in roots():
        for candidate in (root / kind / f"{own}.yaml", root / kind / str(own) / "model.yaml"):
            if candidate.is_file():
                return candidate
    if own.suffix in {".yaml", ".yml"} or len(own.parts) > 1:
        if own.exists():
            return own
        cure = f"give a path, or an id of the library's {kind}"
        raise ContentError(Problem("no such file", str(own), cure=cure))
    raise ContentError(unknown(kind.removesuffix("s"), str(name_or_path), names(kind)))
