"""The real simulator of a calibration: members are parameter sets of a virtual trial of one emulated arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed import protocol
from seedbed.calibration.emulation import Emulation, emulate
from seedbed.calibration.readings import Piece, read_members
from seedbed.calibration.simulator import MemberTerms
from seedbed.errors import SimulationError
from seedbed.population.parameter_sets import Change, ParameterSets
from seedbed.trial import endpoints, enrollment, events
from seedbed.trial.clinic import Clinic, read_contents
from seedbed.trial.rules import RuleSet, read_rules
from seedbed.trial.simulation import Settings, simulate, visit_days

BLOCK = 8192
"""Candidates kept for each member; of the eligible ones the first are simulated."""
RELATIVE_TOLERANCE = 1e-4
"""Looser than a run's: the error stays far below the sampling error of a member's patients."""
_PILOT = 512
_LEAST_DAYS = 75.0
FAILED_SHARE_ALLOWED = 0.05


@dataclass(frozen=True)
class ArmTask:
    """What is simulated for one arm of the plan, and what is read from it.

    Attributes
    ----------
    emulation : the emulated arm
    pieces : its terms
    until_days : follow-up from day 0 of the arm [day]
    infused_only : whether no term needs those who dropped out before treatment
    """

    emulation: Emulation
    pieces: tuple[Piece, ...]
    until_days: float
    infused_only: bool


def arm_task(emulation: Emulation, pieces: Sequence[Piece], *, least_days: float = _LEAST_DAYS) -> ArmTask:
    """Return the task of an arm: followed until its last landmark, whoever its denominators need."""
    last = max([least_days, *(piece.time_days * 1.02 + 14.0 for piece in pieces if piece.time_days is not None)])
    treated = {"infused", "transplanted", "treated"}
    return ArmTask(emulation, tuple(pieces), last, all(piece.denominator in treated for piece in pieces))


@dataclass(frozen=True)
class TrialSimulator:
    """Simulates the arms of a plan; picklable, so that processes can share the work.

    Attributes
    ----------
    tasks : per arm of the plan
    changes : what each calibrated parameter changes
    """

    tasks: Mapping[str, ArmTask]
    changes: Mapping[str, Change]

    def __call__(
        self, arm: str, parameters: pd.DataFrame, members: NDArray[np.int64], n_subjects: int, seed: int
    ) -> MemberTerms:
        """Simulate members; see `seedbed.calibration.simulator.Simulator`."""
        task = self.tasks[arm]
        table, member = self.patients(arm, parameters, members, n_subjects, seed)
        return MemberTerms(*read_members(task.pieces, table, member, len(members)))

    def patients(
        self, arm: str, parameters: pd.DataFrame, members: NDArray[np.int64], n_subjects: int, seed: int
    ) -> tuple[pd.DataFrame, NDArray[np.int64]]:
        """Return the endpoints of the simulated patients, and the member (position) that each belongs to."""
        task = self.tasks[arm]
        changes = {
            name: change.model_copy(update={"differs_by_product": False}) for name, change in self.changes.items()
        }
        sets = ParameterSets(changes, parameters, seed, np.asarray(members, np.int64), BLOCK)
        table = simulate_endpoints(task, members, n_subjects, seed, sets)
        return table, sets.rows(table["subject"].to_numpy(dtype=np.int64))


@cache
def _eligible_share(emulation: Emulation) -> float:
    trial, who = _emulated(emulation)
    _, met = enrollment.screen_covariates(trial, who, np.arange(_PILOT), 0)
    return max(float(met.all(axis=1).mean()), 1.0 / _PILOT)


@cache
def _emulated(emulation: Emulation) -> tuple[protocol.Protocol, enrollment.Population]:
    return emulate(emulation)


def candidates_of(emulation: Emulation, members: NDArray[np.int64], n_subjects: int, seed: int) -> NDArray[np.int64]:
    """Return the numbers of the first `n_subjects` eligible candidates of each member.

    Raises
    ------
    SimulationError
        A member has fewer eligible candidates than that.
    """
    trial, who = _emulated(emulation)
    tried = min(BLOCK, int(np.ceil(1.3 * n_subjects / _eligible_share(emulation))) + 10)
    numbers = (np.asarray(members)[:, None] * BLOCK + np.arange(tried)).reshape(-1)
    _, met = enrollment.screen_covariates(trial, who, numbers, seed)
    eligible = met.all(axis=1).reshape(len(members), tried)
    place = np.cumsum(eligible, axis=1)
    taken = eligible & (place <= n_subjects)
    if int(place[:, -1].min()) < n_subjects / 2:
        raise SimulationError(
            f'"{emulation.protocol}" finds {int(place[:, -1].min())} of {n_subjects} eligible patients for a member; '
            "relax `chosen`, or take another population"
        )
    return numbers.reshape(len(members), tried)[taken]


def simulate_endpoints(
    task: ArmTask, members: NDArray[np.int64], n_subjects: int, seed: int, sets: ParameterSets
) -> pd.DataFrame:
    """Return the endpoints table of an arm's simulated patients, those who could not be integrated left out.

    Raises
    ------
    SimulationError
        More than 5 % of the patients could not be integrated.
    """
    trial, who = _emulated(task.emulation)
    arm = next(iter(trial.arms.values()))
    numbers = candidates_of(task.emulation, members, n_subjects, seed)
    enrolled = enrollment.enroll_candidates(trial, who, numbers, seed, sets)
    if task.infused_only:
        enrolled = _treated(enrolled, arm)
    table = enrolled.arm_tables[arm.id]
    until = float(np.ceil(np.nanmax(table["day_zero_day"].to_numpy(dtype=float)) + task.until_days))
    days = visit_days(table, until)
    clinic = Clinic(
        arm=arm.id,
        arm_table=table,
        subjects=enrolled.subjects,
        seed=seed,
        disease=who.disease,
        response_criteria=who.response_criteria,
        contents=read_contents(care=arm.care),
        days=days,
    )
    settings = Settings(seed, until, RELATIVE_TOLERANCE, clinic.signals)
    doses = protocol.doses(arm, table, enrolled.subjects)
    course = simulate(trial.model, enrollment.parameters(enrolled, arm.id), doses, clinic, days, settings)
    sound = ~course.failed
    if sound.mean() < 1.0 - FAILED_SHARE_ALLOWED:
        reasons = course.status["reason"][course.failed].value_counts()
        raise SimulationError(
            f"{int((~sound).sum())} of {len(sound)} patients of {arm.id} failed: {reasons.index[0]}; narrow the priors"
        )
    record = clinic.record().take(sound)
    happened = events.derive(record, table[sound].reset_index(drop=True))
    derived = endpoints.derive(happened, record, rules_of_calibration(), data_cut_days=until)
    return derived.assign(treated=derived["infused" if arm.has_cart else "transplanted"].astype(bool))


@cache
def rules_of_calibration() -> RuleSet:
    """Return the standard rules, but with everyone without an event censored at the data cut.

    Shares at a landmark are read without a product-limit estimator: everyone is followed beyond the landmark, and
    censoring at the last assessment before it would drop those free of events and keep those with one.
    """
    rules = read_rules()
    survival = rules.survival.model_copy(update={"censor_at": "data_cut"})
    return rules.model_copy(update={"survival": survival})


def _treated(enrolled: enrollment.Enrollment, arm: protocol.Arm) -> enrollment.Enrollment:
    """Return only those who received the arm's cells: the CAR-T cells, or the graft where there are none."""
    table = enrolled.arm_tables[arm.id]
    given = table["cart_day" if arm.has_cart else "stem_cell_day"].notna().to_numpy()
    rows = np.flatnonzero(given)
    return enrollment.Enrollment(
        enrolled.subjects.iloc[rows].reset_index(drop=True),
        {arm.id: table.iloc[rows].reset_index(drop=True)},
        enrolled.flow,
    )
