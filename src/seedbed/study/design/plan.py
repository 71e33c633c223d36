"""What a plan of a randomized trial says: the schema of ``library/plans/design_*.yaml`` and its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from seedbed import library
from seedbed.documents import Content, Document, Key, load, placed
from seedbed.errors import ContentError, Problem, nearest, unknown
from seedbed.lenient import parse_leniently
from seedbed.population.checks import DERIVED_AT_ENROLLMENT
from seedbed.tables import columns
from seedbed.trial import enrollment

Words = str | dict[Literal["en", "zh"], str]
"""A text, in one language or in both."""
Strategy = Literal["treatment_policy", "hypothetical", "composite", "while_on_treatment", "principal_stratum"]
INTERCURRENT_EVENTS = ("cart_not_infused", "transplant_not_done", "next_therapy", "allograft")


class Arm(Content):
    """An arm of the trial and the arm of the pool its subjects are drawn from."""

    id: str
    pool_arm: str
    role: Literal["experimental", "control"]
    ratio: int = Field(default=1, ge=1, le=5)
    title: Words = ""


class Pool(Content):
    """Where simulated subjects come from: a protocol to be run, or run folders that exist."""

    protocol: str | None = None
    runs: tuple[str, ...] = ()
    counterfactual_runs: tuple[str, ...] = Field(
        default=(), description="the same patients where events handled as hypothetical cannot happen"
    )
    subjects: int = Field(default=100_000, ge=100)
    seed: int = Field(default=1, ge=0)
    follow_up_days: float = Field(default=1100, gt=0)
    ensemble: str | None = None
    selected_only: bool = Field(default=False, description="keep subjects whom every arm's selection would take")

    @model_validator(mode="after")
    def _one_source(self) -> Pool:
        if bool(self.protocol) == bool(self.runs):
            raise ValueError('needs either "protocol" (run for this plan) or "runs" (folders that exist), not both')
        return self


class Accrual(Content):
    """How fast subjects enter: a full rate, reached linearly over a ramp."""

    per_month: float = Field(gt=0, le=10_000)
    ramp_up_months: float = Field(default=0, ge=0)


class DropOut(Content):
    """The share of subjects lost in a year, at a constant hazard; an arm may differ."""

    share_per_year: float = Field(ge=0, lt=1)
    by_arm: dict[str, float] = Field(default_factory=dict)

    def yearly(self, arm: str) -> float:
        """Return the share lost in a year in an arm."""
        return self.by_arm.get(arm, self.share_per_year)


class Assessments(Content):
    """Days from randomization on which the disease is assessed, then at an interval; visits may be missed."""

    days: tuple[float, ...] = Field(min_length=1)
    then_every_days: float = Field(gt=0)
    missed_probability: float = Field(default=0, ge=0, lt=0.9)
    after_two_missed: Literal["censor", "count"] = "censor"


class StratificationFactor(Content):
    """A covariate by which randomization is stratified; a number is cut into two at `above`."""

    covariate: str
    above: float | None = None


class Stratification(Content):
    """Permuted blocks within strata, and whether the analysis uses the strata too."""

    factors: tuple[StratificationFactor, ...] = ()
    block_size: int = Field(default=4, ge=2, le=20)
    in_analysis: bool = True


class NoResponse(Content):
    """A lack of response by a day counts as failure in event-free survival."""

    column: str
    day: float = Field(gt=0, description="from randomization, when the failure is counted")
    responses: tuple[str, ...] = Field(min_length=1)


class Naive(Content):
    """Another way to handle the intercurrent events, whose answer is compared with the target's."""

    id: str
    describes: Words
    intercurrent_events: dict[str, Strategy] = Field(default_factory=dict)
    population: Literal["randomized", "treated"] = "randomized"
    clock: Literal["randomization", "treatment"] = "randomization"


class Estimand(Content):
    """The five attributes of ICH E9(R1)."""

    population: Words
    treatments: Words
    endpoint: Literal["pfs", "efs", "os"] = "pfs"
    intercurrent_events: dict[str, Strategy]
    summary: Literal["hazard_ratio", "rmst_difference", "survival_difference"]
    no_response_by: NoResponse | None = None
    naive: tuple[Naive, ...] = ()


