"""Named, counter-based random streams: the same subject has the same luck in every arm, order and subset.

A number is a pure function of (seed, purpose, subject, draw), computed by Philox4x32-10 (Salmon et al. 2011,
doi 10.1145/2063384.2063405) for whole arrays at once. The key holds seed and purpose, the counter subject and
draw; the arm never enters. Adding a decision under a new purpose shifts no other.
"""

from __future__ import annotations

import hashlib

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
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox4x32(counter: tuple[Uint64, ...], key: tuple[int, int]) -> tuple[Uint64, ...]:
    """Return the four 32-bit words that Philox4x32-10 makes of a counter of four words and a key of two.

    Parameters
    ----------
    counter : four arrays of the same shape, each holding 32-bit words in uint64
    key : two 32-bit words

    Returns
    -------
    Four arrays of 32-bit words in uint64, of the counter's shape.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        product0, product1 = _MULTIPLIER[0] * c0, _MULTIPLIER[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            product1 & _LOW,
            (product0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            product0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


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
    subject = np.atleast_1d(np.asarray(subjects)).astype(np.uint64)
    draws = np.asarray(draw).astype(np.uint64)
    return _numbers(seed, purpose, *np.broadcast_arrays(subject if draws.ndim == 0 else subject[:, None], draws))


def uniform_each(seed: int, purpose: str, subjects: ArrayLike, draws: ArrayLike) -> NDArray[np.float64]:
    """Return one uniform number a subject, each at a draw of its own; `subjects`, `draws` and the result are (n,)."""
    return _numbers(seed, purpose, np.asarray(subjects).astype(np.uint64), np.asarray(draws).astype(np.uint64))


def _numbers(seed: int, purpose: str, subject: Uint64, draws: Uint64) -> NDArray[np.float64]:
    subject = subject % np.uint64(TWIN)
    words = philox4x32((subject & _LOW, subject >> _SHIFT, draws & _LOW, draws >> _SHIFT), _key(seed, purpose))
    bits = (words[0] << np.uint64(21)) ^ (words[1] >> np.uint64(11))
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, purpose: str, subjects: ArrayLike, draw: ArrayLike = 0) -> NDArray[np.float64]:
    """Return standard normal numbers by inversion of `uniform`; shapes as there."""
    return ndtri(uniform(seed, purpose, subjects, draw))
