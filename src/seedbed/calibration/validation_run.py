"""Validate an ensemble: predict every published row of its plan, and score it beside its rivals.

Rows of fitted arms come from the cross-validation by study that a calibration leaves beside its ensemble; all other
arms are simulated. The virtual patients of the null world get the corner of the square that the plan names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import library
from seedbed.calibration.ensemble import Ensemble
from seedbed.calibration.ensemble import read as read_ensemble
from seedbed.calibration.plan import Checked, Surroundings, readable
from seedbed.calibration.readings import ROW_COLUMNS, Piece, Readings
from seedbed.calibration.run import Setup, identity, set_up
from seedbed.calibration.simulator import Batch, MemberTerms, run_batches
from seedbed.calibration.store import Store, write_whole
from seedbed.calibration.surroundings import read_plan, surroundings
from seedbed.calibration.terms import Terms
from seedbed.calibration.trial_simulator import TrialSimulator
from seedbed.calibration.validation import (
    Row,
    Use,
    by_study,
    meta_analysis_rival,
    parameter_part,
    predict_arm,
    rows_of,
    score_row,
    totals,
)
from seedbed.population.parameter_sets import ParameterSets

Floats = NDArray[np.float64]
NULL = "null world of "
SUBJECTS = 100
PATIENTS_PER_BATCH = 2048
NEAR = 0.25
"""Landmarks within a quarter of a row's time are other studies' results at about the same time."""


@dataclass(frozen=True)
class Validation:
    """The rows of a validation, their sums by study, and their totals."""

    rows: pd.DataFrame
    studies: pd.DataFrame
    totals: pd.DataFrame

    def files(self) -> dict[str, bytes]:
        """Return the tables as CSV, by name."""
        return {name: table.to_csv(index=False, float_format="%.5g").encode() for name, table in vars(self).items()}


@dataclass(frozen=True)
class Job:
    """What is validated, and how.

    Attributes
    ----------
    left_out : rows predicted by a calibration that had not seen their study, by id; empty where none was kept
    """

    ensemble: Ensemble
    setup: Setup
    around: Surroundings
    left_out: pd.DataFrame
    seed: int

    @cached_property
    def sets(self) -> ParameterSets:
        """The parameter sets of the ensemble."""
        provenance = self.ensemble.provenance
        return ParameterSets(provenance.parameters, self.ensemble.sets, provenance.seed)

    def is_left_out(self, arm: str) -> bool:
        """Tell whether all rows of an arm were predicted without their study, so that it need not be simulated."""
        fitted = arm in self.setup.checked.arms("fit")
        return fitted and all(piece.term.id in self.left_out.index for piece in self.setup.pieces[arm])


def job_of(name_or_path: str | Path, seed: int) -> Job:
    """Set up the validation of an ensemble, with a null world for each combined arm.

    Raises
    ------
    ContentError
        There is no such ensemble or plan, or one of them is not sound.
    """
    ensemble = read_ensemble(name_or_path)
    checked = read_plan(ensemble.provenance.plan)
    setup = set_up(checked)
    tasks = dict(setup.simulator.tasks)
    for name in combined_arms(checked):
        arm = checked.plan.arms[name]
        null = arm.emulation.model_copy(update={"corner": arm.null_world})
        pieces = tasks[name].pieces
        if arm.null_world == "asct":
            pieces = tuple(without_cart(piece) for piece in pieces)
        tasks[NULL + name] = replace(tasks[name], emulation=null, infused_only=False, pieces=pieces)
    setup = replace(setup, simulator=TrialSimulator(tasks, setup.simulator.changes))
    left_out = cross_validated(library.find("ensembles", name_or_path))
    return Job(ensemble, setup, surroundings(checked.plan.model), left_out, seed)


def without_cart(piece: Piece) -> Piece:
    """Return how a published number is read where nobody gets CAR-T cells: of those who got the stem cells."""
    return replace(piece, denominator="transplanted") if piece.denominator == "infused" else piece


def combined_arms(checked: Checked) -> list[str]:
    """Return the arms that were kept for prediction, those among them that the plan fits by now."""
    return [name for name in checked.plan.arms if use_of(checked, name) != "fit"]


def use_of(checked: Checked, name: str) -> Use:
    """Return what an arm is to an ensemble: fitted, fitted by an update after its prediction, or predicted."""
    plan = checked.plan
    if plan.updates is not None and name in plan.updates.fit:
        return "update"
    return plan.arms[name].use


def validate(
    job: Job,
    folder: Path,
    *,
    n_subjects: int = SUBJECTS,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Validation:
    """Simulate the arms of a job and score every published row; finished batches in `folder` are kept.

    Raises
    ------
    RunError
        The folder holds another validation, or cannot be written.
    """
    store = Store(folder)
    claim = {"ensemble": job.ensemble.provenance.hashes["sets"], "n": n_subjects, "seed": job.seed}
    store.claim({**identity(job.setup.checked), **claim})
    found = simulate_arms(job, store, n_subjects, workers, progress)
    table = pd.DataFrame([record for name in job.setup.checked.plan.arms for record in arm_records(job, name, found)])
    result = Validation(table, by_study(table), totals(table))
    for name, text in result.files().items():
        write_whole(folder / f"{name}.csv", text)
    return result


def keep(found: Validation, ensemble: Path) -> None:
    """Write the tables of a validation beside an ensemble: what it predicted stays on record with it."""
    for name, text in found.files().items():
        write_whole(ensemble.with_name(f"{ensemble.stem}-validation-{name}.csv"), text)


def simulate_arms(
    job: Job, store: Store, n_subjects: int, workers: int, progress: Callable[[int, int], None] | None
) -> dict[str, MemberTerms]:
    """Return what every parameter set gives in every arm that must be simulated, null worlds among them."""
    size = max(1, PATIENTS_PER_BATCH // n_subjects)
    names = [name for name in job.setup.simulator.tasks if not job.is_left_out(name)]
    batches = [
        Batch(f"{name}/sets-{start:05d}", name, values.iloc[start : start + size], numbers, n_subjects, job.seed)
        for name in names
        for values in [job.sets.values_for(job.setup.checked.plan.arms[name.removeprefix(NULL)].product)]
        for start in range(0, len(values), size)
        for numbers in [np.arange(start, min(start + size, len(values)), dtype=np.int64)]
    ]
    frames = run_batches(job.setup.simulator, batches, store, workers, progress)
    result = {}
    for name in names:
        table = pd.concat([frames[batch.name] for batch in batches if batch.arm == name]).to_numpy(float)
        half = table.shape[1] // 2
        result[name] = MemberTerms(table[:, :half], table[:, half:])
    return result


def arm_records(job: Job, name: str, found: Mapping[str, MemberTerms]) -> list[dict[str, object]]:
    """Return the records of an arm's published rows: prediction, rivals, scores."""
    arm, pieces = job.setup.checked.plan.arms[name], job.setup.pieces[name]
    rows, terms = rows_of(pieces, use_of(job.setup.checked, name)), Terms(tuple(piece.term for piece in pieces))
    predicted = _scores(job, terms, found[name], rows) if name in found else {}
    null = _scores(job, terms, found[NULL + name], rows) if NULL + name in found else {}
    records = []
    for row in rows:
        meta = meta_analysis_rival(row, others(row, job.around, job.setup.checked.readings, arm.study), job.seed)
        rival = null.get(row.id, {"lower": np.nan, "upper": np.nan, "hit": False, "score": np.nan})
        records.append(
            {
                **_identity(row),
                **_best(job, row, predicted),
                **{f"meta_{key}": value for key, value in meta.items()},
                **{f"null_{key}": rival[key] for key in ("lower", "upper", "hit", "score")},
            }
        )
    return records


