"""Small named checks that a model must pass; each returns its problems with file and line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from seedbed.errors import ModelError, Problem, UnitError, nearest
from seedbed.model.dimensions import factors, identifier
from seedbed.model.fragments import Statement, names_in
from seedbed.model.sbml import consistency_messages

if TYPE_CHECKING:
    from seedbed.model.structure import Mechanism, Model, Parameter

ALLOWED_NUMBERS = frozenset({"0", "1", "2"})


class Check(ABC):
    """One thing that must hold for a model; its first docstring line says it."""

    @abstractmethod
    def run(self, model: Model) -> list[Problem]:
        """Return every place where it does not hold."""


def run_checks(model: Model, checks: Sequence[type[Check]]) -> list[Problem]:
    """Return the problems of all checks, each with the name of its check."""
    return [replace(problem, check=kind.__name__) for kind in checks for problem in kind().run(model)]


def _statements(model: Model) -> Iterator[tuple[Mechanism, Statement]]:
    for mechanism in model.mechanisms:
        for statement in mechanism.fragment.statements:
            yield mechanism, statement


def _at(mechanism: Mechanism, statement: Statement, what: str, **details: str | None) -> Problem:
    return Problem(what, str(mechanism.fragment.path), statement.line, **details)  # type: ignore[arg-type]


def _declared(model: Model) -> Iterator[tuple[Mechanism, str, str]]:
    """Yield the mechanism, the kind (key in its YAML) and the id of everything declared."""
    for mechanism in model.mechanisms:
        for kind in ("states", "quantities", "parameters"):
            for name in getattr(mechanism.content, kind):
                yield mechanism, kind, name


def _known_names(model: Model) -> set[str]:
    return {name for _, _, name in _declared(model)}


def _used_names(model: Model) -> set[str]:
    used = {name for _, statement in _statements(model) for name in statement.uses}
    for state in model.states.values():
        if isinstance(state.initial, str):
            used.update(names_in(state.initial))
    return used


class StatementsAreReadable(Check):
    """Each statement of a fragment is a reaction, a rule (:=) or a rate rule (' =)."""

    def run(self, model: Model) -> list[Problem]:
        """Return the statements that are none of these."""
        expected = "a reaction, x := formula, or x' = formula"
        cure = "values and units stand in the YAML beside the fragment"
        return [
            _at(mechanism, s, f'cannot read "{s.text.splitlines()[0]}"', expected=expected, cure=cure)
            for mechanism, s in _statements(model)
            if s.kind == "unknown"
        ]


class NamesAreKnown(Check):
    """Each name in a formula is a declared state, quantity or parameter, or a unit after a zero."""

    def run(self, model: Model) -> list[Problem]:
        """Return the unknown names, with the nearest known one."""
        known = _known_names(model)
        units = {identifier(item.unit) for item in (*model.states.values(), *model.quantities.values())}
        problems = []
        for mechanism, statement in _statements(model):
            for name in (*statement.uses, *statement.reactants, *statement.products):
                if name not in known | units:
                    cure = f"declare it in {mechanism.document.path.name}"
                    what = f'unknown name "{name}"'
                    problems.append(_at(mechanism, statement, what, nearest=nearest(name, known), cure=cure))
        return problems


class InitialValuesAreKnown(Check):
    """Each formula for a state's initial value names parameters and quantities only."""

    def run(self, model: Model) -> list[Problem]:
        """Return the names that are neither."""
        known = {**model.parameters, **model.quantities}
        problems = []
        for mechanism in model.mechanisms:
            for state in mechanism.states:
                for name in names_in(state.initial) if isinstance(state.initial, str) else ():
                    if name not in known:
                        what = f'{state.id}.initial: unknown parameter "{name}"'
                        keys = ("states", state.id, "initial")
                        hint = nearest(name, known)
                        problems.append(mechanism.document.problem(what, keys, nearest=hint))
        return problems


class NamesAreUnique(Check):
    """Each id stands for one thing in the whole model."""

    def run(self, model: Model) -> list[Problem]:
        """Return the second and later uses of an id."""
        seen: dict[str, str] = {}
        problems = []
        for mechanism, kind, name in _declared(model):
            if name in seen:
                what = f'id "{name}" already stands for one of the {seen[name]}'
                problems.append(mechanism.document.problem(what, (kind, name), cure="rename one of them"))
            seen.setdefault(name, f"{kind} of {mechanism.id}")
        for mechanism, statement in _statements(model):
            if statement.kind == "reaction" and statement.defines in seen:
                what = f'id "{statement.defines}" already stands for {seen[statement.defines]}'
                problems.append(_at(mechanism, statement, what, cure="rename the reaction"))
            if statement.kind == "reaction":
                seen[statement.defines] = f"a reaction of {mechanism.id}"
        return problems


class NoBareNumbers(Check):
    """A formula holds no number but 0, 1 and 2: every other number is a parameter with a source."""

    def run(self, model: Model) -> list[Problem]:
        """Return the numbers that should be parameters."""
        return [
            _at(mechanism, statement, f"number {number} in a formula", cure="name it as a parameter with a source")
            for mechanism, statement in _statements(model)
            for number in statement.numbers
            if number not in ALLOWED_NUMBERS
        ]


class StatesHaveARate(Check):
    """Each state has one rate rule, or takes part in a reaction when it counts cells."""

    def run(self, model: Model) -> list[Problem]:
        """Return states without a rate, and states with two rate rules."""
        rates = [s.defines for _, s in _statements(model) if s.kind == "rate"]
        moved = {n for _, s in _statements(model) for n in (*s.reactants, *s.products)}
        problems = []
        for mechanism in model.mechanisms:
            for state in mechanism.states:
                count = rates.count(state.id)
                if count == 0 and not (state.counts_cells and state.id in moved):
                    what, cure = f'state "{state.id}" never changes', f"write {state.id}' = ... in the fragment"
                    problems.append(mechanism.document.problem(what, ("states", state.id), cure=cure))
                if count > 1 or (count == 1 and state.id in moved):
                    what, cure = f'state "{state.id}" has two rates', "write one rate rule, or reactions only"
                    problems.append(mechanism.document.problem(what, ("states", state.id), cure=cure))
        return problems


class QuantitiesHaveARule(Check):
    """Each quantity has one rule, and each rule defines a declared quantity."""

    def run(self, model: Model) -> list[Problem]:
        """Return quantities without a rule or with two, and rules for something else."""
        problems = []
        rules = [s.defines for _, s in _statements(model) if s.kind == "assignment"]
        for mechanism in model.mechanisms:
            for quantity in mechanism.quantities:
                if rules.count(quantity.id) != 1:
                    what = f'quantity "{quantity.id}" has {rules.count(quantity.id)} rules'
                    keys = ("quantities", quantity.id)
                    problems.append(mechanism.document.problem(what, keys, expected="one rule in a fragment"))
        for mechanism, statement in _statements(model):
            wanted = {"assignment": model.quantities, "rate": model.states}.get(statement.kind)
            if wanted is not None and statement.defines not in wanted:
                kind = "quantity" if statement.kind == "assignment" else "state"
                hint = nearest(statement.defines, wanted)
                cure = f"declare it in {mechanism.document.path.name}"
                what = f'unknown {kind} "{statement.defines}"'
                problems.append(_at(mechanism, statement, what, nearest=hint, cure=cure))
        return problems


def _parameter_problems(
    model: Model, judge: Callable[[Parameter], str | None], key: str = "", cure: str = ""
) -> list[Problem]:
    """Return a problem for each parameter that `judge` finds fault with."""
    problems = []
    for mechanism in model.mechanisms:
        for parameter in mechanism.parameters:
            what = judge(parameter)
            if what:
                keys = ("parameters", parameter.id, key) if key else ("parameters", parameter.id)
                problems.append(mechanism.document.problem(what, keys, cure=cure))
    return problems


class EveryParameterIsUsed(Check):
    """Each parameter stands in a formula, an initial value or an intervention."""

    def run(self, model: Model) -> list[Problem]:
        """Return the parameters that nothing reads."""
        used = _used_names(model)
        given = {dose.per_unit for entry in model.interventions.values() for dose in entry.doses}

        def judge(parameter: Parameter) -> str | None:
            read = given if parameter.used_in == "doses" else used
            return None if parameter.id in read else f'parameter "{parameter.id}" is used nowhere'

        return _parameter_problems(model, judge, cure="use it or take it out")


class EveryParameterHasASource(Check):
    """Each parameter names a study, or says why it is assumed and within which range."""

    def run(self, model: Model) -> list[Problem]:
        """Return parameters with no source, with both, or with an unknown study."""

        def judge(parameter: Parameter) -> str | None:
            if (parameter.source is None) == (parameter.assumed is None):
                how = "neither source nor assumed" if parameter.source is None else "both source and assumed"
                return f"{parameter.id} has {how}"
            study = parameter.source.study if parameter.source else None
            if study is not None and study not in model.references:
                hint = nearest(study, model.references)
                near = f'; did you mean "{hint}"?' if hint else ""
                return f'{parameter.id}.source: unknown study "{study}"{near}'
            return None

        cure = "give source {study, location, how}, from library/references/models.yaml, or assumed {reason, range}"
        return _parameter_problems(model, judge, cure=cure)


class ValuesLieInTheirRange(Check):
    """An assumed value lies in its own range, and a bounded spread holds the value."""

    def run(self, model: Model) -> list[Problem]:
        """Return the values outside."""

        def judge(parameter: Parameter) -> str | None:
            value, spread = parameter.value, parameter.between_patient
            if parameter.assumed and not parameter.assumed.range[0] <= value <= parameter.assumed.range[1]:
                return f"{parameter.id} = {value} lies outside its range {list(parameter.assumed.range)}"
            lower, upper = (spread.lower, spread.upper) if spread else (None, None)
            if lower is not None and upper is not None and not lower <= value <= upper:
                return f"{parameter.id} = {value} lies outside its spread [{lower}, {upper}]"
            if spread and spread.distribution == "lognormal" and value <= 0:
                return f"{parameter.id} = {value} cannot be the median of a lognormal spread"
            if spread and spread.distribution == "logitnormal" and not 0 < value < 1:
                return f"{parameter.id} = {value} cannot be the median of a logitnormal spread"
            return None

        return _parameter_problems(model, judge, cure="mend the value or the bounds")


class UnitsAreReadable(Check):
    """Each unit is a product of known symbols."""

    def run(self, model: Model) -> list[Problem]:
        """Return the units that cannot be read."""
        problems: list[Problem] = []
        for mechanism, kind, name in _declared(model):
            unit = getattr(mechanism.content, kind)[name].unit
            try:
                factors(unit)
            except UnitError as error:
                line = mechanism.document.line((kind, name, "unit"))
                place = {"file": str(mechanism.document.path), "line": line}
                problems.extend(replace(p, what=f"{name}.{p.what}", **place) for p in error.problems)  # type: ignore[arg-type]
        return problems


class ObservablesExist(Check):
    """Each observable is a state or a quantity."""

    def run(self, model: Model) -> list[Problem]:
        """Return the observables that are neither."""
        known = [*model.states, *model.quantities]
        return [
            model.document.problem(f'unknown observable "{name}"', ("observables", i), nearest=nearest(name, known))
            for i, name in enumerate(model.observables)
            if name not in known
        ]


class InterventionsReachStates(Check):
    """Each dose adds to a state, by a number or a parameter."""

    def run(self, model: Model) -> list[Problem]:
        """Return the doses that do not."""
        problems = []
        for name, entry in model.interventions.items():
            for index, dose in enumerate(entry.doses):
                keys = ("interventions", name, "doses", index)
                if dose.target not in model.states:
                    what, hint = f'{name}: unknown state "{dose.target}"', nearest(dose.target, model.states)
                    problems.append(model.document.problem(what, keys, nearest=hint))
                if isinstance(dose.per_unit, str) and dose.per_unit not in model.parameters:
                    hint = nearest(dose.per_unit, model.parameters)
                    what = f'{name}: unknown parameter "{dose.per_unit}"'
                    problems.append(model.document.problem(what, keys, nearest=hint))
        return problems


class UnitsAgree(Check):
    """LibSBML finds no error and no unit mismatch or gap in the assembled model."""

    def run(self, model: Model) -> list[Problem]:
        """Return libSBML's messages."""
        try:
            messages = consistency_messages(model.sbml)
        except ModelError as error:
            return error.problems
        return [Problem(message, str(model.path)) for message in messages]


STRUCTURE_CHECKS: tuple[type[Check], ...] = (
    StatementsAreReadable,
    NamesAreKnown,
    InitialValuesAreKnown,
    NamesAreUnique,
    NoBareNumbers,
    StatesHaveARate,
    QuantitiesHaveARule,
    EveryParameterIsUsed,
    EveryParameterHasASource,
    ValuesLieInTheirRange,
    UnitsAreReadable,
    ObservablesExist,
    InterventionsReachStates,
)
ALL_CHECKS: tuple[type[Check], ...] = (*STRUCTURE_CHECKS, UnitsAgree)
