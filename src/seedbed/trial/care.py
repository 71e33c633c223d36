"""Reactive supportive care: rules of content read a visit's measurements and order doses.

The rules stand in `library/care`; they see measurements and grades only, the same in every arm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import model_validator

from seedbed import library
from seedbed.documents import Content, read
from seedbed.sources import Source
from seedbed.trial.measurement import Values

PER_WEIGHT = {"mg/kg": "mg", "ug/kg": "ug"}


class Order(NamedTuple):
    """A dose ordered at a visit: the model's dose target and an amount a subject (NaN: none)."""

    target: str
    amount: Values


class Condition(Content):
    """A measurement or grade that calls for treatment."""

    measurement: str
    at_least: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _has_one_bound(self) -> Condition:
        if (self.at_least is None) == (self.below is None):
            raise ValueError("needs exactly one of at_least and below")
        return self

    def holds(self, measurements: dict[str, Values]) -> NDArray[np.bool_]:
        """Return who meets it, (n,); a missing value meets nothing."""
        value = measurements[self.measurement]
        return value >= self.at_least if self.at_least is not None else value < self.below


class DoseRule(Content):
    """How much of what."""

    target: str
    amount: float
    unit: str
    maximum: float


class Clock(Content):
    """Days of a treatment clock within which a rule applies."""

    of: Literal["stem_cell", "cart"]
    start: float
    until: float


class Rule(Content):
    """One reactive rule."""

    id: str
    any_of: tuple[Condition, ...]
    dose: DoseRule
    interval_days: float
    maximum_doses: int | None = None
    clock: Clock | None = None
    kind: Literal["anti_cytokine", "steroid", "transfusion", "immunoglobulin", "growth_factor"]
    source: Source


class CareFile(Content):
    """A content file of reactive rules: its own, and those of the files it includes."""

    id: str
    version: str
    describes: str
    includes: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class CareRules:
    """The reactive rules an arm is treated by, and the files they come from."""

    id: str
    version: str
    rules: tuple[Rule, ...]


def read_care(*names: str | Path) -> CareRules:
    """Return the care rules of one or more files of the library (default ``standard``), or of own files.

    Raises
    ------
    ContentError
        Lists every problem of a file; a file that the library does not hold is named with its nearest match.
    """
    files = [file for name in names or ("standard",) for file in _with_included(name)]
    rules = {rule.id: rule for file in files for rule in file.rules}
    ids = list(dict.fromkeys(str(name) for name in names or ("standard",)))
    versions = dict.fromkeys(file.version for file in files)
    return CareRules("+".join(ids), "+".join(versions), tuple(rules.values()))


def _with_included(name: str | Path) -> list[CareFile]:
    file = read(library.find("care", name), CareFile)
    return [file, *(deeper for included in file.includes for deeper in _with_included(included))]


@dataclass
class Care:
    """Applies the rules to one arm's subjects, visit after visit.

    Parameters
    ----------
    rules : the content
    subjects : (n,) subject numbers
    weight : (n,) body weight [kg]
    stem_cell_day, cart_day : (n,) days from enrollment, NaN when not given
    """

    rules: CareRules
    subjects: NDArray[np.int64]
    weight: Values
    stem_cell_day: Values
    cart_day: Values
    given: list[dict[str, NDArray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nobody has been treated yet."""
        n_subjects = len(self.subjects)
        self._last = {rule.id: np.full(n_subjects, -np.inf) for rule in self.rules.rules}
        self._count = {rule.id: np.zeros(n_subjects, dtype=int) for rule in self.rules.rules}

    def decide(self, day: float, measurements: dict[str, Values]) -> list[Order]:
        """Order what the rules call for on a day, and remember it."""
        orders = []
        for rule in self.rules.rules:
            treat = self._called_for(rule, day, measurements)
            if treat.any():
                orders.append(self._order(rule, day, treat))
        return orders

    def last_given(self, *kinds: str) -> Values:
        """Return the last day a drug of some kinds was given, -inf when never, (n,)."""
        days = [self._last[rule.id] for rule in self.rules.rules if rule.kind in kinds]
        return np.maximum.reduce(days) if days else np.full(len(self.subjects), -np.inf)

    def table(self) -> pd.DataFrame:
        """Return all treatments: subject, day [from enrollment], rule, kind, target, amount, unit."""
        if not self.given:
            names = ("subject", "day", "rule", "kind", "target", "amount", "unit")
            return pd.DataFrame({name: pd.Series(dtype=float) for name in names})
        columns = {name: np.concatenate([part[name] for part in self.given]) for name in self.given[0]}
        return pd.DataFrame(columns).sort_values(["subject", "day", "rule"], kind="stable", ignore_index=True)

    def _called_for(self, rule: Rule, day: float, measurements: dict[str, Values]) -> NDArray[np.bool_]:
        treat = np.logical_or.reduce([condition.holds(measurements) for condition in rule.any_of])
        treat &= day - self._last[rule.id] >= rule.interval_days - 1e-6
        if rule.maximum_doses is not None:
            treat &= self._count[rule.id] < rule.maximum_doses
        if rule.clock is not None:
            since = day - (self.cart_day if rule.clock.of == "cart" else self.stem_cell_day)
            treat &= (since >= rule.clock.start) & (since <= rule.clock.until)
        return treat

    def _order(self, rule: Rule, day: float, treat: NDArray[np.bool_]) -> Order:
        amount = np.full(len(self.subjects), rule.dose.amount)
        if rule.dose.unit in PER_WEIGHT:
            amount = amount * self.weight
        amount = np.where(treat, np.minimum(amount, rule.dose.maximum), np.nan)
        self._last[rule.id] = np.where(treat, day, self._last[rule.id])
        self._count[rule.id] += treat
        rows = np.flatnonzero(treat)
        words = (rule.id, rule.kind, rule.dose.target, PER_WEIGHT.get(rule.dose.unit, rule.dose.unit))
        rule_id, kind, target, unit = (np.full(rows.size, word, dtype=object) for word in words)
        columns = {"subject": self.subjects[rows], "day": np.full(rows.size, float(day)), "rule": rule_id, "kind": kind}
        self.given.append(columns | {"target": target, "amount": amount[rows], "unit": unit})
        return Order(rule.dose.target, amount)
