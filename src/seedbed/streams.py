"""Named, counter-based random streams: the same subject has the same luck in every arm, order and subset.

A number is a pure function of (seed, purpose, subject, draw), computed by Philox4x32-10 (Salmon et al. 2011,
doi 10.1145/2063384.2063405) for whole arrays at once. The key holds seed and purpose, the counter subject and
draw; the arm never enters. Adding a decision under a new purpose shifts no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Uint64 = NDArray[np.uint64]
TWIN = 2**40
"""A subject and its twins, numbered `subject + k * TWIN`, have the same luck, so that one patient can be simulated
many times side by side under different parameters."""
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIER = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_ROUNDS = 10


def philox4x32(counter: tuple[ArrayLike, ...], key: tuple[ArrayLike, ArrayLike]) -> tuple[Uint64, ...]:
    """Return the four 32-bit words that Philox4x32-10 makes of a counter of four words and a key of two.

    Parameters
    ----------
    counter : four arrays that broadcast against each other, each holding 32-bit words in uint64
    key : two 32-bit words, or arrays of them that broadcast against the counter

    Returns
    -------
    Four arrays of 32-bit words in uint64, of the common shape.
    """
    shape = np.broadcast_shapes(*(np.shape(word) for word in (*counter, *key)))
    c0, c1, c2, c3 = (np.array(np.broadcast_to(np.asarray(word, np.uint64), shape)) for word in counter)
    k0, k1 = (np.asarray(word, np.uint64) for word in key)
    product0, product1 = np.empty_like(c0), np.empty_like(c0)
    for _ in range(_ROUNDS):  # in place: memory traffic is what it costs
        np.multiply(c0, _MULTIPLIER[0], out=product0)
        np.multiply(c2, _MULTIPLIER[1], out=product1)
        np.right_shift(product1, _SHIFT, out=c0)
        np.bitwise_xor(c0, c1, out=c0)
        np.bitwise_xor(c0, k0, out=c0)
        np.right_shift(product0, _SHIFT, out=c2)
        np.bitwise_xor(c2, c3, out=c2)
        np.bitwise_xor(c2, k1, out=c2)
        np.bitwise_and(product1, _LOW, out=c1)
        np.bitwise_and(product0, _LOW, out=c3)
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


@lru_cache(maxsize=4096)
def _key(seed: int, purpose: str) -> tuple[int, int]:
    digest = hashlib.sha256(f"{seed}\0{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


def uniform(seed: int, purpose: str, subjects: ArrayLike, draw: ArrayLike = 0) -> NDArray[np.float64]:
    """Return uniform numbers in the open interval (0, 1).

    Parameters
    ----------
    seed : seed of the study
    purpose : name of the one decision these numbers serve
    subjects : (n,) non-negative integers, the subjects' numbers; modulo `TWIN`
    draw : a non-negative integer, or (m,) of them, for repeated decisions of one subject

    Returns
    -------
    (n,) when `draw` is a number, else (n, m). 53 random bits each, never 0 or 1.
    """
    subject = np.atleast_1d(np.asarray(subjects))
    return _numbers(_key(seed, purpose), subject if np.ndim(draw) == 0 else subject[:, None], draw)


def uniform_each(seed: int, purpose: str, subjects: ArrayLike, draws: ArrayLike) -> NDArray[np.float64]:
    """Return one uniform number a subject, each at a draw of its own; `subjects`, `draws` and the result are (n,)."""
    return _numbers(_key(seed, purpose), subjects, draws)


def uniform_of(
    seed: int, purposes: Sequence[str], which: ArrayLike, subjects: ArrayLike, draws: ArrayLike
) -> NDArray[np.float64]:
    """Return uniform numbers of several decisions at once, the same as `uniform_each` gives for one after another.

    Parameters
    ----------
    seed : seed of the study
    purposes : names of decisions
    which : position in `purposes` of each number's decision
    subjects, draws : of each number; `which`, `subjects` and `draws` broadcast against each other
    """
    keys = np.array([_key(seed, purpose) for purpose in purposes], dtype=np.uint64)[np.asarray(which)]
    return _numbers((keys[..., 0], keys[..., 1]), subjects, draws)


def _numbers(key: tuple[ArrayLike, ArrayLike], subjects: ArrayLike, draws: ArrayLike) -> NDArray[np.float64]:
    subject = np.asarray(subjects).astype(np.uint64) % np.uint64(TWIN)
    draw = np.asarray(draws).astype(np.uint64)
    words = philox4x32((subject & _LOW, subject >> _SHIFT, draw & _LOW, draw >> _SHIFT), key)
    bits = np.left_shift(words[0], np.uint64(21), out=words[0])
    bits ^= np.right_shift(words[1], np.uint64(11), out=words[1])
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, purpose: str, subjects: ArrayLike, draw: ArrayLike = 0) -> NDArray[np.float64]:
    """Return standard normal numbers by inversion of `uniform`; shapes as there."""
    return ndtri(uniform(seed, purpose, subjects, draw))
