"""Survival curves of the library, rebuilt from their published landmarks."""

from __future__ import annotations

import pandas as pd

from seedbed.errors import ContentError, Problem, unknown
from seedbed.evidence.frames import rows
from seedbed.evidence.guyot import Reconstruction, reconstruct
from seedbed.evidence.reader import study

LEAST = 2


def landmarks(study_id: str, arm: str, endpoint: str) -> pd.DataFrame:
    """Return the Kaplan-Meier landmarks of an arm, one a time: columns as in `evidence.rows`.

    Raises
    ------
    ContentError
        No such arm.
    """
    one = study(study_id)
    if arm not in {each.id for each in one.arms}:
        raise ContentError(unknown("arm", arm, [each.id for each in one.arms]))
    table = rows(study=one.id, endpoint=endpoint)
    table = table[
        (table["arm"] == arm) & (table["subgroup"] == "") & (table["unit"] == "1") & table["time_days"].notna()
    ]
    table = table.sort_values(["time_days", "preferred"], ascending=[True, False])
    return table.drop_duplicates("time_days").reset_index(drop=True)


def reconstruct_arm(study_id: str, arm: str, endpoint: str = "pfs") -> Reconstruction:
    """Return patients behind the landmarks of an arm.

    Parameters
    ----------
    study_id, arm, endpoint : names of the library

    Raises
    ------
    ContentError
        Fewer than two landmarks, or the number of patients is not known.

    Notes
    -----
    Landmarks are months apart, so events are spread evenly between them. The abstracts give no numbers at risk:
    nobody is censored before the last landmark, and intervals from the rebuilt patients are too narrow.
    """
    points = landmarks(study_id, arm, endpoint)
    n = study(study_id).arm(arm).n or (int(points["n"].max()) if points["n"].notna().any() else 0)
    if len(points) < LEAST or not n:
        have = f"{len(points)} landmarks of {endpoint} and n = {n or 'unknown'}"
        cure = "the points do not allow a reconstruction: two landmarks and the number of patients are needed"
        raise ContentError(Problem(f"{study_id}.{arm} has {have}", cure=cure))
    sizes = points["n"].dropna()
    start = int(sizes.iloc[0]) if len(sizes) else int(n)
    return reconstruct(
        points["time_days"].tolist(), points["value"].tolist(), risk_times=[0], at_risk=[start], spread_events=True
    )
