"""Derive one protocol whose arms are the design points of a study.

A variant is an arm of a protocol with changes: elements left out, added, or given other values, and parameters of the
model set to others. All variants become arms of one derived protocol, so that every design point sees the same
virtual patients with the same luck, and a run of that protocol is sharded, resumed and repeated like any other.
Variants that come to the same treatment share one arm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from seedbed import protocol
from seedbed.documents import Content, Document
from seedbed.errors import ContentError, Problem, nearest
from seedbed.protocol import ParameterChange, Protocol
from seedbed.protocol.elements import Element
from seedbed.sources import Words

Data = dict[str, Any]


class Change(Content):
    """What a design point changes in an arm.

    Attributes
    ----------
    remove : elements left out, by id or by kind; what the arm does not have is no error
    add : ids of elements of the protocol or of the plan
    set : ``<element id or kind>.<key>`` -> value; keys reach into lists by number, ``growth_factor.drugs.0.first``
    parameters : of the model
    """

    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    set: dict[str, Any] = Field(default_factory=dict)
    parameters: dict[str, ParameterChange] = Field(default_factory=dict)

    def merged(self, other: Change) -> Change:
        """Return both changes together; the other's values win."""
        return Change(
            remove=self.remove + other.remove,
            add=self.add + other.add,
            set={**self.set, **other.set},
            parameters={**self.parameters, **other.parameters},
        )


@dataclass(frozen=True)
class Variant:
    """One design point.

    Attributes
    ----------
    id, title : of the arm it becomes
    arm : the arm of the protocol that it starts from
    change : what it changes there
    place : keys of the plan where the change stands, for messages
    """

    id: str
    title: Words
    arm: str
    change: Change
    place: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class Derived:
    """A derived protocol, and the arm that stands for each variant."""

    protocol: Protocol
    arm_of: dict[str, str]


def derive(
    trial: Protocol, variants: Sequence[Variant], plan: Document, elements: Mapping[str, Element] | None = None
) -> Derived:
    """Return the protocol whose arms are the variants.

    Parameters
    ----------
    trial : as read, with everything it names
    variants : design points
    plan : the document of the study's plan, in which problems are placed
    elements : further elements that changes may add

    Raises
    ------
    ContentError
        A change names an element or a key that does not exist, or a variant is no possible treatment.
    """
    data = protocol.resolve(trial)
    offered = data["elements"] | {name: _plain(item) for name, item in (elements or {}).items()}
    made = _Maker(offered)
    problems: list[Problem] = []
    for variant in variants:
        problems += [plan.problem(what, variant.place, nearest=near) for what, near in made.add(data, variant)]
    if problems:
        raise ContentError(_unique(problems))
    derived = {**data, "elements": made.elements, "arms": made.arms, "emulates": None}
    return Derived(_checked(derived, made.arm_of, variants, plan), made.arm_of)


class _Maker:
    """Collects arms and their elements, each once."""

    def __init__(self, offered: Mapping[str, Data]) -> None:
        self.offered = offered
        self.elements: dict[str, Data] = {}
        self.arms: dict[str, Data] = {}
        self.arm_of: dict[str, str] = {}
        self._known: dict[str, str] = {}

    def add(self, data: Data, variant: Variant) -> Iterator[tuple[str, str | None]]:
        """Add a variant; yield what is wrong with it and the nearest name."""
        base, change = data["arms"][variant.arm], variant.change
        kinds = {item["kind"] for item in self.offered.values()}
        for name in change.remove:
            if name not in self.offered and name not in kinds:
                yield f'unknown element "{name}" to remove', nearest(name, [*self.offered, *kinds])
        for name in change.add:
            if name not in self.offered:
                yield f'unknown element "{name}" to add', nearest(name, self.offered)
        chosen = {name: self.offered[name] for name in self._names(base, change)}
        for path, value in change.set.items():
            yield from _set(chosen, path, value, self.offered)
        parameters = base["parameters"] | {name: _plain(item) for name, item in change.parameters.items()}
        content = {**base, "title": _plain(variant.title), "derived_from": variant.arm, "parameters": parameters}
        self._keep(variant, {**content, "elements": [self._element(name, item) for name, item in chosen.items()]})

    def _names(self, base: Data, change: Change) -> list[str]:
        wanted = [*base["elements"], *change.add]
        return [
            name
            for name in dict.fromkeys(wanted)
            if name in self.offered and not {name, self.offered[name]["kind"]} & set(change.remove)
        ]

    def _element(self, name: str, item: Data) -> str:
        """Return the id under which an element stands in the derived protocol."""
        for number in range(1, len(self.elements) + 2):
            free = name if number == 1 else f"{name}_{number}"
            if self.elements.setdefault(free, item) == item:
                return free
        raise AssertionError(name)

    def _keep(self, variant: Variant, content: Data) -> None:
        treatment = {key: content[key] for key in ("elements", "care", "selection", "parameters")}
        key = json.dumps(treatment, sort_keys=True)
        arm = self._known.setdefault(key, variant.id)
        self.arms.setdefault(arm, content)
        self.arm_of[variant.id] = arm


def _set(
    chosen: dict[str, Data], path: str, value: Any, offered: Mapping[str, Data]
) -> Iterator[tuple[str, str | None]]:
    """Set one key of the chosen elements that a path names; yield what is wrong with the path."""
    selector, *keys = path.split(".")
    kinds = {item["kind"] for item in offered.values()}
    if selector not in offered and selector not in kinds:
        yield f'unknown element "{selector}" in "{path}"', nearest(selector, [*offered, *kinds])
        return
    for name, item in chosen.items():
        if selector in (name, item["kind"]):
            try:
                chosen[name] = _replaced(item, keys, _plain(value))
            except KeyError as error:
                yield f'element "{name}" has no key {error} for "{path}"', nearest(str(error.args[0]), _keys(item))


def _keys(item: Any) -> list[str]:
    return list(item) if isinstance(item, dict) else []


def _replaced(item: Any, keys: Sequence[str], value: Any) -> Any:
    if not keys:
        return value
    key = keys[0]
    if isinstance(item, list) and key.isdigit() and int(key) < len(item):
        return [_replaced(part, keys[1:], value) if k == int(key) else part for k, part in enumerate(item)]
    if not isinstance(item, dict) or key not in item:
        raise KeyError(key)
    return {**item, key: _replaced(item[key], keys[1:], value)}


def _plain(item: Any) -> Any:
    """Return content as plain data, shared by nothing else."""
    return item.model_dump(mode="json") if isinstance(item, Content) else json.loads(json.dumps(item))


def _checked(data: Data, arm_of: Mapping[str, str], variants: Sequence[Variant], plan: Document) -> Protocol:
    """Return the derived protocol, or every problem of it, placed at the change of the plan that brought it."""
    found, problems = protocol.inspect(Document(Path("derived protocol"), "", data))
    if problems or found is None:
        placed = [_placed(problem, arm_of, variants, plan) for problem in problems]
        raise ContentError(_unique(placed))
    return protocol.trimmed(found)


def _placed(problem: Problem, arm_of: Mapping[str, str], variants: Sequence[Variant], plan: Document) -> Problem:
    named = [variant for variant in variants if f'"{arm_of[variant.id]}"' in problem.what]
    keys = named[0].place if named else variants[0].place[:1]
    return Problem(problem.what, str(plan.path), plan.line(keys), problem.expected, problem.nearest, problem.cure)


def _unique(problems: Sequence[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
