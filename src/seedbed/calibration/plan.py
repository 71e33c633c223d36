"""The plan of a calibration: what is unknown, which studies speak of it, and how much is simulated.

`read` checks a plan against the evidence base and the library, and lists everything that is wrong with its line:
an unknown study, arm, row or product, a row that no reading exists for, a duplicate use of the same patients, an
arm whose results are kept for prediction and that the plan would fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from seedbed import library
from seedbed.calibration.emulation import Emulation
from seedbed.calibration.fit import Budget
from seedbed.calibration.priors import Prior
from seedbed.calibration.readings import ROW_COLUMNS, Readings
from seedbed.documents import Content, Document, load
from seedbed.errors import ContentError, Problem, unknown
from seedbed.lenient import parse_leniently
from seedbed.population.parameter_sets import Kind
from seedbed.population.schema import Disease
from seedbed.sources import Source, Words

Use = Literal["fit", "predict"]
PREFERRED = "preferred"


class PlanParameter(Content):
    """One unknown of the population.

    Attributes
    ----------
    changes, of : what it changes; see `seedbed.population.parameter_sets.Change`
    only_in : diseases that it is for; all of them by default
    prior : distribution of the factor, or of the effect's size
    differs_by_product : standard deviation between CAR-T products, on the prior's scale (log, logit or plain)
    source : of the prior; it must not rest on any result of ASCT followed by CAR-T
    """

    changes: Kind
    of: str
    only_in: tuple[Disease, ...] = ()
    prior: Prior
    differs_by_product: float = Field(0.0, ge=0)
    describes: str = ""
    source: Source


class PlanArm(Content):
    """One published arm and what emulates it.

    Attributes
    ----------
    study, study_arms : ids of the evidence base; several arms are several reports of one group of patients
    emulation : what is simulated
    product : product whose deviation from a typical one the arm has (a product of the evidence base), or None
    use : ``fit`` or ``predict``
    rows : ids of evidence rows, or ``preferred`` for the preferred ones that a reading exists for
    without : rows left out of ``preferred``, each with its reason
    facts : endpoint -> id of a kinetic fact, with ``:group`` where it has groups
    longest_days : landmarks later than this are left out
    null_world : for a combined arm, the therapy that it does no better than in the null world
    """

    study: str
    study_arms: tuple[str, ...] = Field(min_length=1)
    emulation: Emulation
    product: str | None = None
    use: Use = "fit"
    rows: Literal["preferred"] | tuple[str, ...] = PREFERRED
    without: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    longest_days: float = Field(1100.0, gt=0)
    null_world: Literal["asct", "cart"] = "cart"
    note: str = ""


class Update(Content):
    """A second ensemble: arms kept for prediction that are fitted after the freeze of the first one.

    Attributes
    ----------
    ensemble : the frozen ensemble; everything that the plan does not say itself is taken from its plan
    frozen_hash : hash of its sets, as its provenance and the changelog have it
    fit : the predicted arms that are fitted now
    """

    ensemble: str
    frozen_hash: str
    fit: tuple[str, ...] = ()


class Plan(Content):
    """A calibration plan.

    Attributes
    ----------
    between_study : prior median of the between-study standard deviation of each family, on the link scale
    updates : the frozen ensemble whose predictions are on record; only then may combination arms be fitted
    default : whether runs use the plan's ensemble when none is named
    """

    id: str
    title: Words
    notes: tuple[str, ...] = ()
    model: str
    readings: str = "published"
    parameters: dict[str, PlanParameter] = Field(min_length=1)
    arms: dict[str, PlanArm] = Field(min_length=1)
    between_study: dict[str, float]
    budget: Budget = Budget()
    seed: int = Field(1, ge=0)
    updates: Update | None = None
    default: bool = False


@dataclass(frozen=True)
class Checked:
    """A plan that agrees with the evidence and the library.

    Attributes
    ----------
    plan : the plan
    rows : per arm, its evidence rows (see `seedbed.calibration.readings.ROW_COLUMNS`), kinetic facts among them
    readings : how each endpoint is read from a simulated arm
    """

    plan: Plan
    rows: dict[str, pd.DataFrame]
    readings: Readings

    def arms(self, use: Use) -> list[str]:
        """Return the arms of one use."""
        return [name for name, arm in self.plan.arms.items() if arm.use == use]

    def with_seed(self, seed: int) -> Checked:
        """Return the same plan with another seed."""
        return replace(self, plan=self.plan.model_copy(update={"seed": seed}))


@dataclass(frozen=True)
class Surroundings:
    """What a plan is checked against.

    Attributes
    ----------
    evidence : table of all evidence rows
    facts : table of kinetic facts in the same columns; ``row`` is the fact's id, with ``:group``
    protocols : arms of each protocol
    populations, products : ids of the library
    targets : for each kind of change, the ids that it may change
    """

    evidence: pd.DataFrame
    facts: pd.DataFrame
    protocols: dict[str, tuple[str, ...]]
    populations: tuple[str, ...]
    products: tuple[str, ...]
    targets: dict[str, tuple[str, ...]]

    def rows_of(self, arm: PlanArm) -> pd.DataFrame:
        """Return all evidence rows of the study arms that an arm emulates."""
        return self.evidence[(self.evidence.study == arm.study) & self.evidence.arm.isin(arm.study_arms)]


Check = Callable[[Plan, Document, Surroundings, Readings], Iterable[Problem]]


def read(name_or_path: str | Path, surroundings: Surroundings) -> Checked:
    """Return a plan and its evidence rows.

    Raises
    ------
    ContentError
        Lists every problem with its line.
    """
    document, problems = with_base(load(library.find("plans", name_or_path)))
    plan, slips = parse_leniently(document, Plan)
    problems = [*problems, *slips]
    if plan is None:
        raise ContentError(problems)
    readings = Readings.load(plan.readings)
    problems = [*problems, *(problem for check in CHECKS for problem in check(plan, document, surroundings, readings))]
    if problems:
        raise ContentError(problems)
    rows = {name: chosen_rows(arm, surroundings, readings) for name, arm in plan.arms.items()}
    return Checked(plan, rows, readings)


def with_base(document: Document) -> tuple[Document, list[Problem]]:
    """Return a plan that updates a frozen ensemble with all that it takes from the frozen one's plan, and problems."""
    own = document.data if isinstance(document.data, dict) else {}
    update = own.get("updates")
    if not isinstance(update, dict) or "ensemble" not in update or "parameters" in own:
        return document, []
    frozen = load(library.find("ensembles", update["ensemble"])).data
    base = load(library.find("plans", frozen["plan"])).data
    arms = {name: dict(arm) for name, arm in base["arms"].items()}
    problems = []
    for position, name in enumerate(update.get("fit", ())):
        keys = ("updates", "fit", position)
        if name in arms:
            arms[name]["use"] = "fit"
        else:
            problems.append(_at(document, unknown(f"arm of {frozen['plan']}", name, list(arms)), keys))
    if update.get("frozen_hash") != frozen["hashes"]["sets"]:
        what = f'frozen_hash is not that of "{update["ensemble"]}"'
        expected = frozen["hashes"]["sets"]
        problems.append(document.problem(what, ("updates", "frozen_hash"), expected=expected, cure="freeze it first"))
    data = {**base, "default": False, **own, "arms": arms}
    return Document(document.path, document.text, data), problems


