"""Assemble a `Network` into a `System`: states, their rates, initial values, events and observables as graph nodes."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import libsbml

from seedbed.engine.expression import Graph
from seedbed.engine.formula import CLOCK, FormulaReader, Resolve
from seedbed.engine.sbml import Network
from seedbed.errors import ModelError, Problem, SimulationError, nearest, unknown

START_TIME = "@start"
DEEPEST = 100_000  # calls while reading formulas: a sum of a thousand terms may be nested a thousand deep


@dataclass(frozen=True)
class EventNodes:
    """An event: when `trigger` turns true, each listed state takes the value of its node."""

    name: str
    trigger: int
    initially_true: bool
    assignments: tuple[tuple[int, int], ...]


@dataclass
class System:
    """The ordinary differential equations of a network, as nodes of one graph.

    Attributes
    ----------
    states : ids; a species changed by reactions is held as an amount, all others as their own value
    rates : time derivative of each state
    initial : value of each state at the start
    factors : amount per unit of the id's value (the compartment for a concentration, else 1)
    scales : the same at the model's own values, at the start
    varied, shared : ids of the inputs, in slot order; `defaults` has their values
    events : events on time or state
    """

    graph: Graph
    states: list[str]
    rates: list[int] = field(default_factory=list)
    initial: list[int] = field(default_factory=list)
    factors: list[int] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)
    varied: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    defaults: dict[str, float] = field(default_factory=dict)
    events: list[EventNodes] = field(default_factory=list)
    observe: Callable[[str], int] = lambda _text: 0
    parameter_formula: Callable[[str], int] = lambda _text: 0


def assemble(network: Network, varied: Iterable[str] = ()) -> System:
    """Return the system of a network in which the ids in `varied` differ between patients.

    Raises
    ------
    SimulationError
        A varied id is unknown, or cannot be varied because a rule gives its value.
    ModelError
        A formula names an unknown id, ids define each other in a circle, or a value is missing.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEPEST))
    try:
        return _Assembly(network, list(varied)).system
    finally:
        sys.setrecursionlimit(before)


