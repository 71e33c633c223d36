"""Conditions on covariates: who is eligible for a trial, and whom an arm of an emulated study took."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from seedbed.documents import Content
from seedbed.sources import Source

Value = bool | float | str
_BOUNDS = ("at_least", "at_most", "above", "below")


class Condition(Content):
    """A condition on one covariate; all keys given have to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    covariate: str
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    equals: Value | None = Field(default=None, alias="is")
    one_of: tuple[Value, ...] | None = None
    source: Source | None = None

    @model_validator(mode="after")
    def _can_hold(self) -> Condition:
        bounds = [getattr(self, name) for name in _BOUNDS]
        if self.equals is None and self.one_of is None and all(bound is None for bound in bounds):
            raise ValueError(f"a condition needs one of {', '.join(_BOUNDS)}, is, one_of")
        low = max((bound for bound in (self.at_least, self.above) if bound is not None), default=-np.inf)
        high = min((bound for bound in (self.at_most, self.below) if bound is not None), default=np.inf)
        if low > high:
            raise ValueError(f"nobody can be at least {low:g} and at most {high:g}")
        return self

    def __str__(self) -> str:
        """Say the condition in one line."""
        signs = {"at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}
        parts = [f"{sign} {getattr(self, key):g}" for key, sign in signs.items() if getattr(self, key) is not None]
        if self.equals is not None:
            parts.append(f"= {_shown(self.equals)}")
        if self.one_of is not None:
            parts.append("in " + ", ".join(_shown(value) for value in self.one_of))
        return f"{self.covariate} " + " and ".join(parts)

    def values(self) -> tuple[Value, ...]:
        """Return the values that the condition names, for a check against the covariate's levels."""
        return (() if self.equals is None else (self.equals,)) + (self.one_of or ())

    def holds(self, patients: pd.DataFrame) -> NDArray[np.bool_]:
        """Return which patients (n,) meet the condition."""
        column = patients[self.covariate].to_numpy()
        met = np.ones(len(patients), dtype=bool)
        tests = {"at_least": np.greater_equal, "at_most": np.less_equal, "above": np.greater, "below": np.less}
        for key, test in tests.items():
            if getattr(self, key) is not None:
                met &= test(column.astype(float), getattr(self, key))
        if self.equals is not None:
            met &= _equal(column, self.equals)
        if self.one_of is not None:
            met &= np.any([_equal(column, value) for value in self.one_of], axis=0)
        return met


def _equal(column: NDArray[Any], value: Value) -> NDArray[np.bool_]:
    return np.array([entry == value for entry in column], dtype=bool)


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
