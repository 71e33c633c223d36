"""Which differences between two studies would be enough, in the model, to carry results that contradict each other.

The first study is simulated as it was, then with every set of the differences changed to the second study's side. A
set suffices when the second study's result lies in its 90 % predictive interval and the first one's lies in that of
the unchanged study. The published results do not tell which differences are at work: no set is identified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from seedbed import evidence, library
from seedbed.calibration.emulation import Emulation
from seedbed.calibration.ensemble import Ensemble
from seedbed.calibration.ensemble import read as read_ensemble
from seedbed.calibration.trial_simulator import TrialSimulator, arm_task
from seedbed.calibration.validation import parameter_part
from seedbed.documents import Content, read
from seedbed.errors import ContentError, unknown
from seedbed.population.parameter_sets import ParameterSets
from seedbed.sources import Words

Floats = NDArray[np.float64]
Grade = Literal["crs_grade", "icans_grade"]
LEVEL = 0.90
FAMILY = "toxicity"
REPEATS = 40


class Difference(Content):
    """One way in which the second study differs: what changes in the emulation, and perhaps the product.

    Conditions on covariates are added to those of the first study and take the place of those on the same covariate.
    What is `always` changed is what the second result is about; the other differences are only supposed.
    """

    describes: Words
    changes: dict[str, object]
    product: str | None = None
    always: bool = False


class Side(Content):
    """A published result: rows ``study.arm.row`` whose counts are added."""

    rows: tuple[str, ...]


class Emulated(Side):
    """A published result and what emulates its study."""

    emulation: Emulation
    product: str | None = None


class Contradiction(Content):
    """Two results; `toxic` are the grades of which one of at least 1 counts."""

    id: str
    title: Words
    toxic: tuple[Grade, ...]
    first: Emulated
    second: Side
    differences: dict[str, Difference]


class Contradictions(Content):
    """The content file."""

    id: str
    describes: str
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True)
class Answer:
    """What the first study would show with a set of differences changed.

    Attributes
    ----------
    changed : the differences
    share, lower, upper : predicted share with its 90 % interval at the size of the second study (of the first where
        nothing is changed)
    published : result it is held against
    """

    changed: tuple[str, ...]
    share: float
    lower: float
    upper: float
    published: float

    @property
    def carries(self) -> bool:
        """Whether the published result lies in the interval."""
        return self.lower - 1e-9 <= self.published <= self.upper + 1e-9


def read_plan(name_or_path: str | Path = "contradictions") -> Contradictions:
    """Return the contradictions of the library, or of a file."""
    return read(library.find("plans", name_or_path), Contradictions)


def examine(
    item: Contradiction,
    ensemble: str | Path,
    *,
    subjects: int = 40,
    seed: int = 1,
    report: Callable[[str], None] = lambda _message: None,
) -> list[Answer]:
    """Simulate the first study with every set of differences; the empty set first.

    Parameters
    ----------
    ensemble : calibrated ensemble, by id or file
    subjects : virtual patients of each parameter set
    report : told which set is simulated

    Raises
    ------
    ContentError
        A row is unknown, or the library holds no such ensemble.
    """
    found = read_ensemble(ensemble)
    answers = []
    for changed in subsets(item.differences):
        report(", ".join(changed) or "as published")
        events, n = counts(item.second if changed else item.first)
        draws = _shares(item, changed, found, subjects, seed)
        generator = np.random.default_rng([seed, 17])
        seen = generator.binomial(n, draws) / n
        low, high = np.quantile(seen, [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0])
        answers.append(Answer(changed, float(draws.mean()), float(low), float(high), events / n))
    return answers


def sufficient(answers: list[Answer]) -> list[tuple[str, ...]]:
    """Return the sets that carry both results; none where the unchanged study does not show its own."""
    if not answers[0].carries:
        return []
    return [answer.changed for answer in answers[1:] if answer.carries]


def subsets(differences: Mapping[str, Difference]) -> Iterator[tuple[str, ...]]:
    """Yield no difference, then all sets of them that hold what is always changed, the smallest first."""
    fixed = tuple(name for name, difference in differences.items() if difference.always)
    free = tuple(name for name in differences if name not in fixed)
    yield ()
    for size in range(len(free) + 1):
        for chosen in combinations(free, size):
            if fixed or chosen:
                yield (*fixed, *chosen)


def counts(side: Side) -> tuple[int, int]:
    """Return events and patients of a published result, over its rows; events not printed follow from the share."""
    table = evidence.rows()
    names = table["study"] + "." + table["arm"] + "." + table["row"]
    problems = [unknown("row", name, list(names)) for name in side.rows if name not in set(names)]
    if problems:
        raise ContentError(problems)
    mine = table[names.isin(side.rows)]
    events = mine["events"].fillna((mine["value"] * mine["n"]).round())
    return int(events.sum()), int(mine["n"].sum())


def _shares(item: Contradiction, changed: tuple[str, ...], ensemble: Ensemble, subjects: int, seed: int) -> Floats:
    """Return draws of the share with toxicity: parameters, then the deviation of a study."""
    emulation, product = _emulated(item, changed)
    provenance = ensemble.provenance
    sets = ParameterSets(provenance.parameters, ensemble.sets, provenance.seed)
    simulator = TrialSimulator({item.id: arm_task(emulation, ())}, provenance.parameters)
    values, members = sets.values_for(product), np.arange(len(sets.table))
    table, member = simulator.patients(item.id, values, members, subjects, seed)
    infused = table["infused"].to_numpy(bool)
    toxic = (table[list(item.toxic)].fillna(0).to_numpy(float) >= 1).any(axis=1)
    n = np.bincount(member[infused], minlength=len(members)).astype(float)
    events = np.bincount(member[infused & toxic], minlength=len(members)).astype(float)
    link = parameter_part("share", np.where(n > 0, events / np.maximum(n, 1.0), np.nan), n)
    tau = _deviation(ensemble.sets)
    luck = np.random.default_rng([seed, 16]).standard_normal((REPEATS, len(link)))
    return expit(np.clip(link, -7.0, 7.0) + tau * luck).ravel()


def _deviation(sets: pd.DataFrame) -> Floats:
    name = f"between_study:{FAMILY}"
    return sets[name].to_numpy(float) if name in sets else np.zeros(len(sets))


def _emulated(item: Contradiction, changed: tuple[str, ...]) -> tuple[Emulation, str | None]:
    emulation, product = item.first.emulation, item.first.product
    data = emulation.model_dump(mode="json", by_alias=True, exclude_none=True)
    for name in changed:
        difference = item.differences[name]
        chosen = _merged(data.get("chosen", []), difference.changes.get("chosen", []))
        data |= {**difference.changes, "chosen": chosen}
        product = difference.product or product
    return Emulation.model_validate(data), product


def _merged(before: list[dict[str, Any]], added: Any) -> list[dict[str, Any]]:
    """Return conditions with others added, in place of those on the same covariates."""
    covariates = {condition["covariate"] for condition in added}
    return [*(condition for condition in before if condition["covariate"] not in covariates), *added]
