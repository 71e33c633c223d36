"""Plan the sparse LU factorization of ``I/(gamma h) - J`` before any number is known.

The pattern of the Jacobian never changes, so the elimination order (Markowitz's rule on the diagonal), the fill-in
and every multiplication can be listed once. The code generator then writes the list out without loops or tests.
There is no pivoting for size: the diagonal holds ``1/(gamma h)``, which outgrows everything as the step is halved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Factorization:
    """The plan of an LU factorization in place.

    Attributes
    ----------
    order : elimination order, the state eliminated first stands first
    slots : storage slot of each entry (row, column) of the factors, in states
    """

    order: tuple[int, ...]
    slots: dict[tuple[int, int], int]
    lower: tuple[tuple[int, ...], ...]
    upper: tuple[tuple[int, ...], ...]

    @property
    def n_entries(self) -> int:
        """Number of stored entries, fill-in included."""
        return len(self.slots)

    @property
    def n_multiplications(self) -> int:
        """Multiply-adds of one factorization, a measure of its cost and of the length of its code."""
        return sum(1 + len(self.upper[k]) for row in self.lower for k in row)

    def rows(self) -> range:
        """Return positions 0, 1, ... in elimination order; `order` gives the state of each."""
        return range(len(self.order))


def plan(n_states: int, entries: Iterable[tuple[int, int]]) -> Factorization:
    """Choose an elimination order for a pattern and list the factors.

    Parameters
    ----------
    n_states : number of rows
    entries : (row, column) of the structurally nonzero entries; the diagonal is always added

    Returns
    -------
    Factorization
        ``lower[p]`` and ``upper[p]`` are the positions left and right of the diagonal in row ``order[p]``.
    """
    rows = [{k} for k in range(n_states)]
    for row, column in entries:
        rows[row].add(column)
    order = _markowitz_order([set(row) for row in rows])
    position = {state: p for p, state in enumerate(order)}
    pattern = _filled([{position[c] for c in rows[state]} for state in order])
    slots: dict[tuple[int, int], int] = {}
    for p, row in enumerate(pattern):
        for q in sorted(row):
            slots[order[p], order[q]] = len(slots)
    lower = tuple(tuple(sorted(q for q in row if q < p)) for p, row in enumerate(pattern))
    upper = tuple(tuple(sorted(q for q in row if q > p)) for p, row in enumerate(pattern))
    return Factorization(tuple(order), slots, lower, upper)


def plan_dense(n_states: int) -> Factorization:
    """List the factors of a full matrix in natural order, for models whose plan would be too long to write out."""
    slots = {(row, column): row * n_states + column for row in range(n_states) for column in range(n_states)}
    lower = tuple(tuple(range(p)) for p in range(n_states))
    upper = tuple(tuple(range(p + 1, n_states)) for p in range(n_states))
    return Factorization(tuple(range(n_states)), slots, lower, upper)


def _markowitz_order(rows: list[set[int]]) -> list[int]:
    """Return the pivots in the order of least (row length - 1) * (column length - 1), ties by number."""
    columns: list[set[int]] = [set() for _ in rows]
    for k, row in enumerate(rows):
        for c in row:
            columns[c].add(k)
    left, order = set(range(len(rows))), []
    while left:
        pivot = min(left, key=lambda k: ((len(rows[k]) - 1) * (len(columns[k]) - 1), len(rows[k]), k))
        _eliminate(rows, columns, pivot)
        left.discard(pivot)
        order.append(pivot)
    return order


def _eliminate(rows: list[set[int]], columns: list[set[int]], pivot: int) -> None:
    for other in columns[pivot] - {pivot}:
        for c in rows[pivot] - rows[other] - {pivot}:
            rows[other].add(c)
            columns[c].add(other)
        rows[other].discard(pivot)
    for c in rows[pivot] - {pivot}:
        columns[c].discard(pivot)


def _filled(pattern: list[set[int]]) -> list[set[int]]:
    """Add the fill-in of eliminating row by row in the given order."""
    tails: list[set[int]] = []
    for p, row in enumerate(pattern):
        for q in range(p):
            if q in row:
                row |= tails[q]
        tails.append({q for q in row if q > p})
    return pattern