def _identity(row: Row) -> dict[str, object]:
    return {
        "id": row.id,
        "arm": row.arm,
        "label": row.id.split("/", 1)[1],
        "study": row.study,
        "use": row.use,
        "endpoint": row.endpoint,
        "time_days": row.time_days,
        "kind": row.kind,
        "observed": row.observed,
        "published_lower": row.lower,
        "published_upper": row.upper,
        "n": row.size if row.kind == "share" else np.nan,
    }


def _best(job: Job, row: Row, predicted: Mapping[str, Mapping[str, float | bool]]) -> dict[str, object]:
    """Return the prediction without the row's own study where there is one, otherwise that of the ensemble."""
    if row.use != "predict" and row.id in job.left_out.index:
        return {**job.left_out.loc[row.id].to_dict(), "cross_validated": True}
    return {**predicted[row.id], "cross_validated": False}


def _scores(job: Job, terms: Terms, members: MemberTerms, rows: list[Row]) -> dict[str, dict[str, float | bool]]:
    links = np.column_stack(
        [parameter_part(t.kind, members.estimate[:, i], members.weight[:, i]) for i, t in enumerate(terms.items)]
    )
    predictive = predict_arm(terms, links, between_study(job, terms), rows, job.seed)
    return {row.id: score_row(row, predictive[row.id]) for row in rows}


def between_study(job: Job, terms: Terms) -> dict[str, Floats]:
    """Return the between-study deviation of each family in each set; the plan's where none was fitted."""
    sets, plan = job.ensemble.sets, job.setup.checked.plan
    return {
        family: sets[f"between_study:{family}"].to_numpy(float)
        if f"between_study:{family}" in sets
        else np.full(len(sets), plan.between_study[family])
        for family in terms.families
    }


def others(row: Row, around: Surroundings, readings: Readings, study: str) -> pd.DataFrame:
    """Return what other studies of the therapy class and disease family published of a row's endpoint.

    Studies of the row's own patients (study or cohort group) are left out; so are combined arms for single ones.
    """
    evidence = around.evidence
    own = evidence[(evidence.study == study) & (evidence.endpoint == row.endpoint)]
    if own.empty:
        return pd.DataFrame(columns=list(ROW_COLUMNS))
    table = evidence[(evidence.endpoint == row.endpoint) & evidence.preferred & (evidence.use != "context")]
    table = table[(table.study != study) & (table.cohort_group != row.study)]
    table = table[(table.therapy == own.therapy.iloc[0]) & table.disease_family.eq(own.disease_family.iloc[0])]
    table = table[readable(table, readings)]
    if np.isfinite(row.time_days):
        table = table[(table.time_days - row.time_days).abs() <= NEAR * row.time_days]
    table = table[table.statistic.eq("median") if row.kind == "value" else ~table.statistic.eq("median")]
    if getattr(readings.endpoints[row.endpoint], "incidence", False):
        table = table.assign(value=1.0 - table.value.astype(float))
    return table.sort_values("n", ascending=False).drop_duplicates("cohort_group")


def cross_validated(ensemble: Path) -> pd.DataFrame:
    """Return the cross-validation that a calibration left beside its ensemble, by id of the row."""
    file = ensemble.with_name(f"{ensemble.stem}-cross-validation.csv")
    return pd.read_csv(file, index_col="id") if file.exists() else pd.DataFrame(index=pd.Index([], name="id"))
