r"""Which mechanism does the work: the shares of what conditioning and graft do, in the difference between two arms.

Each mechanism of ``library/mechanisms`` can be switched off. For every coalition *S* of mechanisms that act, both arms
are simulated with all others switched off, and :math:`v(S)` is the difference between the arms. The Shapley shares
of the mechanisms add up to :math:`v(\text{all})-v(\varnothing)`; what remains when all are off,
:math:`v(\varnothing)`, is taken apart further, one part after the other, and named. A mechanism that is off in both
arms has share zero. Everything is computed per subject, so the intervals know that the arms share their patients.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from seedbed import analysis, library, protocol
from seedbed.calibration.store import write_whole
from seedbed.documents import Content, Document, load, parse
from seedbed.errors import ContentError, Problem
from seedbed.population import Population
from seedbed.protocol import Protocol
from seedbed.sources import Words
from seedbed.study import decision, outcomes, worlds
from seedbed.study.shapley import Shares, coalitions, shapley
from seedbed.study.variants import Change, Derived, Variant, derive
from seedbed.trial import enrollment
from seedbed.trial.execution import Where

OUTCOMES = ("complete_response", "pfs_2y", "crs_3", "icans_3", "cart_peak")
SQUARE_OUTCOMES = ("complete_response", "pfs_2y")
RESAMPLES = 2000
CORNERS = ("neither", "asct", "cart", "both")
_TITLE = Words(en="", zh="")


class Mechanism(Content):
    """A mechanism and how it is switched off; the last part of the remainder has no switch."""

    title: Words
    describes: Words
    without_it: Change = Change()


class Mechanisms(Content):
    """The mechanisms of one model, and what their remainder consists of."""

    id: str
    model: str
    notes: tuple[str, ...] = ()
    mechanisms: dict[str, Mechanism] = Field(min_length=1, max_length=6)
    remainder: dict[str, Mechanism] = Field(min_length=1)


@dataclass(frozen=True)
class Question:
    """What is attributed: the protocol with its square, two arms of it, and the mechanisms.

    Attributes
    ----------
    corners : arm of the protocol for each corner of the square
    """

    trial: Protocol
    who: Population
    corners: Mapping[str, str]
    mechanisms: Mechanisms
    document: Document


@dataclass(frozen=True)
class Attribution:
    """The result.

    Attributes
    ----------
    shares : a row for each world, outcome and part: ``kind`` (total, mechanism, remainder, selection), ``estimate``,
        ``lower``, ``upper``, ``monte_carlo_se``, ``parameter_sd``, ``n``, ``alone`` (the part acting alone) and
        ``last`` (lost when it alone is switched off), ``informed`` (the data moved it from the prior's answer)
    arms : a row for each world, outcome and corner of the square: the mean with its interval
    square : a row for each world and outcome: observed, expected under independent action, and the excess, with what is
        not known of the parameters in its interval
    """

    question: Question
    worlds: tuple[worlds.World, ...]
    outcomes: Mapping[str, outcomes.Outcome]
    shares: pd.DataFrame
    arms: pd.DataFrame
    square: pd.DataFrame
    facts: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the tables as Parquet and the whole as ``attribution.json``."""
        for name in ("shares", "arms", "square"):
            write_whole(folder / f"{name}.parquet", getattr(self, name).to_parquet(index=False))
        tables = {name: _records(getattr(self, name)) for name in ("shares", "arms", "square")}
        text = json.dumps({**self.facts, **tables}, indent=1, ensure_ascii=False)
        write_whole(folder / "attribution.json", text.encode())


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records", double_precision=10))


def read_question(name_or_path: str | Path, mechanisms: str | Path | None = None) -> Question:
    """Read a protocol and the mechanisms of its model.

    Parameters
    ----------
    name_or_path : id or path of a protocol with an arm of ASCT and CAR-T
    mechanisms : id or path of a file of mechanisms; that of the protocol's model by default

    Raises
    ------
    ContentError
        Every problem of the files; or the protocol has no such arm.
    """
    trial, who = enrollment.read(name_or_path)
    place = load(library.find("protocols", name_or_path))
    if not any(arm.therapy == "asct_cart" for arm in trial.arms.values()):
        cure = "attribute a protocol that has one"
        raise ContentError(place.problem("no arm gives both stem cells and CAR-T cells", ("arms",), cure=cure))
    squared = protocol.square(trial)
    document = load(library.find("mechanisms", mechanisms or trial.model))
    found = parse(document, Mechanisms)
    problems = _problems(found, trial, document)
    if problems:
        raise ContentError(problems)
    return Question(squared, who, _corners(squared), found, document)


def _problems(found: Mechanisms, trial: Protocol, document: Document) -> list[Problem]:
    problems = []
    if found.model != trial.model:
        what = f'mechanisms of model "{found.model}" for a protocol with model "{trial.model}"'
        problems.append(document.problem(what, ("model",)))
    for name in set(found.mechanisms) & set(found.remainder):
        problems.append(document.problem(f'"{name}" is a mechanism and a part of the remainder', ("remainder", name)))
    return problems


def _corners(trial: Protocol) -> dict[str, str]:
    """Return the arm of each corner of the square: the first combined arm and its counterparts."""
    first: dict[str, str] = {}
    for arm in trial.arms.values():
        first.setdefault("both" if arm.therapy == "asct_cart" else arm.therapy, arm.id)
    return first


def variants_of(question: Question) -> list[Variant]:
    """Return the design points: both arms for every coalition, the steps of the remainder, and the square."""
    made = [
        Variant(_name(corner, step), _TITLE, question.corners[corner], change, place)
        for step, change, place in _steps(question.mechanisms)
        for corner in ("both", "cart")
    ]
    corners = [Variant(corner, _TITLE, question.corners[corner], Change()) for corner in ("asct", "neither")]
    return made + corners


def _name(corner: str, step: str) -> str:
    return f"{corner}: {step}" if step else corner


def _steps(found: Mechanisms) -> Iterator[tuple[str, Change, tuple[str | int, ...]]]:
    """Yield name, change and place of each coalition, then of the remainder with ever more of it switched off."""
    for acting in coalitions(tuple(found.mechanisms)):
        yield _coalition(found, acting), _off(found, acting), ("mechanisms",)
    change = _off(found, frozenset())
    for name, part in list(found.remainder.items())[:-1]:
        change = change.merged(part.without_it)
        yield f"without {name}", change, ("remainder", name)


def _coalition(found: Mechanisms, acting: frozenset[str]) -> str:
    if len(acting) == len(found.mechanisms):
        return ""
    return "only " + "+".join(name for name in found.mechanisms if name in acting)


def _off(found: Mechanisms, acting: frozenset[str]) -> Change:
    change = Change()
    for name, mechanism in found.mechanisms.items():
        if name not in acting:
            change = change.merged(mechanism.without_it)
    return change


def attribute(  # noqa: PLR0913 -- named options with defaults
    name_or_path: str | Path,
    *,
    folder: Path | str = Path("runs/attribution"),
    subjects: int = 300,
    seed: int = 1,
    mechanisms: str | Path | None = None,
    outcome_names: tuple[str, ...] = OUTCOMES,
    until_days: float | None = None,
    structures: tuple[str, ...] = (),
    knowledge: tuple[str, ...] | None = None,
    workers: int = 2,
    where: Where = "threads",
    parameter_sets: int = 25,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _all: None,
) -> Attribution:
    """Attribute the difference between ASCT + CAR-T and CAR-T alone to the mechanisms of conditioning and graft.

    Parameters
    ----------
    name_or_path : protocol with an arm of both
    folder : of the study; what a killed study finished is found again
    subjects : virtual patients, each in every arm
    outcome_names : of ``library/study_outcomes``
    until_days : follow-up from enrollment; as short as the outcomes allow by default
    structures : rival structures of ``library/structures`` that the attribution is repeated in
    knowledge : of ``typical``, ``prior``, ``posterior``; the best there is and the prior by default
    where : ``"threads"``, which suits notebooks, or ``"processes"``, which is faster
    parameter_sets : parameter sets that the patients of the prior and of the calibrated ensemble take
    progress : called with (world, subjects done, subjects in all)

    Raises
    ------
    ContentError
        Every problem of the protocol or of the mechanisms.

    Examples
    --------
    ::

        from seedbed import attribute
        found = attribute("wei_2022_tp53", subjects=100)
        found.shares.query("outcome == 'crs_3' and world == 'typical'")
    """
    question = read_question(name_or_path, mechanisms)
    wanted = outcomes.chosen(outcome_names)
    derived = derive(question.trial, variants_of(question), question.document)
    until = until_days or _follow_up(wanted, question.trial)
    setup = worlds.Setup(Path(folder), subjects, seed, until, workers, where, parameter_sets)
    tables, used = [], worlds.worlds_of(question.trial.model, structures, knowledge)
    for world in used:
        shown = worlds.replace_progress(setup, world, len(derived.protocol.arms), progress)
        endpoints = worlds.simulate_world(shown, derived.protocol, question.who, world)
        tables.append(_world_tables(question, derived, world, wanted, endpoints))
    joined = [pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True)]
    about = worlds.facts_of(used, question.trial.model, subjects, parameter_sets)
    joined[0] = decision.with_verdict(joined[0], ["outcome", "part"], about["parameter_sets"], together=["outcome"])
    facts = {
        "protocol": question.trial.id, "subjects": subjects, "seed": seed, "until_days": until,
        "simulated_arms": len(derived.protocol.arms), **about,
    }  # fmt: skip
    return Attribution(question, tuple(used), wanted, *joined, facts)


