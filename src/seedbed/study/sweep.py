"""Sweep factors of a protocol: what each option gives and costs, which is best, and how sure that is.

A plan names the factors of an arm (infusion day, regimen, doses, prophylaxis, a further drug) and a design: the full
grid, or a Latin hypercube. Every option becomes an arm of one derived protocol, so that all options treat the same
virtual patients; the course they have in common is integrated once (`seedbed.trial.simulation.simulate_arms`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy.stats import qmc

from seedbed import library
from seedbed.analysis.results import normal_quantile
from seedbed.calibration.store import write_whole
from seedbed.documents import Content, Document, load
from seedbed.errors import ContentError, Problem, unknown
from seedbed.lenient import parse_leniently
from seedbed.population import Population
from seedbed.protocol import Protocol
from seedbed.protocol.elements import Element
from seedbed.sources import Words
from seedbed.study import decision, outcomes, surface, worlds
from seedbed.study.variants import Change, Derived, Variant, derive
from seedbed.trial import enrollment
from seedbed.trial.execution import Where

Value = float | str
TABLES = ("options", "response", "differences", "best", "surfaces", "comparison")
LARGEST_GRID = 96


class Level(Content):
    """One level of a factor, with what it changes."""

    title: Words
    change: Change


class Factor(Content):
    """A factor of the treatment.

    Attributes
    ----------
    set : paths that take the values, as in `seedbed.study.variants.Change`
    values : of a number
    lower, upper, whole : bounds of a number in a Latin hypercube, and whether it is a whole number
    levels : instead of a number, named levels
    """

    title: Words
    unit: Words | None = None
    set: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    lower: float | None = None
    upper: float | None = None
    whole: bool = False
    levels: dict[str, Level] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_a_number_or_has_levels(self) -> Factor:
        number = bool(self.values) or (self.lower is not None and self.upper is not None)
        if number == bool(self.levels):
            raise ValueError("give either values (or lower and upper), or levels")
        if number != bool(self.set):
            raise ValueError("a number needs set, the paths that take it; levels have their own changes")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError("lower must be below upper")
        if len(set(self.values)) < len(self.values):
            raise ValueError("a value stands twice")
        return self

    @property
    def is_number(self) -> bool:
        """Whether the factor is a number."""
        return not self.levels

    def change(self, value: Value) -> Change:
        """Return what a value or level changes."""
        if not self.is_number:
            return self.levels[str(value)].change
        return Change(set=dict.fromkeys(self.set, int(value) if float(value).is_integer() else value))

    def at(self, quantile: float) -> Value:
        """Return the value at a quantile of the factor's range, for a Latin hypercube."""
        if self.levels or self.values:
            choices = list(self.levels) or list(self.values)
            return choices[min(int(quantile * len(choices)), len(choices) - 1)]
        value = self.lower + quantile * (self.upper - self.lower)
        return float(round(value)) if self.whole else float(f"{value:.4g}")


class LatinHypercube(Content):
    """So many design points, spread evenly over the range of every factor."""

    points: Annotated[int, Field(ge=4, le=LARGEST_GRID)]


class Comparison(Content):
    """Two options to be compared: values of the factors that differ from the first option's."""

    option: dict[str, Value]
    against: dict[str, Value]


