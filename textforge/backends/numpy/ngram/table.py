"""A table of n-grams of one length, and what is done with sorted keys.

An n-gram is one unsigned integer of 64 bits: its tokens side by side, the last in the lowest bits. So a sorted array
of such keys is a table, and all that continues a context lies next to each other in it.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from textforge.architectures.ngram import DISCOUNTS, ESTIMATED, PLAIN_DISCOUNT, cut_last

Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.unsignedinteger[Any]]
Whole = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NOTHING: Keys = np.zeros(0, np.uint64)


@attrs.frozen(eq=False)
class Table:
    """The n-grams of one length."""

    keys: Keys
    """(n,), sorted, each once."""
    counts: Counts
    """(n,): the number of times each comes, or, but for the longest, of different tokens before it."""
    discounts: Floats
    """(3,): the discounts of a count of 1, of 2, and of 3 or more."""
    rest: Counts | None = None
    """(C,): the sum of the counts that were pruned after each of the keys' contexts; None where nothing was."""
    pruned: Counts | None = None
    """(4,): the number of n-grams pruned of a count of 1, 2, 3 and 4; None where nothing was."""


def make_table(keys: Keys, counts: Whole) -> Table:
    """Return the table of n-grams and their counts, (n,) each, with discounts estimated from these."""
    return Table(keys, shrink(counts), estimate_discounts(counts))


def shrink(counts: npt.NDArray[Any]) -> Counts:
    """Return whole numbers from 0 on in the smallest unsigned type that holds them all."""
    return counts.astype(find_smallest_type(int(counts.max(initial=0))))


def find_smallest_type(most: int) -> np.dtype[np.unsignedinteger[Any]]:
    """Return the smallest unsigned type that holds a number.

    >>> find_smallest_type(255), find_smallest_type(256)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.dtype(np.min_scalar_type(most))


def estimate_discounts(counts: npt.NDArray[Any]) -> Floats:
    """Return three discounts, (3,), estimated from the numbers of n-grams counted once, twice, three and four times.

    >>> estimate_discounts(np.array([1] * 40 + [2] * 12 + [3] * 6 + [4] * 4))
    array([0.625     , 1.0625    , 1.33333333])
    """
    return estimate_from_numbers([int(np.count_nonzero(counts == times)) for times in range(1, ESTIMATED + 1)])


def estimate_from_numbers(numbers: list[int]) -> Floats:
    """Return three discounts, (3,), from how many n-grams were counted once, twice, three and four times.

    Where a small text yields no usable three, all are Ney's single one; where not even that, 0.5.
    """
    once, twice, thrice, four = numbers
    if not once or not twice:
        return np.full(DISCOUNTS, PLAIN_DISCOUNT)
    single = once / (once + 2 * twice)
    if not thrice:
        return np.full(DISCOUNTS, single)
    more = (2 * twice / once, 3 * thrice / twice, 4 * four / thrice)
    three = np.array([times - single * more[times - 1] for times in range(1, DISCOUNTS + 1)])
    return three if (three > 0).all() else np.full(DISCOUNTS, single)


def find_starts(keys: Keys) -> Whole:
    """Return the place at which each different key begins among sorted ones."""
    if not len(keys):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))


def count_distinct(keys: Keys) -> tuple[Keys, Whole]:
    """Return the different keys among sorted ones, and the number of times each comes."""
    starts = find_starts(keys)
    return keys[starts], np.diff(starts, append=len(keys))


def sum_runs(values: npt.NDArray[Any], starts: Whole) -> npt.NDArray[Any]:
    """Return the sum of each run of values; `np.add.reduceat` refuses no runs."""
    return np.add.reduceat(values, starts) if len(starts) else values[:0]


def sum_by_context(keys: Keys, counts: npt.NDArray[Any], bits: int) -> tuple[Keys, npt.NDArray[Any]]:
    """Return the contexts of n-grams, without their last token, and the sum of the counts of each."""
    contexts = cut_last(keys, bits)
    starts = find_starts(contexts)
    return contexts[starts], sum_runs(counts, starts)
