"""Covariates that follow from others by a published formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seedbed.population.distributions import Numbers


def mosteller1987(*, height_cm: Numbers, weight_kg: Numbers) -> Numbers:
    """Return body surface area [m2] of height [cm] and weight [kg].

    Source: Mosteller RD, N Engl J Med 1987;317:1098.
    """
    return np.sqrt(height_cm * weight_kg / 3600.0)


FORMULAS: dict[str, Callable[..., Numbers]] = {"mosteller1987": mosteller1987}
INPUTS: dict[str, tuple[str, ...]] = {"mosteller1987": ("height_cm", "weight_kg")}
