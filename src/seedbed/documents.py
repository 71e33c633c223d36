"""Read a YAML file of content into a checked object; list every problem of the file at once, with its line.

`Content` is the base of all schemas: unknown keys are errors, instances cannot be changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from seedbed.errors import ContentError, Problem, nearest

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Key = str | int
#: How pydantic says a bound; what follows is what was expected.
_EXPECTED = "Input should be "
#: What was expected, where pydantic's own words speak of Python.
_KINDS = {
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
}
Schema = TypeVar("Schema", bound="Content")


class Content(BaseModel):
    """A piece of content: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Document:
    """The plain data of a YAML file, and where each key stands in it."""

    path: Path
    text: str
    data: Any

    def line(self, keys: Sequence[Key]) -> int | None:
        """Return the line of a key path, or of its nearest ancestor that stands in the file."""
        lines = _line_numbers(self.text)
        for depth in range(len(keys), -1, -1):
            found = lines.get(tuple(keys[:depth]))
            if found is not None:
                return found
        return None

    def problem(self, what: str, keys: Sequence[Key] = (), **details: Any) -> Problem:
        """Return a problem placed at a key path of this file; `details` as in `errors.Problem`."""
        return Problem(what=what, file=str(self.path), line=self.line(keys), **details)


@cache
def _line_numbers(text: str) -> dict[tuple[Key, ...], int]:
    lines: dict[tuple[Key, ...], int] = {}

    def walk(node: yaml.Node, keys: tuple[Key, ...]) -> None:
        lines.setdefault(keys, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                lines[(*keys, key.value)] = key.start_mark.line + 1
                walk(value, (*keys, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                walk(value, (*keys, index))

    root = yaml.compose(text, Loader=_Loader)
    if root is not None:
        walk(root, ())
    return lines


def placed(problems: Iterable[Problem], document: Document, keys: Sequence[Key]) -> list[Problem]:
    """Return problems, those that name no file at the place of a document that led to them."""
    line = document.line(keys)
    return [item if item.file else replace(item, file=str(document.path), line=line) for item in problems]


def _duplicate_keys(path: Path, root: yaml.Node | None) -> list[Problem]:
    problems: list[Problem] = []

    def walk(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    line = key.start_mark.line + 1
                    problems.append(Problem(f'key "{key.value}" stands twice', str(path), line, "each key once"))
                seen.add(key.value)
                walk(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                walk(value)

    if root is not None:
        walk(root)
    return problems


def _parsed(path: Path, text: str) -> tuple[Any, list[Problem]]:
    """Return the plain data of a YAML text, and which keys stand twice; the text is composed once for both."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        duplicates = _duplicate_keys(path, root)
        return None if root is None else loader.construct_document(root), duplicates
    finally:
        loader.dispose()


def load(path: Path | str) -> Document:
    """Return the plain data of a YAML file.

    Raises
    ------
    ContentError
        The file is absent, is not YAML, or holds a key twice.
    """
    return _document(Path(path), _text(Path(path)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ContentError(Problem(f"cannot be read: {error.strerror}", str(path))) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        what = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise ContentError(Problem(what, str(path), line, "a text file", cure="save it as UTF-8")) from error


def _document(path: Path, text: str) -> Document:
    try:
        data, duplicates = _parsed(path, text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ContentError(Problem(f"not YAML: {error.problem}", str(path), line)) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ContentError(Problem(f"not YAML: {error.reason}", str(path), line, "a text file")) from error
    if duplicates:
        raise ContentError(duplicates)
    return Document(path, text, data)


def parse(document: Document, schema: type[Schema]) -> Schema:
    """Return the document as an instance of a schema.

    Raises
    ------
    ContentError
        Every key that is unknown or missing and every value that is out of range, with lines.
    """
    try:
        return schema.model_validate(document.data)
    except ValidationError as error:
        raise ContentError([_problem(document, schema, item) for item in error.errors()]) from error


def read(path: Path | str, schema: type[Schema]) -> Schema:
    """Return a YAML file as an instance of a schema, parsed once a process; errors as in `load` and `parse`."""
    return _read(Path(path), _text(Path(path)), schema)


@lru_cache(maxsize=512)
def _read(path: Path, text: str, schema: type[Schema]) -> Schema:
    return parse(_document(path, text), schema)


def _problem(document: Document, schema: type[Content], item: Any) -> Problem:
    keys = tuple(_without_tags(document.data, item["loc"], absent=item["type"] == "missing"))
    name = ".".join(str(key) for key in keys)
    if item["type"] == "extra_forbidden":
        known = _known_keys(schema, item["loc"][:-1])
        return document.problem(
            f'unknown key "{name}"',
            keys,
            expected="one of " + ", ".join(known) if known else "no further key",
            nearest=nearest(str(keys[-1]), known),
        )
    if item["type"] == "missing":
        return document.problem(f'missing key "{name}"', keys[:-1], cure="add it")
    if item["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return _problem_of_kind(document, keys, item)
    value = item.get("input")
    if not keys and item["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        held = f"the file holds one {type(value).__name__}, not keys with values"
        what = "the file is empty" if value is None else held
        return document.problem(what, expected="keys " + ", ".join(_field_names(schema)[:12]))
    message = item["msg"].removeprefix("Value error, ")
    shown = f" = {json.dumps(value, default=str)}" if isinstance(value, str | int | float | bool) else ""
    expected = _expected(item, message)
    if name and expected:
        near = nearest(value, allowed_words(item)) if isinstance(value, str) else None
        return document.problem(f"{name}{shown}", keys, expected=expected, nearest=near)
    return document.problem(f"{name}{shown}: {message}" if name else message, keys)


def allowed_words(item: Any) -> list[str]:
    """Return the words that may stand where pydantic met another; empty where it was not about words."""
    return re.findall(r"'([^']*)'", item["ctx"]["expected"]) if item["type"] == "literal_error" else []


def _expected(item: Any, message: str) -> str:
    """Return what was expected in place of a value, in words for those who write files; empty where it is unclear."""
    if item["type"] in _KINDS:
        return _KINDS[item["type"]]
    if item["type"] == "too_short":
        least = item["ctx"]["min_length"]
        return f"at least {least} entr{'y' if least == 1 else 'ies'}"
    return message.removeprefix(_EXPECTED) if message.startswith(_EXPECTED) else ""


def _problem_of_kind(document: Document, keys: tuple[Key, ...], item: Any) -> Problem:
    """Return the problem of an entry whose kind is not given, or is none of those there are."""
    name, key = ".".join(str(part) for part in keys), item["ctx"]["discriminator"].strip("'")
    if item["type"] == "union_tag_not_found":
        written = item["input"] if isinstance(item["input"], dict) else {}
        return document.problem(f'missing key "{name}.{key}"', keys, nearest=nearest(key, written), cure="add it")
    tag = str(item["ctx"]["tag"])
    known = [kind.strip("'") for kind in item["ctx"]["expected_tags"].split(", ")]
    expected = "one of " + ", ".join(known)
    return document.problem(f'unknown {key} "{tag}"', (*keys, key), expected=expected, nearest=nearest(tag, known))


def _without_tags(data: Any, location: Sequence[Key], *, absent: bool) -> list[Key]:
    """Drop the names that pydantic inserts for the members of a union; the last key may be one that is absent."""
    keys: list[Key] = []
    for position, key in enumerate(location):
        here = (isinstance(data, dict) and key in data) or (isinstance(data, list) and isinstance(key, int))
        if here:
            keys.append(key)
            data = data[key] if isinstance(data, dict) or key < len(data) else None
        elif absent and position == len(location) - 1:
            keys.append(key)
    return keys


def _known_keys(schema: Any, location: Sequence[Key]) -> list[str]:
    """Return the keys that a schema allows at a place."""
    for key in location:
        schema = _inner(schema, key)
    return _field_names(schema)


def _inner(schema: Any, key: Key) -> Any:
    for candidate in _candidates(schema):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            if key in _field_names(candidate):
                return next(f for n, f in candidate.model_fields.items() if key in (n, f.alias))
            if key == candidate.__name__:
                return candidate
    return schema


def _candidates(annotation: Any) -> list[Any]:
    """Return the classes named anywhere inside a type annotation."""
    if isinstance(annotation, FieldInfo):
        annotation = annotation.annotation
    arguments = getattr(annotation, "__args__", None)
    if not arguments:
        return [annotation]
    return [found for argument in arguments for found in _candidates(argument)]


def _field_names(schema: Any) -> list[str]:
    return [
        field.alias or name
        for candidate in _candidates(schema)
        if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        for name, field in candidate.model_fields.items()
    ]


def content_hash(*parts: Any) -> str:
    """Return the SHA-256 of content: files by their bytes, everything else by its canonical JSON."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            digest.update(part.read_bytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str, ensure_ascii=False).encode())
        digest.update(b"\0")
    return digest.hexdigest()
