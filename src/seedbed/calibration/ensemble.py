"""Ensembles: the parameter sets a calibration ends with, stored as content with where they come from.

An ensemble is two files in ``library/ensembles``: ``<id>.csv``, one row a parameter set, and ``<id>.yaml``, its
provenance; what a run does with them stands in `seedbed.population.parameter_sets`. Columns of the table:

``<parameter>``              value for a typical product;
``<parameter>@<product>``    value for a fitted product;
``product_sd:<parameter>``   between-product standard deviation on the prior's scale;
``between_study:<family>``   between-study standard deviation on the link scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from seedbed import __version__, library
from seedbed.calibration.fit import Calibration
from seedbed.calibration.priors import Prior
from seedbed.calibration.space import Latent
from seedbed.calibration.store import write_whole
from seedbed.documents import Content, content_hash
from seedbed.documents import read as read_content
from seedbed.errors import ContentError, Problem
from seedbed.population.parameter_sets import SEPARATOR, Change, read_sets
from seedbed.sources import Words

SIGNIFICANT_DIGITS = 7


class RoundRecord(Content):
    """What one refinement round found; see `seedbed.calibration.fit.Round`."""

    number: int
    effective: float
    temperatures: int
    acceptance: float
    mixing: float
    drift: float
    largest_drift: float


class Provenance(Content):
    """Where an ensemble comes from, and what to believe of it.

    Attributes
    ----------
    parameters : what each column changes
    priors : their priors
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
    parameters: dict[str, Change]
    priors: dict[str, Prior]
    fitted: tuple[str, ...]
    predicted: tuple[str, ...]
    rounds: tuple[RoundRecord, ...]
    hashes: dict[str, str]
    seedbed_version: str = __version__
    created: str
    minutes: float
    updates: str | None = None
    default: bool = False


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
            mixing=round(r.draws.mixing, 3),
            drift=round(r.overall_drift, 3),
            largest_drift=round(float(np.nanmax(np.abs(r.drift))), 3),
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
    table = folder / f"{ensemble.id}.csv"
    text = ensemble.sets.to_csv(index=False, float_format=f"%.{SIGNIFICANT_DIGITS}g", lineterminator="\n")
    write_whole(table, text.encode())
    hashes = {**ensemble.provenance.hashes, "sets": content_hash(table)}
    provenance = ensemble.provenance.model_copy(update={"hashes": hashes}).model_dump(mode="json")
    path = folder / f"{ensemble.id}.yaml"
    write_whole(path, yaml.safe_dump(provenance, sort_keys=False, allow_unicode=True, width=110).encode())
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
    table = path.with_suffix(".csv")
    sets = read_sets(path).table
    if content_hash(table) != provenance.hashes.get("sets", ""):
        what = "the table is not the one that its provenance was written for"
        raise ContentError(Problem(what, str(table), cure="restore both files, or calibrate again"))
    return Ensemble(sets, provenance)


def prior_ensemble(latent: Latent, n: int, seed: int) -> pd.DataFrame:
    """Return `n` sets drawn from the prior, in the columns of an ensemble: the answer before any data."""
    vectors = np.random.default_rng([seed, 11]).standard_normal((n, latent.size))
    return sets_of(latent, vectors)
