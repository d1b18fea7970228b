"""Shuffled orders that are drawn by hash and never stored, so that any epoch's can be had without those before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.uint64]


class Permutation:
    """A shuffled order of the numbers below `size`, without storing it.

    A Feistel network over the next even power of two, walked until it is back below `size` (Black and Rogaway,
    "Ciphers with arbitrary finite domains", 2002).

    >>> sorted(Permutation(5, seed=1, epoch=0)(np.arange(5, dtype=np.uint64)).tolist())
    [0, 1, 2, 3, 4]
    """

    ROUNDS = 6

    def __init__(self, size: int, seed: int, epoch: int) -> None:
        self._size = np.uint64(size)
        half = max(1, ((size - 1).bit_length() + 1) // 2)  # bits of each half; an even power of two splits in two
        self._half = np.uint64(half)
        self._mask = np.uint64((1 << half) - 1)
        self._keys = [derive_key(seed, epoch, number) for number in range(self.ROUNDS)]

    def __call__(self, numbers: Indices) -> Indices:
        """Return the place of each number, (n,)."""
        result = self._encrypt(numbers)
        # Walk the cycle of each that fell outside until it is back: so the walk stays a bijection below `size`. The
        # network's domain is at most four times `size`, so a walk takes few steps.
        while (outside := result >= self._size).any():
            result[outside] = self._encrypt(result[outside])
        return result

    def _encrypt(self, numbers: Indices) -> Indices:
        left, right = numbers >> self._half, numbers & self._mask
        # each round can be undone whatever `_mix` gives, which makes the whole a permutation
        for key in self._keys:
            left, right = right, left ^ (mix(right, key) & self._mask)
        return (left << self._half) | right


def derive_key(*numbers: int) -> np.uint64:
    """Return 64 well-mixed bits from a few numbers."""
    return np.uint64(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def mix(values: Indices, key: np.uint64) -> Indices:
    """Hash values with a key, by the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).

    Products wrap at 64 bits, as they must.
    """
    mixed = values + key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
