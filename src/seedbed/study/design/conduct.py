"""The conduct of trial replicates: who enters when, is randomized to what, drops out, and misses visits.

Arrays are (R, n): R replicates of n subjects in order of entry. Numbers come from a generator that is a pure
function of (seed, purpose, chunk), so that results do not depend on how many workers there are.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seedbed.study.design.plan import Accrual, Plan, StratificationFactor
from seedbed.study.design.pool import PoolData

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
DAYS_PER_MONTH = 30.4375
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class Draw:
    """R replicates of a trial before anything is observed."""

    subject: Integers
    """Row in the pool."""
    arm: Integers
    """0 control, 1, 2, ... the experimental arms."""
    stratum: Integers
    entry: Floats
    """Calendar day of randomization."""
    drop_out: Floats
    """Day from randomization on which the subject is lost."""
    missed: Integers
    """(3, R, n): visits missed in a row at progression, before death, and before the last contact."""


def generator(seed: int, purpose: str, chunk: int = 0) -> np.random.Generator:
    """Return the generator of one purpose and chunk."""
    key = np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), chunk])
    return np.random.Generator(np.random.Philox(key))


def draw(
    plan: Plan,
    pool: PoolData,
    strata: Integers,
    shape: tuple[int, int],
    random: np.random.Generator,
    *,
    distinct: bool = False,
) -> Draw:
    """Draw replicates: subjects from the pool, entry, arm, drop-out, missed visits.

    Parameters
    ----------
    strata : (N,) stratum of each subject of the pool
    shape : (R, n)
    distinct : draw without replacement within a replicate, which makes each replicate a sample of independent
        patients however small the pool is; for pools of at least n subjects
    """
    if distinct:
        subject = np.argsort(random.random((shape[0], pool.n)), axis=-1)[:, : shape[1]]
    else:
        subject = random.integers(0, pool.n, shape)
    stratum = strata[subject]
    arm = randomize(plan, stratum, random)
    return Draw(
        subject,
        arm,
        stratum,
        entries(plan.accrual, shape, random),
        _drop_out(plan, pool.arms, arm, random),
        _missed(plan.assessments.missed_probability, shape, random),
    )


def strata_of(factors: tuple[StratificationFactor, ...], covariates: pd.DataFrame) -> Integers:
    """Return the stratum 0, 1, ... of each subject, from the levels of all factors together."""
    code = np.zeros(len(covariates), dtype=np.int64)
    for factor in factors:
        column = covariates[factor.covariate]
        levels = column > factor.above if factor.above is not None else column
        values, uniques = pd.factorize(levels, sort=True)
        code = code * (len(uniques) + 1) + values + 1
    return np.unique(code, return_inverse=True)[1].astype(np.int64)


def entries(accrual: Accrual, shape: tuple[int, int], random: np.random.Generator) -> Floats:
    """Return sorted calendar days of entry of a Poisson process whose rate ramps up linearly, (R, n)."""
    expected = np.cumsum(random.standard_exponential(shape), axis=-1)
    ramp = accrual.ramp_up_months
    by_ramp_end = accrual.per_month * ramp / 2
    early = np.sqrt(2 * expected * ramp / accrual.per_month)
    late = ramp + (expected - by_ramp_end) / accrual.per_month
    return np.where(expected < by_ramp_end, early, late) * DAYS_PER_MONTH


def randomize(plan: Plan, stratum: Integers, random: np.random.Generator) -> Integers:
    """Return the arm of each subject by permuted blocks within strata, (R, n)."""
    template = np.repeat(np.arange(len(plan.arms)), [arm.ratio for arm in (plan.control, *plan.experimental)])
    size = plan.stratification.block_size
    slots = np.tile(template, size // template.size)
    n_replicates, n = stratum.shape
    order = np.argsort(stratum, axis=-1, kind="stable")
    ordered = np.take_along_axis(stratum, order, -1)
    rank = _rank_within(ordered)
    key = ordered * (n + 1) + rank // size + random.random((n_replicates, n))
    shuffled = np.argsort(key, axis=-1)
    offsets = random.integers(0, size, (n_replicates, int(stratum.max()) + 1, n // size + 1))
    offset = offsets[np.arange(n_replicates)[:, None], ordered, rank // size]
    arm = np.empty_like(stratum)
    subjects = np.take_along_axis(order, shuffled, -1)
    np.put_along_axis(arm, subjects, slots[(rank % size + offset) % size], -1)
    return arm


def _rank_within(ordered: Integers) -> Integers:
    """Return the rank 0, 1, ... of each position within its run of equal numbers."""
    position = np.arange(ordered.shape[-1])
    first = np.ones(ordered.shape, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.maximum.accumulate(np.where(first, position, 0), axis=-1)
    return position - start


def _drop_out(plan: Plan, arms: tuple[str, ...], arm: Integers, random: np.random.Generator) -> Floats:
    hazards = np.array([-np.log1p(-plan.drop_out.yearly(name)) / DAYS_PER_YEAR for name in arms])
    waiting = random.standard_exponential(arm.shape)
    rate = hazards[arm]
    return np.divide(waiting, rate, out=np.full(arm.shape, np.inf), where=rate > 0)


def _missed(probability: float, shape: tuple[int, int], random: np.random.Generator) -> Integers:
    if probability == 0:
        return np.zeros((3, *shape), dtype=np.int64)
    return random.geometric(1 - probability, (3, *shape)) - 1
