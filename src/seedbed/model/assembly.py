"""Join the fragments of a model and the declarations of their YAML files into one Antimony text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.model.dimensions import definitions, identifier

if TYPE_CHECKING:
    from seedbed.model.structure import Mechanism, Model, Parameter, State

_BASE_UNITS = """  // cells are counted in 1e9, time in days
  unit substance = 1e9 item;
  unit extent = 1e9 item;
  unit time_unit = {time} second;
  unit volume = 1 litre;
"""
_SECONDS = {"day": 86400, "hour": 3600}


def assemble(model: Model) -> str:
    """Return a model as one Antimony text: units, then each mechanism with its declarations and equations."""
    parts = [
        f"// {model.content.title}\n",
        f"model {model.id}\n",
        _BASE_UNITS.format(time=_SECONDS[model.content.time_unit]),
        _lines(definitions(_units(model))),
        "  compartment body = 1;\n  body has volume;\n",
        *(_mechanism(mechanism) for mechanism in model.mechanisms),
        "end\n",
    ]
    return "".join(parts)


def _units(model: Model) -> list[str]:
    owners = (model.states, model.quantities, model.parameters)
    return [item.unit for owner in owners for item in owner.values()]


def _lines(lines: list[str]) -> str:
    return "".join(f"  {line}\n" for line in lines)


def _mechanism(mechanism: Mechanism) -> str:
    declared = [
        *(_state(state) for state in mechanism.states),
        *(f"{q.id} has {identifier(q.unit)};" for q in mechanism.quantities),
        *(_parameter(parameter) for parameter in mechanism.parameters),
    ]
    return f"\n  // ==== {mechanism.id}\n{_lines(declared)}{mechanism.fragment.flat.rstrip()}\n"


def _state(state: State) -> str:
    start = state.initial if isinstance(state.initial, str) else f"{state.initial!r}"
    kind = "substanceOnly species " if state.counts_cells else ""
    place = " in body" if state.counts_cells else ""
    return f"{kind}{state.id}{place} = {start}; {state.id} has {identifier(state.unit)};"


def _parameter(parameter: Parameter) -> str:
    return f"{parameter.id} = {parameter.value!r}; {parameter.id} has {identifier(parameter.unit)};"

