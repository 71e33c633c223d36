"""Read an Antimony fragment: which names it defines and uses, which numbers it holds, on which lines.

A fragment holds reactions (``name: A => B; rate;``), rules (``x := ...``) and rate rules (``x' = ...``) and nothing
else; declarations and values stand in the YAML beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FUNCTIONS = frozenset({"min", "max", "exp", "ln", "log", "sqrt", "abs", "piecewise", "time", "pi"})
_NAME = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z_]\w*)\s*:=\s*(.*)$", re.DOTALL)
_RATE = re.compile(r"^\s*([A-Za-z_]\w*)\s*'\s*=\s*(.*)$", re.DOTALL)
_REACTION = re.compile(r"^\s*([A-Za-z_]\w*)\s*:\s*([^:;=]*?)\s*[-=]>\s*([^;]*?)\s*;\s*(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """One reaction, rule or rate rule.

    `kind` is ``reaction``, ``assignment``, ``rate`` or ``unknown``; `defines` is the name at its head; `expression`
    is the formula; `reactants` and `products` are empty unless it is a reaction.
    """

    kind: str
    defines: str
    expression: str
    line: int
    text: str
    reactants: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    @property
    def uses(self) -> tuple[str, ...]:
        """The names that stand in the formula, each once, in order."""
        names = dict.fromkeys(_NAME.findall(_without_numbers(self.expression)))
        return tuple(name for name in names if name not in FUNCTIONS)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers that stand in the formula."""
        return tuple(_NUMBER.findall(self.expression))


@dataclass(frozen=True)
class Fragment:
    """The statements of one fragment file."""

    path: Path
    text: str
    statements: tuple[Statement, ...]

    @property
    def flat(self) -> str:
        """The text with each statement on one line, which Antimony demands."""
        lines: list[str] = []
        missing = 0
        for line in self.text.splitlines():
            code = line.partition("//")[0].strip()
            if missing and code:
                lines[-1] = f"{lines[-1].rstrip()} {code}"
            else:
                lines.append(line.rstrip())
                missing = _semicolons(code)
            missing -= code.count(";")
        return "\n".join(lines)


def _semicolons(code: str) -> int:
    """Return how many semicolons a statement that starts so needs: two for a reaction, none for an empty line."""
    if not code:
        return 0
    return 2 if re.match(r"\w+\s*:(?!=)", code) else 1


def _without_numbers(text: str) -> str:
    return _NUMBER.sub(" ", text)


def _without_comments(text: str) -> str:
    return "\n".join(line.partition("//")[0] for line in text.splitlines())


def _species(side: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(_without_numbers(side)))


def _statement(text: str, line: int) -> Statement:
    reaction = _REACTION.match(text)
    if reaction:
        name, left, right, rate = reaction.groups()
        return Statement("reaction", name, rate, line, text, _species(left), _species(right))
    for kind, pattern in (("assignment", _ASSIGNMENT), ("rate", _RATE)):
        match = pattern.match(text)
        if match:
            return Statement(kind, match[1], match[2], line, text)
    return Statement("unknown", "", "", line, text)


def parse_fragment(text: str, path: Path) -> Fragment:
    """Return the statements of a fragment.

    A reaction holds two parts, so it ends at its second semicolon; everything else ends at the first.
    """
    statements: list[Statement] = []
    clean = _without_comments(text)
    position = 0
    while position < len(clean):
        end = clean.find(";", position)
        if end < 0:
            end = len(clean)
        elif _semicolons(clean[position:end].lstrip()) == 2:
            second = clean.find(";", end + 1)
            end = second if second >= 0 else len(clean)
        body = clean[position:end]
        if body.strip():
            start = position + len(body) - len(body.lstrip())
            statements.append(_statement(body.strip(), clean.count("\n", 0, start) + 1))
        position = end + 1
    return Fragment(path, text, tuple(statements))


def names_in(formula: str) -> tuple[str, ...]:
    """Return the names that stand in a formula, each once, in order."""
    return Statement("assignment", "", formula, 0, formula).uses
