"""Expressions as a graph in which equal sub-expressions are one node.

Every rate law, rule, trigger and observable of a model ends here. A node is an integer; its operation, arguments
and value stand in parallel lists. Constructors simplify as they build (``x + 0``, ``x * 1``, constants), so that a
derivative comes out nearly as short as one written by hand.

Each node has a *level*, the rarest moment at which its value can change:

========= ===== ==========================================================
CONSTANT  0     never: a literal number
SHARED    1     between runs: depends only on parameters common to all patients
VARIED    2     between patients: depends on at least one varied parameter
DYNAMIC   3     within a run: depends on time or on a state
========= ===== ==========================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

CONSTANT, SHARED, VARIED, DYNAMIC = range(4)
INPUT_LEVELS = {"shared": SHARED, "varied": VARIED, "state": DYNAMIC, "time": DYNAMIC, "slot": DYNAMIC}
LOGICAL = frozenset({"lt", "le", "eq", "and", "or", "xor", "not", "true", "false"})
FLAT = frozenset({"floor", "ceil", "sign"})
TIME_BIT = 1
LARGEST_UNROLLED_POWER = 8
STEEPEST = 1e30  # slope given to x ** b at x = 0 for b < 1, so that zero times it is zero in the Jacobian
LOG_OF_ZERO = -1e300  # finite, so that 0 ** 0 = exp(0 * log 0) = 1 and 0 ** b = 0 for b > 0


def _power(base: float, exponent: float) -> float:
    try:
        result = base**exponent
    except ZeroDivisionError:
        return math.inf
    except OverflowError:
        return math.inf
    return result if isinstance(result, float) else math.nan


def _guarded(function: Callable[[float], float], at_pole: float = math.nan) -> Callable[[float], float]:
    def evaluate(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return at_pole if x == 0 else math.nan
        except OverflowError:
            return math.inf

    return evaluate


UNARY: dict[str, Callable[[float], float]] = {
    "neg": lambda x: -x,
    "powerlog": lambda x: math.log(x) if x > 0 else (LOG_OF_ZERO if x == 0 else math.nan),
    "rcp": lambda x: 1.0 / x if x else math.copysign(math.inf, x),
    "exp": _guarded(math.exp),
    "log": _guarded(math.log, -math.inf),
    "sqrt": _guarded(math.sqrt),
    "abs": abs,
    "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
    "floor": lambda x: float(math.floor(x)) if math.isfinite(x) else x,
    "ceil": lambda x: float(math.ceil(x)) if math.isfinite(x) else x,
    **{
        name: _guarded(getattr(math, name))
        for name in (
            "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
        )
    },
}  # fmt: skip
BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "min": lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else min(a, b),
    "max": lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else max(a, b),
    "pow": _power,
}
NUMPY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "neg": np.negative, "powerlog": lambda x: np.where(np.asarray(x) == 0, LOG_OF_ZERO, np.log(x)),
    "rcp": lambda x: 1.0 / np.asarray(x, float), "exp": np.exp, "log": np.log, "sqrt": np.sqrt,
    "abs": np.abs, "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "add": np.add, "sub": np.subtract,
    "mul": np.multiply, "min": np.minimum, "max": np.maximum, "pow": lambda a, b: np.power(np.asarray(a, float), b),
    "lt": np.less, "le": np.less_equal, "eq": np.equal, "and": np.logical_and, "or": np.logical_or,
    "xor": np.logical_xor, "not": np.logical_not, "select": np.where,
}  # fmt: skip
RELATION: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
}


class Graph:
    """A hash-consed expression graph with analytic derivatives."""

    def __init__(self) -> None:
        self.operations: list[str] = []
        self.arguments: list[tuple[int, ...]] = []
        self.values: list[float | int | None] = []
        self.levels: list[int] = []
        self.dependencies: list[int] = []
        self._known: dict[tuple[str, tuple[int, ...], float | int | None], int] = {}
        self._derivatives: dict[tuple[int, int], int] = {}
        self.time = self.input("time", 0)
        self.true = self._intern("true")
        self.false = self._intern("false")
        self.zero = self.constant(0.0)
        self.one = self.constant(1.0)

    def _intern(self, operation: str, arguments: tuple[int, ...] = (), value: float | int | None = None) -> int:
        key = (operation, arguments, value)
        node = self._known.get(key)
        if node is None:
            node = self._known[key] = len(self.operations)
            self.operations.append(operation)
            self.arguments.append(arguments)
            self.values.append(value)
            self.levels.append(INPUT_LEVELS.get(operation, max((self.levels[a] for a in arguments), default=CONSTANT)))
            self.dependencies.append(self._own_dependencies(operation, arguments, value))
        return node

    def _own_dependencies(self, operation: str, arguments: tuple[int, ...], value: float | int | None) -> int:
        if operation == "time":
            return TIME_BIT
        if operation == "state":
            return 2 << int(value or 0)
        mask = 0
        for argument in arguments:
            mask |= self.dependencies[argument]
        return mask

    # ---- leaves -------------------------------------------------------------------------------------------
    def input(self, kind: str, index: int) -> int:
        """Return the node of an input: kind ``state``, ``varied``, ``shared`` or ``time``."""
        return self._intern(kind, (), index)

    def constant(self, value: float) -> int:
        """Return the node of a literal number (-0.0 is stored as 0.0; NaN is one node)."""
        value = float(value)
        if math.isnan(value):
            return self._intern("nan")
        return self._intern("constant", (), value + 0.0)

    def is_constant(self, node: int, value: float | None = None) -> bool:
        """Tell whether a node is a literal (equal to `value` when given)."""
        return self.operations[node] == "constant" and (value is None or self.values[node] == value)

    def states_of(self, node: int) -> list[int]:
        """Return the numbers of the states a node mentions, ascending."""
        mask = self.dependencies[node] >> 1
        found = []
        while mask:
            low = mask & -mask
            found.append(low.bit_length() - 1)
            mask ^= low
        return found

    # ---- arithmetic ---------------------------------------------------------------------------------------
    def _folded(self, operation: str, *arguments: int) -> int | None:
        if not all(self.is_constant(a) for a in arguments):
            return None
        numbers = [float(self.values[a] or 0.0) for a in arguments]
        table = UNARY if len(numbers) == 1 else BINARY
        return self.constant(table[operation](*numbers))

    def add(self, a: int, b: int) -> int:
        """Return ``a + b``."""
        folded = self._folded("add", a, b)
        if folded is not None:
            return folded
        if self.is_constant(a, 0.0):
            return b
        if self.is_constant(b, 0.0):
            return a
        if self.operations[b] == "neg":
            return self.sub(a, self.arguments[b][0])
        if self.operations[a] == "neg":
            return self.sub(b, self.arguments[a][0])
        return self._intern("add", (min(a, b), max(a, b)))

    def sub(self, a: int, b: int) -> int:
        """Return ``a - b``."""
        folded = self._folded("sub", a, b)
        if folded is not None:
            return folded
        if a == b:
            return self.zero
        if self.is_constant(b, 0.0):
            return a
        if self.is_constant(a, 0.0):
            return self.neg(b)
        if self.operations[b] == "neg":
            return self.add(a, self.arguments[b][0])
        return self._intern("sub", (a, b))

    def neg(self, a: int) -> int:
        """Return ``-a``."""
        folded = self._folded("neg", a)
        if folded is not None:
            return folded
        if self.operations[a] == "neg":
            return self.arguments[a][0]
        if self.operations[a] == "sub":
            left, right = self.arguments[a]
            return self.sub(right, left)
        return self._intern("neg", (a,))

    def mul(self, a: int, b: int) -> int:
        """Return ``a * b``; ``0 * x`` is 0."""
        folded = self._folded("mul", a, b)
        if folded is not None:
            return folded
        for one, other in ((a, b), (b, a)):
            if self.is_constant(one, 0.0):
                return self.zero
            if self.is_constant(one, 1.0):
                return other
            if self.is_constant(one, -1.0):
                return self.neg(other)
            if self.operations[one] == "neg":
                return self.neg(self.mul(self.arguments[one][0], other))
            if self.operations[one] == "rcp" and self.arguments[one][0] == other:
                return self.one
        return self._grouped_product(a, b)

    def _grouped_product(self, a: int, b: int) -> int:
        """Bring fixed factors together, so that ``k1 * (k2 * x)`` costs one product while stepping."""
        for fixed, product in ((a, b), (b, a)):
            if self.levels[fixed] < DYNAMIC and self.operations[product] == "mul":
                p, q = self.arguments[product]
                if self.levels[p] < DYNAMIC <= self.levels[q]:
                    return self.mul(self.mul(fixed, p), q)
                if self.levels[q] < DYNAMIC <= self.levels[p]:
                    return self.mul(self.mul(fixed, q), p)
        return self._intern("mul", (min(a, b), max(a, b)))

    def divide(self, a: int, b: int) -> int:
        """Return ``a / b`` as a product with the (shared) reciprocal of `b`."""
        if self.is_constant(a) and self.is_constant(b) and not self.is_constant(b, 0.0):
            return self.constant(float(self.values[a] or 0.0) / float(self.values[b] or 0.0))
        return self.mul(a, self.unary("rcp", b))

    def unary(self, operation: str, a: int) -> int:
        """Return a function of one argument (a key of `UNARY`)."""
        if operation == "neg":
            return self.neg(a)
        folded = self._folded(operation, a)
        if folded is not None:
            return folded
        inner = self.operations[a]
        if operation == "rcp" and inner == "rcp":
            return self.arguments[a][0]
        if operation == "rcp" and inner == "neg":
            return self.neg(self.unary("rcp", self.arguments[a][0]))
        if operation == "abs" and inner in ("neg", "abs"):
            return self.unary("abs", self.arguments[a][0])
        return self._intern(operation, (a,))

    def extreme(self, operation: str, a: int, b: int) -> int:
        """Return ``min`` or ``max`` of two nodes."""
        folded = self._folded(operation, a, b)
        if folded is not None:
            return folded
        return a if a == b else self._intern(operation, (a, b))

    def pow(self, base: int, exponent: int) -> int:
        """Return ``base ** exponent``; small integer powers become products."""
        folded = self._folded("pow", base, exponent)
        if folded is not None:
            return folded
        if self.is_constant(exponent):
            value = float(self.values[exponent] or 0.0)
            if value == 0.5:
                return self.unary("sqrt", base)
            if value.is_integer() and abs(value) <= LARGEST_UNROLLED_POWER:
                return self._integer_power(base, int(value))
        if self.is_constant(base, 1.0):
            return self.one
        return self._intern("pow", (base, exponent))

    def _integer_power(self, base: int, exponent: int) -> int:
        result, square, n = self.one, base, abs(exponent)
        while n:
            if n & 1:
                result = self.mul(result, square)
            n >>= 1
            if n:
                square = self.mul(square, square)
        return self.unary("rcp", result) if exponent < 0 else result

    def sum(self, nodes: Iterable[int]) -> int:
        """Return the sum of nodes (0 when there are none)."""
        total = self.zero
        for node in nodes:
            total = self.add(total, node)
        return total

    # ---- logic --------------------------------------------------------------------------------------------
    def is_logical(self, node: int) -> bool:
        """Tell whether a node is a truth value."""
        if self.operations[node] == "select":
            return self.is_logical(self.arguments[node][1])
        return self.operations[node] in LOGICAL

    def as_logical(self, node: int) -> int:
        """Read a number as a truth value: true unless it is 0."""
        return node if self.is_logical(node) else self.logical_not(self.relation("eq", node, self.zero))

    def as_number(self, node: int) -> int:
        """Read a truth value as the number 1 or 0."""
        return self.select(node, self.one, self.zero) if self.is_logical(node) else node

    def relation(self, operation: str, a: int, b: int) -> int:
        """Return ``a < b`` (lt), ``a <= b`` (le) or ``a == b`` (eq)."""
        if self.is_constant(a) and self.is_constant(b):
            holds = RELATION[operation](float(self.values[a] or 0.0), float(self.values[b] or 0.0))
            return self.true if holds else self.false
        if operation == "eq" and a > b:
            a, b = b, a
        return self._intern(operation, (a, b))

    def logical_not(self, a: int) -> int:
        """Return ``not a``."""
        if a in (self.true, self.false):
            return self.false if a == self.true else self.true
        return self.arguments[a][0] if self.operations[a] == "not" else self._intern("not", (a,))

    def logical(self, operation: str, a: int, b: int) -> int:
        """Return ``a and b``, ``a or b`` or ``a xor b``."""
        neutral = self.true if operation == "and" else self.false
        absorbing = {"and": self.false, "or": self.true}.get(operation)
        if absorbing in (a, b) and absorbing is not None:
            return absorbing
        if a == neutral:
            return b
        if b == neutral:
            return a
        if operation == "xor" and self.true in (a, b):
            return self.logical_not(a if b == self.true else b)
        return self._intern(operation, (min(a, b), max(a, b)))

    def select(self, condition: int, if_true: int, if_false: int) -> int:
        """Return `if_true` where `condition` holds, else `if_false`."""
        if condition == self.true or if_true == if_false:
            return if_true
        if condition == self.false:
            return if_false
        return self._intern("select", (condition, if_true, if_false))

    # ---- rewriting ----------------------------------------------------------------------------------------
    def rebuild(self, node: int, arguments: tuple[int, ...]) -> int:
        """Return the node with the same operation on other arguments, simplified again."""
        if arguments == self.arguments[node]:
            return node
        operation = self.operations[node]
        if operation in UNARY or operation == "powerlog":
            return self.unary(operation, *arguments)
        if operation in ("lt", "le", "eq"):
            return self.relation(operation, *arguments)
        if operation in ("and", "or", "xor"):
            return self.logical(operation, *arguments)
        if operation in ("min", "max"):
            return self.extreme(operation, *arguments)
        builders: dict[str, Callable[..., int]] = {
            "add": self.add, "sub": self.sub, "mul": self.mul, "pow": self.pow, "not": self.logical_not,
            "select": self.select,
        }  # fmt: skip
        return builders[operation](*arguments)

    def substitute(self, node: int, old: int, new: int) -> int:
        """Return `node` with every mention of `old` replaced by `new`, simplified again."""
        done = {old: new}
        for current in self.ordered([node]):
            if current not in done:
                done[current] = self.rebuild(current, tuple(done[a] for a in self.arguments[current]))
        return done[node]

    # ---- values -------------------------------------------------------------------------------------------
    def evaluate(self, node: int, inputs: dict[int, Any]) -> Any:
        """Return the value of a node in NumPy, given a number or array for each input node it mentions."""
        found: dict[int, Any] = dict(inputs)
        for current in self.ordered([node]):
            if current not in found:
                found[current] = self._value_of(current, [found[a] for a in self.arguments[current]])
        return found[node]

    def _value_of(self, node: int, arguments: list[Any]) -> Any:
        operation = self.operations[node]
        if operation == "constant":
            return self.values[node]
        if operation in ("true", "false", "nan"):
            return {"true": True, "false": False, "nan": math.nan}[operation]
        with np.errstate(all="ignore"):
            return NUMPY_FUNCTIONS[operation](*arguments)

    def ordered(self, roots: Iterable[int]) -> list[int]:
        """Return all nodes that the roots need, each after its arguments (node numbers grow that way)."""
        needed: set[int] = set()
        waiting = list(roots)
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                waiting.extend(self.arguments[node])
        return sorted(needed)

    # ---- derivatives --------------------------------------------------------------------------------------
    def derivative(self, node: int, variable: int) -> int:
        """Return the partial derivative of a node by an input node (0 across the jumps of floor and piecewise)."""
        found = self._known_derivative(node, variable)
        waiting = [] if found is not None else [node]
        while waiting:  # not by recursion: a sum of a thousand terms is a thousand nodes deep
            current = waiting[-1]
            needed = (a for a in self._inner(current) if self._known_derivative(a, variable) is None)
            first = next(needed, None)
            if first is None:
                found = self._derivatives[current, variable] = self._derive(waiting.pop(), variable)
            else:
                waiting.append(first)
        return found  # type: ignore[return-value]

    def _known_derivative(self, node: int, variable: int) -> int | None:
        if node == variable:
            return self.one
        if not self.dependencies[node] & self.dependencies[variable]:
            return self.zero
        return self._derivatives.get((node, variable))

    def _inner(self, node: int) -> tuple[int, ...]:
        """Return the arguments whose derivatives that of a node needs."""
        operation = self.operations[node]
        if operation in FLAT or operation in LOGICAL:
            return ()
        return self.arguments[node][1:] if operation == "select" else self.arguments[node]

    def _derive(self, node: int, variable: int) -> int:
        operation, arguments = self.operations[node], self.arguments[node]
        if operation in DERIVATIVES_BY_ARGUMENT:
            inner = self.derivative(arguments[0], variable)
            return self.mul(DERIVATIVES_BY_ARGUMENT[operation](self, node, arguments[0]), inner)
        if operation == "select":
            parts = [self.derivative(a, variable) for a in arguments[1:]]
            return self.select(arguments[0], *parts)
        if operation in FLAT or operation in LOGICAL:
            return self.zero
        a, b = arguments
        return self._derive_binary(operation, (a, b), self.derivative(a, variable), self.derivative(b, variable))

    def _derive_binary(self, operation: str, pair: tuple[int, int], da: int, db: int) -> int:
        a, b = pair
        if operation == "add":
            return self.add(da, db)
        if operation == "sub":
            return self.sub(da, db)
        if operation == "mul":
            return self.add(self.mul(da, b), self.mul(a, db))
        if operation == "pow":
            return self._derive_power(a, b, da, db)
        smaller = self.relation("lt", a, b)
        return self.select(smaller, da, db) if operation == "min" else self.select(smaller, db, da)

    def _derive_power(self, base: int, exponent: int, d_base: int, d_exponent: int) -> int:
        # b*a**(b-1), not b*a**b/a: the latter is 0/0 at a = 0.
        steepness = self.pow(base, self.sub(exponent, self.one))
        if not (self.is_constant(exponent) and float(self.values[exponent] or 0.0) >= 1):
            steepness = self.extreme("min", steepness, self.constant(STEEPEST))
        slope = self.mul(exponent, steepness)
        total = self.mul(slope, d_base)
        if self.is_constant(d_exponent, 0.0):
            return total
        return self.add(total, self.mul(self.mul(self.pow(base, exponent), self.unary("log", base)), d_exponent))


def _one_minus_square(g: Graph, x: int) -> int:
    return g.sub(g.one, g.mul(x, x))


#: derivative of f(x) given the graph, the node f(x) and the node x
DERIVATIVES_BY_ARGUMENT: dict[str, Callable[[Graph, int, int], int]] = {
    "neg": lambda g, _f, _x: g.constant(-1.0),
    "rcp": lambda g, f, _x: g.neg(g.mul(f, f)),
    "exp": lambda _g, f, _x: f,
    "log": lambda g, _f, x: g.unary("rcp", x),
    "sqrt": lambda g, f, _x: g.extreme("min", g.divide(g.constant(0.5), f), g.constant(STEEPEST)),
    "abs": lambda g, _f, x: g.unary("sign", x),
    "sin": lambda g, _f, x: g.unary("cos", x),
    "cos": lambda g, _f, x: g.neg(g.unary("sin", x)),
    "tan": lambda g, f, _x: g.add(g.one, g.mul(f, f)),
    "asin": lambda g, _f, x: g.unary("rcp", g.unary("sqrt", _one_minus_square(g, x))),
    "acos": lambda g, _f, x: g.neg(g.unary("rcp", g.unary("sqrt", _one_minus_square(g, x)))),
    "atan": lambda g, _f, x: g.unary("rcp", g.add(g.one, g.mul(x, x))),
    "sinh": lambda g, _f, x: g.unary("cosh", x),
    "cosh": lambda g, _f, x: g.unary("sinh", x),
    "tanh": lambda g, f, _x: _one_minus_square(g, f),
    "asinh": lambda g, _f, x: g.unary("rcp", g.unary("sqrt", g.add(g.mul(x, x), g.one))),
    "acosh": lambda g, _f, x: g.unary("rcp", g.unary("sqrt", g.sub(g.mul(x, x), g.one))),
    "atanh": lambda g, _f, x: g.unary("rcp", _one_minus_square(g, x)),
}
