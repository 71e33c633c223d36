"""The worlds of a study: what is believed of the parameters, and which rival structure the model has.

A study is run in several worlds. In the *typical* world every patient has the model's typical values; in the *prior*
world each patient takes a parameter set drawn from the priors of the model's calibration plan, before any data; in
the *posterior* world one of the calibrated ensemble. Both take the same number of sets, few enough that each set has
several patients, for only then can the spread between sets be told from that between patients. A *rival structure*
changes parameters of the model so that a mechanism works another way; structures stand in ``library/structures``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from scipy.special import ndtri
from scipy.stats import qmc

from seedbed import __version__, library
from seedbed.analysis.proportion import paired_difference, score_interval
from seedbed.analysis.results import normal_quantile
from seedbed.analysis.uncertainty import VarianceComponents, components
from seedbed.calibration import plan as calibration_plan
from seedbed.calibration.store import write_whole
from seedbed.documents import Content, content_hash, load, parse
from seedbed.errors import ContentError, Problem, unknown
from seedbed.population import Population
from seedbed.population.parameter_sets import default_ensemble, is_fitted_to, read_sets
from seedbed.protocol import ParameterChange, Protocol
from seedbed.protocol.checks import parameter_problems
from seedbed.sources import Words
from seedbed.trial import run
from seedbed.trial.execution import Where
from seedbed.trial.request import WITHOUT_ENSEMBLE, Options, request_of

KNOWLEDGE = ("typical", "prior", "posterior")
PATIENTS_PER_SET, FEWEST_SETS = 12, 5
SCALE_OF_PRIOR = {"lognormal": "log", "logitnormal": "logit", "normal": "plain", "uniform": "plain"}


class Structure(Content):
    """A rival structure of the model."""

    title: Words
    describes: Words
    parameters: dict[str, ParameterChange]


class StructureFile(Content):
    """The rival structures of one model."""

    id: str
    model: str
    structures: dict[str, Structure]


@dataclass(frozen=True)
class World:
    """A world.

    Attributes
    ----------
    id : ``typical``, ``prior``, ``posterior``, or the id of a structure
    knowledge : which parameter values its patients have
    title, describes : of a structure; None for the model as it is
    parameters : what the structure changes
    """

    id: str
    knowledge: str
    title: Words | None = None
    describes: Words | None = None
    parameters: Mapping[str, ParameterChange] = field(default_factory=dict)


@dataclass(frozen=True)
class Setup:
    """How the worlds of a study are run.

    Attributes
    ----------
    folder : of the study; each world's run stands in ``worlds/<id>``
    subjects : virtual patients in each arm
    seed : of every random stream
    until_days : follow-up from enrollment
    workers : shards at once
    where : ``"processes"``, or ``"threads"``, which suits notebooks
    parameter_sets : parameter sets that patients take, of the prior and of the ensemble; see `sets_for`
    progress : called with each finished shard
    """

    folder: Path
    subjects: int
    seed: int
    until_days: float
    workers: int = 2
    where: Where = "threads"
    parameter_sets: int = 25
    progress: run.Progress = lambda _shard, _outcome: None


def sets_for(subjects: int, asked: int) -> int:
    """Return how many parameter sets a study of so many patients takes: those asked for, or a dozen patients for each.

    The spread between sets is what the variance of their means has beyond that of their patients; with two or three
    patients a set, chance would drown it.
    """
    return min(asked, max(FEWEST_SETS, subjects // PATIENTS_PER_SET))


def replace_progress(setup: Setup, world: World, n_arms: int, tell: Callable[[str, int, int], None]) -> Setup:
    """Return the setup with progress told as (world, subjects done, subjects in all), over all arms."""
    done = 0

    def count(_shard: run.Shard, outcome: run.Outcome) -> None:
        nonlocal done
        done += sum(outcome.done.values()) + sum(outcome.failed.values())
        tell(world.id, done, setup.subjects * n_arms)

    tell(world.id, 0, setup.subjects * n_arms)
    return replace(setup, progress=count)


def facts_of(used: Sequence[World], model: str, subjects: int, asked: int) -> dict[str, Any]:
    """Return what a study says of its parameter sets: how many, and the calibrated ensemble where it used one."""
    calibrated = any(world.knowledge == "posterior" for world in used)
    ensemble = default_ensemble(model) if calibrated else None
    found = load(library.find("ensembles", ensemble)).data if ensemble else {}
    return {
        "parameter_sets": sets_for(subjects, asked),
        "ensemble": ensemble,
        "ensemble_fits_model": is_fitted_to(found, library.texts(library.find("models", model).parent)),
        "seedbed_version": __version__,
    }


def worlds_of(model: str, structures: Sequence[str] = (), knowledge: Sequence[str] | None = None) -> list[World]:
    """Return the worlds of a study: what is believed of the parameters, then the rival structures.

    Parameters
    ----------
    structures : ids of ``library/structures``, run with the first knowledge
    knowledge : of `KNOWLEDGE`; by default the best there is, and the prior where there is one

    Raises
    ------
    ContentError
        A structure or a kind of knowledge is unknown, or there is no calibrated ensemble or prior to take it from.
    """
    best = "posterior" if default_ensemble(model) else "typical"
    chosen = knowledge or (best, *(["prior"] if prior_plan_of(model) else []))
    problems = [problem for name in chosen for problem in _problems(name, model)]
    known = structures_of(model)
    problems += [unknown(f'structure of "{model}"', name, list(known)) for name in structures if name not in known]
    if problems:
        raise ContentError(problems)
    items = {name: known[name] for name in structures}
    rivals = [World(name, chosen[0], item.title, item.describes, item.parameters) for name, item in items.items()]
    return [World(name, name) for name in chosen] + rivals


def _problems(knowledge: str, model: str) -> list[Problem]:
    if knowledge not in KNOWLEDGE:
        return [unknown("knowledge", knowledge, KNOWLEDGE)]
    source = {"posterior": default_ensemble, "prior": prior_plan_of}.get(knowledge)
    absent = source is not None and source(model) is None
    cure = "calibrate first, or leave it out"
    return [Problem(f'there is no {knowledge} for model "{model}"', cure=cure)] if absent else []


def structures_of(model: str) -> dict[str, Structure]:
    """Return the rival structures of a model by id, none where the library has no file for it."""
    if model not in library.names("structures"):
        return {}
    document = load(library.find("structures", model))
    found = parse(document, StructureFile)
    problems = [
        problem
        for name, item in found.structures.items()
        for problem in parameter_problems(found.model, item.parameters, document, ("structures", name, "parameters"))
    ]
    if problems:
        raise ContentError(problems)
    return dict(found.structures)


def prior_plan_of(model: str) -> str | None:
    """Return the calibration plan whose priors hold for a model: its default ensemble's, else the default one."""
    ensemble = default_ensemble(model)
    if ensemble is not None:
        plan = load(library.find("ensembles", ensemble)).data.get("plan")
        if plan in library.names("plans"):
            return str(plan)
    for name in library.names("plans"):
        data = load(library.find("plans", name)).data
        if data.get("default") and data.get("model") == model and "between_study" in data:
            return name
    return None