class Plan(Content):
    """The plan of a sweep.

    Attributes
    ----------
    arm : of the protocol, which the factors change
    elements : further elements that levels may add
    base : a change of the arm that all options share
    design : ``grid``, all combinations, or a Latin hypercube
    benefit, harm : the two outcomes that are weighed
    parameter_sets : parameter sets that the patients of the prior and of the calibrated ensemble take
    structures : rival structures of ``library/structures`` that the sweep is repeated in
    """

    kind: Literal["sweep"]
    id: str
    title: Words
    question: Words
    notes: tuple[Words, ...] = ()
    protocol: str
    arm: str
    subjects: Annotated[int, Field(ge=20)] = 200
    seed: Annotated[int, Field(ge=0)] = 1
    follow_up_days: Annotated[float, Field(gt=0)] | None = None
    parameter_sets: Annotated[int, Field(ge=2)] = 25
    factors: Annotated[dict[str, Factor], Field(min_length=1)]
    elements: dict[str, Element] = Field(default_factory=dict)
    base: Change = Change()
    design: Literal["grid"] | LatinHypercube = "grid"
    outcomes: Annotated[tuple[str, ...], Field(min_length=1)]
    benefit: str
    harm: str
    compare: Comparison | None = None
    structures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A plan that agrees with the library, with its design points.

    Attributes
    ----------
    options : option -> value of each factor
    """

    plan: Plan
    trial: Protocol
    who: Population
    outcomes: Mapping[str, outcomes.Outcome]
    options: Mapping[str, Mapping[str, Value]]
    derived: Derived
    worlds: tuple[worlds.World, ...]

    @property
    def ids(self) -> list[str]:
        """Ids of the options, in the design's order."""
        return list(self.options)

    def option_of(self, values: Mapping[str, Value]) -> str:
        """Return the option with given values of some factors, the first option's for the others."""
        wanted = {**self.options[self.ids[0]], **values}
        return next(name for name, own in self.options.items() if own == wanted)


