"""Prove which states cannot become negative, so that their rates may read them as ``max(state, 0)``.

A state stays >= 0 if it starts >= 0 and its rate at state = 0 is >= 0 whatever the other (non-negative) states are.
For such a state the clamp changes no true solution, but it keeps the tiny negative numbers of a solver's rounding and
error away from fractional powers and growth terms, and the rate pushes them back to zero. Nothing is assumed of states
for which there is no proof.
"""

from __future__ import annotations

import math

from seedbed.engine.expression import Graph
from seedbed.engine.system import System

INPUTS = ("shared", "varied", "state")


class Signs:
    """Decides whether nodes are provably >= 0 when certain inputs are.

    Parameters
    ----------
    graph : the graph
    assumed : input nodes taken to be >= 0; `used` collects those a positive answer has relied on
    """

    def __init__(self, graph: Graph, assumed: frozenset[int]) -> None:
        self.graph, self.assumed = graph, assumed
        self.used: set[int] = set()
        self._known: dict[int, bool] = {}

    def nonnegative(self, node: int) -> bool:
        """Tell whether a node is provably >= 0."""
        for current in self.graph.ordered([node]):
            if current not in self._known:
                self._known[current] = self._decide(current)
        return self._known[node]

    def _decide(self, node: int) -> bool:
        operation, arguments = self.graph.operations[node], self.graph.arguments[node]
        if operation == "constant":
            return float(self.graph.values[node] or 0.0) >= 0
        if operation in INPUTS:
            if node in self.assumed:
                self.used.add(node)
            return node in self.assumed
        if operation in ("exp", "sqrt", "abs", "time"):
            return True
        if operation == "mul" and arguments[0] == arguments[1]:
            return True
        inner = [self._known[a] for a in arguments]
        if operation == "select":
            return all(inner[1:])
        if operation == "pow":
            return inner[0]
        if operation == "max":
            return any(inner)
        return operation in ("add", "mul", "rcp", "min") and all(inner)


def assumed_inputs(system: System) -> frozenset[int]:
    """Return the parameters whose value in the model file is > 0: taken to be >= 0 for every patient."""
    graph = system.graph
    return frozenset(
        graph.input(kind, k)
        for kind, names in (("shared", system.shared), ("varied", system.varied))
        for k, name in enumerate(names)
        if system.defaults.get(name, math.nan) > 0
    )


def nonnegative_states(system: System, declared: frozenset[int] = frozenset()) -> tuple[frozenset[int], frozenset[int]]:
    """Return the states proved or declared non-negative, and the input nodes the proof relies on."""
    graph, inputs = system.graph, assumed_inputs(system)
    start = {
        graph.input(kind, k): system.defaults[name]
        for kind, names in (("shared", system.shared), ("varied", system.varied))
        for k, name in enumerate(names)
        if name in system.defaults
    }
    candidates = [
        k for k, node in enumerate(system.initial) if k in declared or float(graph.evaluate(node, start)) >= 0
    ]
    while True:
        signs = Signs(graph, inputs | {graph.input("state", k) for k in candidates})
        kept = [k for k in candidates if k in declared or _stays(system, k, signs)]
        if kept == candidates:
            parameters = {node for node in signs.used if graph.operations[node] != "state"}
            return frozenset(kept), frozenset(parameters)
        candidates = kept


def _stays(system: System, state: int, signs: Signs) -> bool:
    at_zero = _at_zero(system.graph, system.rates[state], state, signs)
    assigned = [value for event in system.events for target, value in event.assignments if target == state]
    return signs.nonnegative(at_zero) and all(signs.nonnegative(value) for value in assigned)


def _at_zero(graph: Graph, rate: int, state: int, signs: Signs) -> int:
    """Return a rate with one state set to 0, where 0 to a positive power is 0."""
    done = {graph.input("state", state): graph.zero}
    for node in graph.ordered([rate]):
        if node not in done:
            arguments = tuple(done[a] for a in graph.arguments[node])
            vanishes = graph.operations[node] == "pow" and arguments[0] == graph.zero
            if vanishes and signs.nonnegative(arguments[1]):
                done[node] = graph.zero
            else:
                done[node] = graph.rebuild(node, arguments)
    return done[rate]
