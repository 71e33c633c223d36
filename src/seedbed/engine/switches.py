"""Find the times at which a formula switches by the clock: ``time >= T``, with T fixed for a patient.

Steps end exactly there, so that a pulse written as ``piecewise(rate, time < 1, 0)`` is not stepped over.
"""

from __future__ import annotations

from collections.abc import Sequence

from seedbed.engine.expression import DYNAMIC, TIME_BIT, Graph
from seedbed.engine.system import System


def switching_times(system: System, roots: Sequence[int]) -> tuple[list[int], bool]:
    """Find the times at which relations of the roots, or of events, change by the clock alone.

    A relation counts when one side minus the other is ``a + b * time`` with `a` and `b` fixed; the time is ``-a / b``.

    Returns
    -------
    times : nodes, fixed within a run
    complete : False if there are clock conditions of another form, such as ``floor(time / 7) == 2``
    """
    graph = system.graph
    wanted = [*roots, *(event.trigger for event in system.events)]
    wanted += [value for event in system.events for _, value in event.assignments]
    found, complete = [], True
    for node in graph.ordered(wanted):
        operation = graph.operations[node]
        if graph.dependencies[node] == TIME_BIT and operation in ("floor", "ceil"):
            complete = False
        elif graph.dependencies[node] == TIME_BIT and operation in ("lt", "le", "eq", "min", "max"):
            time = _root(graph, *graph.arguments[node])
            found += [] if time is None else [time]
            complete = complete and time is not None
    return sorted(set(found)), complete


def _root(graph: Graph, left: int, right: int) -> int | None:
    difference = graph.sub(left, right)
    slope = graph.derivative(difference, graph.time)
    if graph.levels[slope] == DYNAMIC or slope == graph.zero:
        return None
    return graph.neg(graph.divide(graph.substitute(difference, graph.time, graph.zero), slope))