def write_prior(folder: Path, model: str, n_sets: int, seed: int) -> Path:
    """Write parameter sets drawn from the priors of a model's calibration plan; return the path of the ensemble.

    The sets are a Latin hypercube in the priors' quantiles, so that few of them cover every prior evenly.
    """
    name = prior_plan_of(model)
    if name is None:
        raise ContentError(Problem(f'no calibration plan holds priors for "{model}"', str(library.path("plans"))))
    document, _ = calibration_plan.with_base(load(library.find("plans", name)))
    parameters = parse(document, calibration_plan.Plan).parameters
    design = qmc.LatinHypercube(len(parameters), seed=np.random.default_rng([seed, n_sets])).random(n_sets)
    columns: dict[str, np.ndarray] = {}
    for k, (key, parameter) in enumerate(parameters.items()):
        columns[key] = parameter.prior.value(ndtri(design[:, k]))
        if parameter.differs_by_product > 0:
            columns[f"product_sd:{key}"] = np.full(n_sets, parameter.differs_by_product)
    changes = {
        key: {
            "changes": item.changes,
            "of": item.of,
            "only_in": list(item.only_in),
            "scale": SCALE_OF_PRIOR[item.prior.distribution],
            "differs_by_product": item.differs_by_product > 0,
        }
        for key, item in parameters.items()
    }
    content = {"model": model, "prior_of": name, "seed": seed, "parameters": changes}
    return _write_sets(folder, "prior", content, pd.DataFrame(columns))


def write_posterior(folder: Path, model: str, n_sets: int) -> Path:
    """Write parameter sets of a model's default ensemble, evenly spaced in it; return the path.

    The ensemble itself is returned when it has no more sets than are wanted.

    Raises
    ------
    ContentError
        There is no default ensemble.
    """
    name = default_ensemble(model)
    if name is None:
        raise ContentError(Problem(f'there is no calibrated ensemble of "{model}"', str(library.path("ensembles"))))
    path = library.find("ensembles", name)
    table = read_sets(path).table
    if len(table) <= n_sets:
        return path
    rows = np.linspace(0.0, len(table) - 1.0, n_sets).round().astype(int)
    data = load(path).data
    content = {"model": model, "posterior_of": name, "seed": data["seed"], "parameters": data["parameters"]}
    return _write_sets(folder, "posterior", content, table.iloc[rows])


def _write_sets(folder: Path, kind: str, content: Mapping[str, Any], table: pd.DataFrame) -> Path:
    """Write parameter sets under a name that says what they are and differs whenever they do."""
    text = table.to_csv(index=False, float_format="%.7g", lineterminator="\n")
    path = folder / f"{kind}_{content_hash(content, text)[:12]}.yaml"
    write_whole(path.with_suffix(".csv"), text.encode())
    write_whole(path, yaml.safe_dump({"id": path.stem, **content}, sort_keys=False).encode())
    return path


