"""Counting n-grams, and the smoothed probabilities that follow from the counts.

An n-gram is one unsigned integer of 64 bits: its tokens side by side, the last in the lowest bits. So a sorted array
of such keys is a table, and all that continues a context lies next to each other in it.

Source: Chen and Goodman, "An empirical study of smoothing techniques for language modeling", 1998: interpolated
Kneser-Ney smoothing with three discounts an order.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from textforge.architectures.ngram import DISCOUNTS, KEY_BITS, PLAIN_DISCOUNT, count_token_bits, mask_low_bits

Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.unsignedinteger[Any]]
Floats = npt.NDArray[np.float64]

CHUNK = 1 << 20
"""The number of n-grams sorted together, which bounds the memory that counting takes beside the tables."""
SMALLEST = 1e-300
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


def count_tables(
    tokens: npt.NDArray[Any], vocabulary_size: int, order: int, counted: Table | None = None, ending: Keys = NOTHING
) -> tuple[Table, ...]:
    """Return the tables of a text's n-grams, of length 1 to `order`, from its token ids, (n,).

    `counted` has the longest n-grams of the text before it, and `ending` that text's last tokens. Memory is bounded by
    the number of different n-grams: the tokens may be memory-mapped.
    """
    bits = count_token_bits(vocabulary_size)
    seam = np.concatenate([ending, tokens[: order - 1].astype(np.uint64)])  # its n-grams begin in the text before
    keys, counts = _count(tokens, bits, order)
    if len(ending):
        keys, counts = _merge(_count(seam, bits, order), (keys, counts))
    beginning = seam
    if counted is not None and len(counted.keys):
        keys, counts = _merge((counted.keys, counted.counts.astype(np.int64)), (keys, counts))
        beginning = NOTHING  # how the text before began isn't known any more
    tables = [make_table(keys, counts)]
    for length in range(order - 1, 0, -1):
        keys, counts = _count_distinct(np.sort(keys & mask_low_bits(length * bits)))
        tables.append(make_table(keys, counts))
        if len(beginning) >= length:  # nothing comes before the text's beginning, but it is there
            keys = np.union1d(keys, _pack(beginning[:length], bits, length))
    return tuple(reversed(tables))


def make_table(keys: Keys, counts: npt.NDArray[np.int64]) -> Table:
    """Return the table of n-grams and their counts, (n,) each, with discounts estimated from these."""
    small = len(counts) == 0 or int(counts.max()) <= np.iinfo(np.uint32).max
    return Table(keys, counts.astype(np.uint32 if small else np.uint64), estimate_discounts(counts))


def _count(tokens: npt.NDArray[Any], bits: int, order: int) -> tuple[Keys, npt.NDArray[np.int64]]:
    """Return the different n-grams of length `order`, and the number of times each comes, (n,) each."""
    runs = [(np.zeros(0, np.uint64), np.zeros(0, np.int64))]
    for start in range(0, len(tokens) - order + 1, CHUNK):
        chunk = _pack(tokens[start : start + CHUNK + order - 1], bits, order)
        chunk.sort()
        runs.append(_count_distinct(chunk))
        while len(runs) > 1 and 2 * len(runs[-1][0]) > len(runs[-2][0]):
            runs.append(_merge(runs.pop(), runs.pop()))  # each run stays half as long as the one before it, or less
    while len(runs) > 1:
        runs.append(_merge(runs.pop(), runs.pop()))
    return runs[0]


def _pack(tokens: npt.NDArray[Any], bits: int, order: int) -> Keys:
    """Return the keys of all n-grams of a piece of text, in its order."""
    ids = tokens.astype(np.uint64)
    count = len(ids) - order + 1
    keys = ids[:count].copy()
    for place in range(1, order):
        keys <<= np.uint64(bits)
        keys |= ids[place : place + count]
    return keys


def _find_starts(keys: Keys) -> npt.NDArray[np.int64]:
    """Return the place at which each different key begins among sorted ones."""
    if not len(keys):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))


def _count_distinct(keys: Keys) -> tuple[Keys, npt.NDArray[np.int64]]:
    starts = _find_starts(keys)
    return keys[starts], np.diff(starts, append=len(keys))


def _merge(
    first: tuple[Keys, npt.NDArray[np.int64]], second: tuple[Keys, npt.NDArray[np.int64]]
) -> tuple[Keys, npt.NDArray[np.int64]]:
    keys, counts = (np.concatenate(pair) for pair in zip(first, second, strict=True))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = _find_starts(keys)
    return keys[starts], _sum_runs(counts[order], starts)


def _sum_runs(values: npt.NDArray[Any], starts: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return the sum of each run of values; `np.add.reduceat` refuses no runs."""
    return np.add.reduceat(values, starts) if len(starts) else values[:0]


