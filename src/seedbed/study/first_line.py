"""First line or salvage: a therapy in first response, or the same therapy at relapse, counted from diagnosis.

The *early* strategy gives the therapy in first response. The *late* strategy gives the standard first; at relapse,
those who are treated again and are still eligible get the therapy as the protocol of relapse gives it, and the others
never reach it. Relapsed patients are virtual patients of the population of relapse, matched within parameter sets, so
that their disease, fitness and T cells are those of relapsed patients.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from seedbed import library, protocol
from seedbed.calibration.store import write_whole
from seedbed.documents import Content, Document, load
from seedbed.errors import ContentError, Problem, unknown
from seedbed.lenient import parse_leniently
from seedbed.population import Population
from seedbed.protocol import Condition, Protocol
from seedbed.sources import Source, Words
from seedbed.study import decision, outcomes, worlds
from seedbed.trial import enrollment
from seedbed.trial.execution import Where

Floats = NDArray[np.float64]
MONTH = 30.4375
STRATEGIES = ("early", "late")
TABLES = ("curves", "summary", "flow")
STEP_DAYS = 30.4375


class Lead(Content):
    """Days from diagnosis to enrollment in first response."""

    days: Annotated[float, Field(ge=0)]
    source: Source


class First(Content):
    """The trial in first response; the population replaces the protocol's where one is given."""

    protocol: str
    population: str | None = None
    early: str
    standard: str


class Relapse(Content):
    """The same therapy at relapse; `eligible` says who of the relapsed can still get it.

    Attributes
    ----------
    otherwise : arm of those who are treated again but are not eligible for the same therapy; None leaves them to the
        course that the trial in first response gave them
    """

    protocol: str
    population: str | None = None
    arm: str
    otherwise: str | None = None
    eligible: tuple[Condition, ...] = ()


class Plan(Content):
    """The plan of a comparison of first line and salvage."""

    kind: Literal["first_line"]
    id: str
    title: Words
    question: Words
    subjects: Annotated[int, Field(ge=20)] = 300
    seed: Annotated[int, Field(ge=0)] = 1
    horizon_days: Annotated[float, Field(gt=0)]
    parameter_sets: Annotated[int, Field(ge=2)] = 25
    diagnosis_to_enrollment: Lead
    first: First
    relapse: Relapse


@dataclass(frozen=True)
class Stage:
    """One of the two trials: its protocol with the arms that are needed, and its population."""

    trial: Protocol
    who: Population


@dataclass(frozen=True)
class Study:
    """A plan that agrees with the library."""

    plan: Plan
    first: Stage
    relapse: Stage
    worlds: tuple[worlds.World, ...]