def chosen_rows(arm: PlanArm, around: Surroundings, readings: Readings) -> pd.DataFrame:
    """Return the evidence rows that an arm is compared with, and its kinetic facts."""
    mine = around.rows_of(arm)
    if arm.rows != PREFERRED:
        chosen = mine[mine.row.isin(arm.rows)]
    else:
        keep = mine.preferred & (mine.use != "context") & ~mine.row.isin(arm.without)
        chosen = mine[keep & readable(mine, readings)]
    records = [row for row in chosen.to_dict("records") if readings.time_of(row) <= arm.longest_days]
    for endpoint, fact in arm.facts.items():
        own = {"endpoint": endpoint, "study": arm.study, "arm": arm.study_arms[0]}
        records += [row | own for row in around.facts[around.facts.row == fact].to_dict("records")]
    return pd.DataFrame(records, columns=list(ROW_COLUMNS))


def readable(rows: pd.DataFrame, readings: Readings) -> pd.Series:
    """Return which evidence rows can be compared, on the table's index."""
    return pd.Series([readings.can_read(row) for row in rows.itertuples()], index=rows.index, dtype=bool)


def studies_exist(plan: Plan, document: Document, around: Surroundings, _readings: Readings) -> Iterable[Problem]:
    """Each arm names a study of the evidence base and arms of it."""
    evidence = around.evidence
    studies = sorted(evidence.study.unique())
    for name, arm in plan.arms.items():
        if arm.study not in studies:
            yield _at(document, unknown("study", arm.study, studies), ("arms", name, "study"))
            continue
        arms = sorted(evidence[evidence.study == arm.study].arm.unique())
        for i, study_arm in enumerate(arm.study_arms):
            if study_arm not in arms:
                yield _at(document, unknown(f"arm of {arm.study}", study_arm, arms), ("arms", name, "study_arms", i))