class CoPrimary(Content):
    """A rate that must succeed as well: superior to control, or not worse by a margin."""

    endpoint: str
    column: str
    describes: Words
    counts: tuple[str, ...] = ()
    at_least: float | None = None
    day: float = Field(ge=0)
    wanted: Literal["more", "less"]
    test: Literal["superiority", "noninferiority"]
    margin: float = Field(default=0, ge=0, lt=1)
    missing: Literal["failure", "left_out"] = "left_out"

    @model_validator(mode="after")
    def _margin_fits(self) -> CoPrimary:
        if (self.test == "noninferiority") != (self.margin > 0):
            raise ValueError("a margin above 0 belongs to a noninferiority test, and only to it")
        return self


class Analysis(Content):
    """The primary test of the time-to-event endpoint, and those shown beside it."""

    primary: Literal["logrank", "max_combo", "rmst", "cox", "milestone", "gray"]
    beside: tuple[Literal["logrank", "max_combo", "rmst", "cox", "milestone", "gray"], ...] = ()
    alpha: float = Field(default=0.025, gt=0, lt=0.5, description="one-sided")
    horizon_days: float = Field(gt=0)
    milestone_days: float = Field(gt=0)
    multiplicity: Literal["none", "bonferroni", "hierarchical"] = "bonferroni"

    def tests(self) -> tuple[str, ...]:
        """Return all tests, the primary first."""
        return tuple(dict.fromkeys((self.primary, *self.beside)))


class Futility(Content):
    """Stop when the trial is unlikely to succeed; non-binding, so that the efficacy boundary ignores it."""

    rule: Literal["conditional_power", "predictive_power"]
    below: float = Field(gt=0, lt=1)
    looks: tuple[int, ...] = Field(min_length=1)
    assumed_hazard_ratio: float | None = Field(default=None, gt=0, lt=1)


class Interim(Content):
    """Looks at fractions of the final number of events."""

    fractions: tuple[float, ...] = ()
    spending: Literal["obrien_fleming", "pocock", "none"] = "obrien_fleming"
    futility: Futility | None = None

    @model_validator(mode="after")
    def _increasing(self) -> Interim:
        steps = (0.0, *self.fractions, 1.0)
        if any(later <= earlier for earlier, later in pairwise(steps)):
            raise ValueError("fractions must lie between 0 and 1 and increase")
        if self.futility and max(self.futility.looks) > len(self.fractions):
            looks = len(self.fractions)
            raise ValueError(f"futility at look {max(self.futility.looks)}, but there are {looks} interim looks")
        return self


class Final(Content):
    """When the final analysis is made: at a number of events, at the latest when follow-up ends."""

    events: int | None = Field(default=None, ge=10)
    follow_up_days: float = Field(gt=0, description="each subject is followed so long at most")
    last_subject_followed_days: float = Field(gt=0, description="the final analysis is not made later than this")

    @model_validator(mode="after")
    def _in_order(self) -> Final:
        if self.last_subject_followed_days > self.follow_up_days:
            raise ValueError("the last subject cannot be followed longer than every subject")
        return self


class Replicates(Content):
    """How many trials are simulated for each answer."""

    main: int = Field(default=10_000, ge=20)
    by_size: int = Field(default=2_000, ge=20)
    pool_blocks: int = Field(default=20, ge=4, le=100)
    seed: int = Field(default=1, ge=0)


class Synopsis(Content):
    """Words for the protocol synopsis that no other part of the plan holds."""

    rationale: Words
    objective: Words
    eligibility: tuple[Words, ...] = Field(min_length=1)
    safety: Words


class Plan(Content):
    """The plan of a randomized trial."""

    kind: Literal["design"]
    id: str
    title: Words
    question: Words
    pool: Pool
    arms: tuple[Arm, ...] = Field(min_length=2)
    subjects: int = Field(ge=20, le=5000)
    subjects_compared: tuple[int, ...] = ()
    accrual: Accrual
    drop_out: DropOut
    assessments: Assessments
    progression: Literal["true_progression", "progression"] = "true_progression"
    stratification: Stratification = Stratification()
    estimand: Estimand
    co_primary: tuple[CoPrimary, ...] = ()
    analysis: Analysis
    interim: Interim = Interim()
    final: Final
    replicates: Replicates = Replicates()
    synopsis: Synopsis

    @property
    def control(self) -> Arm:
        """Return the control arm."""
        return next(arm for arm in self.arms if arm.role == "control")

    @property
    def experimental(self) -> tuple[Arm, ...]:
        """Return the experimental arms."""
        return tuple(arm for arm in self.arms if arm.role == "experimental")

    @property
    def one_sided_alphas(self) -> tuple[float, ...]:
        """Return the one-sided level of each comparison with control."""
        share = len(self.experimental) if self.analysis.multiplicity == "bonferroni" else 1
        return (self.analysis.alpha / share,) * len(self.experimental)


