"""Read a protocol: the file, everything it names, and every problem of both in one message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from seedbed import library
from seedbed.documents import Content, Document, load, parse, placed
from seedbed.errors import ContentError, Problem, nearest
from seedbed.lenient import parse_leniently
from seedbed.protocol import catalogue
from seedbed.protocol.checks import CHECKS
from seedbed.protocol.elements import CarT, StemCells
from seedbed.protocol.schema import Protocol


def read(name_or_path: str | Path) -> Protocol:
    """Return a protocol of the library, or of a file of the user's own, with everything it names in it.

    Raises
    ------
    ContentError
        Every problem of the file, with lines.
    """
    document = load(library.find("protocols", name_or_path))
    protocol, problems = inspect(document)
    if problems or protocol is None:
        raise ContentError(problems)
    return trimmed(protocol)


def inspect(document: Document) -> tuple[Protocol | None, list[Problem]]:
    """Return the protocol of a document, as far as it can be understood, and all its problems."""
    content, problems = parse_leniently(document, Protocol)
    if content is None:
        return None, problems
    try:
        protocol = _with_references(content)
    except ContentError as error:
        problems = problems + placed(error.problems, document, ("model",))
        likely = nearest(content.model, library.names("models"))
        if likely in (None, content.model):
            return None, problems
        protocol = _with_references(content.model_copy(update={"model": likely}))  # so that the rest is checked too
    return protocol, problems + [problem for check in CHECKS for problem in check(protocol, document)]


def read_resolved(data: dict[str, Any]) -> Protocol:
    """Return a protocol from the plain data that `resolve` gave, without looking anything up in the library.

    Raises
    ------
    ContentError
        The data are no resolved protocol.
    """
    try:
        return Protocol.model_validate(data)
    except ValidationError:  # said again with lines, which need the data as text
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
        return parse(Document(Path("resolved protocol"), text, data), Protocol)


def resolve(protocol: Protocol) -> dict[str, Any]:
    """Return a protocol as plain data with all defaults and everything it names; `read_resolved` takes it back."""
    return protocol.model_dump(mode="json", by_alias=True)


def _with_references(protocol: Protocol) -> Protocol:
    """Return the protocol with the definitions of all it names; what is unknown is left to the checks."""
    elements = protocol.elements.values()
    regimens = {e.regimen for e in elements if not isinstance(e, StemCells | CarT) and e.regimen is not None}
    regimens.add(protocol.square_lymphodepletion)
    products = {element.product for element in elements if isinstance(element, CarT)}
    return protocol.model_copy(
        update={
            "drugs": {**catalogue.drugs(), **protocol.drugs},
            "regimens": _completed(protocol.regimens, regimens, catalogue.regimen, "regimens"),
            "products": _completed(protocol.products, products, catalogue.product, "products"),
            "antigens": {**catalogue.antigens(), **protocol.antigens},
            "inputs": protocol.inputs or catalogue.inputs(protocol.model),
        }
    )


def trimmed(protocol: Protocol) -> Protocol:
    """Return the protocol with only those drugs and antigens of the catalogue that it uses."""
    elements = [item for item in protocol.elements.values() if not isinstance(item, StemCells | CarT)]
    entries = [drug for item in elements for drug in protocol.doses_of(item)]
    entries += [drug for regimen in protocol.regimens.values() for drug in regimen.drugs]
    used = {entry.drug for entry in entries}
    targets = {name for product in protocol.products.values() for name in product.antigens}
    return protocol.model_copy(
        update={
            "drugs": {name: drug for name, drug in protocol.drugs.items() if name in used},
            "antigens": {name: antigen for name, antigen in protocol.antigens.items() if name in targets},
        }
    )


def _completed(
    own: dict[str, Content], names: set[str], find: Callable[[str], Content], kind: str
) -> dict[str, Content]:
    known = set(library.names(kind))
    return own | {name: find(name) for name in sorted(names - set(own)) if name in known}
