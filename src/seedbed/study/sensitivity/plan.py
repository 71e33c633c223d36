"""What is moved, how far, and how often: the schema of ``library/plans/sensitivity_*.yaml`` and its checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from seedbed import library
from seedbed.documents import Content, Document, load, parse
from seedbed.errors import ContentError, Problem, nearest
from seedbed.population import Population
from seedbed.population.parameter_sets import FACTORS, Change
from seedbed.protocol import Protocol
from seedbed.sources import Source, Words
from seedbed.study.select.plan import Arms, source
from seedbed.trial import enrollment


class Factor(Content):
    """One thing that is moved, between two ends.

    Attributes
    ----------
    changes : ``median`` and ``factor`` are moved by a multiplier, on the log scale; ``effect`` is set, evenly
    of : model parameter, factor of the clinic, or effect of the population
    """

    changes: Literal["median", "spread", "effect", "factor"]
    of: str
    lower: float
    upper: float
    title: Words
    source: Source

    @model_validator(mode="after")
    def _ordered(self) -> Factor:
        if not self.lower < self.upper:
            raise ValueError("lower must be below upper")
        if self.changes != "effect" and self.lower <= 0:
            raise ValueError("a multiplier must be above 0")
        return self

    def at(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value at a share of the way from lower to upper."""
        if self.changes == "effect":
            return self.lower + share * (self.upper - self.lower)
        return self.lower * (self.upper / self.lower) ** share

    @property
    def change(self) -> Change:
        """Return it as a change that parameter sets know."""
        return Change(changes=self.changes, of=self.of)


class Screening(Content):
    """The run that is screened by ranks."""

    subjects: int = Field(ge=100, le=100_000)


class Design(Content):
    """The design: its method, base sample, and the patients at each point.

    Attributes
    ----------
    samples : trajectories of Morris, base sample of Sobol (a power of two)
    panel : patients at every point, the same with the same luck
    """

    method: Literal["morris", "sobol"]
    samples: int = Field(ge=4, le=4096)
    panel: int = Field(ge=2, le=2000)

    @model_validator(mode="after")
    def _power_of_two(self) -> Design:
        if self.method == "sobol" and self.samples & (self.samples - 1):
            raise ValueError("samples of the sobol method must be a power of two")
        return self


class Plan(Content):
    """A plan of sensitivity."""

    kind: Literal["sensitivity"]
    id: str
    title: Words
    question: Words
    protocol: str
    population: str | None = None
    arms: Arms
    seed: int = Field(default=1, ge=0)
    follow_up_days: float = Field(gt=0)
    horizon_days: float = Field(gt=0)
    screening: Screening
    design: Design
    factors: dict[str, Factor] = Field(min_length=2)

    @model_validator(mode="after")
    def _seen(self) -> Plan:
        if self.horizon_days + 20 > self.follow_up_days:
            raise ValueError("follow_up_days must pass horizon_days by 20 days, so that the last visit is seen")
        return self

    @property
    def points(self) -> int:
        """How many points the design has (Saltelli: a base sample of both matrices and of each factor)."""
        return self.design.samples * (len(self.factors) + (2 if self.design.method == "sobol" else 1))

    def resized(self, *, samples: int | None = None, subjects: int | None = None) -> Plan:
        """Return the plan with another size of the design and of the screening.

        Raises
        ------
        ContentError
            A size is not one that the plan may have.
        """
        data = self.model_dump(mode="json")
        data["design"]["samples"] = self.design.samples if samples is None else samples
        data["screening"]["subjects"] = self.screening.subjects if subjects is None else subjects
        return parse(Document(Path(f'plan "{self.id}"'), "", data), Plan)

    def content(self, document: Document | None = None) -> tuple[Protocol, Population]:
        """Return the protocol with the two arms, and the population."""
        return source(self, self.population, document)  # type: ignore[arg-type]


def read(name_or_path: str | Path) -> Plan:
    """Return a plan of the library or of a file, checked against its model and population.

    Raises
    ------
    ContentError
        Every problem of the file.
    """
    document = load(library.find("plans", name_or_path))
    plan = parse(document, Plan)
    trial, who = plan.content(document)
    if problems := list(_factor_problems(plan, trial, who, document)):
        raise ContentError(problems)
    return plan


def _factor_problems(plan: Plan, trial: Protocol, who: Population, document: Document) -> Iterator[Problem]:
    parameters = list(enrollment.model_parameters(trial.model))
    known = {"median": parameters, "spread": parameters, "effect": list(who.effects), "factor": list(FACTORS)}
    for name, factor in plan.factors.items():
        if factor.of not in known[factor.changes]:
            near = nearest(factor.of, known[factor.changes])
            keys = ("factors", name, "of")
            yield document.problem(f'{name}: no {factor.changes} of "{factor.of}"', keys, nearest=near)
