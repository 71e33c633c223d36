"""Work through a plan of sensitivity: the screening of a run, then the design and its indices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seedbed import __version__
from seedbed.documents import content_hash
from seedbed.errors import ContentError, Problem, RunError
from seedbed.study.arms_of_protocol import Report, run_folder, silent
from seedbed.study.select import pairs
from seedbed.study.select.pairs import OUTCOMES
from seedbed.study.sensitivity import indices
from seedbed.study.sensitivity import plan as plans
from seedbed.study.sensitivity.plan import Plan
from seedbed.study.sensitivity.points import MEASURED, Points, panel_of
from seedbed.study.sensitivity.ranks import fewest_patients, inputs_of, partial_rank_correlations
from seedbed.trial import disk, enrollment
from seedbed.trial import manifest as manifests
from seedbed.trial.execution import Where, open_pool, work_shards
from seedbed.trial.manifest import Request, Shard
from seedbed.trial.request import Options, request_of, sets_of, trial_of
from seedbed.trial.shards import Shards

Floats = NDArray[np.float64]
WHERE = ("difference", "experimental", "control")
PATIENTS_PER_SHARD = 800


@dataclass(frozen=True)
class Sensitivity:
    """What came of a plan of sensitivity.

    Attributes
    ----------
    plan : what was asked
    tables : ``ranks`` (``outcome``, ``where``, ``input``, ``correlation`` ...), ``indices`` (``outcome``, ``where``,
        ``factor``, ...) and ``points`` (factor values and outcomes of every design point and arm)
    facts : counts
    """

    plan: Plan
    tables: dict[str, pd.DataFrame]
    facts: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write each table as a Parquet file, and facts and indices as ``sensitivity.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
        short = json.loads(self.tables["indices"].to_json(orient="records"))
        data = {"plan": self.plan.model_dump(mode="json"), "facts": self.facts, "indices": short}
        disk.write_atomically(folder / "sensitivity.json", json.dumps(data, indent=1, ensure_ascii=False))


def sensitivity(
    plan: str | Path | Plan,
    folder: Path | str | None = None,
    *,
    run: Path | None = None,
    samples: int | None = None,
    subjects: int | None = None,
    workers: int = 2,
    where: Where = "threads",
    progress: Report = silent,
) -> Sensitivity:
    """Rank parameters and covariates by their influence on endpoints and on the treatment effect.

    Parameters
    ----------
    plan : id of the library, file, or a plan that was read
    folder : results; what was simulated stands below it and is resumed. Default ``runs/<plan>``
    run : run folder that is screened, with both arms; default one of the plan's own
    samples, subjects : size of the design and of the screening, instead of the plan's
    where : ``"threads"``, which suits notebooks, or ``"processes"``, which is faster

    Raises
    ------
    ContentError
        A size is wrong, or the screening has too few subjects; before anything is simulated.
    RunError
        Both `run` and `subjects` are given, SALib is not installed, or the run lacks an arm.

    Examples
    --------
    >>> from seedbed import sensitivity
    >>> result = sensitivity("sensitivity_asct_before_cart_lbcl", samples=8)      # doctest: +SKIP
    """
    asked = (plan if isinstance(plan, Plan) else plans.read(plan)).resized(samples=samples, subjects=subjects)
    if run is not None and subjects is not None:
        raise RunError(f"subjects = {subjects} is for a screening run of the plan's own, not for {run}: leave one out")
    if run is None:
        check_screening(asked)
    out = Path(folder) if folder is not None else Path("runs") / asked.id
    units = indices.unit_design(list(asked.factors), asked.design, asked.seed)
    screened = screen(
        asked, out / "run" if run is None else run, own=run is None, workers=workers, where=where, progress=progress
    )
    simulated = simulate_design(asked, units, out, workers=workers, where=where, progress=progress)
    result = analyze(asked, screened, units, simulated)
    result.write(out)
    return result


def screening_request(asked: Plan) -> Request:
    """Return the request of the plan's own screening run."""
    options = Options(
        subjects=asked.screening.subjects, seed=asked.seed, until_days=asked.follow_up_days, trajectories=0
    )
    return request_of(*asked.content(), options)


def check_screening(asked: Plan) -> None:
    """Raise an error when the screening has too few subjects for its inputs, of whom some may be censored.

    The subjects are enrolled for it, but not simulated.
    """
    request = screening_request(asked)
    trial, who = trial_of(request)
    subjects = enrollment.enroll(trial, who, request.subjects, request.seed, sets_of(request)).subjects
    n_inputs = inputs_of(with_product(request, subjects, asked)).shape[1]
    needed = int(np.ceil(fewest_patients(n_inputs) / (1.0 - pairs.LARGEST_UNKNOWN_SHARE)))
    if request.subjects < needed:
        what = f'plan "{asked.id}": {request.subjects} subjects of the screening are too few for {n_inputs} inputs'
        raise ContentError(Problem(what, expected=f"at least {needed}"))


