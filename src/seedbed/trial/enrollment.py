"""Enroll virtual patients in a trial: screen them, and work out what each would get in every arm.

Every subject stands in every arm with the same luck; `selected` marks whom the arm of an emulated study took.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter

from seedbed import library, population, protocol
from seedbed.documents import Document, load, placed
from seedbed.errors import ContentError, Problem, nearest
from seedbed.model import read_model
from seedbed.population import PREFIX, Parameter, Population
from seedbed.population.checks import DERIVED_AT_ENROLLMENT
from seedbed.population.distributions import BetweenPatients, level_name, levels
from seedbed.population.parameter_sets import FACTOR_PREFIX, ParameterSets
from seedbed.protocol import Arm, Condition, Protocol
from seedbed.protocol.checks import complete_arms
from seedbed.trial.criteria import car_hematotox2021
from seedbed.trial.logistics import DEATH, MANUFACTURING, MOBILIZATION, PROGRESSION, luck_of, schedule
from seedbed.trial.products import FACTOR, cart_cells, product_parameters

SMALLEST_CHUNK, LARGEST_CHUNK = 256, 4096
FEWEST_ELIGIBLE, JUDGED_AFTER = 1 / 2000, 16384
_SCORE_MARKERS = ("platelets", "neutrophils", "hemoglobin", "crp", "ferritin")
_SPREAD: TypeAdapter[Any] = TypeAdapter(BetweenPatients)


@dataclass(frozen=True)
class Enrollment:
    """The subjects of a trial and what each would get in every arm.

    Attributes
    ----------
    subjects : one row a virtual patient: ``subject``, covariates, ``parameter:<id>`` in the model's units, and
        with calibrated sets ``parameter_set``, the set that the patient takes
    arm_tables : arm -> the same subjects in the same order; columns as in `logistics.schedule`, and ``subject``,
        ``selected``, ``weight_kg``, ``bsa_m2``, ``cd34_per_kg`` [1e6/kg], ``cart_cells`` [1e9] and the
        ``parameter:<id>`` that the arm's product decides
    flow : how many take each step, by arm: ``arm``, ``step``, ``n``
    """

    subjects: pd.DataFrame
    arm_tables: dict[str, pd.DataFrame]
    flow: pd.DataFrame


def read(name_or_path: str | Path) -> tuple[Protocol, Population]:
    """Return a protocol and its population, checked each by itself and against each other.

    Raises
    ------
    ContentError
        Every problem of the protocol, the population and their fit, in one message.
    """
    document = load(library.find("protocols", name_or_path))
    found, problems = protocol.inspect(document)
    who = None
    if found is not None:
        try:
            who = read_population(_beside(document, found.population), found)
        except ContentError as error:
            problems = problems + placed(error.problems, document, ("population",))
    if found is not None and who is not None:
        problems = problems + fit_problems(found, who, document)
    if problems or found is None or who is None:
        raise ContentError(problems)
    return protocol.trimmed(found), who


def _beside(document: Document, name: str) -> str | Path:
    """Return a population given as a path relative to the protocol's file, or its id in the library."""
    own = document.path.parent / name
    return own if own.suffix in {".yaml", ".yml"} and own.exists() else name


def read_population(name_or_path: str | Path, trial: Protocol) -> Population:
    """Return the population of a protocol, checked against the protocol's model.

    Raises
    ------
    ContentError
        Every problem of the population's files.
    """
    required = trial.inputs.required_of_population if trial.inputs else ()
    return population.read(name_or_path, known_parameters=model_parameters(trial.model), required_parameters=required)


def resolve(trial: Protocol, who: Population) -> dict[str, Any]:
    """Return protocol and population as plain data from which a run can be repeated; see `read_resolved`."""
    return {"protocol": protocol.resolve(trial), "population": who.model_dump(mode="json")}


def read_resolved(data: Mapping[str, Any]) -> tuple[Protocol, Population]:
    """Return the protocol and population of the plain data that `resolve` gave."""
    return protocol.read_resolved(data["protocol"]), Population.model_validate(data["population"])


@library.cached
def model_parameters(model: str) -> dict[str, Parameter]:
    """Return typical value and between-patient distribution of every parameter of a model."""
    return {
        name: Parameter(
            parameter.value,
            _SPREAD.validate_python(parameter.between_patient.model_dump(exclude_none=True))
            if parameter.between_patient is not None
            else None,
        )
        for name, parameter in read_model(model).parameters.items()
    }


