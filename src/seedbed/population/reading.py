"""Read a population from the library or a path: what it is based on is merged in, then all checks run at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seedbed import library
from seedbed.documents import Document, Key, load, parse
from seedbed.errors import ContentError, Problem
from seedbed.population.checks import CHECKS, every_parameter_is_known, every_required_parameter_is_set
from seedbed.population.schema import Population, PopulationFile

_OF_THE_FILE = ("based_on", "abstract")


@dataclass(frozen=True)
class Layers:
    """The files a population is merged from, the most specific first."""

    documents: tuple[Document, ...]

    def problem(self, what: str, keys: Sequence[Key] = (), **details: Any) -> Problem:
        """Return a problem placed in the first file that holds the key path, else in the first file."""
        for document in self.documents:
            if _holds(document.data, keys):
                return document.problem(what, keys, **details)
        return self.documents[0].problem(what, keys, **details)


def _holds(data: Any, keys: Sequence[Key]) -> bool:
    for key in keys:
        if not isinstance(data, dict) or key not in data:
            return False
        data = data[key]
    return True


def _chain(path: Path) -> tuple[Document, ...]:
    """Return the file and the files it is based on, each checked by itself."""
    documents: list[Document] = []
    while True:
        document = load(path)
        if any(document.path == earlier.path for earlier in documents):
            what = f'"{path.stem}" is based on itself'
            raise ContentError(documents[-1].problem(what, ("based_on",), cure="break the circle"))
        documents.append(document)
        based_on = parse(document, PopulationFile).based_on
        if based_on is None:
            return tuple(documents)
        path = _base(path, based_on)


def _base(path: Path, name: str) -> Path:
    """Return the file that a population is based on: beside it, in the folder of bases, or in the library."""
    beside = (path.parent / f"{name}.yaml", path.parent / "base" / f"{name}.yaml", path.parent.parent / f"{name}.yaml")
    bases = library.path("populations") / "base" / f"{name}.yaml"
    found = next((file for file in (*beside, bases) if file.exists()), None)
    return found or library.find("populations", name)


def _merged(documents: Sequence[Document]) -> dict[str, Any]:
    """Return the data of all files; entries of a more specific file replace those of the same name."""
    result: dict[str, Any] = {}
    for document in reversed(documents):
        for key, value in document.data.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict) and key != "title"
            result[key] = {**result[key], **value} if both else value
    return {
        key: {name: entry for name, entry in value.items() if entry is not None} if isinstance(value, dict) else value
        for key, value in result.items()
        if key not in _OF_THE_FILE
    }


def read(
    name_or_path: str | Path, *, known_parameters: Iterable[str] = (), required_parameters: Iterable[str] = ()
) -> Population:
    """Return a population of the library, or of a file of the user's own.

    Parameters
    ----------
    name_or_path : id in ``library/populations`` or path of a YAML file
    known_parameters : ids of the model's parameters; when given, names outside are errors
    required_parameters : ids that the population has to set

    Raises
    ------
    ContentError
        All problems of the file and of those it is based on, with lines.
    """
    layers = Layers(_chain(library.find("populations", name_or_path)))
    if layers.documents[0].data.get("abstract"):
        cure = "name a population that is based on it"
        raise ContentError(layers.problem("this population only serves others as a base", ("abstract",), cure=cure))
    population = _validated(layers)
    problems = [problem for check in CHECKS for problem in check(population, layers)]
    problems += against_model(population, layers, known_parameters, required_parameters)
    if problems:
        raise ContentError(problems)
    return population


def against_model(
    population: Population, place: Layers, known: Iterable[str], required: Iterable[str]
) -> list[Problem]:
    """Return the problems of a population with the parameters of its model."""
    known = tuple(known)
    problems = every_parameter_is_known(population, known, place) if known else []
    return problems + every_required_parameter_is_set(population, required, place)


def _validated(layers: Layers) -> Population:
    try:
        return Population.model_validate(_merged(layers.documents))
    except ValidationError as error:
        raise ContentError(
            [
                layers.problem(f'missing key "{".".join(map(str, item["loc"]))}"', item["loc"], cure="add it")
                if item["type"] == "missing"
                else layers.problem(f"{'.'.join(map(str, item['loc']))}: {item['msg']}", item["loc"])
                for item in error.errors()
            ]
        ) from error