def in_structure(trial: Protocol, world: World) -> Protocol:
    """Return the protocol with every arm in a world's structure; what an arm changes itself stays."""
    if not world.parameters:
        return trial
    arms = {
        name: arm.model_copy(update={"parameters": {**world.parameters, **arm.parameters}})
        for name, arm in trial.arm_contents.items()
    }
    return trial.model_copy(update={"arm_contents": arms})


def simulate_world(setup: Setup, trial: Protocol, who: Population, world: World) -> pd.DataFrame:
    """Run a derived protocol in a world, or take up its run where it stopped; return its endpoints.

    Returns
    -------
    DataFrame
        The table ``endpoints`` with ``tumor_left`` (whether a tumor cell is left at the end of the simulated time)
        and ``parameter_set`` (0 where every subject has the same).
    """
    folder = setup.folder / "worlds" / world.id
    ensemble, n_sets = WITHOUT_ENSEMBLE, sets_for(setup.subjects, setup.parameter_sets)
    if world.knowledge == "prior":
        ensemble = str(write_prior(setup.folder, trial.model, n_sets, setup.seed))
    elif world.knowledge == "posterior":
        ensemble = str(write_posterior(setup.folder, trial.model, n_sets))
    options = Options(setup.subjects, setup.seed, setup.until_days, trajectories=0, ensemble=ensemble)
    request = request_of(in_structure(trial, world), who, options)
    run.execute(folder, request, workers=setup.workers, where=setup.where, progress=setup.progress)
    return read_world(folder)


def read_world(folder: Path) -> pd.DataFrame:
    """Return the endpoints of a world's run folder; see `simulate_world`."""
    table = pd.read_parquet(folder / "endpoints.parquet")
    events = pd.read_parquet(folder / "events.parquet", columns=["subject", "arm", "event"])
    gone = events[events["event"] == "tumor_eradicated"]
    keys = pd.MultiIndex.from_frame(table[["subject", "arm"]])
    left = ~keys.isin(pd.MultiIndex.from_frame(gone[["subject", "arm"]]))
    subjects = pd.read_parquet(folder / "subjects.parquet")
    sets = subjects.set_index("subject").get("parameter_set")
    member = table["subject"].map(sets) if sets is not None else 0
    return table.assign(tumor_left=left, parameter_set=member)


Kind = Literal["number", "share", "difference of shares"]


def estimate_mean(values: np.ndarray, sets: np.ndarray, kind: Kind = "number") -> dict[str, float]:
    """Return the mean of a number per subject with its three uncertainties.

    Parameters
    ----------
    values : (n,) numbers
    sets : (n,) parameter set of each subject
    kind : a share of subjects (0 or 1 each) and a paired difference of two (-1, 0 or 1) have Monte Carlo intervals that
        hold for rare events too, where the normal one would have no width

    Returns
    -------
    dict
        ``estimate``, ``lower``, ``upper`` (95 %, of parameters and Monte Carlo together), ``between_patient_sd``,
        ``parameter_sd`` (NaN with one set), ``monte_carlo_se`` (of shares at least what their interval stands for, so
        that what happened to nobody is not taken for certain) and ``n``.
    """
    table = pd.DataFrame({"subject": np.arange(len(values)), "parameter_set": sets, "value": values})
    parts = components(table)
    known = 0.0 if parts.parameter_sd is None else normal_quantile(0.95) * parts.parameter_sd
    below, above = _monte_carlo_reach(np.asarray(values, dtype=float), parts, kind)
    lower, upper = parts.estimate - float(np.hypot(known, below)), parts.estimate + float(np.hypot(known, above))
    chance = parts.monte_carlo_se
    if kind != "number":
        chance = max(chance, (below + above) / (2.0 * normal_quantile(0.95)))
    if kind == "share":
        lower, upper = max(lower, 0.0), min(upper, 1.0)
    return {
        "estimate": parts.estimate,
        "lower": lower,
        "upper": upper,
        "between_patient_sd": parts.between_patient_sd,
        "parameter_sd": np.nan if parts.parameter_sd is None else parts.parameter_sd,
        "monte_carlo_se": chance,
        "n": parts.n,
    }


def _monte_carlo_reach(values: np.ndarray, parts: VarianceComponents, kind: Kind) -> tuple[float, float]:
    """Return how far the 95 % interval of chance reaches below and above the estimate."""
    if kind == "number":
        half = normal_quantile(0.95) * float(np.nan_to_num(parts.monte_carlo_se))
        return half, half
    if kind == "share":
        lower, upper = score_interval(float(values.mean()), values.size)
    else:
        found = paired_difference(values)
        lower, upper = found.lower, found.upper
    return max(float(values.mean()) - lower, 0.0), max(upper - float(values.mean()), 0.0)
