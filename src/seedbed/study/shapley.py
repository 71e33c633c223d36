r"""Shapley shares: what each of several causes contributes to a difference, when they act together.

A *value function* gives for each coalition of causes (those that act) the difference it makes. The share of a cause
is its marginal contribution averaged over all orders in which the causes could be switched on,

.. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|!\,(n-|S|-1)!}{n!}\,\{v(S\cup i)-v(S)\},

so that shares add up to :math:`v(\text{all}) - v(\text{none})` exactly, causes that never change anything have
share zero, and causes that do the same have the same share (Shapley 1953, doi 10.1515/9781400881970-018).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Player = TypeVar("Player", bound=Hashable)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shares:
    """Shares of n players, each an array of the shape of the values (such as one number for each subject).

    Attributes
    ----------
    share : (n, ...) Shapley shares
    alone : (n, ...) what each does when it acts alone
    last : (n, ...) what is lost when each alone is switched off
    none, total : (...) the value without any and with all players
    """

    share: Floats
    alone: Floats
    last: Floats
    none: Floats
    total: Floats


def coalitions(players: Sequence[Player]) -> Iterator[frozenset[Player]]:
    """Yield all coalitions, the small ones first."""
    for size in range(len(players) + 1):
        for members in combinations(players, size):
            yield frozenset(members)


def shapley(players: Sequence[Player], value: Callable[[frozenset[Player]], ArrayLike]) -> Shares:
    """Return the shares of the players of a game.

    Parameters
    ----------
    players : distinct causes
    value : value of a coalition: a number or an array, of one shape for all; asked once for each coalition

    Examples
    --------
    >>> shapley(["a", "b"], lambda acting: 3.0 * ("a" in acting) + 1.0 * (len(acting) == 2)).share
    array([3.5, 0.5])
    """
    n = len(players)
    values = {acting: np.asarray(value(acting), dtype=float) for acting in coalitions(players)}
    everyone, nobody = frozenset(players), frozenset[Player]()
    weight = [factorial(size) * factorial(n - size - 1) / factorial(n) for size in range(n)]
    shares = [
        sum(
            weight[len(acting)] * (values[acting | {player}] - values[acting])
            for acting in values
            if player not in acting
        )
        for player in players
    ]
    return Shares(
        share=np.array(shares, dtype=float),
        alone=np.array([values[frozenset({player})] - values[nobody] for player in players], dtype=float),
        last=np.array([values[everyone] - values[everyone - {player}] for player in players], dtype=float),
        none=values[nobody],
        total=values[everyone],
    )