def sum_by_context(keys: Keys, counts: npt.NDArray[Any], bits: int) -> tuple[Keys, npt.NDArray[Any]]:
    """Return the contexts of n-grams, without their last token, and the sum of the counts of each."""
    contexts = keys >> np.uint64(bits)
    starts = _find_starts(contexts)
    return contexts[starts], _sum_runs(counts, starts)


def estimate_discounts(counts: npt.NDArray[Any]) -> Floats:
    """Return three discounts, (3,), estimated from the numbers of n-grams counted once, twice, three and four times.

    Where a small text yields no usable three, all are Ney's single one; where not even that, 0.5.

    >>> estimate_discounts(np.array([1] * 40 + [2] * 12 + [3] * 6 + [4] * 4))
    array([0.625     , 1.0625    , 1.33333333])
    """
    once, twice, thrice, four = (int(np.count_nonzero(counts == times)) for times in range(1, DISCOUNTS + 2))
    if not once or not twice:
        return np.full(DISCOUNTS, PLAIN_DISCOUNT)
    single = once / (once + 2 * twice)
    if not thrice:
        return np.full(DISCOUNTS, single)
    more = (2 * twice / once, 3 * thrice / twice, 4 * four / thrice)
    three = np.array([times - single * more[times - 1] for times in range(1, DISCOUNTS + 1)])
    return three if (three > 0).all() else np.full(DISCOUNTS, single)