@dataclass(frozen=True)
class Sweep:
    """The result of a sweep.

    Attributes
    ----------
    options : option, arm and a column for each factor
    response : world, option, outcome: mean with interval, spread between patients and by parameters, Monte Carlo error
    differences : world, option, outcome: paired difference to the option compared with, or to the first, and whether
        the data informed it
    best : world, option, outcome: probability that it is the best option; for ``front`` that it is on the Pareto front
        of benefit and harm, and whether its means are
    surfaces : world, outcome, factor, value: the fitted response along a factor
    comparison : world, outcome: the two options compared, the probability that the first is better, and whether the
        data informed the answer
    """

    study: Study
    options: pd.DataFrame
    response: pd.DataFrame
    differences: pd.DataFrame
    best: pd.DataFrame
    surfaces: pd.DataFrame
    comparison: pd.DataFrame
    facts: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the tables as Parquet and the whole as ``sweep.json``."""
        tables = {name: getattr(self, name) for name in TABLES}
        for name, table in tables.items():
            write_whole(folder / f"{name}.parquet", table.to_parquet(index=False))
        records = {name: _records(table) for name, table in tables.items()}
        text = json.dumps({**self.facts, **records}, indent=1, ensure_ascii=False)
        write_whole(folder / "sweep.json", text.encode())


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records", double_precision=10))


def read_study(name_or_path: str | Path, *, knowledge: tuple[str, ...] | None = None, **changes: Any) -> Study:
    """Read a plan with everything it names.

    Parameters
    ----------
    knowledge : of ``typical``, ``prior``, ``posterior``; the best there is and the prior by default
    changes : of the plan, such as ``subjects=50``; None leaves the plan as it is

    Raises
    ------
    ContentError
        Every problem of the plan and of the options it describes.
    """
    document = load(library.find("plans", name_or_path))
    plan, problems = parse_leniently(document, Plan)
    if plan is None:
        raise ContentError(problems)
    plan = plan.model_copy(update={key: value for key, value in changes.items() if value is not None})
    trial, who = enrollment.read(plan.protocol)
    problems = [*problems, *_problems(plan, trial, document)]
    if problems:
        raise ContentError(problems)
    options = {_option_name(plan, values): values for values in design_points(plan)}
    if plan.compare is not None:
        problems += [p for side in ("option", "against") for p in _absent(plan, options, side, document)]
        if problems:
            raise ContentError(problems)
    variants = [_variant(plan, name, values) for name, values in options.items()]
    derived = derive(trial, variants, document, plan.elements)
    used = worlds.worlds_of(trial.model, plan.structures, knowledge)
    return Study(plan, trial, who, outcomes.chosen(plan.outcomes), options, derived, tuple(used))


def _problems(plan: Plan, trial: Protocol, document: Document) -> Iterator[Problem]:
    def placed(problem: Problem, *keys: str | int) -> Problem:
        return document.problem(problem.what, keys, expected=problem.expected, nearest=problem.nearest)

    known = list(outcomes.known_outcomes())
    if plan.arm not in trial.arms:
        yield placed(unknown("arm", plan.arm, list(trial.arms)), "arm")
    for index, name in enumerate(plan.outcomes):
        if name not in known:
            yield placed(unknown("outcome", name, known), "outcomes", index)
    for key in ("benefit", "harm"):
        if getattr(plan, key) not in plan.outcomes:
            yield placed(unknown(f"{key}, not among the outcomes,", getattr(plan, key), plan.outcomes), key)
    structures = list(worlds.structures_of(trial.model))
    for index, name in enumerate(plan.structures):
        if name not in structures:
            yield placed(unknown("structure", name, structures), "structures", index)
    yield from _design_problems(plan, document)
    last = max((outcomes.known_outcomes()[name].latest_day for name in plan.outcomes if name in known), default=0.0)
    if plan.follow_up_days is not None and plan.follow_up_days < last:
        what = f"follow_up_days = {plan.follow_up_days:g}, but an outcome looks at day {last:g}"
        yield document.problem(what, ("follow_up_days",))


def _design_problems(plan: Plan, document: Document) -> Iterator[Problem]:
    if plan.design != "grid":
        return
    size = 1
    for name, factor in plan.factors.items():
        if factor.is_number and not factor.values:
            cure = "list values, or use design: {points: ...}"
            yield document.problem(f'factor "{name}" has no values for a grid', ("factors", name), cure=cure)
        size *= max(len(factor.values) or len(factor.levels), 1)
    if size > LARGEST_GRID:
        cure = "use design: {points: ...}, or fewer values"
        what, expected = f"the grid has {size} options", f"at most {LARGEST_GRID}"
        yield document.problem(what, ("factors",), expected=expected, cure=cure)


def _absent(plan: Plan, options: Mapping[str, Mapping[str, Value]], side: str, document: Document) -> Iterator[Problem]:
    wanted = getattr(plan.compare, side)
    first = next(iter(options.values()))
    for name in wanted:
        if name not in plan.factors:
            problem = unknown("factor", name, list(plan.factors))
            yield document.problem(problem.what, ("compare", side, name), nearest=problem.nearest)
            return
    if {**first, **wanted} not in list(options.values()):
        what = f"no option of the design has {', '.join(f'{key} = {value}' for key, value in wanted.items())}"
        yield document.problem(what, ("compare", side))


def design_points(plan: Plan) -> Iterator[dict[str, Value]]:
    """Yield the values of all factors for each option."""
    if plan.design == "grid":
        axes = [list(factor.levels) or list(factor.values) for factor in plan.factors.values()]
        for values in itertools.product(*axes):
            yield dict(zip(plan.factors, values, strict=True))
        return
    sampler = qmc.LatinHypercube(len(plan.factors), seed=np.random.default_rng([plan.seed, plan.design.points]))
    for row in sampler.random(plan.design.points):
        pairs = zip(plan.factors.items(), row, strict=True)
        yield {name: factor.at(float(quantile)) for (name, factor), quantile in pairs}


def _option_name(plan: Plan, values: Mapping[str, Value]) -> str:
    numbers = plan.factors
    return ", ".join(f"{name} {value:g}" if numbers[name].is_number else str(value) for name, value in values.items())


def _variant(plan: Plan, name: str, values: Mapping[str, Value]) -> Variant:
    change = plan.base
    for factor, value in values.items():
        change = change.merged(plan.factors[factor].change(value))
    return Variant(name, Words(en=name, zh=name), plan.arm, change, ("factors", next(iter(values))))


def sweep(
    name_or_path: str | Path,
    *,
    folder: Path | str | None = None,
    knowledge: tuple[str, ...] | None = None,
    workers: int = 2,
    where: Where = "threads",
    progress: Callable[[str, int, int], None] = lambda _world, _done, _all: None,
    **changes: Any,
) -> Sweep:
    """Run a sweep, or take one up where it stopped.

    Parameters
    ----------
    name_or_path : plan
    folder : of the study; ``runs/<plan>`` by default
    knowledge, changes : as in `read_study`
    where : ``"threads"``, which suits notebooks, or ``"processes"``, which is faster
    progress : called with (world, subjects done, subjects in all)

    Raises
    ------
    ContentError
        Every problem of the plan.

    Examples
    --------
    ::

        from seedbed import sweep
        found = sweep("sweep_infusion_day_tp53", subjects=100)
        found.best.query("world == 'prior' and outcome == 'pfs_2y'")
    """
    study = read_study(name_or_path, knowledge=knowledge, **changes)
    plan = study.plan
    until = plan.follow_up_days or float(study.trial.follow_up_days)
    out = Path(folder) if folder is not None else Path("runs") / plan.id
    setup = worlds.Setup(out, plan.subjects, plan.seed, until, workers, where, plan.parameter_sets)
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES[1:]}
    for world in study.worlds:
        shown = worlds.replace_progress(setup, world, len(study.derived.protocol.arms), progress)
        endpoints = worlds.simulate_world(shown, study.derived.protocol, study.who, world)
        for name, table in _world_tables(study, endpoints).items():
            parts[name].append(table.assign(world=world.id))
    tables = {name: pd.concat(found, ignore_index=True) for name, found in parts.items()}
    about = worlds.facts_of(study.worlds, study.trial.model, plan.subjects, plan.parameter_sets)
    n_sets = about["parameter_sets"]
    tables["comparison"] = decision.with_verdict(tables["comparison"], ["outcome"], n_sets)
    tables["differences"] = decision.with_verdict(
        tables["differences"], ["outcome", "option"], n_sets, together=["outcome"]
    )
    facts = {
        "plan": plan.id, "protocol": plan.protocol, "subjects": plan.subjects, "seed": plan.seed, "until_days": until,
        "simulated_arms": len(study.derived.protocol.arms), **about,
    }  # fmt: skip
    return Sweep(study, _options_table(study), **tables, facts=facts)


def _options_table(study: Study) -> pd.DataFrame:
    rows = [{"option": name, "arm": study.derived.arm_of[name], **values} for name, values in study.options.items()]
    return pd.DataFrame(rows)


def _world_tables(study: Study, endpoints: pd.DataFrame) -> dict[str, pd.DataFrame]:
    table = outcomes.tabulate(endpoints, dict(study.outcomes))
    member = endpoints.drop_duplicates("subject").set_index("subject")["parameter_set"]
    arms = [study.derived.arm_of[name] for name in study.ids]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("response", "differences", "best", "comparison")}
    surfaces, known = [], {}
    for name, outcome in study.outcomes.items():
        subjects, values = outcomes.cube(table, arms, name)
        sets = member.loc[subjects].to_numpy()
        known[name] = decision.knowledge(values, sets, shares=outcome.is_share)
        kind = "share" if outcome.is_share else "number"
        response = [_possible(outcome, worlds.estimate_mean(values[:, k], sets, kind)) for k in range(len(arms))]
        rows["response"] += [{"outcome": name, "option": o, **r} for o, r in zip(study.ids, response, strict=True)]
        rows["differences"] += _differences(study, name, values, sets)
        chances = decision.probability_best(known[name], outcome.sign)
        rows["best"] += [
            {"outcome": name, "option": o, "probability": float(p), "on_front": None}
            for o, p in zip(study.ids, chances, strict=True)
        ]
        rows["comparison"] += _compared(study, name, values, sets, known[name])
        curves = _surface(study, response, values, sets)
        if outcome.is_share:
            curves[["estimate", "lower", "upper"]] = curves[["estimate", "lower", "upper"]].clip(0.0, 1.0)
        surfaces.append(curves.assign(outcome=name))
    rows["best"] += _front(study, known)
    made = {name: pd.DataFrame(found) for name, found in rows.items()}
    return {**made, "surfaces": pd.concat(surfaces, ignore_index=True)}


def _possible(outcome: outcomes.Outcome, row: dict[str, float]) -> dict[str, float]:
    """Return an estimate whose interval holds no negative number of days."""
    return {**row, "lower": max(row["lower"], 0.0)} if outcome.unit == "day" else row


def _differences(study: Study, name: str, values: np.ndarray, sets: np.ndarray) -> Iterator[dict[str, Any]]:
    base = study.ids.index(study.option_of(study.plan.compare.against)) if study.plan.compare else 0
    for k, option in enumerate(study.ids):
        if k != base:
            found = worlds.estimate_mean(values[:, k] - values[:, base], sets, study.outcomes[name].difference)
            yield {"outcome": name, "option": option, "against": study.ids[base], **found}


def _front(study: Study, known: Mapping[str, decision.Knowledge]) -> list[dict[str, Any]]:
    pair = (study.plan.benefit, study.plan.harm)
    signs = tuple(study.outcomes[name].sign for name in pair)
    means = [known[name].mean.mean(axis=0) * sign for name, sign in zip(pair, signs, strict=True)]
    now = decision.on_front(means[0], -means[1])
    chances = decision.probability_on_front((known[pair[0]], known[pair[1]]), signs)
    return [
        {"outcome": "front", "option": option, "probability": float(chance), "on_front": bool(mean)}
        for option, chance, mean in zip(study.ids, chances, now, strict=True)
    ]


def _compared(
    study: Study, name: str, values: np.ndarray, sets: np.ndarray, known: decision.Knowledge
) -> list[dict[str, Any]]:
    if study.plan.compare is None:
        return []
    one, other = (study.option_of(side) for side in (study.plan.compare.option, study.plan.compare.against))
    k, j = study.ids.index(one), study.ids.index(other)
    found = worlds.estimate_mean(values[:, k] - values[:, j], sets, study.outcomes[name].difference)
    better = decision.probability_better(known, k, j, study.outcomes[name].sign)
    return [{"outcome": name, "option": one, "against": other, "probability_better": better, **found}]


def _surface(study: Study, response: list[dict[str, float]], values: np.ndarray, sets: np.ndarray) -> pd.DataFrame:
    """Return the fitted response along each number, with what is not known of it.

    All options have the same patients, so a point of the curve is a mean over patients too: a weighted sum of each
    one's values, with the uncertainties of any other mean, and the scatter of the options about the surface beside.
    """
    design = pd.DataFrame(list(study.options.values()))
    means = np.array([row["estimate"] for row in response])
    errors = np.nan_to_num(np.array([row["monte_carlo_se"] for row in response]))
    found = surface.fit(design, means, errors)
    rows: list[dict[str, Any]] = []
    for factor in found.numeric if found else ():
        curve = found.along(factor)
        for value, weights, scatter in zip(curve.value, curve.weights, curve.scatter, strict=True):
            point = worlds.estimate_mean(values @ weights, sets)
            middle = point["estimate"]
            half = float(np.hypot(middle - point["lower"], normal_quantile(0.95) * scatter))
            ends = {"lower": middle - half, "upper": middle + half}
            rows.append({"factor": factor, "value": float(value), "estimate": middle, **ends})
    return pd.DataFrame(rows, columns=["factor", "value", "estimate", "lower", "upper"])


__all__ = ["Plan", "Study", "Sweep", "read_study", "sweep"]
