"""Evaluate the formulas of fragments at one point, to find which way an influence acts.

Simulation is the engine's work; this serves drawings and checks.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from functools import cache

from seedbed.errors import ModelError, Problem

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}
_COMPARISON: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "exp": math.exp,
    "ln": math.log,
    "log": math.log,
    "sqrt": math.sqrt,
    "abs": abs,
}


@cache
def _tree(formula: str) -> ast.expr:
    text = " ".join(formula.replace("^", "**").split())
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ModelError(Problem(f'formula "{formula}" cannot be read')) from error


def evaluate(formula: str, values: Mapping[str, float]) -> float:
    """Return the value of a formula.

    Parameters
    ----------
    formula : in the syntax of fragments, with ``^`` for powers
    values : the value of each name; ``time`` is 0 unless given

    Raises
    ------
    ModelError
        The formula holds something else than arithmetic, or a name without a value.

    Examples
    --------
    >>> evaluate("k*x^2/(1 + x)", {"k": 3.0, "x": 1.0})
    1.5
    """
    return _value(_tree(formula), {"time": 0.0, **values})


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=float() | int() as number):
            return float(number)
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, values)
        case ast.Call(func=ast.Name(id="piecewise"), args=arguments):
            return _piecewise(arguments, values)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(argument, values) for argument in arguments))
    raise ModelError(Problem(f'cannot evaluate "{ast.unparse(node)}"'))


def _piecewise(arguments: list[ast.expr], values: Mapping[str, float]) -> float:
    pairs = zip(arguments[0::2], arguments[1::2], strict=False)
    for value, condition in pairs:
        match condition:
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISON:
                if _COMPARISON[type(op)](_value(left, values), _value(right, values)):
                    return _value(value, values)
            case _:
                raise ModelError(Problem(f'cannot evaluate the condition "{ast.unparse(condition)}"'))
    return _value(arguments[-1], values)