class KneserNey:
    """Smoothed probabilities of the next token after any context.

    A context's counts, each less its discount, are divided by their sum. The discounts' total is shared out by the
    probabilities after the context one token shorter, in the end evenly; so every token has a positive probability.
    """

    def __init__(self, tables: Sequence[Table], vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size
        bits = count_token_bits(vocabulary_size)
        levels = [_Level.of(table, bits) for table in tables]
        self._shortest = self._smooth_without_context(levels[0])  # (V,)
        longer = range(1, len(levels))
        self._masks = np.array([mask_low_bits(length * bits) for length in longer], dtype=np.uint64)
        # A bit before the first token tells contexts of different lengths apart, so that one search finds all.
        self._markers = np.array([1 << (length * bits) for length in longer], dtype=np.uint64)
        levels = levels[1:]
        marked = [level.contexts | marker for level, marker in zip(levels, self._markers, strict=True)]
        # The last entry stands for every context that was never seen: it passes all on to the shorter one.
        self._contexts = np.concatenate([*marked, np.array([mask_low_bits(KEY_BITS)])])
        self._kept = np.concatenate([*(level.kept for level in levels), [1.0]])
        self._lengths = np.concatenate([*(level.lengths for level in levels), [0]]).astype(np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._tokens = np.concatenate([*(level.tokens for level in levels), np.zeros(0, np.int64)])
        self._shares = np.concatenate([*(level.shares for level in levels), [0.0]])

    def _smooth_without_context(self, level: _Level) -> Floats:
        uniform = np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        if not len(level.tokens):
            return uniform
        uniform *= level.kept[0]
        uniform[level.tokens] += level.shares
        return uniform

    def compute_probabilities(self, histories: Keys, length: int) -> Floats:
        """Return the probability of each next token, (B, V), after packed histories, (B,), of `length` tokens."""
        rows, size = len(histories), self.vocabulary_size
        places, weights = self._weigh_contexts(histories, length)  # (B, L), (B, L + 1)
        lengths = self._lengths[places].ravel()  # (B · L,): entries of each context
        ends = lengths.cumsum()
        # The ranges start … start + length of all contexts behind one another, without a loop: (n,).
        entries = np.repeat(self._starts[places].ravel() - ends + lengths, lengths)
        entries += np.arange(len(entries))
        cells = self._tokens[entries]  # (n,): the token of each entry, then its place in (B, V) laid flat
        if rows > 1:
            cells += np.repeat(np.arange(rows) * size, lengths.reshape(rows, -1).sum(axis=1))
        shares = self._shares[entries] * np.repeat(weights[:, 1:].ravel(), lengths)
        # One token comes after several contexts: its shares are added up.
        seen = np.bincount(cells, shares, minlength=rows * size).reshape(rows, size)
        result = weights[:, :1] * self._shortest  # (B, 1) times (V,)
        result += seen
        return np.maximum(result, SMALLEST, out=result)

    def compute_chosen(self, histories: Keys, tokens: npt.NDArray[Any], length: int) -> Floats:
        """Return the probability of one next token each, (B,), without computing the others."""
        places, weights = self._weigh_contexts(histories, length)
        wanted = places * self.vocabulary_size + tokens[:, None]  # (B, L): context and token as one number
        entries = self._entries.searchsorted(wanted)
        shares = np.where(self._entries[entries] == wanted, self._shares[entries], 0.0)
        result: Floats = weights[:, 0] * self._shortest[tokens] + (weights[:, 1:] * shares).sum(axis=1)
        return np.maximum(result, SMALLEST, out=result)

    def _weigh_contexts(self, histories: Keys, length: int) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return the places of each history's contexts, (B, L), the shortest first, and the weights of all levels.

        The weights, (B, L + 1), begin with that of no context; each is the probability that the longer contexts leave.
        """
        needles = (histories[:, None] & self._masks[:length]) | self._markers[:length]  # (B, L)
        places = self._contexts.searchsorted(needles)
        places[self._contexts[places] != needles] = len(self._contexts) - 1
        weights = np.ones((len(histories), needles.shape[1] + 1))
        # From the longest context down, each level gets what those above it have kept back.
        np.cumprod(self._kept[places[:, ::-1]], axis=1, out=weights[:, -2::-1])
        return places, weights

    @functools.cached_property
    def _entries(self) -> npt.NDArray[np.int64]:
        """Contexts and last tokens of n-grams as one number each, (n + 1,), sorted; the last stands for none."""
        contexts = np.repeat(np.arange(len(self._lengths)) * self.vocabulary_size, self._lengths)
        return np.append(contexts + self._tokens, np.iinfo(np.int64).max)


@attrs.frozen(eq=False)
class _Level:
    """A table, by context."""

    contexts: Keys
    """(C,), sorted."""
    lengths: npt.NDArray[np.int64]
    """(C,): different tokens seen after each."""
    kept: Floats
    """(C,): the probability left for the shorter context."""
    tokens: npt.NDArray[np.int64]
    """(n,): the last token of each n-gram."""
    shares: Floats
    """(n,): its probability, without what the shorter context adds."""

    @classmethod
    def of(cls, table: Table, bits: int) -> _Level:
        last = mask_low_bits(bits)
        contexts = table.keys >> np.uint64(bits) if bits < KEY_BITS else np.zeros_like(table.keys)
        starts = _find_starts(contexts)
        lengths = np.diff(starts, append=len(contexts))
        totals = _sum_runs(table.counts.astype(np.float64), starts)  # (C,)
        # Counts of three and more share a discount; it never takes more than the count.
        taken = table.discounts[np.minimum(table.counts, DISCOUNTS).astype(np.int64) - 1]
        return cls(
            contexts=contexts[starts],
            lengths=lengths,
            kept=_sum_runs(taken, starts) / totals,  # so that each context's probabilities add up to one
            tokens=(table.keys & last).astype(np.int64),
            shares=(table.counts - taken) / np.repeat(totals, lengths),
        )
