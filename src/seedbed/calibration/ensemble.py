"""Ensembles: the parameter sets a calibration ends with, stored as content with where they come from.

An ensemble is two files in ``library/ensembles``: ``<id>.parquet``, one row a parameter set, and ``<id>.yaml``,
its provenance. Columns of the table:

``<parameter>``              value for a typical product;
``<parameter>@<product>``    value for a fitted product;
``product_sd:<parameter>``   between-product standard deviation on the prior's scale;
``between_study:<family>``   between-study standard deviation on the link scale.

Subject *i* takes set *i* modulo K.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from seedbed import __version__, library, streams
from seedbed.calibration.fit import Calibration
from seedbed.calibration.priors import Prior
from seedbed.calibration.space import Latent
from seedbed.calibration.store import write_whole
from seedbed.documents import Content, content_hash
from seedbed.documents import read as read_content
from seedbed.errors import ContentError, Problem, nearest
from seedbed.sources import Words

SEPARATOR = "@"


class EnsembleParameter(Content):
    """What one column of an ensemble changes; see `seedbed.calibration.plan.PlanParameter`."""

    changes: str
    of: str
    prior: Prior
    differs_by_product: float = 0.0


class RoundRecord(Content):
    """What one refinement round found."""

    number: int
    effective: float
    temperatures: int
    acceptance: float
    largest_misfit: float


class Provenance(Content):
    """Where an ensemble comes from, and what to believe of it.

    Attributes
    ----------
    fitted, predicted : arms of the plan
    hashes : of the plan, the model, the evidence and the sets themselves
    updates : the frozen ensemble that this one updates with arms once predicted
    """

    id: str
    title: Words
    plan: str
    model: str
    seed: int
    sets: int
    effective: float
    members: int
    products: tuple[str, ...]
    parameters: dict[str, EnsembleParameter]
    fitted: tuple[str, ...]
    predicted: tuple[str, ...]
    rounds: tuple[RoundRecord, ...]
    hashes: dict[str, str]
    seedbed_version: str = __version__
    created: str
    minutes: float
    updates: str | None = None


@dataclass(frozen=True)
class Ensemble:
    """Parameter sets and their provenance."""

    sets: pd.DataFrame
    provenance: Provenance

    @property
    def id(self) -> str:
        """Name of the ensemble."""
        return self.provenance.id

    def __len__(self) -> int:
        return len(self.sets)

    def set_of(self, subjects: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of the parameter set that each subject takes."""
        return np.asarray(subjects, np.int64) % len(self.sets)

    def for_product(self, product: str | None) -> pd.DataFrame:
        """Return the sets as they hold for a product.

        Parameters
        ----------
        product : a fitted product gives its own values; another one is drawn, once per set, from the
            between-product distribution of that set; None is a typical product

        Returns
        -------
        DataFrame, one row a set, one column a parameter.
        """
        result = {}
        for name, parameter in self.provenance.parameters.items():
            own = f"{name}{SEPARATOR}{product}"
            if parameter.differs_by_product > 0 and product is not None and own not in self.sets:
                result[name] = self._drawn(name, parameter, product)
            else:
                result[name] = self.sets[own if own in self.sets else name].to_numpy(float)
        return pd.DataFrame(result)

    def _drawn(self, name: str, parameter: EnsembleParameter, product: str) -> NDArray[np.float64]:
        luck = streams.normal(self.provenance.seed, f"product {product} {name}", np.arange(len(self.sets)))
        spread = self.sets[f"product_sd:{name}"].to_numpy(float) / parameter.prior.scale
        return parameter.prior.value(parameter.prior.coordinate(self.sets[name].to_numpy(float)) + spread * luck)


def sets_of(latent: Latent, vectors: NDArray[np.float64]) -> pd.DataFrame:
    """Return latent vectors (K, D) as the table of an ensemble."""
    space = latent.space
    tables = [space.values(latent.coordinates(vectors, None))]
    varying = [space.parameters[i] for i in space.varying]
    for product in space.products:
        values = space.values(latent.coordinates(vectors, product))
        tables.append(values[[p.id for p in varying]].add_suffix(SEPARATOR + product))
    deviation = latent.product_deviation(vectors)
    spreads = {f"product_sd:{p.id}": deviation[:, j] * p.prior.scale for j, p in enumerate(varying)}
    tau = latent.tau(vectors)
    studies = {f"between_study:{family}": tau[:, j] for j, family in enumerate(latent.terms.families)}
    return pd.concat([*tables, pd.DataFrame(spreads | studies)], axis=1)


def rounds_of(calibration: Calibration) -> tuple[RoundRecord, ...]:
    """Return the record of each refinement round."""
    return tuple(
        RoundRecord(
            number=r.number,
            effective=round(r.effective, 1),
            temperatures=len(r.draws.temperatures) - 1,
            acceptance=round(r.draws.acceptance, 3),
            largest_misfit=round(float(np.max(np.abs(r.residual_mean))), 3),
        )
        for r in calibration.rounds
    )


def write(ensemble: Ensemble, folder: Path) -> Path:
    """Write an ensemble into a folder, with the hash of its table; return the path of its provenance.

    Raises
    ------
    RunError
        The folder cannot be written.
    """
    table = folder / f"{ensemble.id}.parquet"
    write_whole(table, ensemble.sets.to_parquet(index=False))
    hashes = {**ensemble.provenance.hashes, "sets": content_hash(table)}
    provenance = ensemble.provenance.model_copy(update={"hashes": hashes}).model_dump(mode="json")
    text = yaml.safe_dump(provenance, sort_keys=False, allow_unicode=True, width=110)
    path = folder / f"{ensemble.id}.yaml"
    write_whole(path, text.encode())
    return path


def read(name_or_path: str | Path) -> Ensemble:
    """Return an ensemble of the library, or of a path to its YAML file.

    Raises
    ------
    ContentError
        There is none of that name; its table is absent, or is not the one that its provenance was written for.
    """
    path = library.find("ensembles", name_or_path)
    provenance = read_content(path, Provenance)
    table = path.with_suffix(".parquet")
    if not table.exists():
        raise ContentError(
            Problem("the table of the ensemble is absent", str(table), cure="restore it, or calibrate again")
        )
    if content_hash(table) != provenance.hashes.get("sets", ""):
        raise ContentError(
            Problem("the table is not the one its provenance was written for", str(table), cure="restore both")
        )
    sets = pd.read_parquet(table)
    _check_columns(sets, provenance, table)
    return Ensemble(sets, provenance)


def _check_columns(sets: pd.DataFrame, provenance: Provenance, table: Path) -> None:
    lacking = [name for name in provenance.parameters if name not in sets]
    if lacking:
        raise ContentError(
            [Problem(f'column "{name}" is absent', str(table), nearest=nearest(name, sets.columns)) for name in lacking]
        )


def prior_ensemble(latent: Latent, n: int, seed: int) -> pd.DataFrame:
    """Return `n` sets drawn from the prior, in the columns of an ensemble: the answer before any data."""
    vectors = np.random.default_rng([seed, 11]).standard_normal((n, latent.size))
    return sets_of(latent, vectors)