def with_product(request: Request, subjects: pd.DataFrame, asked: Plan) -> pd.DataFrame:
    """Return subjects with the parameters of the product that the experimental arm makes for them."""
    made = pairs.made_for_patients(request, subjects, asked.arms.experimental)
    return subjects.drop(columns=[name for name in made if name in subjects]).join(made)


def screen(asked: Plan, folder: Path, *, own: bool, workers: int, where: Where, progress: Report) -> pd.DataFrame:
    """Return the partial rank correlations of every outcome in a run, made here when it is the plan's own.

    Raises
    ------
    RunError
        The run lacks one of the plan's arms.
    """
    if own:
        run_folder(folder, screening_request(asked), workers=workers, where=where, progress=progress)
    held = manifests.read(folder)
    arms = (asked.arms.experimental, asked.arms.control)
    if missing := [arm for arm in arms if arm not in held.request.arms]:
        raise RunError(f"{folder} has no arm {', '.join(missing)}; its arms are {', '.join(held.request.arms)}")
    subjects = pd.read_parquet(folder / "subjects.parquet").drop_duplicates("subject")
    subjects = with_product(held.request, subjects, asked)
    both = pairs.from_tables(pd.read_parquet(folder / "endpoints.parquet"), subjects, arms, asked.horizon_days)
    inputs = inputs_of(both.subjects)
    tables = []
    for outcome in OUTCOMES:
        values = {
            "difference": both.difference(outcome),
            "experimental": both.experimental[outcome],
            "control": both.control[outcome],
        }
        for part in WHERE:
            found = partial_rank_correlations(inputs, values[part])
            tables.append(found.assign(outcome=outcome, where=part, n=both.n))
    return pd.concat(tables, ignore_index=True)


def simulate_design(
    asked: Plan, units: Floats, out: Path, *, workers: int, where: Where, progress: Report
) -> pd.DataFrame:
    """Simulate every design point, or go on with what stands in the folder; returns means by point and arm."""
    trial, who = asked.content()
    table = pd.DataFrame({name: factor.at(units[:, k]) for k, (name, factor) in enumerate(asked.factors.items())})
    changes = {name: factor.change for name, factor in asked.factors.items()}
    panel = panel_of(trial, who, asked.design.panel, asked.seed)
    points = Points(trial, who, changes, table, panel, asked.seed, asked.follow_up_days, asked.horizon_days)
    request = request_of(trial, who, Options(subjects=asked.design.panel, seed=asked.seed, ensemble="none"))
    folder = out / f"design-{content_hash(asked.model_dump(mode='json'), request.fingerprint)[:8]}"
    store = Shards(folder)
    shards = shards_of(len(table), max(1, PATIENTS_PER_SHARD // len(panel)))
    _work(points, request, shards, store, workers=workers, where=where, progress=progress)
    store.merge(shards, folder, ("points",))
    return pq.read_table(folder / "points.parquet").to_pandas()


def shards_of(n_points: int, size: int) -> list[Shard]:
    """Return blocks of design points."""
    starts = range(0, n_points, size)
    return [
        Shard(index=index, first_subject=start, last_subject=min(start + size, n_points) - 1)
        for index, start in enumerate(starts)
    ]


def _work(
    points: Points, request: Request, shards: list[Shard], store: Shards, workers: int, where: Where, progress: Report
) -> None:
    todo = []
    for shard in shards:
        outcome = store.outcome(shard)
        todo.append(shard) if outcome is None else progress(shard, outcome)
    if todo:
        with open_pool(where, min(workers, len(todo))) as (pool, at_once):
            work_shards(request, todo, store, points.work, pool, at_once=at_once, report=progress)


def analyze(asked: Plan, screened: pd.DataFrame, units: Floats, simulated: pd.DataFrame) -> Sensitivity:
    """Return the indices of every outcome, in each arm and of the difference between them."""
    by_arm = {
        role: simulated[simulated["arm"] == arm].set_index("point").sort_index()
        for role, arm in (("experimental", asked.arms.experimental), ("control", asked.arms.control))
    }
    names, tables = list(asked.factors), []
    for outcome in MEASURED:
        values = {role: table[outcome].to_numpy(dtype=float) for role, table in by_arm.items()}
        values["difference"] = values["experimental"] - values["control"]
        for where in WHERE:
            found = indices.indices(names, asked.design, units, values[where], asked.seed)
            spread = {"mean": float(values[where].mean()), "sd": float(values[where].std(ddof=1))}
            tables.append(found.assign(outcome=outcome, where=where, **spread))
    facts = {
        "points": len(units),
        "panel": asked.design.panel,
        "screened": int(screened["n"].iloc[0]),
        "inputs": int(screened["input"].nunique()),
        "seedbed_version": __version__,
    }
    factors = pd.DataFrame({name: factor.at(units[:, k]) for k, (name, factor) in enumerate(asked.factors.items())})
    points = simulated.merge(factors, left_on="point", right_index=True)
    return Sensitivity(
        asked, {"ranks": screened, "indices": pd.concat(tables, ignore_index=True), "points": points}, facts
    )