def rows_exist(plan: Plan, document: Document, around: Surroundings, readings: Readings) -> Iterable[Problem]:
    """Each row that is named stands in the study's arms, and there is a reading for its endpoint."""
    for name, arm in plan.arms.items():
        mine = around.rows_of(arm)
        if mine.empty:
            continue
        for keys, row in _named_rows(arm):
            found = mine[mine.row == row]
            if found.empty:
                problem = unknown(f"endpoint row of {arm.study}", row, sorted(mine.row))
                yield _at(document, problem, ("arms", name, *keys))
            elif keys[0] == "rows" and not readings.can_read(found.iloc[0]):
                yield document.problem(
                    f'row "{row}" ({found.iloc[0].endpoint}) cannot be compared',
                    ("arms", name, *keys),
                    expected=f"an endpoint with a reading, value, n and time: {', '.join(sorted(readings.endpoints))}",
                    cure="leave it out, or add a reading",
                )
        if arm.rows == PREFERRED and chosen_rows(arm, around, readings).empty:
            cure = "name rows or facts"
            yield document.problem(f'arm "{name}" has no preferred row with a reading', ("arms", name), cure=cure)


def _named_rows(arm: PlanArm) -> Iterable[tuple[tuple[str | int, ...], str]]:
    if arm.rows != PREFERRED:
        yield from ((("rows", i), row) for i, row in enumerate(arm.rows))
    yield from ((("without", row), row) for row in arm.without)


def facts_exist(plan: Plan, document: Document, around: Surroundings, readings: Readings) -> Iterable[Problem]:
    """Each kinetic fact that is named exists, may be fitted, and there is a reading for its endpoint."""
    known = sorted(around.facts.row)
    for name, arm in plan.arms.items():
        for endpoint, fact in arm.facts.items():
            keys = ("arms", name, "facts", endpoint)
            if endpoint not in readings.endpoints:
                yield _at(document, unknown("endpoint", endpoint, sorted(readings.endpoints)), keys)
            elif fact not in known:
                yield _at(document, unknown("kinetic fact", fact, known), keys)
            else:
                yield from _fact_problems(document, keys, around.facts[around.facts.row == fact], arm, readings)


def _fact_problems(
    document: Document, keys: tuple[str | int, ...], found: pd.DataFrame, arm: PlanArm, readings: Readings
) -> Iterable[Problem]:
    row = found.iloc[0]
    if arm.use == "fit" and row.use != "calibrate":
        yield document.problem(f'fact "{row.row}" is not for calibration', keys, cure="leave it out")
    if not readings.can_read(found.assign(endpoint=str(keys[-1])).iloc[0]):
        what = f'fact "{row.row}" cannot be compared as {keys[-1]}'
        yield document.problem(what, keys, expected="one number, with the patients behind it", cure="leave it out")


