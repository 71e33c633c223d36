"""From a checked plan to an ensemble: set the problem up, calibrate, judge, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import add
from pathlib import Path

import pandas as pd

from seedbed import __version__, library
from seedbed.calibration import diagnostics
from seedbed.calibration.cross_validation import cross_validate
from seedbed.calibration.ensemble import Ensemble, Provenance, rounds_of, sets_of
from seedbed.calibration.ensemble import read as read_ensemble
from seedbed.calibration.ensemble import write as write_ensemble
from seedbed.calibration.fit import Calibration, Earlier, calibrate
from seedbed.calibration.plan import Checked, PlanArm
from seedbed.calibration.priors import LogitNormal, LogNormal, Prior, Uniform
from seedbed.calibration.readings import Piece, terms_of_arm
from seedbed.calibration.simulator import Progress, Work
from seedbed.calibration.space import Latent, Parameter, Space, arm_coordinates
from seedbed.calibration.store import Store, write_whole
from seedbed.calibration.surroundings import read_plan
from seedbed.calibration.terms import Terms
from seedbed.calibration.trial_simulator import RELATIVE_TOLERANCE, TrialSimulator, arm_task
from seedbed.calibration.validation import rows_of
from seedbed.documents import content_hash
from seedbed.errors import RunError
from seedbed.population.parameter_sets import Change

PATIENTS_PER_BATCH = 2048


@dataclass(frozen=True)
class Setup:
    """A plan ready to be calibrated.

    Attributes
    ----------
    latent : parameters, products, and the terms of the fitted arms
    simulator : simulates every arm of the plan, fitted or not
    pieces : per arm, its terms and how they are read
    """

    checked: Checked
    latent: Latent
    simulator: TrialSimulator
    pieces: dict[str, list[Piece]]


def set_up(checked: Checked) -> Setup:
    """Turn a checked plan into coordinates, terms and a simulator."""
    plan = checked.plan
    pieces = {
        name: terms_of_arm(name, cluster_of(arm, checked.rows[name]), checked.rows[name], checked.readings)
        for name, arm in plan.arms.items()
    }
    fitted = checked.arms("fit")
    terms = Terms(tuple(piece.term for name in fitted for piece in pieces[name]))
    parameters = tuple(Parameter(name, p.prior, p.differs_by_product) for name, p in plan.parameters.items())
    space = Space(parameters, {name: plan.arms[name].product for name in fitted}, plan.between_study)
    tasks = {name: arm_task(arm.emulation, pieces[name]) for name, arm in plan.arms.items()}
    return Setup(checked, Latent(space, terms), TrialSimulator(tasks, changes_of(checked)), pieces)


def cluster_of(arm: PlanArm, rows: pd.DataFrame) -> str:
    """Return the cohort group whose deviation an arm's terms share; its study where there is none."""
    groups = [str(group) for group in rows.cohort_group.dropna() if not str(group).startswith("fact ")]
    return groups[0] if groups else arm.study


def changes_of(checked: Checked) -> dict[str, Change]:
    """Return what each parameter of a plan changes."""
    return {
        name: Change(
            changes=p.changes,
            of=p.of,
            only_in=p.only_in,
            scale=_scale(p.prior),
            differs_by_product=p.differs_by_product > 0,
        )
        for name, p in checked.plan.parameters.items()
    }


def _scale(prior: Prior) -> str:
    if isinstance(prior, LogNormal) or (isinstance(prior, Uniform) and prior.log):
        return "log"
    return "logit" if isinstance(prior, LogitNormal) else "plain"


def identity(checked: Checked) -> dict[str, object]:
    """Return what decides the numbers of a calibration: content by its hashes, seed, version, tolerance."""
    plan = checked.plan
    clinic = {
        f"{kind}/{file.name}": file.read_text(encoding="utf-8")
        for kind in (
            "care",
            "outcomes",
            "measurements",
            "rules",
            "populations",
            "protocols",
            "products",
            "regimens",
            "drugs",
        )
        for root in reversed(library.roots())
        for file in _contents(root / kind)
    }
    return {
        "plan": content_hash(plan.model_dump(mode="json")),
        "evidence": content_hash({name: rows.to_json(orient="records") for name, rows in checked.rows.items()}),
        "model": content_hash(library.texts(library.find("models", plan.model).parent)),
        "clinic": content_hash(clinic),
        "seed": plan.seed,
        "seedbed_version": __version__,
        "relative_tolerance": RELATIVE_TOLERANCE,
    }


def _contents(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.suffix in {".yaml", ".ant", ".csv"}]


@dataclass(frozen=True)
class Outcome:
    """What a calibration left."""

    setup: Setup
    calibration: Calibration
    ensemble: Ensemble
    left_out: pd.DataFrame


