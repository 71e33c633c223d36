"""Write a model as DiffSL, the language of diffsol, from our expression graph."""

from __future__ import annotations

import numpy as np

from seedbed import engine
from seedbed.engine.expression import Graph
from seedbed.engine.system import assemble
from seedbed.errors import UnsupportedModelError
from seedbed.study.benchmark.problems import Array, Problem

#: expressions of DiffSL by operation
FORMS = {
    "add": "({0}) + ({1})", "sub": "({0}) - ({1})", "mul": "({0}) * ({1})", "neg": "0.0 - ({0})",
    "rcp": "1.0 / ({0})", "pow": "pow({0}, {1})", "exp": "exp({0})", "log": "log({0})", "abs": "abs({0})",
    "sqrt": "sqrt({0})", "max": "max({0}, {1})", "min": "min({0}, {1})",
}  # fmt: skip


class Translation:
    """A problem's model as DiffSL text; its inputs are the varied parameters and the state at the start."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.system = assemble(engine.read_model(problem.sbml), problem.varied)
        self.graph: Graph = self.system.graph
        self.observed = [self.system.observe(name) for name in problem.observables]
        self.n_states = len(self.system.states)
        self.text = self._text()

    def number(self, state: str) -> int:
        """Return the number of a state."""
        return self.system.states.index(state)

    def _name(self, node: int) -> str:
        operation, value = self.graph.operations[node], self.graph.values[node]
        if operation == "constant":
            return repr(float(value or 0.0))
        if operation == "shared":
            return repr(float(self.system.defaults[self.system.shared[int(value or 0)]]))
        prefix = {"varied": "q", "state": "x"}.get(operation)
        return f"{prefix}{value}" if prefix else ("t" if operation == "time" else f"v{node}")

    def _text(self) -> str:
        n, graph = self.n_states, self.graph
        inputs = [f"q{k} = 1.0" for k in range(len(self.problem.varied))] + [f"z{k} = 1.0" for k in range(n)]
        lines = [f"in_i {{ {', '.join(inputs)} }}", f"u_i {{ {', '.join(f'x{k} = z{k}' for k in range(n))} }}"]
        for node in graph.ordered(self.system.rates):
            if graph.operations[node] in ("constant", "shared", "varied", "state", "time", "true", "false"):
                continue
            if graph.operations[node] not in FORMS:
                raise UnsupportedModelError(f"{graph.operations[node]} in a model for diffsol")
            arguments = [self._name(a) for a in graph.arguments[node]]
            lines.append(f"v{node} {{ {FORMS[graph.operations[node]].format(*arguments)} }}")
        return "\n".join([*lines, f"F_i {{ {', '.join(self._name(rate) for rate in self.system.rates)} }}"])

    def _fixed(self, patient: int) -> dict[int, float]:
        graph, system = self.graph, self.system
        values = {graph.input("shared", k): system.defaults[name] for k, name in enumerate(system.shared)}
        row = self.problem.values[patient]
        return values | {graph.input("varied", k): float(row[k]) for k in range(len(system.varied))}

    def inputs(self, patient: int) -> Array:
        """Return the solver's inputs for a patient: varied parameters, then the state at the start."""
        fixed = self._fixed(patient)
        start = [float(self.graph.evaluate(node, fixed)) for node in self.system.initial]
        return np.concatenate([self.problem.values[patient], start])

    def observe(self, patient: int, states: Array) -> Array:
        """Return the observables (times, m) of a course of states (n_states, times)."""
        known = {**self._fixed(patient), self.graph.time: self.problem.times}
        known |= {self.graph.input("state", k): states[k] for k in range(self.n_states)}
        rows = [np.broadcast_to(self.graph.evaluate(node, known), self.problem.times.shape) for node in self.observed]
        return np.stack(rows, axis=1)
