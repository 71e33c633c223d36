"""The plan of a calibration: what is unknown, which studies speak of it, and how much is simulated.

`read` checks a plan against the evidence base and the library, and lists everything that is wrong with its line:
an unknown study, arm, row or product, a row that no reading exists for, a duplicate use of the same patients, an
arm whose results are kept for prediction and that the plan would fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from seedbed import library
from seedbed.calibration.fit import Budget
from seedbed.calibration.priors import Prior
from seedbed.calibration.readings import Readings
from seedbed.documents import Content, Document, load
from seedbed.errors import ContentError, Problem, unknown
from seedbed.lenient import parse_leniently
from seedbed.sources import Source, Words

Changes = Literal["median", "spread", "effect", "measurement", "outcome", "care"]
Use = Literal["fit", "predict"]
PREFERRED = "preferred"


class PlanParameter(Content):
    """One unknown of the population.

    Attributes
    ----------
    changes : ``median`` multiplies the typical value of a model parameter in every population, ``spread`` its
        log standard deviation between patients; ``effect`` is the value of a covariate's effect;
        ``measurement``, ``outcome`` and ``care`` multiply a number of those content files (a grading cut-off)
    of : id of what it changes; for the files a path such as ``crs.fever_threshold``
    prior : distribution of the factor (or of the effect's value)
    differs_by_product : standard deviation between CAR-T products, on the prior's scale (log, logit or plain)
    """

    changes: Changes
    of: str
    prior: Prior
    differs_by_product: float = Field(0.0, ge=0)
    describes: str = ""
    source: Source


class PlanArm(Content):
    """One published arm and what emulates it.

    Attributes
    ----------
    study, study_arm : ids of the evidence base
    protocol, arm : what is simulated
    population : population that emulates the study's patients; the protocol's own by default
    product : product of the library that the arm's cells are replaced by
    use : ``fit`` or ``predict``
    rows : ids of evidence rows, or ``preferred`` for the preferred ones that a reading exists for
    without : rows left out of ``preferred``, each with its reason
    """

    study: str
    study_arm: str
    protocol: str
    arm: str
    population: str | None = None
    product: str | None = None
    use: Use = "fit"
    rows: Literal["preferred"] | tuple[str, ...] = PREFERRED
    without: dict[str, str] = Field(default_factory=dict)
    note: str = ""


class Update(Content):
    """A second ensemble: arms kept for prediction that are fitted after the freeze of the first one."""

    ensemble: str
    frozen_hash: str


class Plan(Content):
    """A calibration plan.

    Attributes
    ----------
    between_study : prior median of the between-study standard deviation of each family, on the link scale
    updates : the frozen ensemble whose predictions are on record; only then may combination arms be fitted
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


@dataclass(frozen=True)
class Checked:
    """A plan that agrees with the evidence and the library.

    Attributes
    ----------
    plan : the plan
    rows : per arm, its evidence rows (see `seedbed.calibration.readings.ROW_COLUMNS`)
    readings : how each endpoint is read from a simulated arm
    """

    plan: Plan
    rows: dict[str, pd.DataFrame]
    readings: Readings

    def arms(self, use: Use) -> list[str]:
        """Return the arms of one use."""
        return [name for name, arm in self.plan.arms.items() if arm.use == use]


@dataclass(frozen=True)
class Surroundings:
    """What a plan is checked against.

    Attributes
    ----------
    evidence : table of all evidence rows
    protocols : arms of each protocol
    populations, products : ids
    targets : for each kind of change, the ids that it may change
    """

    evidence: pd.DataFrame
    protocols: dict[str, tuple[str, ...]]
    populations: tuple[str, ...]
    products: tuple[str, ...]
    targets: dict[str, tuple[str, ...]]


Check = Callable[[Plan, Document, Surroundings, Readings], Iterable[Problem]]


def read(name_or_path: str | Path, surroundings: Surroundings) -> Checked:
    """Return a plan and its evidence rows.

    Raises
    ------
    ContentError
        Lists every problem with its line.
    """
    path = library.find("plans", name_or_path)
    document = load(path)
    plan, problems = parse_leniently(document, Plan)
    if plan is None:
        raise ContentError(problems)
    readings = Readings.load(plan.readings)
    problems = [*problems, *(problem for check in CHECKS for problem in check(plan, document, surroundings, readings))]
    if problems:
        raise ContentError(problems)
    rows = {name: chosen_rows(arm, surroundings.evidence, readings) for name, arm in plan.arms.items()}
    return Checked(plan, rows, readings)


def chosen_rows(arm: PlanArm, evidence: pd.DataFrame, readings: Readings) -> pd.DataFrame:
    """Return the evidence rows that an arm is compared with."""
    mine = evidence[(evidence.study == arm.study) & (evidence.arm == arm.study_arm)]
    if arm.rows != PREFERRED:
        return mine[mine.row.isin(arm.rows)]
    fit = (
        mine.preferred & (mine.use != "context") & mine.endpoint.isin(readings.endpoints) & ~mine.row.isin(arm.without)
    )
    return mine[fit & mine.apply(readings.can_read, axis=1).astype(bool)] if len(mine) else mine


def studies_exist(plan: Plan, document: Document, around: Surroundings, _readings: Readings) -> Iterable[Problem]:
    """Each arm names a study of the evidence base and one of its arms."""
    evidence = around.evidence
    studies = sorted(evidence.study.unique())
    for name, arm in plan.arms.items():
        if arm.study not in studies:
            yield _at(document, unknown("study", arm.study, studies), ("arms", name, "study"))
            continue
        arms = sorted(evidence[evidence.study == arm.study].arm.unique())
        if arm.study_arm not in arms:
            yield _at(document, unknown(f"arm of {arm.study}", arm.study_arm, arms), ("arms", name, "study_arm"))


def rows_exist(plan: Plan, document: Document, around: Surroundings, readings: Readings) -> Iterable[Problem]:
    """Each row that is named stands in the study's arm, and there is a reading for its endpoint."""
    for name, arm in plan.arms.items():
        mine = around.evidence[(around.evidence.study == arm.study) & (around.evidence.arm == arm.study_arm)]
        if mine.empty:
            continue
        named = () if arm.rows == PREFERRED else arm.rows
        for place, row in [
            *((("rows", i), row) for i, row in enumerate(named)),
            *((("without", r), r) for r in arm.without),
        ]:
            keys = ("arms", name, *place)
            found = mine[mine.row == row]
            if found.empty:
                yield _at(
                    document, unknown(f"endpoint row of {arm.study}/{arm.study_arm}", row, sorted(mine.row)), keys
                )
            elif place[0] == "rows" and not readings.can_read(found.iloc[0]):
                yield document.problem(
                    f'row "{row}" ({found.iloc[0].endpoint}) cannot be compared',
                    keys,
                    expected=f"an endpoint with a reading, value, n and time: {', '.join(sorted(readings.endpoints))}",
                    cure="leave it out, or add a reading",
                )
        if not named and chosen_rows(arm, around.evidence, readings).empty:
            yield document.problem(
                f'arm "{name}" has no preferred row with a reading', ("arms", name), cure="name rows"
            )


def predictions_stay_predictions(
    plan: Plan, document: Document, around: Surroundings, _readings: Readings
) -> Iterable[Problem]:
    """No arm that the evidence base keeps for prediction is fitted, unless the plan updates a frozen ensemble."""
    for name, arm in plan.arms.items():
        mine = around.evidence[(around.evidence.study == arm.study) & (around.evidence.arm == arm.study_arm)]
        if arm.use != "fit" or mine.empty:
            continue
        use = str(mine.arm_use.iloc[0])
        held = use == "not_fitted" or str(mine.therapy.iloc[0]) == "asct_cart"
        if held and plan.updates is None:
            yield document.problem(
                f'arm "{name}" fits {arm.study}/{arm.study_arm}, which is kept for prediction',
                ("arms", name, "use"),
                expected="use: predict",
                cure="or name the frozen ensemble under `updates`",
            )
        elif use == "context":
            yield document.problem(
                f'arm "{name}" fits {arm.study}/{arm.study_arm}, which is context only',
                ("arms", name, "use"),
                cure="drop it",
            )


def patients_count_once(plan: Plan, document: Document, around: Surroundings, readings: Readings) -> Iterable[Problem]:
    """No two fitted arms of one cohort group give the same endpoint, so each patient enters the likelihood once."""
    seen: dict[tuple[str, str, float], str] = {}
    for name, arm in plan.arms.items():
        if arm.use != "fit":
            continue
        for row in chosen_rows(arm, around.evidence, readings).itertuples():
            key = (str(row.cohort_group), str(row.endpoint), float(row.time_days) if pd.notna(row.time_days) else -1.0)
            other = seen.setdefault(key, name)
            if other != name:
                yield document.problem(
                    f'arms "{other}" and "{name}" both fit {row.endpoint} of the patients of {row.cohort_group}',
                    ("arms", name),
                    cure="drop one of the two rows",
                )


def library_is_known(plan: Plan, document: Document, around: Surroundings, _readings: Readings) -> Iterable[Problem]:
    """Protocols, arms, populations, products and what parameters change are in the library."""
    for name, arm in plan.arms.items():
        here = ("arms", name)
        if arm.protocol not in around.protocols:
            yield _at(document, unknown("protocol", arm.protocol, list(around.protocols)), (*here, "protocol"))
        elif arm.arm not in around.protocols[arm.protocol]:
            yield _at(
                document, unknown(f"arm of {arm.protocol}", arm.arm, around.protocols[arm.protocol]), (*here, "arm")
            )
        if arm.population is not None and arm.population not in around.populations:
            yield _at(document, unknown("population", arm.population, around.populations), (*here, "population"))
        if arm.product is not None and arm.product not in around.products:
            yield _at(document, unknown("product", arm.product, around.products), (*here, "product"))
    for name, parameter in plan.parameters.items():
        choices = around.targets.get(parameter.changes, ())
        if parameter.of not in choices:
            yield _at(
                document, unknown(f"{parameter.changes} target", parameter.of, choices), ("parameters", name, "of")
            )


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
        for endpoint in chosen_rows(arm, around.evidence, readings).endpoint
        if endpoint in readings.endpoints
    }
    for family in sorted(used - set(plan.between_study)):
        yield document.problem(f'no between-study deviation for family "{family}"', ("between_study",), cure="add it")


CHECKS: tuple[Check, ...] = (
    studies_exist,
    rows_exist,
    predictions_stay_predictions,
    patients_count_once,
    library_is_known,
    families_have_a_deviation,
)


def _at(document: Document, problem: Problem, keys: tuple[str | int, ...]) -> Problem:
    return document.problem(problem.what, keys, expected=problem.expected, nearest=problem.nearest)
