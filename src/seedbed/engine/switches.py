"""Find the times at which a formula switches by the clock: ``time >= T``, with T fixed for a patient.

Steps end exactly there, so that a pulse written as ``piecewise(rate, time < 1, 0)`` is not stepped over.
"""

from __future__ import annotations

from collections.abc import Sequence

from seedbed.engine.expression import DYNAMIC, TIME_BIT
from seedbed.engine.system import System


def switching_times(system: System, roots: Sequence[int]) -> list[int]:
    """Return nodes, fixed within a run, of all times at which a relation of the roots or triggers changes by itself.

    A relation counts when one side minus the other is ``a + b * time`` with `a` and `b` fixed; the time is ``-a / b``.
    """
    graph = system.graph
    wanted = [*roots, *(event.trigger for event in system.events)]
    wanted += [value for event in system.events for _, value in event.assignments]
    found = []
    for node in graph.ordered(wanted):
        if graph.operations[node] in ("lt", "le", "eq", "min", "max") and graph.dependencies[node] == TIME_BIT:
            difference = graph.sub(*graph.arguments[node])
            slope = graph.derivative(difference, graph.time)
            if graph.levels[slope] < DYNAMIC and slope != graph.zero:
                offset = graph.substitute(difference, graph.time, graph.zero)
                found.append(graph.neg(graph.divide(offset, slope)))
    return sorted(set(found))