def fit_problems(trial: Protocol, who: Population, place: Document) -> list[Problem]:
    """Return where a protocol does not fit its population: covariates, levels, targets, model."""
    problems = [
        problem
        for keys, condition in _conditions(trial)
        for problem in _condition_problems(condition, who, place, keys)
    ]
    if trial.model != who.model:
        what = f'model "{trial.model}", but population "{who.id}" is made for "{who.model}"'
        problems.append(place.problem(what, ("model",)))
    for arm in complete_arms(trial):
        targets = [name for e in arm.cart_elements for name in _product_antigens(trial, e.product)]
        if targets and not set(targets) & set(who.antigens):
            what = f'arm "{arm.id}": no tumor cell of population "{who.id}" carries {" or ".join(targets)}'
            expected = f"a target among {', '.join(who.antigens)}"
            problems.append(place.problem(what, ("arms", arm.id, "elements"), expected=expected))
    return problems


def _product_antigens(trial: Protocol, product: str) -> tuple[str, ...]:
    return trial.products[product].antigens if product in trial.products else ()


def _conditions(trial: Protocol) -> Iterator[tuple[tuple[str | int, ...], Condition]]:
    for index, condition in enumerate(trial.eligibility):
        yield ("eligibility", index), condition
    for condition in trial.inputs.transplant_eligible:
        yield ("population",), condition
    for name, arm in trial.arm_contents.items():
        for index, condition in enumerate(arm.selection):
            yield ("arms", name, "selection", index), condition


def _condition_problems(
    condition: Condition, who: Population, place: Document, keys: tuple[str | int, ...]
) -> list[Problem]:
    name = condition.covariate
    known = sorted({*who.covariates, *DERIVED_AT_ENROLLMENT})
    if name not in known:
        expected = f"one of {', '.join(known)}"
        near = nearest(name, known)
        return [place.problem(f'unknown covariate "{name}"', (*keys, "covariate"), expected=expected, nearest=near)]
    covariate = who.covariates.get(name)
    allowed = levels(covariate.distribution) if covariate is not None and covariate.distribution is not None else ()
    return [
        place.problem(f'"{level_name(value)}" is no level of {name}', keys, expected=f"one of {', '.join(allowed)}")
        for value in condition.values()
        if allowed and level_name(value) not in allowed
    ]


