"""What drives each state, and which way: the wiring of a model, found from its equations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from seedbed.model.evaluation import evaluate
from seedbed.model.fragments import Statement
from seedbed.model.structure import Model

_UNIT_AFTER_ZERO = re.compile(r"^0\s+\w+$")
STEP = 0.01
SMALLEST = 1e-3


@dataclass(frozen=True)
class Influence:
    """`source` (a state, or a quantity of another mechanism) changes the rate of the state `target`.

    `sign` is 1 when more of the source makes more of the target, -1 when less, 0 when it cannot be told.
    """

    source: str
    source_mechanism: str
    target: str
    target_mechanism: str
    sign: int

    @property
    def stays_inside(self) -> bool:
        """Whether both ends stand in one mechanism."""
        return self.source_mechanism == self.target_mechanism


def _seen(value: float) -> float:
    return value if value > SMALLEST else 1.0


class Wiring:
    """The influences of a model; built once, because each needs the model's values at a point."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.rules: dict[str, Statement] = {}
        self.rates: dict[str, list[tuple[int, str]]] = {name: [] for name in model.states}
        for mechanism in model.mechanisms:
            for statement in mechanism.fragment.statements:
                self._place(statement)
        self.point = self._typical_point()

    def _place(self, statement: Statement) -> None:
        if statement.kind == "assignment":
            self.rules[statement.defines] = statement
        elif statement.kind == "rate":
            self.rates[statement.defines].append((1, statement.expression))
        for sign, names in ((-1, statement.reactants), (1, statement.products)):
            for name in names:
                self.rates[name].append((sign, statement.expression))

    def _typical_point(self) -> dict[str, float]:
        """Return parameters at their values (a half for 0) and states at their start (1 for next to nothing).

        A product that ignores antigen 2, or a clone of three cells, would otherwise hide what they do.
        """
        point = {name: value or 0.5 for name, value in self.model.values().items()}
        pending = {name: state.initial for name, state in self.model.states.items()}
        for name, initial in pending.items():
            if not isinstance(initial, str):
                point[name] = _seen(float(initial))
        for name, initial in pending.items():
            if isinstance(initial, str):
                point[name] = _seen(self._evaluate(initial, point, set()))
        return point

    def _evaluate(self, formula: str, point: dict[str, float], fixed: set[str]) -> float:
        """Evaluate a formula; quantities that are not `fixed` follow from their rules."""
        if _UNIT_AFTER_ZERO.match(formula.strip()):
            return 0.0
        values = dict(point)
        for name in Statement("assignment", "", formula, 0, formula).uses:
            if name in self.rules and name not in fixed:
                values[name] = self._evaluate(self.rules[name].expression, point, fixed)
        return evaluate(formula, values)

    def _owner(self, name: str) -> str:
        home = self.model.states.get(name) or self.model.quantities.get(name)
        return home.mechanism if home else ""

    def sources(self, target: str) -> list[str]:
        """Return what acts on a state: states, and quantities of other mechanisms, each once."""
        home = self.model.states[target].mechanism
        found: dict[str, None] = {}

        def collect(formula: str) -> None:
            for name in Statement("assignment", "", formula, 0, formula).uses:
                if name in self.model.states:
                    found.setdefault(name)
                elif name in self.rules:
                    if self._owner(name) == home:
                        collect(self.rules[name].expression)
                    elif self._depends_on_states(name):
                        found.setdefault(name)

        for _, formula in self.rates[target]:
            collect(formula)
        found.pop(target, None)
        return list(found)

    def _depends_on_states(self, name: str) -> bool:
        uses = self.rules[name].uses
        return any(n in self.model.states or (n in self.rules and self._depends_on_states(n)) for n in uses)

    def _rate(self, target: str, point: dict[str, float], fixed: set[str]) -> float:
        return sum(sign * self._evaluate(formula, point, fixed) for sign, formula in self.rates[target])

    def sign(self, source: str, target: str) -> int:
        """Return which way a source acts on a state at the typical point."""
        point, fixed = dict(self.point), set()
        if source in self.rules:
            point[source] = self._evaluate(self.rules[source].expression, self.point, set())
            fixed = {source}
        before = self._rate(target, point, fixed)
        after = self._rate(target, {**point, source: point[source] * (1 + STEP) or STEP}, fixed)
        change = after - before
        return 0 if abs(change) <= 1e-12 * max(abs(before), 1e-12) else (1 if change > 0 else -1)

    def influences(self) -> Iterator[Influence]:
        """Yield each influence of the model, state by state."""
        for name, state in self.model.states.items():
            for source in self.sources(name):
                yield Influence(source, self._owner(source), name, state.mechanism, self.sign(source, name))
