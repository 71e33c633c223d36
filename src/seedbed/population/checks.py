"""Named checks of a population; each returns the problems it finds, placed in the file that caused them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from seedbed.errors import Problem, nearest
from seedbed.population import correlation
from seedbed.population.distributions import Bernoulli, Categorical, Conditional, Fixed, levels
from seedbed.population.formulas import INPUTS
from seedbed.population.schema import Covariate, Population, drawing_order

ATTRITION = ("attrition.progression", "attrition.death", "attrition.manufacturing_failure")
DERIVED_AT_ENROLLMENT = ("car_hematotox", "transplant_eligible")


class Place(Protocol):
    """Anything that can place a problem at a key path: a `documents.Document` or several layers of them."""

    def problem(self, what: str, keys: Sequence[str | int] = (), **details: Any) -> Problem:
        """Return the problem with its file and line."""


def is_flag(covariate: Covariate) -> bool:
    """Whether a covariate is yes or no."""
    distribution = covariate.distribution
    if isinstance(distribution, Conditional):
        return all(isinstance(part, Bernoulli) for part in distribution.levels.values())
    return isinstance(distribution, Bernoulli) or (
        isinstance(distribution, Fixed) and isinstance(distribution.value, bool)
    )


def is_named(covariate: Covariate) -> bool:
    """Whether a covariate holds names of levels instead of numbers."""
    distribution = covariate.distribution
    if isinstance(distribution, Conditional):
        return any(isinstance(part, Categorical) for part in distribution.levels.values())
    return isinstance(distribution, Categorical) or (
        isinstance(distribution, Fixed) and isinstance(distribution.value, str)
    )


def _unknown(place: Place, kind: str, word: str, known: Iterable[str], keys: Sequence[str | int]) -> Problem:
    known = sorted(known)
    expected = f"one of {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"
    return place.problem(f'unknown {kind} "{word}"', keys, expected=expected, nearest=nearest(word, known))


def every_condition_can_be_met(population: Population, place: Place) -> list[Problem]:
    """Check that a covariate conditional on another finds it, covers all of its levels, and goes in no circle."""
    problems = []
    for name, covariate in population.covariates.items():
        distribution = covariate.distribution
        if not isinstance(distribution, Conditional):
            continue
        keys = ("covariates", name, "distribution", "given")
        if distribution.given not in population.covariates:
            problems.append(_unknown(place, "covariate", distribution.given, population.covariates, keys))
            continue
        given = population.covariates[distribution.given].distribution
        known = levels(given) if given is not None else ()
        problems += [
            place.problem(f'no distribution for level "{level}" of {distribution.given}', keys, cure="add it")
            for level in sorted(set(known) - set(distribution.levels))
        ]
    circle = set(population.covariates) - set(drawing_order(population.covariates))
    what = f"covariates that depend on one another: {', '.join(sorted(circle))}"
    return problems + ([place.problem(what, ("covariates",), cure="break the circle")] if circle else [])


def every_formula_has_its_inputs(population: Population, place: Place) -> list[Problem]:
    """Check that a derived covariate finds the covariates its formula needs."""
    return [
        place.problem(
            f'covariate "{name}" by formula {covariate.formula} lacks "{need}"',
            ("covariates", name, "formula"),
            cure="add that covariate",
        )
        for name, covariate in population.covariates.items()
        if covariate.formula
        for need in INPUTS[covariate.formula]
        if need not in population.covariates
    ]


def every_effect_has_a_cause(population: Population, place: Place) -> list[Problem]:
    """Check that an effect names a covariate of the population, of the kind its form needs."""
    problems = []
    for name, effect in population.effects.items():
        keys = ("effects", name, "covariate")
        if effect.covariate not in population.covariates:
            problems.append(_unknown(place, "covariate", effect.covariate, population.covariates, keys))
            continue
        covariate = population.covariates[effect.covariate]
        if effect.form == "factor" and not is_flag(covariate):
            problems.append(place.problem(f'form "factor" on "{effect.covariate}", which is not yes or no', keys))
        if effect.form not in ("factor", "levels") and is_named(covariate):
            cure = 'use form "levels"'
            problems.append(place.problem(f'form "{effect.form}" on "{effect.covariate}"', keys, cure=cure))
    return problems


def every_effect_level_exists(population: Population, place: Place) -> list[Problem]:
    """Check that the levels of an effect are levels of its covariate."""
    problems = []
    for name, effect in population.effects.items():
        covariate = population.covariates.get(effect.covariate)
        if effect.form != "levels" or covariate is None or covariate.distribution is None:
            continue
        known = levels(covariate.distribution)
        problems += [
            _unknown(place, f'level of "{effect.covariate}"', level, known, ("effects", name, "levels", level))
            for level in effect.levels
            if known and level not in known
        ]
    return problems


def correlations_name_what_is_drawn(population: Population, place: Place) -> list[Problem]:
    """Check that a correlation joins covariates that are drawn, or parameters of the model."""
    drawn = {name for name, covariate in population.covariates.items() if covariate.distribution is not None}
    return [
        _unknown(place, "covariate", member, drawn, ("correlations", name, "between"))
        for name, item in population.correlations.items()
        for member in item.between
        if member not in drawn and not member.startswith("parameter:")
    ]


def correlations_are_possible(population: Population, place: Place) -> list[Problem]:
    """Check that together the correlations form a positive definite matrix."""
    smallest = correlation.smallest_eigenvalue(population.correlations)
    if smallest > 1e-6:
        return []
    what = f"the correlations contradict one another (smallest eigenvalue {smallest:.3g})"
    return [place.problem(what, ("correlations",), cure="weaken one of them")]


def every_parameter_is_set_once(population: Population, place: Place) -> list[Problem]:
    """Check that at most one effect of form ``set`` acts on a parameter, and none beside a typical value."""
    problems, setters = [], {}
    for name, effect in population.effects.items():
        if not effect.sets_value:
            continue
        if effect.changes in setters or effect.changes in population.parameters:
            other = setters.get(effect.changes, f"parameters.{effect.changes}")
            what = f'effect "{name}" sets "{effect.changes}", which {other} sets too'
            problems.append(place.problem(what, ("effects", name), cure="keep one"))
        setters[effect.changes] = f'effect "{name}"'
    return problems


CHECKS: tuple[Callable[[Population, Place], list[Problem]], ...] = (
    every_condition_can_be_met,
    every_formula_has_its_inputs,
    every_effect_has_a_cause,
    every_effect_level_exists,
    correlations_name_what_is_drawn,
    correlations_are_possible,
    every_parameter_is_set_once,
)


def every_parameter_is_known(population: Population, known: Iterable[str], place: Place) -> list[Problem]:
    """Check that parameters that are set, changed or correlated exist in the model."""
    known = set(known)
    named = [(("parameters", name), name) for name in population.parameters]
    named += [(("effects", name, "changes"), effect.changes) for name, effect in population.effects.items()]
    named += [
        (("correlations", name, "between"), member.removeprefix("parameter:"))
        for name, item in population.correlations.items()
        for member in item.between
        if member.startswith("parameter:")
    ]
    return [
        _unknown(place, "model parameter", word, known, keys)
        for keys, word in named
        if word not in known and word not in ATTRITION
    ]


def every_required_parameter_is_set(population: Population, required: Iterable[str], place: Place) -> list[Problem]:
    """Check that the parameters a disease must give the model are set."""
    given = set(population.parameters) | {e.changes for e in population.effects.values() if e.sets_value}
    return [
        place.problem(f'the population does not set model parameter "{name}"', ("parameters",), cure="add it")
        for name in required
        if name not in given
    ]
