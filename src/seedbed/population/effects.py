"""What a covariate does to a parameter of the model, or to the hazard of leaving before treatment."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from seedbed.documents import Content
from seedbed.population.distributions import Level, LogNormal, Numbers, Uniform, level_name
from seedbed.sources import Source

Uncertainty = Annotated[LogNormal | Uniform, Field(discriminator="distribution")]
Form = Literal["set", "factor", "power", "exponential", "geometric", "levels"]
_NEEDS = {
    "set": ("value",),
    "factor": ("value",),
    "power": ("value", "reference"),
    "exponential": ("value", "reference"),
    "geometric": ("value", "reference"),
    "levels": ("levels",),
}


class Effect(Content):
    """One effect of one covariate.

    Attributes
    ----------
    covariate : the cause
    changes : id of a model parameter, or ``attrition.`` with progression, death or manufacturing_failure
    form : ``set`` makes the parameter ``value * covariate``; the others multiply it: ``factor`` by ``value`` where
        the covariate is yes; ``power`` by ``(covariate/reference)**value``; ``exponential`` by
        ``exp(value*(covariate - reference))``; ``geometric`` by ``value**(covariate - reference)``; ``levels`` by
        a factor for each level
    limits : the factor (or, for ``set``, the parameter) is held between these
    uncertainty : prior of ``value`` for calibration; the value itself is used until then
    """

    covariate: str
    changes: str
    form: Form
    value: float | None = None
    reference: float | None = None
    levels: dict[Level, float] | None = None
    limits: tuple[float, float] | None = None
    uncertainty: Uncertainty | None = None
    source: Source

    @model_validator(mode="after")
    def _has_what_its_form_needs(self) -> Effect:
        absent = [name for name in _NEEDS[self.form] if getattr(self, name) is None]
        if absent:
            raise ValueError(f'an effect of form "{self.form}" needs {" and ".join(absent)}')
        return self

    @property
    def sets_value(self) -> bool:
        """Whether the effect replaces the parameter instead of multiplying it."""
        return self.form == "set"

    def apply(self, covariate: NDArray[Any], value: Numbers | None = None) -> Numbers:
        """Return the factor, or for ``set`` the parameter's value, for covariate values (n,).

        Parameters
        ----------
        covariate : (n,) values of the cause
        value : (n,) calibrated sizes of the effect in place of the content's; effects by levels have none
        """
        if self.form == "levels":
            names = np.array([level_name(value) for value in covariate], dtype=object)
            result = np.select([names == level for level in self.levels], list(self.levels.values()), default=1.0)
        else:
            result = self._numeric(np.asarray(covariate, dtype=float), self.value if value is None else value)
        return np.clip(result, *self.limits) if self.limits else result

    def _numeric(self, x: Numbers, value: Numbers | float | None) -> Numbers:
        reference = self.reference
        if self.form == "set":
            return value * x
        if self.form == "factor":
            return np.where(x > 0, value, 1.0)
        if self.form == "power":
            return (x / reference) ** value
        if self.form == "exponential":
            return np.exp(value * (x - reference))
        return value ** (x - reference)