def read(name_or_path: str | Path) -> Plan:
    """Return a plan of the library or of a file.

    Raises
    ------
    ContentError
        Lists every problem of the file with line, expected value and nearest match.
    """
    document = load(library.find("plans", name_or_path))
    plan, problems = parse_leniently(document, Plan)
    if plan is None:
        raise ContentError(problems)
    problems += [problem for check in CHECKS for problem in check(plan, document)]
    if problems:
        raise ContentError(problems)
    return plan


def changed(
    plan: Plan, *, pool: Path | None = None, pool_subjects: int | None = None, replicates: int | None = None
) -> Plan:
    """Return a plan with another pool, another size of it, or fewer replicates in the same proportions."""
    source = plan.pool
    if pool is not None:
        source = source.model_copy(update={"runs": (str(pool),), "protocol": None})
    if pool_subjects is not None:
        source = source.model_copy(update={"subjects": pool_subjects})
    counts = plan.replicates
    if replicates is not None:
        by_size = max(20, round(counts.by_size * replicates / counts.main))
        counts = counts.model_copy(update={"main": replicates, "by_size": by_size})
    return plan.model_copy(update={"pool": source, "replicates": counts})


def one_control(plan: Plan, document: Document) -> Iterator[Problem]:
    """Require one control arm and ids that differ."""
    controls = [arm.id for arm in plan.arms if arm.role == "control"]
    if len(controls) != 1:
        what = f"{len(controls)} arms have the role control"
        yield document.problem(what, ("arms",), expected="exactly one", check="one_control")
    ids = [arm.id for arm in plan.arms]
    for index, name in enumerate(ids):
        if name in ids[:index]:
            yield document.problem(f'arm "{name}" stands twice', ("arms", index, "id"), check="one_control")


def known_arms(plan: Plan, document: Document) -> Iterator[Problem]:
    """Require drop-out to name arms of the plan, with shares below one."""
    names = [arm.id for arm in plan.arms]
    for name, share in plan.drop_out.by_arm.items():
        line = document.line(("drop_out", "by_arm", name))
        if name not in names:
            yield unknown("arm", name, names, file=str(document.path), line=line)
        if not 0 <= share < 1:
            keys = ("drop_out", "by_arm", name)
            yield document.problem(f"share lost in a year = {share:g}", keys, expected="at least 0 and below 1")


def known_intercurrent_events(plan: Plan, document: Document) -> Iterator[Problem]:
    """Require a strategy for every intercurrent event, and known ones in naive analyses."""
    places = [(("estimand", "intercurrent_events"), plan.estimand.intercurrent_events)]
    for index, naive in enumerate(plan.estimand.naive):
        places.append((("estimand", "naive", index, "intercurrent_events"), naive.intercurrent_events))
    for keys, strategies in places:
        for name in strategies:
            if name not in INTERCURRENT_EVENTS:
                line = document.line((*keys, name))
                yield unknown("intercurrent event", name, INTERCURRENT_EVENTS, file=str(document.path), line=line)
    for name in INTERCURRENT_EVENTS:
        if name not in plan.estimand.intercurrent_events:
            what = f'intercurrent event "{name}" has no strategy'
            keys = ("estimand", "intercurrent_events")
            yield document.problem(what, keys, cure="say what its occurrence means for the endpoint")


def days_in_order(plan: Plan, document: Document) -> Iterator[Problem]:
    """Require assessment days that are positive and increase."""
    days = plan.assessments.days
    for index, (before, day) in enumerate(zip((0.0, *days), days, strict=False)):
        if day <= before:
            keys = ("assessments", "days", index)
            yield document.problem(f"assessment day {day:g} after day {before:g}", keys, expected="days that increase")


