"""The same virtual patients in two arms: covariates and, for each outcome, both values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.errors import RunError
from seedbed.population.parameter_sets import default_ensemble
from seedbed.study.arms_of_protocol import Report, run_folder, silent
from seedbed.study.select.plan import PRODUCT, Plan, source
from seedbed.study.worlds import sets_for, write_posterior
from seedbed.trial import enrollment
from seedbed.trial.execution import Where
from seedbed.trial.manifest import Request
from seedbed.trial.request import Options, request_of, sets_of, trial_of

Floats = NDArray[np.float64]
BENEFITS = ("progression_free", "restricted_mean")
HARMS = ("crs_grade_3", "icans_grade_3", "days_anc_below_0_5", "non_relapse_mortality")
OUTCOMES = (*BENEFITS, *HARMS)
UNIT = {"restricted_mean": "day", "days_anc_below_0_5": "day"}
"""Unit of an outcome; the others are shares, "1"."""
LARGEST_UNKNOWN_SHARE = 0.05


@dataclass(frozen=True)
class Pairs:
    """Virtual patients in both arms.

    Attributes
    ----------
    subjects : (n) rows, covariates
    experimental, control : outcome -> (n,)
    parameter_set : (n,) the set each patient takes, all 0 without an ensemble
    n_unknown : patients left out because their progression-free survival at the horizon is not known
    ensemble : the calibrated ensemble that the parameter sets are of, None without one
    """

    subjects: pd.DataFrame
    experimental: Mapping[str, Floats]
    control: Mapping[str, Floats]
    parameter_set: NDArray[np.int64]
    n_unknown: int = 0
    ensemble: str | None = None

    @property
    def n(self) -> int:
        """Return the number of patients."""
        return len(self.subjects)

    def difference(self, outcome: str) -> Floats:
        """Return experimental minus control of each patient."""
        return self.experimental[outcome] - self.control[outcome]

    def take(self, rows: NDArray) -> Pairs:
        """Return some of the patients, by row or mask."""
        chosen = np.arange(self.n)[rows]
        return Pairs(
            self.subjects.iloc[chosen].reset_index(drop=True),
            {name: values[chosen] for name, values in self.experimental.items()},
            {name: values[chosen] for name, values in self.control.items()},
            self.parameter_set[chosen],
            self.n_unknown,
            self.ensemble,
        )


def run(
    folder: Path,
    plan: Plan,
    population: str | None,
    subjects: int,
    *,
    workers: int = 2,
    where: Where = "threads",
    progress: Report = silent,
) -> Pairs:
    """Run both arms into a folder, or go on with what stands there, and return the pairs."""
    trial, who = source(plan, population)
    named = plan.ensemble or default_ensemble(trial.model)
    ensemble = plan.ensemble
    if ensemble is None and named is not None:
        ensemble = str(write_posterior(folder.parent, trial.model, sets_for(subjects, plan.parameter_sets)))
    options = Options(
        subjects=subjects, seed=plan.seed, until_days=plan.follow_up_days, trajectories=0, ensemble=ensemble
    )
    request = request_of(trial, who, options)
    run_folder(folder, request, workers=workers, where=where, progress=progress)
    subjects_table = pd.read_parquet(folder / "subjects.parquet").drop_duplicates("subject")
    subjects_table = subjects_table.assign(
        **{PRODUCT: memory_fraction(request, subjects_table, plan.arms.experimental)}
    )
    arms = (plan.arms.experimental, plan.arms.control)
    found = from_tables(pd.read_parquet(folder / "endpoints.parquet"), subjects_table, arms, plan.horizon_days)
    return replace(found, ensemble=named)


def made_for_patients(request: Request, subjects: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Return what the arm's product is for each patient: ``parameter:<id>`` of the arm, with the index of `subjects`.

    The table of subjects does not hold them; they are drawn again, with the same luck.
    """
    trial, who = trial_of(request)
    numbers = subjects["subject"].to_numpy(dtype=np.int64)
    enrolled = enrollment.enroll_candidates(trial, who, numbers, request.seed, sets_of(request))
    table = enrolled.arm_tables[arm].set_index("subject")
    columns = [name for name in table if name.startswith("parameter:")]
    return table.loc[numbers, columns].set_index(subjects.index)


def memory_fraction(request: Request, subjects: pd.DataFrame, arm: str) -> Floats:
    """Return the memory fraction of the product made for each patient."""
    column = f"parameter:{trial_of(request)[0].inputs.product.memory_fraction}"
    return made_for_patients(request, subjects, arm)[column].to_numpy(dtype=float)


def from_tables(endpoints: pd.DataFrame, subjects: pd.DataFrame, arms: tuple[str, str], horizon_days: float) -> Pairs:
    """Return the pairs of the tables of a run.

    Parameters
    ----------
    endpoints : a row a subject and arm, see `seedbed.tables`
    subjects : covariates, ``parameter_set`` if there is one
    arms : (experimental, control)
    horizon_days : of progression-free survival [day from enrollment]

    Raises
    ------
    RunError
        More than 5 % of the patients are censored before the horizon.
    """
    tables = [outcomes(endpoints[endpoints["arm"] == arm], horizon_days).set_index("subject") for arm in arms]
    both = tables[0].index.intersection(tables[1].index)
    known = tables[0].loc[both].notna().all(axis=1) & tables[1].loc[both].notna().all(axis=1)
    n_unknown = int((~known).sum())
    if n_unknown > LARGEST_UNKNOWN_SHARE * max(len(both), 1):
        raise RunError(
            f"{n_unknown} of {len(both)} patients are censored before day {horizon_days:g}; "
            "follow them longer (follow_up_days) or take an earlier horizon_days"
        )
    kept = both[known.to_numpy()]
    people = subjects.set_index("subject").loc[kept].reset_index()
    sets = people["parameter_set"] if "parameter_set" in people else pd.Series(np.zeros(len(people)))
    values = [{name: table.loc[kept, name].to_numpy(dtype=float) for name in OUTCOMES} for table in tables]
    return Pairs(people, values[0], values[1], sets.to_numpy(dtype=np.int64), n_unknown)


def outcomes(endpoints: pd.DataFrame, horizon_days: float) -> pd.DataFrame:
    """Return the outcomes of an arm's patients; without cells there is no toxicity of them.

    Returns
    -------
    DataFrame
        ``subject`` and a column for each of `OUTCOMES`; those of progression-free survival are NaN when it is
        censored before the horizon.
    """
    days, event = endpoints["pfs_days"], endpoints["pfs_event"].astype(bool)
    known = event | (days >= horizon_days)
    early = event & (days < horizon_days)
    return pd.DataFrame(
        {
            "subject": endpoints["subject"],
            "progression_free": (days >= horizon_days).astype(float).where(known),
            "restricted_mean": days.clip(upper=horizon_days).where(known),
            "crs_grade_3": (endpoints["crs_grade"].fillna(0) >= 3).astype(float),
            "icans_grade_3": (endpoints["icans_grade"].fillna(0) >= 3).astype(float),
            "days_anc_below_0_5": endpoints["days_anc_below_0_5"].fillna(0.0).astype(float),
            "non_relapse_mortality": (early & (endpoints["pfs_cause"] == "death")).astype(float),
        }
    )
