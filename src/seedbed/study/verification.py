"""Numerical verification of one model: how far is the solver's answer from that of the equations.

What ICH M15 and ASME V&V 40 call code and calculation verification: the error falls as the tolerance is tightened, the
observed order is that of the method, another solver agrees, quantities that should be conserved are, and states that
cannot be negative are not. Each check gives a number, the limit it is held against, and whether it passed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seedbed import engine
from seedbed.engine import dosing_events
from seedbed.engine.rosenbrock import ORDER

Array = NDArray[np.float64]
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)
TIGHT = 1e-11
DEFAULT = 1e-6
LIMIT_AT_DEFAULT = 1e-3
LIMIT_BETWEEN_SOLVERS = 1e-4
LIMIT_BALANCE = 1e-9
FLOOR_SHARE = 1e-6
MAX_STEPS = 2_000_000


@dataclass(frozen=True)
class Finding:
    """The result of one check; `passed` is None where there was nothing to check."""

    check: str
    value: str
    limit: str
    passed: bool | None


@dataclass(frozen=True)
class Run:
    """One course of the model: states (times, n), and why it ended early ("" if it did not)."""

    states: Array
    failure: str
    steps: int


class Verification:
    """The checks of one model over one span of time.

    Parameters
    ----------
    network : from `engine.read_model`
    until : end of the span, from 0
    points : times looked at
    balances : formulas that should not change, such as ``"A + B"``; those the stoichiometry implies are added
    max_step : longest step, for models that pulse by the clock
    doses : (time, state, amount) given on the way; a time at which one is given is left out of the comparisons
    """

    def __init__(
        self,
        network: engine.Network,
        until: float,
        points: int = 51,
        balances: Sequence[str] = (),
        max_step: float | None = None,
        doses: Sequence[tuple[float, str, float]] = (),
    ) -> None:
        self.network, self.max_step, self.doses = network, max_step, tuple(doses)
        self.times = np.linspace(0.0, until, points)
        self.off_doses = ~np.isin(self.times, [when for when, _, _ in self.doses])
        self.program = engine.compile_model(network)
        self.balances = (*balances, *implied_balances(network, self.program.states))
        self.reference = self.run(TIGHT)
        largest = np.maximum(_largest(self.reference.states), _largest(self.run(DEFAULT, self._after_doses()).states))
        self.floors = np.where(largest > 0, largest * FLOOR_SHARE, 1.0)

    def _after_doses(self) -> Array:
        """Return the start and the times right after each dose: a drug may be gone before the next time looked at."""
        given = np.array([when for when, _, _ in self.doses]) + 1e-6 * self.times[-1]
        return np.unique([0.0, *given[given < self.times[-1]]])

    def run(self, tolerance: float, times: Array | None = None) -> Run:
        """Integrate at a tolerance, absolute tolerance scaled like the relative one."""
        batch = self.program.start(
            relative_tolerance=tolerance,
            absolute_tolerance=max(tolerance * 1e-3, 1e-15),
            max_steps=MAX_STEPS,
            max_step=self.max_step,
            doses=self._given(),
        )
        states = batch.advance(times=self.times if times is None else times)[0]
        row = batch.status.iloc[0]
        return Run(states, "" if row["code"] == 0 else f"at {row['time']:g}: {row['reason']}", int(row["steps"]))

    def _given(self) -> list[engine.Dose]:
        return [engine.Dose(state, when, amount) for when, state, amount in self.doses]

    def findings(self) -> list[Finding]:
        """Return the results of all checks."""
        if self.reference.failure:
            return [Finding("integration", f"stopped {self.reference.failure}", "reaches the end", False)]
        return [
            Finding("integration", f"{self.reference.steps} steps at rtol {TIGHT:g}", "reaches the end", True),
            *self.tolerance_findings(),
            self.other_solver(),
            *self.balance_findings(),
            self.negativity(),
        ]

    def error(self, states: Array, reference: Array) -> float:
        """Return the largest |difference| / (|reference| + floor), off the dosing times."""
        difference = (np.abs(states - reference) / (np.abs(reference) + self.floors))[self.off_doses]
        return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))

    def tolerance_findings(self) -> list[Finding]:
        """Return how the error falls with the tolerance, and the order this shows."""
        runs = [self.run(tolerance) for tolerance in TOLERANCES]
        errors = np.array([self.error(run.states, self.reference.states) for run in runs])
        steps = np.array([run.steps for run in runs], dtype=float)
        at_default = errors[TOLERANCES.index(DEFAULT)]
        fall = bool(errors[-1] <= max(errors[0] * 1e-2, 1e-9))
        shown = ", ".join(f"{t:g}: {e:.1e}" for t, e in zip(TOLERANCES, errors, strict=True))
        return [
            Finding("error by tolerance", shown, "falls a hundredfold", fall),
            Finding(
                f"error at rtol {DEFAULT:g}",
                f"{at_default:.1e}",
                f"<= {LIMIT_AT_DEFAULT:g}",
                at_default <= LIMIT_AT_DEFAULT,
            ),
            _order(errors, steps),
        ]

    def other_solver(self) -> Finding:
        """Compare with libRoadRunner where it is installed, else with SciPy."""
        if importlib.util.find_spec("roadrunner") is not None:
            name, states = "libRoadRunner", self._roadrunner()
        else:
            name, states = "SciPy Radau", self._scipy()
        if states is None:
            return Finding(f"agreement with {name}", "it did not finish, or reads no such model or doses", "", None)
        error = self.error(states, self.reference.states)
        return Finding(
            f"agreement with {name}", f"{error:.1e}", f"<= {LIMIT_BETWEEN_SOLVERS:g}", error <= LIMIT_BETWEEN_SOLVERS
        )

    def _roadrunner(self) -> Array | None:
        import roadrunner

        roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
        try:
            sbml, ids = dosing_events.join(self.network.sbml, [(when, state) for when, state, _ in self.doses])
            runner = roadrunner.RoadRunner(sbml)
            for name, (_, _, amount) in zip(ids, self.doses, strict=True):
                runner[name] = amount
            runner.integrator.relative_tolerance = 1e-9
            runner.integrator.absolute_tolerance = 1e-14
            runner.integrator.maximum_num_steps = 10**7
            runner.timeCourseSelections = [self._roadrunner_id(name) for name in self.program.states]
            return np.asarray(runner.simulate(0.0, float(self.times[-1]), len(self.times)))
        except (RuntimeError, ValueError):
            return None

    def _roadrunner_id(self, name: str) -> str:
        species = self.network.species.get(name)
        return f"[{name}]" if species is not None and not species.getHasOnlySubstanceUnits() else name

    def _scipy(self) -> Array | None:
        from scipy.integrate import solve_ivp

        system = self.program.system
        if system.events or self.doses:
            return None
        graph = system.graph
        fixed = {graph.input("shared", k): system.defaults[name] for k, name in enumerate(system.shared)}
        nodes = [graph.input("state", k) for k in range(len(system.states))]

        def known(t: float, y: Array) -> dict[int, float]:
            return {**fixed, graph.time: t, **dict(zip(nodes, y, strict=True))}

        def rates(t: float, y: Array) -> list[float]:
            return [float(graph.evaluate(rate, known(t, y))) for rate in system.rates]

        start = [float(graph.evaluate(node, fixed)) for node in system.initial]
        solved = solve_ivp(
            rates, (0.0, self.times[-1]), start, method="Radau", t_eval=self.times, rtol=1e-8, atol=1e-12
        )
        factors = [float(graph.evaluate(node, fixed)) for node in system.factors]
        return solved.y.T / np.array(factors) if solved.success else None

    def balance_findings(self) -> list[Finding]:
        """Check that what should be conserved is, from one time to the next without a dose between them."""
        if not self.balances:
            return [Finding("mass balance", "none declared or implied", "", None)]
        program = engine.compile_model(self.network, observables=self.balances)
        batch = program.start(
            relative_tolerance=DEFAULT, max_steps=MAX_STEPS, max_step=self.max_step, doses=self._given()
        )
        course = batch.advance(times=self.times)[0]
        given = np.array([when for when, _, _ in self.doses])
        dosed = [((given >= start) & (given <= end)).any() for start, end in pairwise(self.times)]
        changes = np.where(np.array(dosed)[:, None], 0.0, np.diff(course, axis=0))
        drift = np.abs(changes.cumsum(axis=0)).max(axis=0) / np.maximum(np.abs(course).max(axis=0), 1e-300)
        return [
            Finding(f"conserved: {formula}", f"{change:.1e}", f"<= {LIMIT_BALANCE:g}", bool(change <= LIMIT_BALANCE))
            for formula, change in zip(self.balances, drift, strict=True)
        ]

    def negativity(self) -> Finding:
        """Check, at a loose tolerance, the states that the exact course never takes below zero."""
        positive = np.flatnonzero((self.reference.states >= 0).all(axis=0))
        if len(positive) == 0:
            return Finding("non-negativity", "every state goes below zero", "", None)
        loose = np.nan_to_num(self.run(TOLERANCES[0]).states[:, positive], nan=-np.inf)
        lowest = (loose / np.maximum(np.abs(self.reference.states[:, positive]).max(axis=0), 1e-300)).min(axis=0)
        worst = int(lowest.argmin())
        name, limit = self.program.states[positive[worst]], -10 * TOLERANCES[0]
        proved = len(self.program.source.nonnegative)
        value = f"{min(lowest[worst], 0.0):.1e} of its largest value ({name}); {proved} states proved"
        return Finding(
            f"non-negativity of {len(positive)} states", value, f">= {limit:g}", bool(lowest[worst] >= limit)
        )


def _largest(states: Array) -> Array:
    return np.asarray(np.abs(np.nan_to_num(states)).max(axis=0))


def _order(errors: Array, steps: Array) -> Finding:
    """Return the slope of error against the number of steps: about the order where steps follow the tolerance."""
    usable = (errors > 1e-11) & (errors < 0.1) & (steps > 0)
    if usable.sum() < 3 or np.ptp(np.log(steps[usable])) < 0.3:
        return Finding("observed order", "too few usable runs", f"about {ORDER}", None)
    slope = -np.polyfit(np.log(steps[usable]), np.log(errors[usable]), 1)[0]
    return Finding("observed order", f"{slope:.1f}", f">= {ORDER - 2}, in theory {ORDER}", bool(slope >= ORDER - 2))


def implied_balances(network: engine.Network, states: Sequence[str]) -> tuple[str, ...]:
    """Return up to five sums of species with whole coefficients that no reaction changes.

    Only models whose states are all moved by reactions in whole, constant proportions, and by no event, have any.
    """
    reactions = list(network.reactions.values())
    if not reactions or network.event_targets or set(states) != set(network.reacting):
        return ()
    if any(network.species[s].isSetConversionFactor() for s in states) or network.model.isSetConversionFactor():
        return ()
    matrix = np.zeros((len(states), len(reactions)))
    for column, reaction in enumerate(reactions):
        for sign, side in ((-1.0, reaction.getListOfReactants()), (1.0, reaction.getListOfProducts())):
            for reference in side:
                if reference.getSpecies() in states:
                    matrix[states.index(reference.getSpecies()), column] += sign * reference.getStoichiometry()
    found = [row for row in _left_null_space(matrix) if (row >= 0).all() and row.any()]
    return tuple(_sum_of_amounts(network, states, row) for row in found[:5])


def _left_null_space(matrix: Array) -> list[Array]:
    """Return rows r with r @ matrix = 0, by exact elimination on small whole numbers."""
    n = len(matrix)
    work = np.hstack([matrix, np.eye(n)])
    row = 0
    for column in range(matrix.shape[1]):
        pivots = np.flatnonzero(np.abs(work[row:, column]) > 1e-12)
        if len(pivots) == 0:
            continue
        work[[row, row + pivots[0]]] = work[[row + pivots[0], row]]
        for other in range(row + 1, n):
            work[other] -= work[row] * (work[other, column] / work[row, column])
        row += 1
        if row == n:
            break
    return [line[matrix.shape[1] :] for line in work[row:]]


def _sum_of_amounts(network: engine.Network, states: Sequence[str], row: Array) -> str:
    terms = []
    for name, weight in zip(states, row, strict=True):
        if weight:
            amount = network.amount(name)
            terms.append(amount if weight == 1 else f"{weight:g}*{amount}")
    return " + ".join(terms)
