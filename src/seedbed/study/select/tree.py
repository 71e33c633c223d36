r"""A shallow decision tree on paired differences, honest: one half of the patients grows it, the other half fills it.

A node is split where the two halves' mean differences are furthest apart in standard errors, but only if that passes a
Bonferroni limit over all splits tried in the node; so the tree may well have no split. Because the estimates in the
leaves come from patients who had no part in the structure, their intervals need no correction for the search
(Athey and Imbens 2016).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from seedbed import streams
from seedbed.study.select.pairs import Pairs
from seedbed.study.select.plan import Factor
from seedbed.study.select.plan import Tree as TreePlan
from seedbed.study.select.strata import effects

Floats = NDArray[np.float64]
CANDIDATES = 9
"""Quantiles of a numeric covariate that are tried as cuts."""


@dataclass(frozen=True)
class Split:
    """A question about one covariate: numbers up to `cut`, or levels in `among`, go left."""

    covariate: str
    cut: float | None = None
    among: tuple[str, ...] = ()

    def goes_left(self, subjects: pd.DataFrame) -> NDArray[np.bool_]:
        """Return who goes left (n,)."""
        values = subjects[self.covariate]
        if self.cut is not None:
            return values.to_numpy(dtype=float) <= self.cut
        return _as_levels(values).isin(self.among).to_numpy()


@dataclass(frozen=True)
class Node:
    """A node of the tree; a leaf has no split."""

    number: int
    depth: int
    split: Split | None = None
    left: Node | None = None
    right: Node | None = None

    def leaves(self) -> Iterator[Node]:
        """Yield the leaves from left to right."""
        if self.split is None or self.left is None or self.right is None:
            yield self
        else:
            yield from self.left.leaves()
            yield from self.right.leaves()

    def leaf_of(self, subjects: pd.DataFrame) -> NDArray[np.int64]:
        """Return the number of the leaf that each patient reaches (n,)."""
        if self.split is None or self.left is None or self.right is None:
            return np.full(len(subjects), self.number, dtype=np.int64)
        return np.where(self.split.goes_left(subjects), self.left.leaf_of(subjects), self.right.leaf_of(subjects))

    def paths(
        self, so_far: tuple[tuple[Split, bool], ...] = ()
    ) -> Iterator[tuple[int, tuple[tuple[Split, bool], ...]]]:
        """Yield each leaf's number with the splits that lead to it; True is left."""
        if self.split is None or self.left is None or self.right is None:
            yield self.number, so_far
        else:
            yield from self.left.paths((*so_far, (self.split, True)))
            yield from self.right.paths((*so_far, (self.split, False)))


def _as_levels(values: pd.Series) -> pd.Series:
    return values.map({True: "yes", False: "no"}) if values.dtype == bool else values.astype(str)


def halves(pairs: Pairs, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which patients grow the tree and which fill its leaves."""
    grows = streams.uniform(seed, "tree structure", pairs.subjects["subject"].to_numpy()) < 0.5
    return grows, ~grows


def grow(pairs: Pairs, factors: tuple[Factor, ...], plan: TreePlan, outcome: str, *, alpha: float) -> Node:
    """Grow a tree on patients who will not fill its leaves."""
    smallest = max(int(np.ceil(plan.smallest_leaf * pairs.n)), 10)
    counter = iter(range(1, 2 ** (plan.depth + 1)))
    return _grow(pairs, factors, outcome, (plan.depth, smallest, alpha), counter, 0)


def _grow(
    pairs: Pairs,
    factors: tuple[Factor, ...],
    outcome: str,
    limits: tuple[int, int, float],
    counter: Iterator[int],
    depth: int,
) -> Node:
    number = next(counter)
    deepest, smallest, alpha = limits
    split = best_split(pairs, factors, outcome, smallest, alpha) if depth < deepest else None
    if split is None:
        return Node(number, depth)
    left = split.goes_left(pairs.subjects)
    branches = [_grow(pairs.take(side), factors, outcome, limits, counter, depth + 1) for side in (left, ~left)]
    return Node(number, depth, split, branches[0], branches[1])


def best_split(pairs: Pairs, factors: tuple[Factor, ...], outcome: str, smallest: int, alpha: float) -> Split | None:
    """Return the split with the largest standardized difference, or None when none passes the Bonferroni limit."""
    difference = pairs.difference(outcome)
    tried = [split for factor in factors for split in candidates(factor, pairs.subjects, difference)]
    scores = [_score(split.goes_left(pairs.subjects), difference, smallest) for split in tried]
    if not scores or max(scores) < -ndtri(alpha / (2 * len(tried))):
        return None
    return tried[int(np.argmax(scores))]


def _score(left: NDArray[np.bool_], difference: Floats, smallest: int) -> float:
    n_left, n_right = int(left.sum()), int((~left).sum())
    if min(n_left, n_right) < smallest:
        return 0.0
    one, other = difference[left], difference[~left]
    error = np.sqrt(one.var(ddof=1) / n_left + other.var(ddof=1) / n_right)
    return float(abs(one.mean() - other.mean()) / error) if error > 0 else 0.0


def candidates(factor: Factor, subjects: pd.DataFrame, difference: Floats) -> Iterator[Split]:
    """Yield the splits of a covariate: the plan's cuts and quantiles of a number, or ordered groups of levels."""
    values = subjects[factor.covariate]
    if factor.cuts:
        shares = np.linspace(0, 1, CANDIDATES + 2)[1:-1]
        found = np.nanquantile(values.to_numpy(dtype=float), shares, method="lower")
        rounded = {float(f"{cut:.2g}") for cut in found} | set(factor.cuts)
        yield from (Split(factor.covariate, cut=cut) for cut in sorted(rounded))
        return
    shown = _as_levels(values)
    means = pd.Series(difference).groupby(shown.to_numpy()).mean().sort_values()
    order = [name for name in factor.order if name in means.index] or list(means.index)
    yield from (Split(factor.covariate, among=tuple(order[:k])) for k in range(1, len(order)))


def fill(node: Node, pairs: Pairs) -> pd.DataFrame:
    """Return the effects in each leaf, from patients who had no part in the structure.

    Returns
    -------
    DataFrame
        ``leaf``, ``share``, ``outcome`` and the columns of `strata.effect`.
    """
    leaf = node.leaf_of(pairs.subjects)
    parts = [
        effects(pairs.take(leaf == each.number)).assign(leaf=each.number, share=float((leaf == each.number).mean()))
        for each in node.leaves()
    ]
    return pd.concat(parts, ignore_index=True)
