"""A clinical record as tables, so that endpoints can be derived again from files without simulating.

``to_tables(record)`` gives three tables: ``visits`` (one row a subject and grid day: measurements, and latent states
as ``latent:<name>``), ``treatments`` and ``infections``, and ``subjects_of_arm`` with what is constant in a subject;
``from_tables`` gives the record back.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.errors import TableError
from seedbed.trial.clinic import PER_SUBJECT, ClinicalRecord

LATENT_PREFIX = "latent:"
CONSTANT = ("arm", "seed", "disease", "response_criteria")


def to_tables(record: ClinicalRecord) -> dict[str, pd.DataFrame]:
    """Return a record as tables.

    Returns
    -------
    dict of DataFrame
        ``visits``, ``treatments``, ``infections``, ``subjects_of_arm``.
    """
    n_subjects, n_days = len(record.subjects), len(record.days)
    latent = {f"{LATENT_PREFIX}{name}": values for name, values in record.latent.items()}
    visits = pd.DataFrame(
        {
            "subject": np.repeat(record.subjects, n_days),
            "day": np.tile(record.days, n_subjects),
            **{name: values.reshape(-1) for name, values in (record.measurements | latent).items()},
        }
    )
    constant = {name: getattr(record, name) for name in CONSTANT}
    contents = {f"content:{name}": value for name, value in record.contents.items()}
    per_subject = {name.replace("subjects", "subject"): getattr(record, name) for name in PER_SUBJECT}
    return {
        "visits": visits,
        "treatments": record.treatments,
        "infections": record.infections,
        "subjects_of_arm": pd.DataFrame({**per_subject, **constant, **contents}),
    }


def from_tables(tables: dict[str, pd.DataFrame]) -> ClinicalRecord:
    """Return the record that `to_tables` wrote.

    Raises
    ------
    TableError
        A table is missing, holds several arms, or a subject lacks some of the visits.
    """
    missing = {"visits", "treatments", "infections", "subjects_of_arm"} - set(tables)
    if missing:
        raise TableError(f"a record needs the tables {', '.join(sorted(missing))}")
    own, visits = tables["subjects_of_arm"], tables["visits"]
    if own["arm"].nunique() != 1:
        raise TableError(f"a record holds one arm, these tables {own['arm'].nunique()}")
    days = np.sort(visits["day"].unique()).astype(float)
    shape = (len(own), len(days))
    if len(visits) != shape[0] * shape[1]:
        raise TableError(f"{len(visits)} visits for {shape[0]} subjects and {shape[1]} days: some are missing")

    def matrices(names: list[str]) -> dict[str, NDArray[np.float32]]:
        return {name: visits[name].to_numpy(dtype=np.float32).reshape(shape) for name in names}

    named = [name for name in visits if name not in ("subject", "day")]
    latent = matrices([name for name in named if name.startswith(LATENT_PREFIX)])
    per_subject = {name: own[name.replace("subjects", "subject")].to_numpy() for name in PER_SUBJECT}
    return ClinicalRecord(
        **per_subject,
        **{name: own[name].iloc[0] for name in CONSTANT},
        days=days,
        measurements=matrices([name for name in named if not name.startswith(LATENT_PREFIX)]),
        latent={name.removeprefix(LATENT_PREFIX): values for name, values in latent.items()},
        treatments=tables["treatments"],
        infections=tables["infections"],
        contents={name.removeprefix("content:"): own[name].iloc[0] for name in own if name.startswith("content:")},
    )
