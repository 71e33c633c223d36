"""Evidence: independent (numpy's own Philox is 4x64; the 4x32 vectors are those of the authors' Random123)."""

import numpy as np
import pytest

from seedbed import streams


def _words(*values):
    return tuple(np.array([value], dtype=np.uint64) for value in values)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_known_answers(counter, key, expected):
    assert tuple(int(word[0]) for word in streams.philox4x32(_words(*counter), key)) == expected


def test_a_subset_of_subjects_in_another_order_has_the_same_luck():
    everyone = streams.uniform(7, "death", np.arange(100))
    some = np.array([93, 5, 40])
    assert np.array_equal(streams.uniform(7, "death", some), everyone[some])


def test_draws_form_columns_and_do_not_depend_on_how_many_are_asked_for():
    many = streams.uniform(7, "infection", np.arange(4), draw=np.arange(10))
    assert many.shape == (4, 10)
    assert np.array_equal(many[:, 3], streams.uniform(7, "infection", np.arange(4), draw=3))


def test_seed_and_purpose_separate_the_streams():
    first, second = streams.uniform(1, "a", np.arange(2000)), streams.uniform(1, "b", np.arange(2000))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
    assert not np.array_equal(first, streams.uniform(2, "a", np.arange(2000)))


def test_normal_numbers_have_mean_zero_and_unit_spread():
    drawn = streams.normal(3, "noise", np.arange(20000))
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.03


def test_one_number_each_is_the_number_of_that_subject_and_draw():
    subjects, draws = np.array([5, 9, 5]), np.array([0, 3, 7])
    table = streams.uniform(7, "infection", np.arange(10), draw=np.arange(8))
    assert np.array_equal(streams.uniform_each(7, "infection", subjects, draws), table[subjects, draws])


def test_decisions_drawn_together_are_those_drawn_one_by_one():
    subjects, draws = np.array([3, 70, 2**35]), np.array([[0, 4, 2], [1, 5, 3]])
    together = streams.uniform_of(7, ["grade", "onset"], np.array([[1], [0]]), subjects, draws)
    assert np.array_equal(together[0], streams.uniform_each(7, "onset", subjects, draws[0]))
    assert np.array_equal(together[1], streams.uniform_each(7, "grade", subjects, draws[1]))


def test_twins_have_the_same_luck():
    subjects = np.arange(5)
    for draw in (0, np.arange(3)):
        own, twins = (streams.uniform(1, "x", subjects + k * streams.TWIN, draw) for k in (0, 7))
        assert (own == twins).all()
    each = [streams.uniform_each(1, "x", subjects + k * streams.TWIN, np.arange(5)) for k in (0, 7)]
    assert (each[0] == each[1]).all()
