"""Emulate a published arm: a protocol of the library, changed to how that study chose and treated its patients.

Selection belongs here and not into the parameters: a study of refractory lymphoma is emulated by refractory
patients, a study that counts from infusion by those who were infused.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal

import yaml

from seedbed import library, protocol
from seedbed.documents import Content, Document, load
from seedbed.errors import ContentError, Problem
from seedbed.population import Population
from seedbed.protocol import Condition, Protocol
from seedbed.trial import enrollment


class Emulation(Content):
    """How a published arm differs from an arm of the library.

    Attributes
    ----------
    protocol, arm : what it is derived from
    population : whom it is derived from; the protocol's own by default
    cells, cells_per_kg : CAR-T product of the library, and its dose [cell/kg]
    conditioning, lymphodepletion : regimens of the library
    chosen : conditions on covariates, beside those of the protocol: how the study chose its patients
    corner : the corner of the square around a combined arm that its patients get instead: the null world
    """

    protocol: str
    arm: str
    population: str | None = None
    cells: str | None = None
    cells_per_kg: float | None = None
    conditioning: str | None = None
    lymphodepletion: str | None = None
    chosen: tuple[Condition, ...] = ()
    corner: Literal["asct", "cart"] | None = None


def emulate(emulation: Emulation) -> tuple[Protocol, Population]:
    """Return the protocol, with the one arm, and the population of an emulation.

    Raises
    ------
    ContentError
        The library holds no such content, or the changes do not fit together.
    """
    document = load(library.find("protocols", emulation.protocol))
    changed = _changed(document, emulation)
    found, problems = protocol.inspect(changed)
    if found is None or problems:
        raise ContentError(problems)
    who = enrollment.read_population(found.population, found)
    if misfits := enrollment.fit_problems(found, who, changed):
        raise ContentError(misfits)
    return protocol.trimmed(_at_corner(found, emulation.corner)), who


def _at_corner(found: Protocol, corner: str | None) -> Protocol:
    """Return the protocol with only the derived arm of a corner, or unchanged."""
    if corner is None:
        return found
    squared = protocol.square(found)
    arm = next(arm for arm in squared.arms.values() if arm.therapy == corner)
    elements = {name: squared.elements[name] for name in arm.content.elements}
    return squared.model_copy(update={"arm_contents": {arm.id: arm.content}, "elements": elements})


def _changed(document: Document, emulation: Emulation) -> Document:
    data = copy.deepcopy(document.data)
    if emulation.arm not in data["arms"]:
        raise ContentError(document.problem(f'no arm "{emulation.arm}"', ("arms",)))
    arm = data["arms"][emulation.arm]
    data["arms"] = {emulation.arm: arm}
    data["elements"] = {name: data["elements"][name] for name in arm["elements"]}
    data["id"] = f"{data['id']} for {emulation.arm}"
    data.pop("emulates", None)
    if emulation.population is not None:
        data["population"] = emulation.population
    chosen = [condition.model_dump(mode="json", by_alias=True, exclude_none=True) for condition in emulation.chosen]
    data["eligibility"] = [*data["eligibility"], *arm.pop("selection", []), *chosen]
    for element in data["elements"].values():
        _change_element(element, emulation, document.path)
    return Document(document.path, yaml.safe_dump(data, allow_unicode=True, sort_keys=False), data)


def _change_element(element: dict[str, Any], emulation: Emulation, file: Path) -> None:
    kind = element["kind"]
    if kind == "cart":
        element["product"] = emulation.cells or element["product"]
        if emulation.cells_per_kg is not None:
            if element["unit"] != "cell/kg":
                what = f"cells_per_kg is given, but the protocol's dose is in {element['unit']}"
                raise ContentError(Problem(what, str(file), cure="emulate another protocol"))
            element["dose"] = emulation.cells_per_kg
    regimen = {"conditioning": emulation.conditioning, "lymphodepletion": emulation.lymphodepletion}.get(kind)
    if regimen is not None:
        element.pop("drugs", None)
        element["regimen"] = regimen