class _Assembly:
    """Resolves ids to nodes in two settings: while running, and at the start."""

    def __init__(self, network: Network, varied: list[str]) -> None:
        self.network = network
        self.graph = Graph()
        self.reader = FormulaReader(self.graph, network.functions)
        self.system = System(self.graph, self._state_ids())
        self.state_number = {name: k for k, name in enumerate(self.system.states)}
        self._running: dict[str, int] = {}
        self._starting: dict[str, int] = {}
        self._open: list[tuple[str, str]] = []
        self._check_varied(varied)
        self.system.varied = varied
        self._build()

    # ---- what each id is ----------------------------------------------------------------------------------
    def _state_ids(self) -> list[str]:
        net = self.network
        rated = {name for name, rule in net.rules.items() if rule.isRate()}
        moving = net.reacting | rated | net.event_targets
        assigned = {name for name, rule in net.rules.items() if rule.isAssignment()}
        return [name for name in net.symbols if name in moving and name not in assigned]

    def _check_varied(self, varied: list[str]) -> None:
        known = [name for name in self.network.symbols if name not in self.network.reactions]
        for name in varied:
            if name not in known:
                raise SimulationError(str(unknown("parameter", name, known)))
            rule = self.network.rules.get(name)
            if rule is not None and rule.isAssignment():
                raise SimulationError(f"{name!r} cannot vary between patients: an assignment rule gives its value")

    def _is_amount(self, name: str) -> bool:
        """Tell whether a state is held as an amount although its id means a concentration."""
        species = self.network.species.get(name)
        rated = name in self.network.rules
        return species is not None and not species.getHasOnlySubstanceUnits() and not rated

    # ---- resolving ids ------------------------------------------------------------------------------------
    def running(self, name: str) -> int:
        """Return the node of an id while the model runs."""
        return self._resolve(name, self._running, self._find_running)

    def starting(self, name: str) -> int:
        """Return the node of an id at the start, before anything has moved."""
        return self._resolve(name, self._starting, self._find_starting)

    def _resolve(self, name: str, known: dict[str, int], find: Callable[[str], int]) -> int:
        if name not in known:
            step = (find.__name__, name)
            if step in self._open:
                circle = " -> ".join(other for _, other in [*self._open[self._open.index(step) :], step])
                raise ModelError(Problem(f"ids define each other in a circle: {circle}"))
            self._open.append(step)
            known[name] = find(name)
            self._open.pop()
        return known[name]

    def _find_running(self, name: str) -> int:
        if name == CLOCK:
            return self.graph.time
        if name in self.state_number:
            state = self.graph.input("state", self.state_number[name])
            return self._per_volume(name, state, self.running) if self._is_amount(name) else state
        rule = self.network.rules.get(name)
        if rule is not None:
            return self._formula(rule.getMath(), self.running, name)
        if name in self.network.reactions:
            return self._kinetic_law(name, self.running)
        if self._is_amount(name) and self._compartment(name) in self.state_number:
            return self._per_volume(name, self._starting_amount(name), self.running)
        return self.starting(name)

    def _find_starting(self, name: str) -> int:
        if name == CLOCK:
            return self._input("shared", START_TIME, 0.0)
        if name in self.system.varied:
            return self._input("varied", name, self._given_value(name))
        formula = self.network.initial_assignments.get(name)
        rule = self.network.rules.get(name)
        if formula is None and rule is not None and rule.isAssignment():
            formula = rule.getMath()
        if formula is not None:
            return self._formula(formula, self.starting, name)
        if name in self.network.reactions:
            return self._kinetic_law(name, self.starting)
        return self._input("shared", name, self._given_value(name))

    def _input(self, kind: str, name: str, value: float) -> int:
        slots = self.system.varied if kind == "varied" else self.system.shared
        if name not in slots:
            slots.append(name)
        self.system.defaults[name] = value
        return self.graph.input(kind, slots.index(name))

    def _given_value(self, name: str) -> float:
        """Return the number the model file gives an id, in the units formulas see."""
        net = self.network
        if name in net.species:
            return self._given_species_value(net.species[name])
        if name in net.parameters:
            value = net.parameters[name].getValue()
        elif name in net.compartments:
            compartment = net.compartments[name]
            unset = 1.0 if compartment.getSpatialDimensions() == 0 else math.nan
            value = compartment.getSize() if compartment.isSetSize() else unset
        elif name in net.stoichiometries:
            reference = net.stoichiometries[name]
            value = reference.getStoichiometry() if reference.isSetStoichiometry() else 1.0
        else:
            raise ModelError(unknown("id", name, net.symbols))
        return value

    def _given_species_value(self, species: libsbml.Species) -> float:
        concentration_wanted = not species.getHasOnlySubstanceUnits()
        if species.isSetInitialConcentration():
            given, is_concentration = species.getInitialConcentration(), True
        elif species.isSetInitialAmount():
            given, is_concentration = species.getInitialAmount(), False
        else:
            return math.nan
        if concentration_wanted == is_concentration:
            return given
        size = self.evaluate_defaults(self.starting(species.getCompartment()))
        return given / size if concentration_wanted else given * size

    def evaluate_defaults(self, node: int) -> float:
        """Return the number a node has at the model's own inputs."""
        inputs = {
            self.graph.input(kind, k): self.system.defaults[name]
            for kind, names in (("shared", self.system.shared), ("varied", self.system.varied))
            for k, name in enumerate(names)
            if name in self.system.defaults
        }
        return float(self.graph.evaluate(node, inputs))

    def _compartment(self, name: str) -> str:
        return self.network.species[name].getCompartment()

    def _per_volume(self, name: str, amount: int, resolve: Resolve) -> int:
        return self.graph.divide(amount, resolve(self._compartment(name)))

    def _starting_amount(self, name: str) -> int:
        return self.graph.mul(self.starting(name), self.starting(self._compartment(name)))

    # ---- formulas -----------------------------------------------------------------------------------------
    def _formula(self, formula: libsbml.ASTNode | None, resolve: Resolve, owner: str) -> int:
        if formula is None:
            raise ModelError(Problem(f"the rule or assignment of {owner!r} has no formula"))
        return self.graph.as_number(self.reader.read(formula, resolve))

    def _kinetic_law(self, name: str, resolve: Resolve) -> int:
        law = self.network.reactions[name].getKineticLaw()
        local = {p.getId(): self.graph.constant(p.getValue()) for p in law.getListOfLocalParameters()}
        return self._formula(law.getMath(), lambda x: local[x] if x in local else resolve(x), name)

    # ---- equations ----------------------------------------------------------------------------------------
    def _build(self) -> None:
        system = self.system
        changes = self._reaction_changes()
        for name in system.states:
            rule = self.network.rules.get(name)
            is_rated = rule is not None and rule.isRate()
            system.rates.append(
                self._formula(rule.getMath(), self.running, name) if is_rated else changes.get(name, self.graph.zero)
            )
            amount = self._is_amount(name)
            system.initial.append(self._starting_amount(name) if amount else self.starting(name))
            system.factors.append(self.running(self._compartment(name)) if amount else self.graph.one)
            size = self.evaluate_defaults(self.starting(self._compartment(name))) if amount else 1.0
            system.scales.append(abs(size) if math.isfinite(size) and size != 0 else 1.0)
        system.events = [self._event(k, e) for k, e in enumerate(self.network.model.getListOfEvents(), start=1)]
        system.observe = self._observe
        system.parameter_formula = lambda text: self.reader.parse(text, self.starting)
        self._check_unused_inputs()

    def _reaction_changes(self) -> dict[str, int]:
        graph, changes = self.graph, {}
        for name, reaction in self.network.reactions.items():
            rate = self.running(name)
            for sign, side in ((-1.0, reaction.getListOfReactants()), (1.0, reaction.getListOfProducts())):
                for reference in side:
                    species = reference.getSpecies()
                    if species not in self.network.reacting or species in self.network.rules:
                        continue
                    flow = graph.mul(graph.mul(graph.constant(sign), self._stoichiometry(reference)), rate)
                    changes[species] = graph.add(changes.get(species, graph.zero), flow)
        for species, flow in changes.items():
            changes[species] = graph.mul(self._conversion(species), flow)
        return changes

    def _stoichiometry(self, reference: libsbml.SpeciesReference) -> int:
        if reference.isSetId():
            name = reference.getId()
            given = name in self.network.initial_assignments or name in self.network.rules
            if given or name in self.state_number or name in self.system.varied:
                return self.running(name)
        return self.graph.constant(reference.getStoichiometry() if reference.isSetStoichiometry() else 1.0)

    def _conversion(self, species: str) -> int:
        own = self.network.species[species].getConversionFactor()
        name = own or self.network.model.getConversionFactor()
        return self.running(name) if name else self.graph.one

    def _event(self, number: int, event: libsbml.Event) -> EventNodes:
        name = event.getId() or f"event {number}"
        trigger = event.getTrigger()
        values = {
            a.getVariable(): self._formula(a.getMath(), self.running, name) for a in event.getListOfEventAssignments()
        }
        assignments = []
        for target, value in values.items():
            if target not in self.state_number:
                raise ModelError(Problem(f"event {name!r} assigns {target!r}, which a rule already gives"))
            assignments.append((self.state_number[target], self._event_value(target, value, values)))
        assignments += self._diluted(values)
        truth = self.graph.as_logical(self.reader.read(trigger.getMath(), self.running))
        return EventNodes(name, truth, bool(trigger.getInitialValue()), tuple(assignments))

    def _event_value(self, target: str, value: int, values: dict[str, int]) -> int:
        """Return what a state becomes; a concentration counts in the compartment as it was before the event."""
        if self._is_amount(target):
            return self.graph.mul(value, self.running(self._compartment(target)))
        return self.graph.mul(value, self._dilution(target, values))

    def _dilution(self, name: str, values: dict[str, int]) -> int:
        """Return old over new size of the compartment of a species held as a concentration (1 if unchanged)."""
        species = self.network.species.get(name)
        if species is None or species.getHasOnlySubstanceUnits() or species.getCompartment() not in values:
            return self.graph.one
        return self.graph.divide(self.running(species.getCompartment()), values[species.getCompartment()])

    def _diluted(self, values: dict[str, int]) -> list[tuple[int, int]]:
        """Keep the amounts of species held as concentrations when an event resizes their compartment."""
        extra = []
        for name in self.network.species:
            if name in self.state_number and not self._is_amount(name) and name not in values:
                ratio = self._dilution(name, values)
                if ratio != self.graph.one:
                    extra.append((self.state_number[name], self.graph.mul(self.running(name), ratio)))
        return extra

    def _check_unused_inputs(self) -> None:
        """Give every varied id a slot, used or not, and every settable id a default."""
        for name in self.system.varied:
            self.starting(name)

    def _observe(self, text: str) -> int:
        if text in self.network.symbols:
            return self.graph.as_number(self.running(text))
        if text == "time":
            return self.graph.time
        if text.isidentifier():
            raise SimulationError(str(unknown("observable", text, self.network.symbols)))
        return self.graph.as_number(self.reader.parse(text, self._known_running))

    def _known_running(self, name: str) -> int:
        if name != CLOCK and name not in self.network.symbols:
            close = nearest(name, self.network.symbols)
            hint = f'; did you mean "{close}"?' if close else ""
            raise SimulationError(f"unknown id {name!r} in an observable{hint}")
        return self.running(name)
