"""Every error that seedbed raises, and the words they are built from.

::

    SeedbedError
    ├── ContentError            a file of content (model, protocol, population, plan, evidence) is wrong
    │   ├── ModelError          a model file cannot be read or contradicts itself
    │   └── UnitError           two units do not agree
    ├── UnsupportedModelError   a model uses a construct outside the declared subset
    ├── TableError              a table lacks a column, or a value is out of range
    ├── SimulationError         a simulation was asked for something impossible
    └── RunError                a run folder cannot be written, resumed or read
        └── FailedSubjectsError more subjects failed than a run may lose

A `ContentError` carries all problems of a file at once; each `Problem` names the thing, the place, what was
expected, the nearest match and the cure.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in one place."""

    what: str
    file: str = ""
    line: int | None = None
    expected: str = ""
    nearest: str | None = None
    cure: str = ""
    check: str = ""

    def __str__(self) -> str:
        """Say the problem in one line."""
        parts = [self.what]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.nearest:
            parts.append(f'did you mean "{self.nearest}"?')
        if self.cure:
            parts.append(self.cure)
        place = f"line {self.line}  " if self.line else ""
        check = f"  [{self.check}]" if self.check else ""
        return place + "; ".join(parts) + check


class SeedbedError(Exception):
    """The root of all errors that seedbed raises on purpose."""


class ContentError(SeedbedError):
    """A file of content is wrong; `problems` lists everything found in it."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: list[Problem] = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__(self._message())

    def _message(self) -> str:
        lines: list[str] = []
        for file in dict.fromkeys(problem.file for problem in self.problems):
            mine = sorted((item for item in self.problems if item.file == file), key=lambda item: item.line or 0)
            count = "1 problem" if len(mine) == 1 else f"{len(mine)} problems"
            lines.append(f"{type(self).__name__}: {count}" + (f" in {file}" if file else ""))
            lines.extend(f"  {problem}" for problem in mine)
        return "\n".join(lines)


class ModelError(ContentError):
    """A model file cannot be read or contradicts itself."""


class UnitError(ContentError):
    """Two units do not agree."""


class UnsupportedModelError(SeedbedError):
    """A model uses a construct outside the declared subset.

    Parameters
    ----------
    construct : the construct in words, such as ``"algebraic rule"``
    identifier : its id or place in the model
    reason : why it is refused, or what to write instead
    """

    def __init__(self, construct: str, identifier: str = "", reason: str = "") -> None:
        self.construct, self.identifier, self.reason = construct, identifier, reason
        where = f' "{identifier}"' if identifier else ""
        super().__init__(f"unsupported construct: {construct}{where}" + (f"; {reason}" if reason else ""))


class TableError(SeedbedError):
    """A table lacks a column, has an unknown one, or holds a value out of range."""


class SimulationError(SeedbedError):
    """A simulation was asked for something impossible."""


class RunError(SeedbedError):
    """A run folder cannot be written, resumed or read."""


class FailedSubjectsError(RunError):
    """More subjects failed than a run may lose; its tables are written all the same."""


NEARLY_THE_SAME = 0.9


def nearest(word: str, choices: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the choice that looks most like `word`, the shortest that goes on from it, or None when none does."""
    known = [str(choice) for choice in choices]
    found = difflib.get_close_matches(str(word), known, n=1, cutoff=NEARLY_THE_SAME)
    longer = sorted((choice for choice in known if len(str(word)) > 2 and choice.startswith(str(word))), key=len)
    found = found or longer[:1] or difflib.get_close_matches(str(word), known, n=1, cutoff=cutoff)
    return found[0] if found else None


def unknown(kind: str, word: str, choices: Sequence[str], *, file: str = "", line: int | None = None) -> Problem:
    """Return the problem of a name that is not among the known ones."""
    shown = ", ".join(sorted(choices)[:12]) + (", ..." if len(choices) > 12 else "")
    return Problem(
        what=f'unknown {kind} "{word}"',
        file=file,
        line=line,
        expected=f"one of {shown}" if choices else f"a known {kind}",
        nearest=nearest(word, choices),
    )
