"""What is asked about which patients: the schema of ``library/plans/select_*.yaml`` and its checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from seedbed import library
from seedbed.documents import Content, Document, load, parse
from seedbed.errors import ContentError, Problem, nearest
from seedbed.population import Population
from seedbed.population.checks import DERIVED_AT_ENROLLMENT
from seedbed.population.distributions import levels
from seedbed.protocol import Condition, Protocol
from seedbed.sources import Words
from seedbed.study.arms_of_protocol import with_arms
from seedbed.trial import enrollment

PRODUCT = "product_memory_fraction"
"""Not a covariate of the population but of the product made for the patient."""


class Arms(Content):
    """The two arms that every virtual patient is in."""

    experimental: str
    control: str


class Factor(Content):
    """A covariate by which patients are divided: numbers at `cuts`, levels in `order`."""

    covariate: str
    cuts: tuple[float, ...] = ()
    order: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _increasing(self) -> Factor:
        if list(self.cuts) != sorted(set(self.cuts)):
            raise ValueError("cuts must increase")
        return self


class Further(Content):
    """A population of its own, such as CNS disease, that stands beside the main one as one stratum."""

    id: str
    title: Words
    population: str
    subjects: int = Field(ge=50, le=100_000)


class Rule(Content):
    """An enrichment rule: treat with the experimental arm only those who meet all conditions."""

    id: str
    title: Words
    conditions: tuple[Condition, ...] = Field(min_length=1)


class Tree(Content):
    """How deep the decision tree may grow, and how small a leaf may be (share of the patients)."""

    depth: int = Field(default=3, ge=1, le=4)
    smallest_leaf: float = Field(default=0.08, gt=0, le=0.4)


class Plan(Content):
    """A plan of selection."""

    kind: Literal["select"]
    id: str
    title: Words
    question: Words
    protocol: str
    population: str | None = None
    arms: Arms
    subjects: int = Field(ge=50, le=1_000_000)
    seed: int = Field(default=1, ge=0)
    follow_up_days: float = Field(gt=0)
    horizon_days: float = Field(gt=0, description="of progression-free survival and its restricted mean")
    ensemble: str | None = None
    parameter_sets: int = Field(default=50, ge=2, description="of the ensemble; few, so that each has several patients")
    relevant_difference: float = Field(gt=0, lt=1, description="in progression-free survival, between subgroups")
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    covariates: tuple[Factor, ...] = Field(min_length=1)
    further: tuple[Further, ...] = ()
    rules: tuple[Rule, ...] = ()
    tree: Tree = Tree()

    @property
    def patients(self) -> int:
        """How many virtual patients are simulated, those of the further populations included."""
        return self.subjects + sum(other.subjects for other in self.further)

    def resized(self, subjects: int | None) -> Plan:
        """Return the plan with another number of subjects, and its further populations in proportion."""
        if subjects is None:
            return self
        share = subjects / self.subjects
        further = tuple(o.model_copy(update={"subjects": max(50, round(share * o.subjects))}) for o in self.further)
        return self.model_copy(update={"subjects": subjects, "further": further})

    @model_validator(mode="after")
    def _fits(self) -> Plan:
        if self.horizon_days + 20 > self.follow_up_days:
            raise ValueError("follow_up_days must pass horizon_days by 20 days, so that the last visit is seen")
        if self.arms.experimental == self.arms.control:
            raise ValueError("arms.experimental and arms.control must differ")
        return self


def read(name_or_path: str | Path) -> Plan:
    """Return a plan of the library or of a file, checked against its protocol and population.

    Raises
    ------
    ContentError
        Every problem of the file.
    """
    document = load(library.find("plans", name_or_path))
    plan = parse(document, Plan)
    _, who = source(plan, plan.population, document)
    if problems := list(_covariate_problems(plan, who, document)):
        raise ContentError(problems)
    for index, other in enumerate(plan.further):
        source(plan, other.population, document, ("further", index, "population"))
    return plan


def source(
    plan: Plan, population: str | None, document: Document | None = None, keys: tuple[str | int, ...] = ("population",)
) -> tuple[Protocol, Population]:
    """Return the protocol with the plan's two arms, and a population that takes the place of its own.

    Raises
    ------
    ContentError
        An arm or population is unknown, or the two do not fit.
    """
    trial, who = enrollment.read(plan.protocol)
    place = document or Document(Path(plan.id), "", {})
    problems = [
        place.problem(f'unknown arm "{arm}"', ("arms", role), nearest=nearest(arm, trial.arms))
        for role, arm in (("experimental", plan.arms.experimental), ("control", plan.arms.control))
        if arm not in trial.arms
    ]
    if problems:
        raise ContentError(problems)
    trial = with_arms(trial, (plan.arms.experimental, plan.arms.control))
    if population is not None:
        if population not in library.names("populations") and not Path(population).exists():
            near = nearest(population, library.names("populations"))
            raise ContentError(place.problem(f'unknown population "{population}"', keys, nearest=near))
        trial = trial.model_copy(update={"population": population})
        who = enrollment.read_population(population, trial)
        if misfits := enrollment.fit_problems(trial, who, place):
            raise ContentError(misfits)
    return trial, who


def _covariate_problems(plan: Plan, who: Population, document: Document) -> Iterator[Problem]:
    known = sorted({*who.covariates, *DERIVED_AT_ENROLLMENT, PRODUCT})
    asked = [(("covariates", index, "covariate"), factor.covariate) for index, factor in enumerate(plan.covariates)]
    asked += [
        (("rules", place, "conditions", index), condition.covariate)
        for place, rule in enumerate(plan.rules)
        for index, condition in enumerate(rule.conditions)
    ]
    for keys, name in asked:
        if name not in known:
            expected = f"one of {', '.join(known)}"
            near = nearest(name, known)
            yield document.problem(f'unknown covariate "{name}"', keys, expected=expected, nearest=near)
    for index, factor in enumerate(plan.covariates):
        covariate = who.covariates.get(factor.covariate)
        if covariate is not None and covariate.distribution is not None and factor.order:
            theirs = levels(covariate.distribution)
            if set(factor.order) != set(theirs):
                keys = ("covariates", index, "order")
                yield document.problem(f"{factor.covariate}: order", keys, expected=f"all of {', '.join(theirs)}")
