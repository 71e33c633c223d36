"""Where the content stands: models, protocols, populations, evidence, plans, words. No logic lives there."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from seedbed.errors import ContentError, Problem, unknown


def root() -> Path:
    """Return the folder of the library."""
    return Path(str(resources.files(__name__)))


def path(relative: str) -> Path:
    """Return the path of a file or folder of the library.

    Raises
    ------
    ContentError
        The library holds no such file.
    """
    found = root() / relative
    if not found.exists():
        raise ContentError(Problem(f'the library holds no "{relative}"', str(root())))
    return found


def names(kind: str) -> list[str]:
    """Return the ids of one kind of content, such as ``"protocols"``, in alphabetical order."""
    folder = path(kind)
    files = {file.stem for file in folder.glob("*.yaml")}
    folders = {file.parent.name for file in folder.glob("*/model.yaml")}
    return sorted(files | folders)


def find(kind: str, name_or_path: str | Path) -> Path:
    """Return the file of a content named by its id or by a path of the user's own.

    Raises
    ------
    ContentError
        Neither an id of the library nor a file; names the nearest id.
    """
    own = Path(name_or_path)
    if own.suffix in {".yaml", ".yml"} or own.is_dir():
        if own.exists():
            return own
        cure = f"give a path, or an id of the library's {kind}"
        raise ContentError(Problem("no such file", str(own), cure=cure))
    for candidate in (root() / kind / f"{own}.yaml", root() / kind / str(own) / "model.yaml"):
        if candidate.exists():
            return candidate
    raise ContentError(unknown(kind.removesuffix("s"), str(name_or_path), names(kind)))
