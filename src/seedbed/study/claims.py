"""Ask the model what the claims of the 2025 review ask: one run for each protocol that they name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from seedbed import analysis, protocol
from seedbed.analysis.results import LEVEL, normal_quantile
from seedbed.analysis.summary import Row, differences
from seedbed.evidence.claims import Answer, Prediction, claims
from seedbed.trial import manifest as manifests
from seedbed.trial.request import Options, make_request
from seedbed.trial.run import execute


def questions() -> dict[str, list[Prediction]]:
    """Return what the claims ask, by protocol, each question once."""
    found: dict[str, dict[str, Prediction]] = {}
    for claim in claims().claims:
        for question in claim.predictions:
            found.setdefault(question.protocol, {})[question.key] = question
    return {name: list(asked.values()) for name, asked in found.items()}


def predict(
    folder: Path,
    *,
    subjects: int,
    seed: int = 1,
    ensemble: str | None = None,
    workers: int = 2,
    report: Callable[[str], None] = lambda _message: None,
) -> dict[str, Answer]:
    """Run every protocol that the claims name, and answer their questions.

    Parameters
    ----------
    folder : where the run folders stand; a run that is there already is used again
    subjects, seed, ensemble : of each run; the library's default ensemble by default
    workers : shards worked at once
    report : told what is being run

    Raises
    ------
    ContentError
        The library holds no such ensemble.
    """
    answers: dict[str, Answer] = {}
    for name, asked in questions().items():
        square = bool(_arms(asked) - set(protocol.read(name).arms))
        request = make_request(
            name, Options(subjects=subjects, seed=seed, square=square, trajectories=0, ensemble=ensemble)
        )
        place = folder / f"{name}-{request.fingerprint[:8]}"
        report(f"{name}: {subjects} subjects")
        execute(place, request, workers=workers)
        answers |= from_run(place)
    return answers


def _arms(asked: Sequence[Prediction]) -> set[str]:
    return {arm for question in asked for arm in (question.arm, question.versus) if arm}


def from_run(folder: Path) -> dict[str, Answer]:
    """Return the answers that a run folder holds.

    Raises
    ------
    RunError
        The folder holds no run.
    """
    request = manifests.read(folder).request
    endpoints = pd.read_parquet(folder / "endpoints.parquet")
    sets = _parameter_sets(folder)
    made_with = f"{request.ensemble or 'uncalibrated'}, n = {request.subjects}"
    found = {}
    for question in questions().get(request.protocol_id, []):
        if _arms([question]) <= set(endpoints["arm"]):
            row = _row(question, endpoints, sets)
            if row is not None and row["estimate"] is not None:
                found[question.key] = _answer(row, made_with, is_difference=bool(question.versus))
    return found


def _parameter_sets(folder: Path) -> pd.Series | None:
    subjects = pd.read_parquet(folder / "subjects.parquet").set_index("subject")
    return subjects.get("parameter_set")


def _row(question: Prediction, endpoints: pd.DataFrame, sets: pd.Series | None) -> Row | None:
    """Return the summary row that answers a question, or None where the run has none."""
    (definition,) = (item for item in analysis.standard_definitions() if item.endpoint == question.endpoint)
    if question.versus:
        rows = differences(endpoints, (question.arm, question.versus), definition, parameter_sets=sets)
    else:
        own = endpoints[(endpoints["arm"] == question.arm) & endpoints["selected"]]
        rows = analysis.summarize(own, [definition], parameter_sets=sets)
    wanted = (question.endpoint, question.time_days)
    return next((row for row in rows if (row["endpoint"], row["time_days"]) == wanted), None)


def _answer(row: Row, made_with: str, *, is_difference: bool) -> Answer:
    """Return an estimate with its interval from parameters and Monte Carlo together."""
    half = normal_quantile(LEVEL) * float(np.hypot(row["parameter_sd"] or 0.0, row["monte_carlo_se"] or 0.0))
    middle = float(row["estimate"])
    least, most = (-np.inf if is_difference else 0.0), (1.0 if row["unit"] == "1" else np.inf)
    lower, upper = max(middle - half, least), min(middle + half, most)
    return Answer(estimate=middle, lower=float(lower), upper=float(upper), unit=row["unit"], made_with=made_with)
