"""Units of model content: texts such as ``pg/mL/day`` as Antimony unit definitions, and their dimension.

Cells are counted (SBML kind `item`); one `giga_cell` is 1e9 of them. Amounts of a drug that have no natural unit
are dimensionless (``1``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from seedbed.errors import Problem, UnitError, nearest

# symbol -> the factor and SBML base kind that Antimony writes
SYMBOLS: dict[str, str] = {
    "day": "86400 second",
    "hour": "3600 second",
    "kg": "1e3 gram",
    "g": "1 gram",
    "mg": "1e-3 gram",
    "ug": "1e-6 gram",
    "ng": "1e-9 gram",
    "pg": "1e-12 gram",
    "L": "1 litre",
    "mL": "1e-3 litre",
    "uL": "1e-6 litre",
    "cell": "1 item",
    "copy": "1 item",
    "mega_cell": "1e6 item",
    "giga_cell": "1e9 item",
}
_FACTOR = re.compile(r"([*/]?)\s*([A-Za-z_]+|1)(?:\^(\d))?\s*")
_RESERVED = {"day": "time_unit"}


def factors(unit: str, *, file: str = "", line: int | None = None) -> list[tuple[str, int]]:
    """Return the symbols of a unit text with their exponents.

    Raises
    ------
    UnitError
        The text is not a product of known symbols.

    Examples
    --------
    >>> factors("pg/mL/day")
    [('pg', 1), ('mL', -1), ('day', -1)]
    """
    found: list[tuple[str, int]] = []
    for sign, symbol, power in _tokens(unit, file, line):
        if symbol not in SYMBOLS and symbol != "1":
            known = [*SYMBOLS, "1"]
            raise UnitError(
                Problem(
                    f'unit "{unit}": unknown symbol "{symbol}"',
                    file,
                    line,
                    "a product of " + ", ".join(known),
                    nearest(symbol, known),
                )
            )
        if symbol != "1":
            found.append((symbol, (-1 if sign == "/" else 1) * int(power or 1)))
    return found


def _tokens(unit: str, file: str, line: int | None) -> Iterator[tuple[str, str, str | None]]:
    position = 0
    text = unit.strip()
    while position < len(text):
        match = _FACTOR.match(text, position)
        if match is None or (position > 0) != bool(match[1]):
            raise UnitError(Problem(f'unit "{unit}" cannot be read', file, line, 'a text such as "pg/mL/day" or "1"'))
        yield match[1], match[2], match[3]
        position = match.end()
    if not text:
        raise UnitError(Problem("unit is empty", file, line, 'a text such as "pg/mL/day" or "1"'))


def identifier(unit: str) -> str:
    """Return the id under which a unit is defined in Antimony and SBML.

    Examples
    --------
    >>> identifier("pg/mL/day"), identifier("1/day"), identifier("1")
    ('pg_per_mL_per_day', 'per_day', 'dimensionless')
    """
    parts = factors(unit)
    if not parts:
        return "dimensionless"
    words: list[str] = []
    for symbol, exponent in parts:
        name = symbol if abs(exponent) == 1 else f"{symbol}_{abs(exponent)}"
        words.append(name if exponent > 0 else f"per_{name}")
    text = "_".join(words)
    return _RESERVED.get(text, text)


def definition(unit: str) -> str | None:
    """Return the Antimony line that defines a unit, or None when none is needed."""
    parts = factors(unit)
    name = identifier(unit)
    if not parts or name in _RESERVED.values():
        return None
    above = [SYMBOLS[s] for s, exponent in parts for _ in range(max(exponent, 0))]
    below = [SYMBOLS[s] for s, exponent in parts for _ in range(max(-exponent, 0))]
    text = " * ".join(above) if above else "1"
    if below:
        text += f" / ({' * '.join(below)})"
    return f"unit {name} = {text};"


def definitions(units: Iterable[str]) -> list[str]:
    """Return the Antimony lines that define a set of units, each once, in alphabetical order."""
    lines = {definition(unit) for unit in units}
    return sorted(line for line in lines if line is not None)
