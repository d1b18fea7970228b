"""Pruning: the n-grams that came least often are left out, and what they took is passed on to shorter contexts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.architectures.ngram import ESTIMATED, cut_last, mask_low_bits
from textforge.backends.numpy.ngram.stored import Run
from textforge.backends.numpy.ngram.table import (
    Counts,
    Keys,
    Table,
    Whole,
    count_distinct,
    estimate_from_numbers,
    find_smallest_type,
    find_starts,
    sum_runs,
)


class Tally:
    """The number of n-grams of each count.

    >>> tally = Tally()
    >>> tally.add(np.array([1, 4, 1]))
    >>> tally.values.tolist(), tally.numbers.tolist()
    ([1, 4], [2, 1])
    """

    def __init__(self) -> None:
        self.values: Whole = np.zeros(0, np.int64)
        """The counts that there are, sorted."""
        self.numbers: Whole = np.zeros(0, np.int64)
        """The number of n-grams of each of them."""

    def add(self, counts: Whole) -> None:
        """Tally the counts of further n-grams, (n,)."""
        values, numbers = np.unique(counts, return_counts=True)
        self.values, places = np.unique(np.concatenate([self.values, values]), return_inverse=True)
        joined = np.concatenate([self.numbers, numbers])
        self.numbers = np.bincount(places, joined, minlength=len(self.values)).astype(np.int64)

    def count_above(self, threshold: int) -> int:
        """Return the number of n-grams that came more often than that."""
        return int(self.numbers[self.values > threshold].sum())

    def list_numbers(self, threshold: int | None = None) -> list[int]:
        """Return how many n-grams came once, twice, three and four times; of those up to a threshold, if one is given.

        With a threshold, the number of those that came more often is the fifth.
        """
        chosen = self.values <= (np.iinfo(np.int64).max if threshold is None else threshold)
        values, numbers = self.values[chosen], self.numbers[chosen]
        found = [int(numbers[values == times].sum()) for times in range(1, ESTIMATED + 1)]
        return found if threshold is None else [*found, int(numbers[values > ESTIMATED].sum())]


def choose_thresholds(tallies: Sequence[Tally], most: int | None) -> list[int]:
    """Return for each length, from 1 on, the count up to which its n-grams are pruned, so that at most `most` are left.

    Those that came once go first, the longest before shorter ones; then those that came twice, and so on. Single tokens
    are never pruned.
    """
    thresholds = [0] * len(tallies)
    kept = sum(tally.count_above(0) for tally in tallies)
    steps = _list_steps(tallies)
    while most is not None and kept > most:
        step = next(steps, None)
        if step is None:
            break
        at, thresholds[at], number = step
        kept -= number
    return thresholds


def _list_steps(tallies: Sequence[Tally]) -> Iterator[tuple[int, int, int]]:
    """Yield place, count and number of n-grams, in the order in which they are pruned."""
    steps = [
        (int(value), -at, int(number))
        for at, tally in enumerate(tallies)
        if at
        for value, number in zip(tally.values, tally.numbers, strict=True)
    ]
    for value, at, number in sorted(steps):
        yield -at, value, number


def prune_table(blocks: Iterable[Run], tally: Tally, threshold: int, bits: int, before: Table | None = None) -> Table:
    """Return the table of the n-grams that came more often than the threshold.

    Discounts are estimated from all, and each context keeps the sum of the counts that were left out after it. `before`
    is the table counted before, which may have been pruned.
    """
    keys = np.empty(tally.count_above(threshold), np.uint64)
    counts = np.empty(len(keys), find_smallest_type(int(tally.values.max(initial=0))))
    estimated = tally.list_numbers()
    if not threshold and (before is None or before.pruned is None):
        _fill(blocks, keys, counts)
        return Table(keys, counts, estimate_from_numbers(estimated))
    older = _Rest.of(before, bits)
    pruned = np.array(tally.list_numbers(threshold), np.uint64)
    if before is not None and before.pruned is not None:
        pruned += before.pruned
        estimated = [number + int(more) for number, more in zip(estimated, before.pruned, strict=False)]
    rests = []
    at = 0
    for piece, numbers in _read_whole_contexts(blocks, bits):
        is_kept = numbers > threshold
        contexts = cut_last(piece, bits)
        starts = find_starts(contexts)
        left_out = sum_runs(np.where(is_kept, 0, numbers), starts) + older.find(contexts[starts])
        rests.append(left_out[sum_runs(is_kept.astype(np.int64), starts) > 0])
        end = at + int(np.count_nonzero(is_kept))
        keys[at:end], counts[at:end] = piece[is_kept], numbers[is_kept]
        at = end
    rest = np.concatenate([*rests, np.zeros(0, np.int64)])
    rest = rest.astype(find_smallest_type(int(rest.max(initial=0))))
    return Table(keys, counts, estimate_from_numbers(estimated), rest, pruned)


def _fill(blocks: Iterable[Run], keys: Keys, counts: Counts) -> None:
    at = 0
    for piece, numbers in blocks:
        keys[at : at + len(piece)], counts[at : at + len(piece)] = piece, numbers
        at += len(piece)


def _read_whole_contexts(blocks: Iterable[Run], bits: int) -> Iterator[Run]:
    """Yield n-grams and counts so that those of one context are never torn apart."""
    held: Run = (np.zeros(0, np.uint64), np.zeros(0, np.int64))
    for piece, numbers in blocks:
        keys, counts = np.concatenate([held[0], piece]), np.concatenate([held[1], numbers])
        cut = int(keys.searchsorted(keys[-1] & ~mask_low_bits(bits))) if len(keys) else 0
        yield keys[:cut], counts[:cut]
        held = keys[cut:], counts[cut:]
    yield held


class _Rest:
    """The sums of counts that were pruned before, by context."""

    def __init__(self, contexts: Keys, rest: Whole) -> None:
        self._contexts = contexts
        self._rest = rest

    @classmethod
    def of(cls, table: Table | None, bits: int) -> _Rest:
        if table is None or table.rest is None:
            return cls(np.zeros(0, np.uint64), np.zeros(0, np.int64))
        contexts = cut_last(table.keys, bits)
        return cls(contexts[find_starts(contexts)], table.rest.astype(np.int64))

    def find(self, contexts: Keys) -> Whole:
        """Return the sum after each context, (C,); 0 where none is known."""
        found = np.zeros(len(contexts), np.int64)
        places = contexts.searchsorted(self._contexts)
        places = np.minimum(places, max(0, len(contexts) - 1))
        if len(contexts):
            known = contexts[places] == self._contexts
            found[places[known]] = self._rest[known]
        return found


def find_surplus(table: Table, longer: Keys, bits: int) -> tuple[Keys, npt.NDArray[Any]]:
    """Return n-grams and how many of the tokens before each aren't among those one token longer, as these were pruned.

    `bits` is the number of bits of one of the table's n-grams.
    """
    keys, seen = count_distinct(np.sort(longer & mask_low_bits(bits)))
    counts = table.counts.astype(np.int64)
    places = table.keys.searchsorted(keys)
    known = places < len(table.keys)
    known[known] = table.keys[places[known]] == keys[known]
    counts[places[known]] -= seen[known]
    return table.keys[counts > 0], counts[counts > 0]