def predictions_stay_predictions(
    plan: Plan, document: Document, around: Surroundings, _readings: Readings
) -> Iterable[Problem]:
    """No arm that the evidence base keeps for prediction is fitted, unless the plan updates a frozen ensemble."""
    for name, arm in plan.arms.items():
        mine = around.rows_of(arm)
        if arm.use != "fit" or mine.empty:
            continue
        held = bool((mine.use == "not_fitted").any() or (mine.therapy == "asct_cart").any())
        if held and plan.updates is None:
            yield document.problem(
                f'arm "{name}" fits {arm.study}, {", ".join(arm.study_arms)}, which is kept for prediction',
                ("arms", name, "use"),
                expected="use: predict",
                cure="or name the frozen ensemble under `updates`",
            )
        elif not held and bool((mine.use == "context").all()):
            what = f'arm "{name}" fits {arm.study}, {", ".join(arm.study_arms)}, which is context only'
            yield document.problem(what, ("arms", name, "use"), cure="drop it")


def patients_count_once(plan: Plan, document: Document, around: Surroundings, readings: Readings) -> Iterable[Problem]:
    """No two fitted arms that may hold the same patients give the same endpoint at the same time."""
    seen: dict[tuple[str, str, float], tuple[str, str]] = {}
    for name, arm in plan.arms.items():
        if arm.use != "fit":
            continue
        for row in chosen_rows(arm, around, readings).itertuples():
            key = (str(row.cohort_group), str(row.endpoint), float(row.time_days) if pd.notna(row.time_days) else -1.0)
            other, part = seen.setdefault(key, (name, str(row.part)))
            if other != name and not _disjoint(part, str(row.part)):
                yield document.problem(
                    f'arms "{other}" and "{name}" both fit {row.endpoint} of the patients of {row.cohort_group}',
                    ("arms", name),
                    cure="drop one of the two rows",
                )


def _disjoint(first: str, second: str) -> bool:
    """Return whether two parts (``partition:member``) are different members of one partition."""
    return first != second and bool(first) and bool(second) and first.split(":")[0] == second.split(":")[0]


def library_is_known(plan: Plan, document: Document, around: Surroundings, _readings: Readings) -> Iterable[Problem]:
    """Protocols, arms, populations, products and what parameters change are in the library."""
    for name, arm in plan.arms.items():
        here, emulated = ("arms", name, "emulation"), arm.emulation
        if emulated.protocol not in around.protocols:
            yield _at(document, unknown("protocol", emulated.protocol, list(around.protocols)), (*here, "protocol"))
        elif emulated.arm not in around.protocols[emulated.protocol]:
            arms = around.protocols[emulated.protocol]
            yield _at(document, unknown(f"arm of {emulated.protocol}", emulated.arm, arms), (*here, "arm"))
        if emulated.population is not None and emulated.population not in around.populations:
            problem = unknown("population", emulated.population, around.populations)
            yield _at(document, problem, (*here, "population"))
        if emulated.cells is not None and emulated.cells not in around.products:
            yield _at(document, unknown("product", emulated.cells, around.products), (*here, "cells"))
    for name, parameter in plan.parameters.items():
        choices = around.targets.get(parameter.changes, ())
        if parameter.of not in choices:
            problem = unknown(f"target of a {parameter.changes}", parameter.of, choices)
            yield _at(document, problem, ("parameters", name, "of"))


def families_have_a_deviation(
    plan: Plan, document: Document, around: Surroundings, readings: Readings
) -> Iterable[Problem]:
    """Each family of endpoints that occurs has a between-study deviation > 0, and none is named in vain."""
    for family, value in plan.between_study.items():
        if value <= 0:
            yield document.problem(f"between_study.{family} = {value:g}: must be > 0", ("between_study", family))
        if family not in readings.families:
            yield _at(document, unknown("family of endpoints", family, readings.families), ("between_study", family))
    used = {
        readings.family(endpoint)
        for arm in plan.arms.values()
        for endpoint in chosen_rows(arm, around, readings).endpoint
        if endpoint in readings.endpoints
    }
    for family in sorted(used - set(plan.between_study)):
        yield document.problem(f'no between-study deviation for family "{family}"', ("between_study",), cure="add it")


CHECKS: tuple[Check, ...] = (
    studies_exist,
    rows_exist,
    facts_exist,
    predictions_stay_predictions,
    patients_count_once,
    library_is_known,
    families_have_a_deviation,
)


def _at(document: Document, problem: Problem, keys: tuple[str | int, ...]) -> Problem:
    return document.problem(problem.what, keys, expected=problem.expected, nearest=problem.nearest)
