r"""Designs and indices of a global sensitivity analysis, by SALib.

*Sobol*: first-order :math:`S_i` (share of the variance that a factor explains alone) and total :math:`S_{Ti}` (with
every interaction), from Saltelli's design (Saltelli 2010). *Morris*: :math:`\mu^*`, the mean absolute effect of a move
over the whole range, cheaper and for ranking only (Campolongo 2007). The *swing* is the mean outcome in the upper
third of a factor's range minus that in the lower third, every other factor anywhere: the bars of the tornado.
"""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.analysis.results import normal_quantile
from seedbed.errors import RunError
from seedbed.study.sensitivity.plan import Design

Floats = NDArray[np.float64]
LEVELS = 4


def _salib() -> tuple[ModuleType, ModuleType]:
    try:
        from SALib import analyze, sample
        from SALib.analyze import morris as _  # noqa: F401
    except ImportError as error:
        raise RunError('Morris and Sobol need SALib: python -m pip install "seedbed[sensitivity]"') from error
    return sample, analyze


def unit_design(names: list[str], design: Design, seed: int) -> Floats:
    """Return the design points in the unit cube, (K, number of factors).

    Raises
    ------
    RunError
        SALib is not installed.
    """
    sample, _ = _salib()
    problem = _problem(names)
    if design.method == "morris":
        from SALib.sample import morris

        return np.asarray(morris.sample(problem, design.samples, num_levels=LEVELS, seed=seed))
    from SALib.sample import sobol

    del sample
    return np.asarray(sobol.sample(problem, design.samples, calc_second_order=False, seed=seed))


def _problem(names: list[str]) -> dict[str, Any]:
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def indices(names: list[str], design: Design, points: Floats, outcome: Floats, seed: int) -> pd.DataFrame:
    """Return the indices of one outcome.

    Parameters
    ----------
    points : (K, number of factors) of `unit_design`, in its order
    outcome : (K,)

    Returns
    -------
    DataFrame
        ``factor``; ``first``, ``first_error``, ``total``, ``total_error`` (Sobol; half widths of 95 %) or ``effect``,
        ``effect_error`` (Morris); and ``swing`` with ``swing_lower`` and ``swing_upper``. All zero where the outcome
        does not vary.
    """
    _salib()
    block = len(names) + (2 if design.method == "sobol" else 1)
    swings = pd.DataFrame([swing(points[:, column], outcome, block) for column in range(len(names))])
    found = _morris(names, points, outcome, seed) if design.method == "morris" else _sobol(names, outcome, seed)
    return pd.concat([pd.DataFrame({"factor": names}), found, swings], axis=1)


def _sobol(names: list[str], outcome: Floats, seed: int) -> pd.DataFrame:
    from SALib.analyze import sobol

    if np.ptp(outcome) == 0:
        return pd.DataFrame(np.zeros((len(names), 4)), columns=["first", "first_error", "total", "total_error"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SALib divides by zero in bootstrap samples without variance
        result = sobol.analyze(_problem(names), outcome, calc_second_order=False, seed=seed)
    columns = {"first": "S1", "first_error": "S1_conf", "total": "ST", "total_error": "ST_conf"}
    return pd.DataFrame({name: np.asarray(result[key], dtype=float) for name, key in columns.items()})


def _morris(names: list[str], points: Floats, outcome: Floats, seed: int) -> pd.DataFrame:
    from SALib.analyze import morris

    result = morris.analyze(_problem(names), points, outcome, num_levels=LEVELS, seed=seed)
    effect, error = (np.asarray(result[key], dtype=float) for key in ("mu_star", "mu_star_conf"))
    return pd.DataFrame({"effect": effect, "effect_error": error})


def swing(shares: Floats, outcome: Floats, block: int = 1) -> dict[str, float]:
    """Return the mean outcome in the upper third of a range minus that in the lower third, with its 95 % interval.

    Parameters
    ----------
    shares, outcome : (K,) place in the range, and result
    block : how many neighboring points belong together, because the design made them from one base point; the error
        is that of leaving out one block at a time (jackknife)
    """
    numbers = np.arange(len(outcome)) // block
    parts = {}
    for side, inside in (("high", shares >= 2 / 3), ("low", shares <= 1 / 3)):
        parts[f"n_{side}"] = np.bincount(numbers, inside.astype(float))
        parts[f"sum_{side}"] = np.bincount(numbers, np.where(inside, outcome, 0.0))
    total = {name: values.sum() for name, values in parts.items()}
    rest = {name: total[name] - values for name, values in parts.items()}
    if min(total["n_high"], total["n_low"], rest["n_high"].min(), rest["n_low"].min()) < 1:
        return {"swing": float("nan"), "swing_lower": float("nan"), "swing_upper": float("nan")}
    middle = float(total["sum_high"] / total["n_high"] - total["sum_low"] / total["n_low"])
    without = rest["sum_high"] / rest["n_high"] - rest["sum_low"] / rest["n_low"]
    n = len(without)
    half = normal_quantile(0.95) * float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
    return {"swing": middle, "swing_lower": middle - half, "swing_upper": middle + half}
