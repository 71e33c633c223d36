"""Parameter sets: what is uncertain about the biology, drawn once for each set and shared by its patients.

A set holds the value of each calibrated parameter. A parameter changes one thing of the population: the typical
value of a model parameter, its spread between patients, the size of a covariate's effect, or a factor that the
clinic uses, such as the cytokine level of fever. Subject *i* takes set *i* modulo K; a calibration numbers its
subjects by member instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from seedbed import library, streams
from seedbed.documents import Content, content_hash, load
from seedbed.errors import ContentError, Problem, nearest
from seedbed.population.distributions import BetweenPatients, LogitNormalAround, LogNormalAround

Numbers = NDArray[np.float64]
Kind = Literal["median", "spread", "effect", "factor"]
SEPARATOR = "@"
FACTOR_PREFIX = "clinic:"
FACTORS = (
    "fever_threshold",
    "support_threshold",
    "neurology_threshold",
    "imaging_threshold",
    "survival_after_progression",
    "death_by_infection",
)
"""What the clinic multiplies by a factor: thresholds of its signs, and hazards of death."""
_INSIDE = 1e-9


class Change(Content):
    """What a calibrated parameter changes.

    Attributes
    ----------
    changes : ``median`` multiplies the typical value of a model parameter (the odds, where it is a share with a
        logit-normal spread); ``spread`` multiplies its log or logit standard deviation between patients;
        ``effect`` is the value of an effect of the population; ``factor`` is one of `FACTORS`
    of : id of the model parameter, effect or factor
    only_in : diseases that it is for; all of them by default
    scale : scale on which products differ
    differs_by_product : whether each CAR-T product has its own value
    """

    changes: Kind
    of: str
    only_in: tuple[str, ...] = ()
    scale: Literal["log", "logit", "plain"] = "log"
    differs_by_product: bool = False

    def holds_in(self, disease: str) -> bool:
        """Tell whether the change is for a disease."""
        return not self.only_in or disease in self.only_in


@dataclass(frozen=True)
class ParameterSets:
    """Values of the calibrated parameters, one row a set.

    Attributes
    ----------
    changes : parameter -> what it changes
    table : (K) rows; columns ``<parameter>``, and where products differ ``<parameter>@<product>`` and
        ``product_sd:<parameter>``
    seed : seed of the draws for products that were not fitted
    members, block : for a calibration, (K,) increasing numbers of the rows and the subjects kept for each: subject
        `i` takes the row of member ``i // block``. Without members, row ``i modulo K``
    """

    changes: Mapping[str, Change]
    table: pd.DataFrame
    seed: int = 0
    members: NDArray[np.int64] | None = field(default=None)
    block: int = 1

    def rows(self, subjects: ArrayLike) -> NDArray[np.int64]:
        """Return the row that each subject takes."""
        number = np.asarray(subjects, dtype=np.int64)
        if self.members is None:
            return number % len(self.table)
        return np.searchsorted(self.members, number // self.block).astype(np.int64)

    def adjustments(self, subjects: ArrayLike, disease: str) -> Adjustments:
        """Return what the sets change for subjects (n,) with a disease, as it holds for a typical product."""
        rows = self.rows(subjects)
        found: dict[Kind, dict[str, Numbers]] = {"median": {}, "spread": {}, "effect": {}, "factor": {}}
        for name, change in self.changes.items():
            if not change.holds_in(disease):
                continue
            values = self.table[name].to_numpy(dtype=float)[rows]
            found[change.changes][change.of] = found[change.changes].get(change.of, 1.0) * values
        return Adjustments(found["median"], found["spread"], found["effect"], found["factor"])

    def of_product(self, subjects: ArrayLike, product: str | None, disease: str) -> dict[str, Numbers]:
        """Return by how much typical values differ for a product: model parameter -> factor (n,).

        A product that was fitted has its own values; another one is drawn from the between-product distribution,
        once for each set. None is a typical product: nothing differs.
        """
        rows = self.rows(subjects)
        if product is None:
            return {}
        return {
            change.of: self._ratio(name, change, product)[rows]
            for name, change in self.changes.items()
            if change.differs_by_product and change.changes == "median" and change.holds_in(disease)
        }

    def values_for(self, product: str | None) -> pd.DataFrame:
        """Return the value of every parameter as it holds for a product, one row a set; see `of_product`."""
        columns = {}
        for name, change in self.changes.items():
            differs = change.differs_by_product and product is not None
            columns[name] = self.table[name].to_numpy(dtype=float) * (
                self._ratio(name, change, product or "") if differs else 1.0
            )
        return pd.DataFrame(columns)

    def _ratio(self, name: str, change: Change, product: str) -> Numbers:
        typical, own = self.table[name].to_numpy(dtype=float), f"{name}{SEPARATOR}{product}"
        if own in self.table:
            return self.table[own].to_numpy(dtype=float) / typical
        sd = f"product_sd:{name}"
        if sd not in self.table:
            return np.ones(len(self.table))
        luck = streams.normal(self.seed, f"product {product}: {name}", np.arange(len(self.table)))
        deviation = self.table[sd].to_numpy(dtype=float) * luck
        if change.scale == "log":
            return np.exp(deviation)
        drawn = expit(logit(typical) + deviation) if change.scale == "logit" else typical + deviation
        return drawn / typical


def read_sets(name_or_path: str | Path) -> ParameterSets:
    """Return the parameter sets of an ensemble: ``<id>.yaml`` says what each column of ``<id>.csv`` changes.

    Raises
    ------
    ContentError
        There is no such ensemble, its table is absent, or lacks a column.
    """
    document = load(library.find("ensembles", name_or_path))
    path = document.path.with_suffix(".csv")
    if not path.exists():
        raise ContentError(
            Problem("the table of the ensemble is absent", str(path), cure="restore it, or calibrate again")
        )
    table = pd.read_csv(path)
    changes = {name: Change.model_validate(change) for name, change in document.data["parameters"].items()}
    lacking = [name for name in changes if name not in table]
    if lacking:
        raise ContentError(
            [Problem(f'column "{name}" is absent', str(path), nearest=nearest(name, table.columns)) for name in lacking]
        )
    return ParameterSets(changes, table, int(document.data["seed"]))


def default_ensemble(model: str) -> str | None:
    """Return the ensemble that runs of a model use when none is named, or None before there is one."""
    for name in library.names("ensembles"):
        data = load(library.find("ensembles", name)).data
        if data.get("default") and data.get("model") == model:
            return name
    return None


def is_fitted_to(ensemble: Mapping[str, Any], files: Mapping[str, str]) -> bool:
    """Tell whether an ensemble was fitted to a model with exactly these files (by their path in its folder).

    An ensemble that does not say what it was fitted to is taken at its word.
    """
    fitted = ensemble.get("hashes", {}).get("model")
    return fitted is None or fitted == content_hash(dict(files))


@dataclass(frozen=True)
class Adjustments:
    """What parameter sets change for n subjects.

    Attributes
    ----------
    medians, spreads : model parameter -> factor (n,)
    effects : effect of the population -> its value (n,)
    factors : factor of the clinic -> (n,)
    """

    medians: Mapping[str, Numbers] = field(default_factory=dict)
    spreads: Mapping[str, Numbers] = field(default_factory=dict)
    effects: Mapping[str, Numbers] = field(default_factory=dict)
    factors: Mapping[str, Numbers] = field(default_factory=dict)

    def value(self, name: str, drawn: Numbers | float, typical: float, spread: BetweenPatients | None) -> Numbers:
        """Return the values of a model parameter after adjustment.

        Parameters
        ----------
        drawn : (n,) values before adjustment and before the effects of covariates, or the common value
        typical : typical value before adjustment
        spread : its distribution between patients
        """
        values = np.asarray(drawn, dtype=float)
        stretch, shift = self.spreads.get(name), self.medians.get(name)
        if isinstance(spread, LogitNormalAround):
            middle, odds = logit(typical), logit(np.clip(values, _INSIDE, 1.0 - _INSIDE))
            moved = middle + (odds - middle) * (1.0 if stretch is None else stretch)
            return expit(moved + (0.0 if shift is None else np.log(shift)))
        if stretch is not None and isinstance(spread, LogNormalAround):
            values = typical * (values / typical) ** stretch
        return values if shift is None else values * shift

    def touches(self, name: str) -> bool:
        """Tell whether a model parameter is adjusted."""
        return name in self.medians or name in self.spreads
