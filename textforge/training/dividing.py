"""The division of a corpus into what is learnt and what is kept for validation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from textforge.errors import TrainingError, advise
from textforge.training.permutation import Permutation

Ranges = npt.NDArray[np.int64]
"""Ranges of tokens, (n, 2): where each begins and ends, in order."""
SLICES = 50
"""Slices kept for validation where the corpus is long enough, as char-rnn has it."""
SLICE_TOKENS = 1000
"""A slice has at least so many tokens, so that its beginning, without context, hardly counts."""
_STREAM = 0x736C69
"""A part of the seed that keeps the places of the slices apart from other numbers drawn from it."""


def draw_slices(size: int, share: float, seed: int) -> Ranges:
    """Return the ranges that make up a share of `size` tokens: one in each of equally long stretches, drawn by seed.

    >>> draw_slices(10_000, 0.2, seed=1).tolist()
    [[2547, 3547], [7365, 8365]]
    """
    wanted = int(size * share)
    count = min(SLICES, max(1, wanted // SLICE_TOKENS)) if wanted else 0
    if not count:
        return np.zeros((0, 2), np.int64)
    length, stretch = wanted // count, size // count
    random = np.random.Generator(np.random.PCG64([seed, _STREAM]))
    starts = np.arange(count) * stretch + random.integers(0, stretch - length + 1, count)
    return np.column_stack([starts, starts + length])


def draw_documents(ends: npt.NDArray[np.int64], share: float, seed: int) -> Ranges:
    """Return the ranges of a share of the documents, drawn by seed; `ends` has the place behind each document.

    Raises `TrainingError` where there are not two documents.

    >>> draw_documents(np.array([3, 5, 9, 12]), 0.5, seed=1).tolist()
    [[3, 5], [9, 12]]
    """
    if len(ends) < 2:
        raise TrainingError(
            "the corpus is one document, and none can be kept for validation; give several, by lines:FILE, say, or ",
            advise("validation_part", "slices"),
        )
    if not share:
        return np.zeros((0, 2), np.int64)
    count = min(len(ends) - 1, max(1, int(len(ends) * share)))
    order = Permutation(len(ends), seed, _STREAM)
    chosen = np.sort(order(np.arange(count, dtype=np.uint64)).astype(np.int64))
    return np.column_stack([np.where(chosen, ends[chosen - 1], 0), ends[chosen]])


def invert(ranges: Ranges, size: int) -> Ranges:
    """Return the ranges between and around these, of `size` tokens, none empty.

    >>> invert(np.array([[0, 2], [5, 6]]), 9).tolist()
    [[2, 5], [6, 9]]
    """
    between = np.column_stack([np.append(0, ranges[:, 1]), np.append(ranges[:, 0], size)])
    return between[between[:, 0] < between[:, 1]]
