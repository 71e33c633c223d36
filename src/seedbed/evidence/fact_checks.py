"""Small named checks of kinetic facts; each returns its problems with file and line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from seedbed.documents import Document
from seedbed.errors import Problem
from seedbed.evidence.schema import Fact, Facts

STATISTICS = frozenset(
    {
        "median", "mean", "geometric_mean", "population_mean", "geometric_cv", "proportion", "maximum", "typical",
        "range", "cutoff", "ratio", "ratio_minus_one", "hazard_ratio", "odds_ratio", "correlation", "p_value",
        "finding",
    }
)  # fmt: skip


@dataclass(frozen=True)
class FactFile:
    """The facts of one topic and the document they were read from."""

    facts: Facts
    document: Document

    def problem(self, position: int, what: str, cure: str) -> Problem:
        """Return a problem at one fact."""
        return self.document.problem(what, ("facts", position), cure=cure)


class FactCheck(ABC):
    """One thing that must hold for a fact; its first docstring line says it."""

    cure = ""

    @abstractmethod
    def fault(self, fact: Fact) -> str:
        """Return what is wrong, or nothing."""


def members(values: Any, count: int) -> tuple:
    """Return one value for each group: a single one is repeated."""
    return values if isinstance(values, tuple) else (values,) * count


class EveryFactHasASource(FactCheck):
    """Each fact cites a text."""

    cure = "cite the text, or remove the fact"

    def fault(self, fact: Fact) -> str:
        """Return a fault when the source is empty."""
        return "" if fact.source.strip() else f"{fact.id} has no source"


class FactsHaveAValue(FactCheck):
    """Each fact has a value, bounds or words, and a known statistic."""

    cure = "give value, lower and upper, or finding"

    def fault(self, fact: Fact) -> str:
        """Return a fault when the fact says nothing."""
        if fact.statistic not in STATISTICS:
            return f'{fact.id}: unknown statistic "{fact.statistic}"'
        said = fact.finding if fact.statistic == "finding" else fact.value is not None or fact.lower is not None
        return "" if said else f"{fact.id} says nothing"


class GroupsMatchTheirValues(FactCheck):
    """A fact with several values names the group of each, and so do its bounds and counts."""

    cure = "give one group for each value"

    def fault(self, fact: Fact) -> str:
        """Return a fault when the lengths differ."""
        count = len(fact.value) if isinstance(fact.value, tuple) else 1
        if count > 1 and len(fact.groups) != count:
            return f"{fact.id} has {count} values and {len(fact.groups)} groups"
        several = [each for each in (fact.lower, fact.upper, fact.events, fact.n) if isinstance(each, tuple)]
        return (
            f"{fact.id}: bounds or counts for another number of groups"
            if any(len(each) != count for each in several)
            else ""
        )


class BoundsContainTheirValue(FactCheck):
    """Bounds are the right way round and hold their value."""

    cure = "look it up again"

    def fault(self, fact: Fact) -> str:
        """Return a fault when a value lies outside its bounds."""
        count = len(fact.value) if isinstance(fact.value, tuple) else 1
        triples = zip(members(fact.lower, count), members(fact.value, count), members(fact.upper, count), strict=True)
        for lower, value, upper in triples:
            known = [number for number in (lower, value, upper) if number is not None]
            if known != sorted(known):
                return f"{fact.id}: {lower} to {upper} excludes {value}"
        return ""


FACT_CHECKS: tuple[type[FactCheck], ...] = (
    EveryFactHasASource,
    FactsHaveAValue,
    GroupsMatchTheirValues,
    BoundsContainTheirValue,
)


def run_fact_checks(file: FactFile) -> list[Problem]:
    """Return the problems of all checks on all facts of a file."""
    return [
        replace(file.problem(position, fault, kind.cure), check=kind.__name__)
        for position, fact in enumerate(file.facts.facts)
        for kind in FACT_CHECKS
        if (fault := kind().fault(fact))
    ]


def facts_are_unique(files: Sequence[FactFile]) -> list[Problem]:
    """Return ids that stand twice among all files."""
    counts = Counter(fact.id for file in files for fact in file.facts.facts)
    return [
        replace(file.problem(position, f'fact "{fact.id}" stands twice', "rename one"), check="FactsAreUnique")
        for file in files
        for position, fact in enumerate(file.facts.facts)
        if counts[fact.id] > 1
    ]