def screen(
    trial: Protocol, who: Population, candidates: ArrayLike, seed: int, sets: ParameterSets | None = None
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Draw candidates and hold them against the trial's eligibility.

    Parameters
    ----------
    candidates : (m,) numbers; a candidate's row depends on its number and the seed only
    sets : calibrated parameter sets, of which each candidate takes one

    Returns
    -------
    (patients, met)
        One row a candidate, and which condition of the protocol each meets, (m, n_conditions).
    """
    return _judged(trial, population.draw(who, _drawn_parameters(trial), candidates, seed, sets))


def screen_covariates(
    trial: Protocol, who: Population, candidates: ArrayLike, seed: int
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Do what `screen` does without drawing model parameters, on which eligibility and schedule do not depend."""
    return _judged(trial, population.draw(who, {}, candidates, seed))


def _judged(trial: Protocol, patients: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    patients = patients.rename(columns={PREFIX + name: FACTOR + name for name in _product_only(trial)})
    if all(name in patients for name in _SCORE_MARKERS):
        patients["car_hematotox"] = car_hematotox2021.score(*(patients[name] for name in _SCORE_MARKERS)).astype(float)
    fit = [condition.holds(patients) for condition in trial.inputs.transplant_eligible]
    patients["transplant_eligible"] = np.logical_and.reduce(fit)
    met = np.column_stack([condition.holds(patients) for condition in trial.eligibility])
    return patients, met


def _product_only(trial: Protocol) -> tuple[str, ...]:
    """Return the parameters whose value the product decides and a patient's covariates only scale."""
    product = trial.inputs.product
    return (product.memory_fraction, product.potency)


def _drawn_parameters(trial: Protocol) -> dict[str, Parameter]:
    by_product = {name: Parameter(1.0) for name in _product_only(trial)}
    made = trial.inputs.product
    fixed = {made.antigen_1, made.antigen_2, made.b_cell_weight, made.plasma_cell_weight}
    fixed |= {name for level in made.costimulation.values() for name in level}
    return {name: p for name, p in model_parameters(trial.model).items() if name not in fixed} | by_product


def enroll(trial: Protocol, who: Population, n: int, seed: int, sets: ParameterSets | None = None) -> Enrollment:
    """Screen candidates until `n` are eligible.

    Parameters
    ----------
    n : how many subjects to enroll
    seed : seed of the study
    sets : calibrated parameter sets, of which each subject takes one

    Returns
    -------
    Enrollment
        The first `n` candidates, by number, that meet the eligibility.

    Raises
    ------
    ContentError
        Hardly any candidate is eligible.
    """
    last = candidate_of(trial, who, n, seed)
    return enroll_between(trial, who, 0, last, seed, sets)


def schedules(trial: Protocol, who: Population, n: int, seed: int) -> dict[str, pd.DataFrame]:
    """Return for each arm when the first `n` eligible candidates are given what; see `logistics.schedule`."""
    last = candidate_of(trial, who, n, seed)
    candidates, met = screen_covariates(trial, who, np.arange(last + 1), seed)
    subjects = candidates[met.all(axis=1)].reset_index(drop=True)
    luck = luck_of(subjects, seed)
    return {name: schedule(arm, subjects, luck) for name, arm in trial.arms.items()}


def candidate_of(trial: Protocol, who: Population, n: int, seed: int) -> int:
    """Return the number of the candidate who is the n-th to be eligible."""
    *_, (_, last) = blocks(trial, who, n, seed, size=n)
    return last


def blocks(trial: Protocol, who: Population, n: int, seed: int, *, size: int) -> list[tuple[int, int]]:
    """Return ranges of candidates (first, last), each with `size` eligible ones, the last with the rest of `n`.

    Raises
    ------
    ContentError
        Hardly any candidate is eligible.
    """
    ends = [*range(size, n, size), n]
    eligible = np.empty(0, dtype=np.int64)
    start, chunk = 0, int(np.clip(2 * n, SMALLEST_CHUNK, LARGEST_CHUNK))
    while eligible.size < n:
        candidates = np.arange(start, start + chunk)
        _, met = screen_covariates(trial, who, candidates, seed)
        eligible = np.concatenate([eligible, candidates[met.all(axis=1)]])
        start += chunk
        if start >= JUDGED_AFTER and eligible.size < start * FEWEST_ELIGIBLE:
            rarest = trial.eligibility[int(met.mean(axis=0).argmin())]
            what = f'{eligible.size} of {start} candidates of population "{who.id}" are eligible for "{trial.id}"'
            cure = f"the rarest condition is: {rarest}; relax it or choose another population"
            raise ContentError(Problem(what, cure=cure))
    lasts = [int(eligible[end - 1]) for end in ends]
    firsts = [0, *(last + 1 for last in lasts[:-1])]
    return list(zip(firsts, lasts, strict=True))


def enroll_between(
    trial: Protocol, who: Population, first: int, last: int, seed: int, sets: ParameterSets | None = None
) -> Enrollment:
    """Screen the candidates from `first` to `last` and enroll the eligible ones; see `enroll`."""
    return enroll_candidates(trial, who, np.arange(first, last + 1), seed, sets)


def enroll_candidates(
    trial: Protocol, who: Population, numbers: ArrayLike, seed: int, sets: ParameterSets | None = None
) -> Enrollment:
    """Screen candidates by their numbers and enroll the eligible ones; see `enroll`."""
    candidates, met = screen(trial, who, numbers, seed, sets)
    subjects = candidates[met.all(axis=1)].reset_index(drop=True)
    luck = luck_of(subjects, seed)
    values = {name: parameter.value for name, parameter in model_parameters(trial.model).items()}
    product_of = _products_by_arm(trial)
    tables = {}
    for name, arm in trial.arms.items():
        table = schedule(arm, subjects, luck)
        own = _arm_columns(arm, subjects)
        made = product_of[name]
        parameters = product_parameters(made, who, subjects, values, seed) if made is not None else {}
        if sets is not None:
            parameters |= _adjusted_for_arm(made, who.disease, subjects, parameters, sets)
        parameters |= _changed_by_arm(trial, arm, subjects, parameters, values)
        tables[name] = pd.concat([own, table, pd.DataFrame(parameters, index=table.index)], axis=1)
    hidden = [column for column in subjects if column.startswith(("hazard:", "factor:", FACTOR))]
    shown = subjects.drop(columns=hidden)
    if sets is not None:
        shown = shown.assign(parameter_set=sets.rows(subjects["subject"]))
    return Enrollment(shown, tables, _flow(trial, met, tables))


def _adjusted_for_arm(
    made: Arm | None,
    disease: str,
    subjects: pd.DataFrame,
    parameters: Mapping[str, NDArray[np.float64]],
    sets: ParameterSets,
) -> dict[str, NDArray[np.float64]]:
    """Return the columns that parameter sets add to an arm: what its product differs in, and the clinic's factors."""
    numbers = subjects["subject"].to_numpy(dtype=np.int64)
    product = made.cart_elements[0].product if made is not None else None
    factors = sets.adjustments(numbers, disease).factors
    columns = {FACTOR_PREFIX + name: factor for name, factor in factors.items()}
    for name, ratio in sets.of_product(numbers, product, disease).items():
        column = PREFIX + name
        own = parameters[column] if column in parameters else subjects[column]
        columns[column] = np.asarray(own, dtype=float) * ratio
    return columns


def _changed_by_arm(
    trial: Protocol,
    arm: Arm,
    subjects: pd.DataFrame,
    parameters: Mapping[str, NDArray[np.float64]],
    values: Mapping[str, float],
) -> dict[str, NDArray[np.float64]]:
    """Return the columns of the parameters that any arm sets or multiplies, as they are in this arm."""
    columns = {}
    for name in dict.fromkeys(name for other in trial.arms.values() for name in other.parameters):
        column, change = PREFIX + name, arm.parameters.get(name)
        value = np.asarray(parameters.get(column, subjects.get(column, values[name])), dtype=float)
        if change is not None:
            value = np.asarray(change.set if change.multiply is None else value * change.multiply)
        columns[column] = np.broadcast_to(value, (len(subjects),)).astype(float)
    return columns


def _products_by_arm(trial: Protocol) -> dict[str, Arm | None]:
    """Return for each arm the arm whose product it uses: its own, or the first with CAR-T cells where it has none."""
    first = next((arm for arm in trial.arms.values() if arm.has_cart), None)
    return {name: arm if arm.has_cart else first for name, arm in trial.arms.items()}


def _arm_columns(arm: Arm, subjects: pd.DataFrame) -> pd.DataFrame:
    selected = np.ones(len(subjects), dtype=bool)
    for condition in arm.selection:
        selected &= condition.holds(subjects)
    graft = arm.graft
    cd34 = subjects["cd34_collected"].to_numpy(dtype=float) if graft is not None else np.full(len(subjects), np.nan)
    if graft is not None and graft.cd34 != "collected":
        cd34 = np.minimum(cd34, _per_kg(graft.cd34.amount, graft.cd34.unit, subjects))
    return pd.DataFrame(
        {
            "subject": subjects["subject"],
            "selected": selected,
            "weight_kg": subjects["weight_kg"].astype(float),
            "bsa_m2": subjects["bsa_m2"].astype(float),
            "cd34_per_kg": cd34,
            "cart_cells": cart_cells(arm, subjects) if arm.has_cart else np.full(len(subjects), np.nan),
        }
    )


def _per_kg(amount: float, unit: str, subjects: pd.DataFrame) -> NDArray[np.float64]:
    """Return a number of CD34 cells in 1e6 per kg."""
    weight = subjects["weight_kg"].to_numpy(dtype=float)
    return np.full(len(subjects), amount / 1e6) if unit == "cell/kg" else amount / weight / 1e6


def parameters(enrollment: Enrollment, arm: str) -> pd.DataFrame:
    """Return the model parameters of an arm, (n) rows, a column an id: the patients' own and the product's."""
    own = enrollment.subjects.filter(regex=f"^{PREFIX}")
    product = enrollment.arm_tables[arm].filter(regex=f"^{PREFIX}")
    kept = own.drop(columns=[name for name in product if name in own])
    both = pd.concat([kept, product.set_index(own.index)], axis=1)
    return both.rename(columns=lambda name: name.removeprefix(PREFIX))


def _flow(trial: Protocol, met: NDArray[np.bool_], tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the counts of the CONSORT diagram; an exclusion counts the first condition a candidate does not meet."""
    before = np.column_stack([np.ones(len(met), dtype=bool), np.logical_and.accumulate(met, axis=1)[:, :-1]])
    excluded = (before & ~met).sum(axis=0)
    screening = [("screened", len(met))]
    screening += [(f"excluded: {c}", int(k)) for c, k in zip(trial.eligibility, excluded, strict=True)]
    screening.append(("enrolled", int(met.all(axis=1).sum())))
    rows = []
    for name, arm in trial.arms.items():
        rows += [(name, step, n) for step, n in screening + _arm_steps(arm, tables[name])]
    return pd.DataFrame(rows, columns=["arm", "step", "n"])


def _arm_steps(arm: Arm, table: pd.DataFrame) -> list[tuple[str, int]]:
    """Return the steps of one arm, with zeros, so that blocks of candidates add up row by row."""
    taken = table[table["selected"]]
    steps = [("selected", len(taken))]
    reasons = [MOBILIZATION] if arm.has_graft else []
    reasons += [MANUFACTURING] if arm.has_cart else []
    for part, own in (("transplanted", arm.has_graft), ("infused", arm.has_cart)):
        if own:
            counts = taken[f"not_{part}"].value_counts()
            steps += [(f"not {part}: {why}", int(counts.get(why, 0))) for why in (PROGRESSION, DEATH, *reasons)]
            steps.append((part, int(counts.get("", 0))))
    return steps


def merge_flows(flows: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of several blocks of candidates added up, steps in the order of their first appearance."""
    return flows.groupby(["arm", "step"], sort=False, as_index=False)["n"].sum()
