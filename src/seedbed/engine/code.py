"""Write expressions as LLVM: one straight line of vector instructions, a lane for each patient.

A function made here reads its inputs from the work memory (states at STAGE, time at STAGE_TIME, everything that is
fixed for a patient at FIXED, what is common to all patients in `shared`), computes each node once, arguments first, the
nodes of one result after those of another, and stores each result as soon as it is known. A rate law
``k * A / (A + Km)`` becomes::

    %n7 = load <8 x double>, ptr ...        ; A, eight patients
    %n9 = fadd <8 x double> %n7, %n8        ; A + Km
    %n10 = fdiv <8 x double> <1.0, ...>, %n9
    ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from seedbed.engine.expression import CONSTANT, DYNAMIC, LOGICAL, Graph
from seedbed.engine.language import Target, Value, fused_text
from seedbed.engine.positivity import Signs

LIBRARY = (
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
)  # fmt: skip


@dataclass
class Places:
    """Where a function finds its inputs in memory.

    Attributes
    ----------
    stage, stage_time : slots of the states and of the time
    varied : slot of the first varied input
    fixed_varied, fixed_shared : slots of precomputed nodes, by node (in the work memory and in `shared`)
    nonnegative : numbers of the states read as max(state, 0)
    """

    stage: int
    stage_time: int
    varied: int
    fixed_varied: Mapping[int, int] = field(default_factory=dict)
    fixed_shared: Mapping[int, int] = field(default_factory=dict)
    nonnegative: frozenset[int] = frozenset()


def lower(graph: Graph, roots: Sequence[int], signs: Signs) -> list[int]:
    """Rewrite powers as ``exp(b * log a)``, so that powers of one base share its logarithm.

    A base that may be negative keeps the sign rules of real powers: a whole exponent is applied to the magnitude, any
    other gives NaN.
    """
    done: dict[int, int] = {}
    for node in graph.ordered(roots):
        arguments = tuple(done[a] for a in graph.arguments[node])
        if graph.operations[node] == "pow":
            done[node] = _lowered_power(graph, *arguments, signs.nonnegative(arguments[0]))
        else:
            done[node] = graph.rebuild(node, arguments)
    return [done[root] for root in roots]


def _lowered_power(graph: Graph, base: int, exponent: int, nonnegative: bool) -> int:
    magnitude = base if nonnegative else graph.unary("abs", base)
    size = graph.unary("exp", graph.mul(exponent, graph.unary("powerlog", magnitude)))
    if nonnegative:
        return size
    half = graph.mul(graph.constant(0.5), exponent)
    is_even = graph.relation("eq", graph.unary("floor", half), half)
    is_whole = graph.relation("eq", graph.unary("floor", exponent), exponent)
    signed = graph.select(is_even, size, graph.neg(size))
    negative_base = graph.select(is_whole, signed, graph.constant(float("nan")))
    return graph.select(graph.relation("lt", base, graph.zero), negative_base, size)


def fixed_frontier(graph: Graph, roots: Iterable[int]) -> list[int]:
    """Return the nodes fixed within a run that moving nodes (or the roots themselves) use directly."""
    roots = list(roots)
    found = {root for root in roots if CONSTANT < graph.levels[root] < DYNAMIC}
    for node in graph.ordered(roots):
        if graph.levels[node] == DYNAMIC:
            found.update(a for a in graph.arguments[node] if CONSTANT < graph.levels[a] < DYNAMIC)
    return sorted(found)


class Writer:
    """Writes one function of vector instructions."""

    def __init__(self, graph: Graph, target: Target, places: Places) -> None:
        self.graph, self.target, self.places = graph, target, places
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.uses: dict[int, int] = {}
        self.n_extra = 0

    def function(self, name: str, results: Sequence[tuple[int, int]]) -> str:
        """Return the text of ``void name(work, shared)`` that stores each (slot, node) of `results`."""
        nodes = self._needed([node for _, node in results])
        self._count_uses(nodes, [node for _, node in results])
        slots: dict[int, list[int]] = {}
        for slot, node in results:
            slots.setdefault(node, []).append(slot)
        for node in nodes:
            self._write(node)
            for slot in slots.get(node, ()):  # at once: a result that waits takes a register
                self._store(slot, self._name(node))
        head = f"define internal void @{name}(ptr noalias %work, ptr noalias readonly %shared) #0 {{\nentry:"
        return "\n".join([head, *self.lines, "  ret void", "}", ""])

    # ---- order --------------------------------------------------------------------------------------------
    def _is_loaded(self, node: int) -> bool:
        return node in self.places.fixed_varied or node in self.places.fixed_shared

    def _needed(self, roots: Sequence[int]) -> list[int]:
        """Return the nodes of one root after the other, arguments first: what is computed is soon used."""
        found: dict[int, None] = {}
        for root in roots:
            waiting = [root]
            while waiting:
                arguments = () if self._is_loaded(waiting[-1]) else self.graph.arguments[waiting[-1]]
                missing = [a for a in arguments if a not in found]
                if missing:
                    waiting.append(missing[0])
                else:
                    found[waiting.pop()] = None
        return list(found)

    def _count_uses(self, nodes: Sequence[int], roots: Sequence[int]) -> None:
        for node in nodes:
            if not self._is_loaded(node):
                for argument in self.graph.arguments[node]:
                    self.uses[argument] = self.uses.get(argument, 0) + 1
        for root in roots:
            self.uses[root] = self.uses.get(root, 0) + 1

    # ---- instructions -------------------------------------------------------------------------------------
    def _emit(self, _kind: str, code: str) -> Value:
        self.n_extra += 1
        name = f"%x{self.n_extra}"
        self.lines.append(f"  {name} = {code}")
        return Value(name, _kind)

    def _vector(self, code: str) -> str:
        return self._emit("Vector", code).text

    def _store(self, slot: int, text: str) -> None:
        t = self.target
        place = self._vector(f"getelementptr {t.vector}, ptr %work, i64 {slot}")
        self.lines.append(f"  store {t.vector} {text}, ptr {place}, align {t.bytes * t.lanes}")

    def _load(self, slot: int) -> str:
        t = self.target
        place = self._vector(f"getelementptr {t.vector}, ptr %work, i64 {slot}")
        return self._vector(f"load {t.vector}, ptr {place}, align {t.bytes * t.lanes}")

    def _load_shared(self, slot: int) -> str:
        t = self.target
        place = self._vector(f"getelementptr {t.real}, ptr %shared, i64 {slot}")
        scalar = self._vector(f"load {t.real}, ptr {place}")
        one = self._vector(f"insertelement {t.vector} undef, {t.real} {scalar}, i32 0")
        zeros = f"<{t.lanes} x i32> zeroinitializer"
        return self._vector(f"shufflevector {t.vector} {one}, {t.vector} undef, {zeros}")

    def _late(self, node: int) -> str:
        """Name of a product that waited for a sum to absorb it but is needed by itself."""
        a, b = (self._name(x) for x in self.graph.arguments[node])
        self.names[node] = self._vector(f"fmul {self.target.vector} {a}, {b}")
        return self.names[node]

    def _name(self, node: int) -> str:
        return self.names[node] if node in self.names else self._late(node)

    def _write(self, node: int) -> None:
        graph = self.graph
        operation = graph.operations[node]
        if self._is_loaded(node):
            self.names[node] = self._loaded(node)
        elif operation in ("constant", "nan"):
            value = graph.values[node] if operation == "constant" else float("nan")
            self.names[node] = self.target.splat(float(value or 0.0))
        elif operation in ("state", "time", "varied", "shared", "slot"):
            self.names[node] = self._input(operation, int(graph.values[node] or 0))
        elif operation == "mul" and self.uses.get(node) == 1 and node not in self.names:
            return  # left to the sum that uses it: see _sum
        else:
            self.names[node] = self._operation(node, operation)

    def _loaded(self, node: int) -> str:
        if node in self.places.fixed_shared:
            text = self._load_shared(self.places.fixed_shared[node])
        else:
            text = self._load(self.places.fixed_varied[node])
        if self.graph.is_logical(node):
            return self._vector(f"fcmp une {self.target.vector} {text}, zeroinitializer")
        return text

    def _input(self, kind: str, index: int) -> str:
        if kind == "shared":
            return self._load_shared(index)
        slot = {
            "state": self.places.stage + index,
            "time": self.places.stage_time,
            "varied": self.places.varied + index,
            "slot": index,
        }[kind]
        text = self._load(slot)
        if kind == "state" and index in self.places.nonnegative:
            return self._extreme("max", text, "zeroinitializer")
        return text

    def _extreme(self, operation: str, a: str, b: str) -> str:
        # A NaN in `a` survives, and x86 has this comparison and choice as one instruction (not that with "or equal").
        relation = "olt" if operation == "max" else "ogt"
        t = self.target
        mask = self._vector(f"fcmp {relation} {t.vector} {a}, {b}")
        return self._vector(f"select {t.mask} {mask}, {t.vector} {b}, {t.vector} {a}")

    def _operation(self, node: int, operation: str) -> str:
        if operation in ("add", "sub"):
            return self._sum(node, operation)
        arguments = [self._name(a) for a in self.graph.arguments[node]]
        if operation in LOGICAL:
            return self._logical(operation, arguments)
        if operation == "select":
            return self._select(node, arguments)
        if operation in ("min", "max"):
            return self._extreme(operation, *arguments)
        return self._arithmetic(operation, arguments)

    def _sum(self, node: int, operation: str) -> str:
        """Write a sum, absorbing a product that nothing else needs into one multiply-add."""
        a, b = self.graph.arguments[node]
        for product, other in ((a, b), (b, a)):
            if product not in self.names and self.graph.operations[product] == "mul":
                return self._multiply_add(operation, product, other, product == a)
        return self._vector(f"f{operation} {self.target.vector} {self._name(a)}, {self._name(b)}")

    def _multiply_add(self, operation: str, product: int, other: int, product_first: bool) -> str:
        p, q = (self._name(x) for x in self.graph.arguments[product])
        r = self._name(other)
        negate = f"fneg {self.target.vector} "
        if operation == "sub" and product_first:
            r = self._vector(negate + r)
        elif operation == "sub":
            p = self._vector(negate + p)
        return fused_text(self._emit, self.target, (p, q, r), "Vector")

    def _select(self, node: int, arguments: list[str]) -> str:
        t = self.target
        kind = t.mask if self.graph.is_logical(node) else t.vector
        condition, if_true, if_false = arguments
        return self._vector(f"select {t.mask} {condition}, {kind} {if_true}, {kind} {if_false}")

    def _logical(self, operation: str, arguments: list[str]) -> str:
        t = self.target
        if operation in ("true", "false"):
            return "<" + ", ".join([f"i1 {operation}"] * t.lanes) + ">"
        if operation == "not":
            ones = "<" + ", ".join(["i1 true"] * t.lanes) + ">"
            return self._vector(f"xor {t.mask} {arguments[0]}, {ones}")
        if operation in ("and", "or", "xor"):
            return self._vector(f"{operation} {t.mask} {arguments[0]}, {arguments[1]}")
        return self._vector(f"fcmp o{operation} {t.vector} {arguments[0]}, {arguments[1]}")

    def _arithmetic(self, operation: str, arguments: list[str]) -> str:
        t = self.target
        v, a = t.vector, arguments[0]
        if operation == "mul":
            return self._vector(f"fmul {v} {a}, {arguments[1]}")
        if operation == "neg":
            return self._vector(f"fneg {v} {a}")
        if operation == "rcp":
            return self._vector(f"fdiv {v} {t.splat(1.0)}, {a}")
        if operation == "sign":
            return self._sign(a)
        if operation in ("abs", "sqrt", "floor", "ceil"):
            name = {"abs": "fabs"}.get(operation, operation)
            return self._vector(f"call {v} @llvm.{name}.{t.suffix}({v} {a})")
        if operation in ("exp", "log", "powerlog"):
            return self._vector(f"call {v} @vector_{operation}({v} {a})")
        return self._library(operation, a)

    def _sign(self, a: str) -> str:
        t = self.target
        up = self._vector(f"fcmp ogt {t.vector} {a}, zeroinitializer")
        down = self._vector(f"fcmp olt {t.vector} {a}, zeroinitializer")
        low = self._vector(f"select {t.mask} {down}, {t.vector} {t.splat(-1.0)}, {t.vector} zeroinitializer")
        return self._vector(f"select {t.mask} {up}, {t.vector} {t.splat(1.0)}, {t.vector} {low}")

    def _library(self, name: str, a: str) -> str:
        """Call the C library lane by lane: rare functions are not worth a vector version."""
        t = self.target
        result = "undef"
        for lane in range(t.lanes):
            x = self._vector(f"extractelement {t.vector} {a}, i32 {lane}")
            wide = x if t.real == "double" else self._vector(f"fpext float {x} to double")
            y = self._vector(f"call double @{name}(double {wide})")
            narrow = y if t.real == "double" else self._vector(f"fptrunc double {y} to float")
            result = self._vector(f"insertelement {t.vector} {result}, {t.real} {narrow}, i32 {lane}")
        return result


def library_declarations() -> str:
    """Return the declarations of the C library functions a model may call."""
    return "\n".join(f"declare double @{name}(double)" for name in LIBRARY)


__all__ = ["Places", "Writer", "fixed_frontier", "library_declarations", "lower"]
