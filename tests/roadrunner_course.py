"""Simulate an SBML text with libRoadRunner, doses included: an integrator that shares no code with seedbed's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import roadrunner

Dose = tuple[float, str, float]  # day, state, amount

FIRST_STEP = 1e-6  # days; left to itself CVODE sometimes starts so small after a dose that it never leaves it

roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)


class Course:
    """A model in libRoadRunner, ready to run many times with other values."""

    def __init__(self, sbml: str, relative: float = 1e-8, absolute: float = 1e-12) -> None:
        self.runner = roadrunner.RoadRunner(sbml)
        self.runner.integrator.setValue("relative_tolerance", relative)
        self.runner.integrator.setValue("absolute_tolerance", absolute)
        self.runner.integrator.setValue("maximum_num_steps", 200000)
        self.runner.integrator.setValue("initial_time_step", FIRST_STEP)
        self.species = set(self.runner.model.getFloatingSpeciesIds())

    def _set(self, name: str, value: float) -> None:
        if name in self.species:
            self.runner.model[f"[{name}]"] = value  # the compartment holds 1 L
        else:
            self.runner.model[name] = value

    def run(
        self,
        times: Sequence[float],
        names: Sequence[str],
        doses: Iterable[Dose] = (),
        values: Mapping[str, float] | None = None,
        start: float = 0.0,
    ) -> pd.DataFrame:
        """Return the named variables at each time, just before a dose due then; states in 1e9 cells as amounts."""
        self.runner.resetAll()
        for name, value in (values or {}).items():
            self.runner.model[f"init({name})" if name in self.species else name] = value
        self.runner.reset()
        due = sorted(doses)
        stops = sorted({*times, *(day for day, _, _ in due)})
        rows, now, position = {}, start, 0
        for stop in stops:
            if stop > now:
                self.runner.simulate(now, stop, 2)
                now = stop
            rows[stop] = [self.runner.model[name] for name in names]
            while position < len(due) and due[position][0] <= stop:
                _, target, amount = due[position]
                self._set(target, self.runner.model[target] + amount)
                position += 1
        return pd.DataFrame([rows[t] for t in times], index=pd.Index(times, name="day"), columns=list(names))


def largest_difference(found: pd.DataFrame, expected: pd.DataFrame) -> pd.Series:
    """Return the largest difference of each column, against the column's own largest value."""
    scale = np.maximum(expected.abs().max(), 1e-12)
    return (found - expected).abs().max() / scale
