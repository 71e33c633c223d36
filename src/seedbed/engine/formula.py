"""Translate libSBML formulas into nodes of a `Graph`."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import libsbml

from seedbed.engine.expression import Graph
from seedbed.errors import ModelError, Problem, UnsupportedModelError

Resolve = Callable[[str], int]
CLOCK = "@time"  # model time, which an id of the model could not be
AVOGADRO = 6.02214179e23  # the value SBML Level 3 prescribes

UNARY_FUNCTIONS = {
    libsbml.AST_FUNCTION_EXP: "exp", libsbml.AST_FUNCTION_LN: "log", libsbml.AST_FUNCTION_ABS: "abs",
    libsbml.AST_FUNCTION_FLOOR: "floor", libsbml.AST_FUNCTION_CEILING: "ceil",
    libsbml.AST_FUNCTION_SIN: "sin", libsbml.AST_FUNCTION_COS: "cos", libsbml.AST_FUNCTION_TAN: "tan",
    libsbml.AST_FUNCTION_ARCSIN: "asin", libsbml.AST_FUNCTION_ARCCOS: "acos", libsbml.AST_FUNCTION_ARCTAN: "atan",
    libsbml.AST_FUNCTION_SINH: "sinh", libsbml.AST_FUNCTION_COSH: "cosh", libsbml.AST_FUNCTION_TANH: "tanh",
    libsbml.AST_FUNCTION_ARCSINH: "asinh", libsbml.AST_FUNCTION_ARCCOSH: "acosh",
    libsbml.AST_FUNCTION_ARCTANH: "atanh",
}  # fmt: skip
RECIPROCAL_OF = {
    libsbml.AST_FUNCTION_SEC: "cos", libsbml.AST_FUNCTION_CSC: "sin", libsbml.AST_FUNCTION_COT: "tan",
    libsbml.AST_FUNCTION_SECH: "cosh", libsbml.AST_FUNCTION_CSCH: "sinh", libsbml.AST_FUNCTION_COTH: "tanh",
}  # fmt: skip
INVERSE_OF_RECIPROCAL = {
    libsbml.AST_FUNCTION_ARCSEC: "acos", libsbml.AST_FUNCTION_ARCCSC: "asin", libsbml.AST_FUNCTION_ARCCOT: "atan",
    libsbml.AST_FUNCTION_ARCSECH: "acosh", libsbml.AST_FUNCTION_ARCCSCH: "asinh",
    libsbml.AST_FUNCTION_ARCCOTH: "atanh",
}  # fmt: skip
#: relation -> (operation, swap the sides, negate the result); NaN compares false except for !=
RELATIONS = {
    libsbml.AST_RELATIONAL_LT: ("lt", False, False), libsbml.AST_RELATIONAL_LEQ: ("le", False, False),
    libsbml.AST_RELATIONAL_GT: ("lt", True, False), libsbml.AST_RELATIONAL_GEQ: ("le", True, False),
    libsbml.AST_RELATIONAL_EQ: ("eq", False, False), libsbml.AST_RELATIONAL_NEQ: ("eq", False, True),
}  # fmt: skip
LOGICALS = {libsbml.AST_LOGICAL_AND: "and", libsbml.AST_LOGICAL_OR: "or", libsbml.AST_LOGICAL_XOR: "xor"}


class FormulaReader:
    """Builds graph nodes from formulas, expanding function definitions.

    Parameters
    ----------
    graph : the graph that receives the nodes
    functions : function definitions by id
    """

    def __init__(self, graph: Graph, functions: dict[str, libsbml.FunctionDefinition]) -> None:
        self.graph = graph
        self.functions = functions
        self._handlers: dict[int, Callable[[libsbml.ASTNode, Resolve], int]] = self._table()

    def read(self, math_node: libsbml.ASTNode, resolve: Resolve) -> int:
        """Return the node of a formula; `resolve` gives the node of an id.

        Raises
        ------
        ModelError
            A function has the wrong number of arguments, or the formula uses unknown math.
        """
        handler = self._handlers.get(math_node.getType())
        if handler is None:
            raise ModelError(Problem(f"cannot read the formula {libsbml.formulaToL3String(math_node)!r}"))
        return handler(math_node, resolve)

    def parse(self, text: str, resolve: Resolve) -> int:
        """Return the node of a formula written as text, for instance ``A / (A + B)``."""
        math_node = libsbml.parseL3Formula(text)
        if math_node is None:
            raise ModelError(Problem(f"cannot read the formula {text!r}: {libsbml.getLastParseL3Error()}"))
        return self.read(math_node, resolve)

    def _children(self, node: libsbml.ASTNode, resolve: Resolve) -> list[int]:
        return [self.graph.as_number(self.read(node.getChild(k), resolve)) for k in range(node.getNumChildren())]

    def _truths(self, node: libsbml.ASTNode, resolve: Resolve) -> list[int]:
        return [self.graph.as_logical(self.read(node.getChild(k), resolve)) for k in range(node.getNumChildren())]

    def _table(self) -> dict[int, Callable[[libsbml.ASTNode, Resolve], int]]:
        g, lib = self.graph, libsbml
        table: dict[int, Callable[[libsbml.ASTNode, Resolve], int]] = {
            lib.AST_INTEGER: lambda n, _r: g.constant(n.getInteger()),
            lib.AST_REAL: lambda n, _r: g.constant(n.getReal()),
            lib.AST_REAL_E: lambda n, _r: g.constant(n.getReal()),
            lib.AST_RATIONAL: lambda n, _r: g.constant(n.getNumerator() / n.getDenominator()),
            lib.AST_CONSTANT_PI: lambda _n, _r: g.constant(math.pi),
            lib.AST_CONSTANT_E: lambda _n, _r: g.constant(math.e),
            lib.AST_CONSTANT_TRUE: lambda _n, _r: g.true,
            lib.AST_CONSTANT_FALSE: lambda _n, _r: g.false,
            lib.AST_NAME_AVOGADRO: lambda _n, _r: g.constant(AVOGADRO),
            lib.AST_NAME_TIME: lambda _n, r: r(CLOCK),
            lib.AST_NAME: lambda n, r: r(n.getName()),
            lib.AST_PLUS: lambda n, r: g.sum(self._children(n, r)),
            lib.AST_TIMES: self._product,
            lib.AST_MINUS: self._minus,
            lib.AST_DIVIDE: lambda n, r: g.divide(*self._children(n, r)),
            lib.AST_POWER: lambda n, r: g.pow(*self._children(n, r)),
            lib.AST_FUNCTION_POWER: lambda n, r: g.pow(*self._children(n, r)),
            lib.AST_FUNCTION_ROOT: self._root,
            lib.AST_FUNCTION_LOG: self._log,
            lib.AST_FUNCTION_FACTORIAL: self._factorial,
            lib.AST_FUNCTION_MIN: lambda n, r: self._extreme("min", n, r),
            lib.AST_FUNCTION_MAX: lambda n, r: self._extreme("max", n, r),
            lib.AST_FUNCTION_QUOTIENT: lambda n, r: self._quotient(*self._children(n, r)),
            lib.AST_FUNCTION_REM: self._remainder,
            lib.AST_FUNCTION_PIECEWISE: self._piecewise,
            lib.AST_FUNCTION: self._call,
            lib.AST_LOGICAL_NOT: lambda n, r: g.logical_not(self._truths(n, r)[0]),
            lib.AST_LOGICAL_IMPLIES: self._implies,
        }
        table |= {kind: self._unary(name) for kind, name in UNARY_FUNCTIONS.items()}
        table |= {kind: self._reciprocal(name) for kind, name in RECIPROCAL_OF.items()}
        table |= {kind: self._of_reciprocal(name) for kind, name in INVERSE_OF_RECIPROCAL.items()}
        table |= dict.fromkeys(RELATIONS, self._relation)
        return table | dict.fromkeys(LOGICALS, self._logical)

    def _unary(self, name: str) -> Callable[[libsbml.ASTNode, Resolve], int]:
        return lambda n, r: self.graph.unary(name, self._children(n, r)[0])

    def _reciprocal(self, name: str) -> Callable[[libsbml.ASTNode, Resolve], int]:
        return lambda n, r: self.graph.unary("rcp", self.graph.unary(name, self._children(n, r)[0]))

    def _of_reciprocal(self, name: str) -> Callable[[libsbml.ASTNode, Resolve], int]:
        return lambda n, r: self.graph.unary(name, self.graph.unary("rcp", self._children(n, r)[0]))

    def _product(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        result = self.graph.one
        for factor in self._children(node, resolve):
            result = self.graph.mul(result, factor)
        return result

    def _minus(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        parts = self._children(node, resolve)
        return self.graph.neg(parts[0]) if len(parts) == 1 else self.graph.sub(*parts)

    def _root(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        parts = self._children(node, resolve)
        if len(parts) == 1 or self.graph.is_constant(parts[0], 2.0):
            return self.graph.unary("sqrt", parts[-1])
        return self.graph.pow(parts[1], self.graph.unary("rcp", parts[0]))

    def _log(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        parts = self._children(node, resolve)
        base = parts[0] if len(parts) > 1 else self.graph.constant(10.0)
        return self.graph.divide(self.graph.unary("log", parts[-1]), self.graph.unary("log", base))

    def _factorial(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        (argument,) = self._children(node, resolve)
        value = self.graph.values[argument]
        if not self.graph.is_constant(argument) or value is None or value < 0 or not float(value).is_integer():
            raise UnsupportedModelError("factorial() of anything but a literal", libsbml.formulaToL3String(node))
        return self.graph.constant(float(math.factorial(int(value))))

    def _extreme(self, operation: str, node: libsbml.ASTNode, resolve: Resolve) -> int:
        result, *others = self._children(node, resolve)
        for other in others:
            result = self.graph.extreme(operation, result, other)
        return result

    def _quotient(self, a: int, b: int) -> int:
        g = self.graph
        ratio = g.divide(a, b)
        return g.select(g.relation("lt", ratio, g.zero), g.unary("ceil", ratio), g.unary("floor", ratio))

    def _remainder(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        a, b = self._children(node, resolve)
        return self.graph.sub(a, self.graph.mul(b, self._quotient(a, b)))

    def _piecewise(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        g, n = self.graph, node.getNumChildren()
        pieces = [self.read(node.getChild(k), resolve) for k in range(n)]
        result = pieces[-1] if n % 2 else g.constant(math.nan)
        logical = all(g.is_logical(value) for value in pieces[0::2])
        if not logical:
            result = g.as_number(result)
        for k in reversed(range(0, n - 1, 2)):
            value = pieces[k] if logical else g.as_number(pieces[k])
            result = g.select(g.as_logical(pieces[k + 1]), value, result)
        return result

    def _relation(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        g = self.graph
        operation, swap, negate = RELATIONS[node.getType()]
        parts = self._children(node, resolve)
        result = g.true
        for left, right in pairwise(parts):
            one = g.relation(operation, right, left) if swap else g.relation(operation, left, right)
            result = g.logical("and", result, g.logical_not(one) if negate else one)
        return result

    def _logical(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        operation = LOGICALS[node.getType()]
        result = self.graph.true if operation == "and" else self.graph.false
        for truth in self._truths(node, resolve):
            result = self.graph.logical(operation, result, truth)
        return result

    def _implies(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        premise, conclusion = self._truths(node, resolve)
        return self.graph.logical("or", self.graph.logical_not(premise), conclusion)

    def _call(self, node: libsbml.ASTNode, resolve: Resolve) -> int:
        definition = self.functions.get(node.getName())
        if definition is None or definition.getBody() is None:
            raise ModelError(Problem(f"unknown function {node.getName()!r} in {libsbml.formulaToL3String(node)!r}"))
        if definition.getNumArguments() != node.getNumChildren():
            wanted = definition.getNumArguments()
            raise ModelError(
                Problem(f"function {node.getName()!r} takes {wanted} arguments, got {node.getNumChildren()}")
            )
        bound = {
            definition.getArgument(k).getName(): self.read(node.getChild(k), resolve)
            for k in range(definition.getNumArguments())
        }
        return self.read(definition.getBody(), lambda name: bound[name] if name in bound else resolve(name))