@dataclass(frozen=True)
class FirstLine:
    """The result.

    Attributes
    ----------
    curves : world, strategy, endpoint (``alive``, ``not_failed``), month from diagnosis, estimate, lower, upper
    summary : world, quantity, strategy (or ``difference``): mean with interval
    flow : world, step, share with interval: what becomes of the late strategy
    """

    study: Study
    curves: pd.DataFrame
    summary: pd.DataFrame
    flow: pd.DataFrame
    facts: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the tables as Parquet and the whole as ``first_line.json``."""
        records = {}
        for name in TABLES:
            table = getattr(self, name)
            write_whole(folder / f"{name}.parquet", table.to_parquet(index=False))
            records[name] = json.loads(table.to_json(orient="records", double_precision=10))
        text = json.dumps({**self.facts, **records}, indent=1, ensure_ascii=False)
        write_whole(folder / "first_line.json", text.encode())


def read_study(name_or_path: str | Path, *, knowledge: tuple[str, ...] | None = None, **changes: Any) -> Study:
    """Read a plan with everything it names.

    Raises
    ------
    ContentError
        Every problem of the plan.
    """
    document = load(library.find("plans", name_or_path))
    plan, problems = parse_leniently(document, Plan)
    if plan is None:
        raise ContentError(problems)
    plan = plan.model_copy(update={key: value for key, value in changes.items() if value is not None})
    first = _stage(plan.first, ("early", "standard"), "first", document, problems)
    keys = ("arm", "otherwise") if plan.relapse.otherwise else ("arm",)
    relapse = _stage(plan.relapse, keys, "relapse", document, problems)
    for index, condition in enumerate(plan.relapse.eligible):
        if condition.covariate not in {*relapse.who.covariates, "transplant_eligible", "car_hematotox"}:
            problem = unknown("covariate", condition.covariate, list(relapse.who.covariates))
            keys = ("relapse", "eligible", index, "covariate")
            problems.append(document.problem(problem.what, keys, nearest=problem.nearest))
    if problems:
        raise ContentError(problems)
    return Study(plan, first, relapse, tuple(worlds.worlds_of(first.trial.model, (), knowledge)))


def _stage(
    asked: First | Relapse, keys: tuple[str, ...], place: str, document: Document, problems: list[Problem]
) -> Stage:
    """Return one of the two trials with the arms that the plan names only; adds what is wrong to `problems`."""
    trial, who = enrollment.read(asked.protocol)
    trial = protocol.square(trial)
    if asked.population is not None:
        who = enrollment.read_population(asked.population, trial)
        trial = trial.model_copy(update={"population": asked.population})
    problems += enrollment.fit_problems(trial, who, document)
    wanted = [getattr(asked, key) for key in keys]
    for key, arm in zip(keys, wanted, strict=True):
        if arm not in trial.arms:
            problem = unknown("arm", arm, list(trial.arms))
            found = document.problem(problem.what, (place, key), expected=problem.expected, nearest=problem.nearest)
            problems.append(found)
    update: dict[str, Any] = {"emulates": None}
    if isinstance(asked, Relapse):
        everyone = tuple(item for item in trial.eligibility if item.covariate == "age")
        update["eligibility"] = everyone or trial.eligibility
    chosen = {name: arm for name, arm in trial.arm_contents.items() if name in wanted}
    return Stage(trial.model_copy(update={**update, "arm_contents": chosen or trial.arm_contents}), who)


def first_line(
    name_or_path: str | Path,
    *,
    folder: Path | str | None = None,
    knowledge: tuple[str, ...] | None = None,
    workers: int = 2,
    where: Where = "threads",
    progress: Callable[[str, int, int], None] = lambda _world, _done, _all: None,
    **changes: Any,
) -> FirstLine:
    """Compare the therapy in first response with the same therapy at relapse.

    Parameters
    ----------
    name_or_path : plan
    folder : of the study; ``runs/<plan>`` by default
    knowledge : of ``typical``, ``prior``, ``posterior``; the best there is and the prior by default
    where : ``"threads"``, which suits notebooks, or ``"processes"``, which is faster
    changes : of the plan, such as ``subjects=50``; None leaves the plan as it is

    Raises
    ------
    ContentError
        Every problem of the plan.

    Examples
    --------
    ::

        from seedbed import first_line
        found = first_line("first_line_myeloma", subjects=100)
        found.summary.query("quantity == 'alive' and world == 'prior'")
    """
    study = read_study(name_or_path, knowledge=knowledge, **changes)
    plan = study.plan
    out = Path(folder) if folder is not None else Path("runs") / plan.id
    setup = worlds.Setup(out, plan.subjects, plan.seed, plan.horizon_days, workers, where, plan.parameter_sets)
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    for world in study.worlds:
        found = [_simulated(study, world, name, setup, progress) for name in ("first", "relapse")]
        for name, table in _tables(study, *found).items():
            parts[name].append(table.assign(world=world.id))
    tables = {name: pd.concat(found, ignore_index=True) for name, found in parts.items()}
    about = worlds.facts_of(study.worlds, study.first.trial.model, plan.subjects, plan.parameter_sets)
    tables["summary"] = decision.with_verdict(tables["summary"], ["quantity", "strategy"], about["parameter_sets"])
    facts = {
        "plan": plan.id, "subjects": plan.subjects, "seed": plan.seed, "horizon_days": plan.horizon_days,
        **about,
    }  # fmt: skip
    return FirstLine(study, **tables, facts=facts)


def _simulated(
    study: Study,
    world: worlds.World,
    name: str,
    setup: worlds.Setup,
    progress: Callable[[str, int, int], None],
) -> pd.DataFrame:
    """Return the endpoints of one stage in a world, with the day of the next therapy and who is eligible."""
    plan, stage = study.plan, getattr(study, name)
    setup = replace(setup, folder=setup.folder / name)
    named = replace(world, id=f"{world.id} {name}")
    setup = worlds.replace_progress(setup, named, len(stage.trial.arms), progress)
    endpoints = worlds.simulate_world(setup, stage.trial, stage.who, world)
    run = setup.folder / "worlds" / world.id
    events = pd.read_parquet(run / "events.parquet", columns=["subject", "arm", "event", "day"])
    again = events[events["event"] == "next_therapy"].rename(columns={"day": "next_therapy_day"})
    endpoints = endpoints.merge(again.drop(columns="event"), on=["subject", "arm"], how="left")
    subjects = pd.read_parquet(run / "subjects.parquet")
    able = np.logical_and.reduce([c.holds(subjects) for c in plan.relapse.eligible] or [np.ones(len(subjects), bool)])
    return endpoints.assign(eligible=endpoints["subject"].map(dict(zip(subjects["subject"], able, strict=True))))


@dataclass(frozen=True)
class Strategy:
    """What becomes of each patient (n,) [day from enrollment, inf when not within the horizon].

    Attributes
    ----------
    death : death
    failure : progression after the therapy, or death; for those who never reach it, the relapse that ends the chance
    reached : whether the CAR-T cells were given within the horizon
    """

    death: Floats
    failure: Floats
    reached: NDArray[np.bool_]
    crs: Floats
    icans: Floats


def _tables(study: Study, first: pd.DataFrame, relapse: pd.DataFrame) -> dict[str, pd.DataFrame]:
    plan = study.plan
    arms = [first[first["arm"] == arm].sort_values("subject") for arm in (plan.first.early, plan.first.standard)]
    shared = np.intersect1d(arms[0]["subject"], arms[1]["subject"])
    early, standard = (arm[arm["subject"].isin(shared)].reset_index(drop=True) for arm in arms)
    later = _given_at_relapse(plan.relapse, standard, relapse)
    strategies = {"early": early_strategy(early), "late": late_strategy(standard, later, plan.horizon_days)}
    sets = early["parameter_set"].to_numpy()
    lead = plan.diagnosis_to_enrollment.days
    return {
        "curves": pd.DataFrame(_curves(strategies, sets, plan.horizon_days, lead)),
        "summary": pd.DataFrame(_summary(strategies, (early, standard), sets, plan.horizon_days)),
        "flow": pd.DataFrame(_flow(standard, later, strategies["late"], plan.horizon_days)),
    }


def _given_at_relapse(asked: Relapse, standard: pd.DataFrame, relapse: pd.DataFrame) -> pd.DataFrame:
    """Return the relapsed patient of each, under the therapy that he is eligible for; ``offered`` says whether one."""
    same = matched(standard, relapse[relapse["arm"] == asked.arm])
    able = same["eligible"].to_numpy(bool)
    if asked.otherwise is None:
        return same.assign(offered=able)
    other = matched(standard, relapse[relapse["arm"] == asked.otherwise])
    return same.where(pd.Series(able), other).infer_objects().assign(offered=True, eligible=able)


def matched(standard: pd.DataFrame, relapse: pd.DataFrame) -> pd.DataFrame:
    """Return a relapsed patient for each patient of the standard arm, of the same parameter set, in turn."""
    relapse = relapse.sort_values("subject").reset_index(drop=True)
    rows = np.zeros(len(standard), dtype=int)
    for member, group in standard.groupby("parameter_set"):
        there = relapse.index[relapse["parameter_set"] == member].to_numpy()
        there = there if len(there) else relapse.index.to_numpy()
        rows[group.index] = np.resize(there, len(group))
    return relapse.iloc[rows].reset_index(drop=True)


def _when(table: pd.DataFrame, name: str) -> Floats:
    return np.where(table[f"{name}_event"].to_numpy(bool), table[f"{name}_days"].to_numpy(float), np.inf)


def early_strategy(table: pd.DataFrame) -> Strategy:
    """Return what becomes of those who get the therapy in first response."""
    given = table["infused"].to_numpy(bool)
    return Strategy(_when(table, "os"), _when(table, "pfs"), given, _grade(table, "crs"), _grade(table, "icans"))


def _grade(table: pd.DataFrame, name: str) -> Floats:
    return np.nan_to_num(table[f"{name}_grade"].to_numpy(float))


def late_strategy(standard: pd.DataFrame, later: pd.DataFrame, horizon_days: float) -> Strategy:
    """Return what becomes of those who get the standard first and the therapy at relapse, if they reach it.

    Parameters
    ----------
    standard : endpoints in first response, with ``next_therapy_day``
    later : the relapsed patient of each, with ``offered``; days from their own enrollment, which is the day of the
        next therapy
    """
    relapse = np.where(standard["pfs_cause"] == "progression", _when(standard, "pfs"), np.inf)
    start = standard["next_therapy_day"].fillna(np.inf).to_numpy(float)
    offered = np.isfinite(start) & later["offered"].to_numpy(bool)
    own_death = _when(standard, "os")
    death = np.where(offered, start + _when(later, "os"), own_death)
    failure = np.where(offered, start + _when(later, "pfs"), np.minimum(relapse, own_death))
    infusion = start + np.where(later["infused"].to_numpy(bool), later["cart_day"].to_numpy(float), np.inf)
    given = offered & (infusion <= horizon_days)
    late = [np.where(day <= horizon_days, day, np.inf) for day in (death, failure)]
    return Strategy(*late, given, *(np.where(given, _grade(later, name), 0.0) for name in ("crs", "icans")))


def _curves(
    strategies: Mapping[str, Strategy], sets: NDArray[Any], horizon: float, lead: float
) -> Iterator[dict[str, Any]]:
    for name, strategy in strategies.items():
        for endpoint, day in (("alive", strategy.death), ("not_failed", strategy.failure)):
            yield {"strategy": name, "endpoint": endpoint, "month": 0.0, "estimate": 1.0, "lower": 1.0, "upper": 1.0}
            for at in np.arange(0.0, horizon + 1.0, STEP_DAYS):
                found = worlds.estimate_mean((day > at).astype(float), sets, "share")
                shown = {key: found[key] for key in ("estimate", "lower", "upper")}
                yield {"strategy": name, "endpoint": endpoint, "month": (at + lead) / MONTH, **shown}


def _summary(
    strategies: Mapping[str, Strategy], arms: tuple[pd.DataFrame, pd.DataFrame], sets: NDArray[Any], horizon: float
) -> Iterator[dict[str, Any]]:
    mrd = outcomes.known_outcomes()["mrd_negative"]
    for quantity, values in _quantities(strategies, horizon).items():
        yield from _compared(quantity, values, sets)
    yield from _compared("mrd_negative", dict(zip(STRATEGIES, (mrd.values(arm) for arm in arms), strict=True)), sets)


def _quantities(strategies: Mapping[str, Strategy], horizon: float) -> dict[str, dict[str, Floats]]:
    """Return a number for each patient and strategy."""
    return {
        "alive": {name: (s.death > horizon).astype(float) for name, s in strategies.items()},
        "not_failed": {name: (s.failure > horizon).astype(float) for name, s in strategies.items()},
        "months_alive": {name: np.minimum(s.death, horizon) / MONTH for name, s in strategies.items()},
        "reached": {name: s.reached.astype(float) for name, s in strategies.items()},
        "crs_3": {name: (s.crs >= 3).astype(float) for name, s in strategies.items()},
        "icans_3": {name: (s.icans >= 3).astype(float) for name, s in strategies.items()},
    }


def _compared(quantity: str, values: Mapping[str, Floats], sets: NDArray[Any]) -> Iterator[dict[str, Any]]:
    number = quantity == "months_alive"
    kind, of_difference = ("number", "number") if number else ("share", "difference of shares")
    for name in STRATEGIES:
        yield {"quantity": quantity, "strategy": name, **worlds.estimate_mean(values[name], sets, kind)}
    difference = values["early"] - values["late"]
    yield {"quantity": quantity, "strategy": "difference", **worlds.estimate_mean(difference, sets, of_difference)}


def _flow(standard: pd.DataFrame, later: pd.DataFrame, late: Strategy, horizon: float) -> Iterator[dict[str, Any]]:
    """Yield what becomes of the late strategy; the shares add up to one."""
    relapsed = (standard["pfs_cause"] == "progression").to_numpy() & standard["pfs_event"].to_numpy(bool)
    again = relapsed & standard["next_therapy_day"].notna().to_numpy()
    able = again & later["eligible"].to_numpy(bool)
    steps = {
        "in_remission": ~relapsed & (late.death > horizon),
        "died_in_remission": ~relapsed & (late.death <= horizon),
        "not_treated_again": relapsed & ~again,
        "not_eligible": again & ~able & ~late.reached,
        "other_therapy": again & ~able & late.reached,
        "dropped_out": able & ~late.reached,
        "reached": able & late.reached,
    }
    for step, mask in steps.items():
        found = worlds.estimate_mean(mask.astype(float), standard["parameter_set"].to_numpy(), "share")
        yield {"step": step, "share": found["estimate"], "lower": found["lower"], "upper": found["upper"]}