def horizons_within_follow_up(plan: Plan, document: Document) -> Iterator[Problem]:
    """Require horizon, milestone and follow-up within what is observed and simulated."""
    longest = plan.final.follow_up_days
    for name in ("horizon_days", "milestone_days"):
        value = getattr(plan.analysis, name)
        if value > longest:
            what, keys = f"{name} = {value:g} days", ("analysis", name)
            yield document.problem(what, keys, expected=f"at most final.follow_up_days = {longest:g}")
    if plan.pool.protocol and longest > plan.pool.follow_up_days:
        what = f"subjects are followed {longest:g} days, but the pool is simulated for {plan.pool.follow_up_days:g}"
        yield document.problem(what, ("final", "follow_up_days"), cure="lengthen pool.follow_up_days")


def sizes_make_sense(plan: Plan, document: Document) -> Iterator[Problem]:
    """Require fewer events than subjects, and blocks that fit the ratio."""
    if plan.final.events and plan.final.events > plan.subjects:
        what, keys = f"{plan.final.events} events of {plan.subjects} subjects", ("final", "events")
        yield document.problem(what, keys, expected="fewer events than subjects")
    total = sum(arm.ratio for arm in plan.arms)
    if plan.stratification.block_size % total:
        ratio = ":".join(str(arm.ratio) for arm in plan.arms)
        what = f"block size {plan.stratification.block_size} with arms in ratio {ratio}"
        yield document.problem(what, ("stratification", "block_size"), expected=f"a multiple of {total}")
    for index, size in enumerate(plan.subjects_compared):
        if not 20 <= size <= 5000:
            keys = ("subjects_compared", index)
            yield document.problem(f"a trial of {size} subjects", keys, expected="20 to 5000")


def tests_fit_the_estimand(plan: Plan, document: Document) -> Iterator[Problem]:
    """Require a competing event for Gray's test."""
    competing = "while_on_treatment" in plan.estimand.intercurrent_events.values() or plan.estimand.endpoint == "pfs"
    if "gray" in plan.analysis.tests() and not competing:
        cure = "use endpoint pfs (death competes with progression) or a strategy while_on_treatment"
        what = "Gray's test without a competing event"
        yield document.problem(what, ("analysis",), cure=cure)


def rates_are_defined(plan: Plan, document: Document) -> Iterator[Problem]:
    """Count words or a threshold in a co-primary rate, not both."""
    for index, rate in enumerate(plan.co_primary):
        if rate.counts and rate.at_least is not None:
            what = f'rate "{rate.endpoint}" has both counts and at_least'
            yield document.problem(what, ("co_primary", index), expected="one of them, or none for a true/false column")


def columns_exist(plan: Plan, document: Document) -> Iterator[Problem]:
    """Require the columns of rates and of the lack of a response among those of the endpoints."""
    asked: list[tuple[tuple[Key, ...], str]] = [
        (("co_primary", index, "column"), rate.column) for index, rate in enumerate(plan.co_primary)
    ]
    if plan.estimand.no_response_by:
        asked.append((("estimand", "no_response_by", "column"), plan.estimand.no_response_by.column))
    known = [column.name for column in columns("endpoints")]
    for keys, name in asked:
        if name not in known:
            what, hint = f'the endpoints have no column "{name}"', nearest(name, known)
            yield document.problem(what, keys, nearest=hint, cure="docs/reference/tables.md lists them")


def pool_holds_what_is_asked(plan: Plan, document: Document) -> Iterator[Problem]:
    """Require the arms and covariates of the plan in the protocol its pool is made of, before that is simulated."""
    if plan.pool.protocol is None:
        return
    try:
        trial, who = enrollment.read(plan.pool.protocol)
    except ContentError as error:
        yield from placed(error.problems, document, ("pool", "protocol"))
        return
    for index, arm in enumerate(plan.arms):
        if arm.pool_arm not in trial.arms:
            line = document.line(("arms", index, "pool_arm"))
            yield unknown("arm of the pool", arm.pool_arm, list(trial.arms), file=str(document.path), line=line)
    known = [*who.covariates, *DERIVED_AT_ENROLLMENT]
    for index, factor in enumerate(plan.stratification.factors):
        if factor.covariate not in known:
            line = document.line(("stratification", "factors", index, "covariate"))
            yield unknown("covariate", factor.covariate, known, file=str(document.path), line=line)


CHECKS: tuple[Callable[[Plan, Document], Iterator[Problem]], ...] = (
    one_control,
    known_arms,
    known_intercurrent_events,
    days_in_order,
    horizons_within_follow_up,
    sizes_make_sense,
    tests_fit_the_estimand,
    rates_are_defined,
    columns_exist,
    pool_holds_what_is_asked,
)