def execute(
    checked: Checked,
    folder: Path,
    *,
    workers: int = 2,
    progress: Progress | None = None,
    sampling: Callable[[str, float], None] | None = None,
    frozen: Path | None = None,
) -> Outcome:
    """Calibrate a plan in a work folder, or go on with what a killed calibration left there.

    Parameters
    ----------
    folder : work folder; finished batches are kept in it
    workers : processes
    progress, sampling : told what is being done
    frozen : for a plan that updates a frozen ensemble, the work folder of that one's calibration: its simulations
        are used again, and only the arms that are new are simulated

    Raises
    ------
    RunError
        The folder holds another calibration, or cannot be written; `frozen` is not that of the frozen ensemble.
    """
    began = time.monotonic()
    setup, plan = set_up(checked), checked.plan
    store = Store(folder)
    hashes = identity(checked)
    earlier = None if frozen is None else earlier_of(checked, Store(frozen))
    store.claim(hashes if frozen is None else {**hashes, "goes_on_from": plan.updates.frozen_hash})
    work = work_of(setup, store, workers, progress)
    calibration = calibrate(setup.latent, work, plan.budget, sampling, earlier)
    left_out = cross_validation(setup, calibration, progress)
    minutes = store.add_minutes((time.monotonic() - began) / 60.0)
    found = Ensemble(sets_of(setup.latent, calibration.vectors), _provenance(setup, calibration, hashes, minutes))
    outcome = Outcome(setup, calibration, found, left_out)
    write_outcome(outcome, folder)
    return outcome


def work_of(setup: Setup, store: Store, workers: int = 1, progress: Progress | None = None) -> Work:
    """Return how the members of a plan are simulated."""
    budget, seed = setup.checked.plan.budget, setup.checked.plan.seed
    return Work(
        setup.simulator,
        setup.latent.space,
        setup.latent.terms,
        budget.subjects,
        seed,
        store,
        workers,
        max(1, PATIENTS_PER_BATCH // budget.subjects),
        progress,
    )


def earlier_of(checked: Checked, store: Store) -> Earlier:
    """Return the frozen calibration that a plan updates, from its work folder.

    Raises
    ------
    RunError
        The plan updates nothing, or the folder is not that of the frozen calibration.
    """
    if checked.plan.updates is None:
        raise RunError(f'the plan "{checked.plan.id}" updates no frozen ensemble; leave out --from')
    frozen = read_ensemble(checked.plan.updates.ensemble).provenance
    setup = set_up(read_plan(frozen.plan).with_seed(frozen.seed))
    store.require({**frozen.hashes, "seed": frozen.seed})
    work = work_of(setup, store)
    numbers = range(len(frozen.rounds) + 1)
    vectors = {number: store.read_array(f"members-{number}") for number in numbers}
    missing = [str(number) for number, found in vectors.items() if found is None]
    if missing:
        raise RunError(f"{store.folder} has no members of round {', '.join(missing)}; it was not finished")
    rounds = [work.members(n, arm_coordinates(setup.latent, v, setup.latent.terms.arms)) for n, v in vectors.items()]
    simulated = {arm: reduce(add, [found[arm] for found in rounds]) for arm in setup.latent.terms.arms}
    return Earlier(setup.latent, vectors[numbers[-1]], simulated)


def cross_validation(setup: Setup, calibration: Calibration, progress: Progress | None) -> pd.DataFrame:
    """Predict each fitted study from the others."""
    checked = setup.checked
    rows = [row for name in checked.arms("fit") for row in rows_of(setup.pieces[name], "fit")]
    told = None if progress is None else lambda done, total: progress("studies left out", done, total)
    return cross_validate(calibration.posterior, calibration.draws, rows, checked.plan.seed, progress=told)


def _provenance(setup: Setup, calibration: Calibration, hashes: Mapping[str, object], minutes: float) -> Provenance:
    plan = setup.checked.plan
    return Provenance(
        id=plan.id.removeprefix("calibrate_"),
        title=plan.title,
        plan=plan.id,
        model=plan.model,
        seed=plan.seed,
        sets=len(calibration.vectors),
        effective=round(calibration.effective, 1),
        members=len(calibration.draws),
        products=tuple(setup.latent.space.products),
        parameters=changes_of(setup.checked),
        priors={name: p.prior for name, p in plan.parameters.items()},
        fitted=tuple(setup.checked.arms("fit")),
        predicted=tuple(setup.checked.arms("predict")),
        rounds=rounds_of(calibration),
        hashes={name: str(hashes[name]) for name in ("plan", "evidence", "model", "clinic")},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        minutes=round(minutes, 1),
        updates=plan.updates.ensemble if plan.updates else None,
        default=plan.default,
    )


def write_outcome(outcome: Outcome, folder: Path) -> Path:
    """Write an ensemble and what its calibration found into a folder; return the path of its provenance.

    Beside ``<id>.yaml`` and ``<id>.csv``: ``<id>-movement.csv``, ``-correlations``, ``-misfits``, ``-rounds`` and
    ``-cross-validation``.
    """
    latent, calibration, name = outcome.setup.latent, outcome.calibration, outcome.ensemble.id
    tables = {
        "movement": diagnostics.movement(latent, calibration.vectors),
        "correlations": diagnostics.correlations(latent, calibration.vectors),
        "misfits": diagnostics.misfits(calibration),
        "rounds": pd.DataFrame([record.model_dump() for record in rounds_of(calibration)]),
        "cross-validation": outcome.left_out,
    }
    for kind, table in tables.items():
        write_whole(folder / f"{name}-{kind}.csv", table.to_csv(index=False, float_format="%.5g").encode())
    return write_ensemble(outcome.ensemble, folder)
