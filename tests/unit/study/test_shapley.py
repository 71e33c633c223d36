"""Shapley shares on games whose shares are known."""

import itertools

import numpy as np
import pytest

from seedbed.study.shapley import coalitions, shapley

WORTH = {"sink": 0.3, "suppression": -0.1, "myeloid": 0.0, "debulking": 0.5, "graft": 0.05}


def test_an_additive_game_gives_each_its_own_worth():
    found = shapley(list(WORTH), lambda acting: 0.2 + sum(WORTH[name] for name in acting))
    np.testing.assert_allclose(found.share, list(WORTH.values()), atol=1e-12)
    np.testing.assert_allclose(found.alone, found.share, atol=1e-12)
    np.testing.assert_allclose(found.last, found.share, atol=1e-12)
    assert (found.none, found.total) == (0.2, pytest.approx(0.2 + sum(WORTH.values())))


def test_an_interaction_is_split_evenly_between_those_who_make_it():
    def value(acting):
        return sum(WORTH[name] for name in acting) + 0.6 * ({"sink", "debulking"} <= acting)

    found = dict(zip(WORTH, shapley(list(WORTH), value).share, strict=True))
    assert found["sink"] == pytest.approx(0.3 + 0.3)
    assert found["debulking"] == pytest.approx(0.5 + 0.3)
    assert found["graft"] == pytest.approx(0.05)


def test_shares_agree_with_the_average_over_all_orders():
    generator = np.random.default_rng(1)
    players = ("a", "b", "c", "d")
    values = {acting: generator.normal(size=3) for acting in coalitions(players)}
    by_order = np.zeros((4, 3))
    orders = list(itertools.permutations(players))
    for order in orders:
        for k, player in enumerate(order):
            before = frozenset(order[:k])
            by_order[players.index(player)] += (values[before | {player}] - values[before]) / len(orders)
    found = shapley(players, values.__getitem__)
    np.testing.assert_allclose(found.share, by_order, atol=1e-12)
    np.testing.assert_allclose(found.share.sum(axis=0), found.total - found.none, atol=1e-12)


def test_a_mechanism_that_is_off_in_both_arms_has_share_zero():
    def outcome(arm, acting):
        on = acting - {"myeloid"}
        return np.array([0.2, 0.4]) * len(on) * (2.0 if arm == "both" else 1.0) + 0.7 * ("sink" in on)

    found = shapley(list(WORTH), lambda acting: outcome("both", acting) - outcome("cart", acting))
    assert (found.share[2] == 0.0).all()
    assert (found.share[1] > 0.0).all()


def test_the_value_of_each_coalition_is_asked_for_once():
    asked = []
    shapley(range(4), lambda acting: asked.append(acting) or 0.0)
    assert len(asked) == len(set(asked)) == 16