def _follow_up(wanted: Mapping[str, outcomes.Outcome], trial: Protocol) -> float:
    """Return a follow-up [day] that lets every outcome be seen."""
    if any(outcome.kind == "free_at_end" for outcome in wanted.values()):
        return float(trial.follow_up_days)
    last = max(outcome.latest_day for outcome in wanted.values())
    return float(min(trial.follow_up_days, max(last + 1.0, 250.0)))


def _world_tables(
    question: Question,
    derived: Derived,
    world: worlds.World,
    wanted: Mapping[str, outcomes.Outcome],
    endpoints: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    table = outcomes.tabulate(endpoints, dict(wanted))
    member = endpoints.drop_duplicates("subject").set_index("subject")["parameter_set"]
    selected = endpoints[["subject", "arm", "selected"]]
    shares, arms, square = [], [], []
    for name, outcome in wanted.items():
        case = _Case(question.mechanisms, derived, table, member, name, "share" if outcome.is_share else "number")
        shares += [{"world": world.id, "outcome": name, **row} for row in case.shares()]
        shares += [{"world": world.id, "outcome": name, **row} for row in case.selection(selected)]
        arms += [{"world": world.id, "outcome": name, **row} for row in case.corners()]
        if name in SQUARE_OUTCOMES:
            square += [{"world": world.id, "outcome": name, **row} for row in case.square()]
    return pd.DataFrame(shares), pd.DataFrame(arms), pd.DataFrame(square)


@dataclass(frozen=True)
class _Case:
    """One outcome in one world."""

    mechanisms: Mechanisms
    derived: Derived
    table: pd.DataFrame
    member: pd.Series
    outcome: str
    kind: worlds.Kind

    def _difference(self, step: str, subjects: pd.Index, wide: pd.DataFrame) -> np.ndarray:
        both, cart = (self.derived.arm_of[_name(corner, step)] for corner in ("both", "cart"))
        return (wide.loc[subjects, both] - wide.loc[subjects, cart]).to_numpy(dtype=float)

    def shares(self) -> Iterator[dict[str, Any]]:
        """Yield the whole difference, the share of each mechanism and the parts of the remainder."""
        steps = [step for step, _, _ in _steps(self.mechanisms)]
        arms = [self.derived.arm_of[_name(corner, step)] for step in steps for corner in ("both", "cart")]
        wide = self.table.pivot(index="subject", columns="arm", values=self.outcome)
        subjects = wide[list(dict.fromkeys(arms))].dropna().index
        players = tuple(self.mechanisms.mechanisms)
        found = shapley(players, lambda acting: self._difference(_coalition(self.mechanisms, acting), subjects, wide))
        sets = self.member.loc[subjects].to_numpy()
        kind = "difference of shares" if self.kind == "share" else "number"
        yield {"kind": "total", "part": "total", **worlds.estimate_mean(found.total, sets, kind)}
        yield from self._mechanism_rows(players, found, subjects)
        before = found.none
        for name in self.mechanisms.remainder:
            after = self._difference(f"without {name}", subjects, wide) if self._has_step(name) else 0.0 * before
            yield {"kind": "remainder", "part": name, **self._estimate(before - after, subjects)}
            before = after

    def _has_step(self, name: str) -> bool:
        return _name("both", f"without {name}") in self.derived.arm_of

    def _mechanism_rows(self, players: tuple[str, ...], found: Shares, subjects: pd.Index) -> Iterator[dict[str, Any]]:
        for k, name in enumerate(players):
            yield {
                "kind": "mechanism",
                "part": name,
                **self._estimate(found.share[k], subjects),
                "alone": float(found.alone[k].mean()),
                "last": float(found.last[k].mean()),
            }

    def _estimate(self, values: np.ndarray, subjects: pd.Index) -> dict[str, float]:
        sets = self.member.loc[subjects].to_numpy()
        found = worlds.estimate_mean(values, sets)
        if len(np.unique(sets)) > 1:
            return found
        resampled = analysis.bootstrap(values, np.mean, seed=1, n_resamples=RESAMPLES)
        return {**found, "lower": resampled.lower, "upper": resampled.upper}

    def selection(self, selected: pd.DataFrame) -> Iterator[dict[str, Any]]:
        """Yield what the study's selection of patients adds to its unadjusted comparison."""
        arms = [self.derived.arm_of[corner] for corner in ("both", "cart")]
        chosen = self.table.merge(selected, on=["subject", "arm"])
        parts = [chosen[(chosen["arm"] == arm)].dropna(subset=[self.outcome]) for arm in arms]
        if all(part["selected"].all() for part in parts):
            return
        taken = [part.loc[part["selected"], self.outcome] for part in parts]
        everyone = [part[self.outcome] for part in parts]
        value = (taken[0].mean() - everyone[0].mean()) - (taken[1].mean() - everyone[1].mean())
        error = float(np.sqrt(sum(part.var(ddof=1) / len(part) * _outside(part, full) for part, full in
                                  zip(taken, everyone, strict=True))))  # fmt: skip
        found = analysis.Estimate.from_normal(float(value), error, len(taken[0]))
        yield {
            "kind": "selection", "part": "selection", "estimate": found.value, "lower": found.lower,
            "upper": found.upper, "between_patient_sd": np.nan, "parameter_sd": np.nan, "monte_carlo_se": error,
            "n": found.n,
        }  # fmt: skip

    def corners(self) -> Iterator[dict[str, Any]]:
        """Yield the mean of each corner of the square."""
        for corner in CORNERS:
            rows = self.table[self.table["arm"] == self.derived.arm_of[corner]].dropna(subset=[self.outcome])
            if len(rows) > 1:
                sets = self.member.loc[rows["subject"]].to_numpy()
                values = rows[self.outcome].to_numpy(dtype=float)
                yield {"corner": corner, **worlds.estimate_mean(values, sets, self.kind)}

    def square(self) -> Iterator[dict[str, Any]]:
        """Yield what both treatments together do beyond acting independently."""
        names = analysis.Square(*(self.derived.arm_of[corner] for corner in CORNERS))
        subjects, values = outcomes.cube(self.table, names.names(), self.outcome)
        found = analysis.excess_of_patients(values, self.member.loc[subjects].to_numpy(), square=names)
        for scale in ("over_independent_action", "over_sum", "over_better_single"):
            item = getattr(found, scale)
            yield {
                "scale": scale, "both": found.success[names.both], "expected": found.expected,
                "estimate": item.value, "lower": item.lower, "upper": item.upper, "n": item.n,
            }  # fmt: skip


def _outside(part: pd.Series, full: pd.Series) -> float:
    """Return the finite-population factor of a mean of some of the subjects against the mean of all of them."""
    return max(0.0, 1.0 - len(part) / len(full))


__all__ = ["Attribution", "Mechanism", "Mechanisms", "Question", "attribute", "read_question"]
