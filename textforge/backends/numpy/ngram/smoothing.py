"""The smoothed probabilities that follow from the counts of n-grams.

Source: Chen and Goodman, "An empirical study of smoothing techniques for language modeling", 1998: interpolated
Kneser-Ney smoothing with three discounts an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.architectures.ngram import (
    DISCOUNTS,
    KEY_BITS,
    PIECE,
    count_contexts,
    count_token_bits,
    cut_last,
    mask_low_bits,
    split_by_context,
)
from textforge.backends.numpy.ngram.table import (
    Counts,
    Floats,
    Keys,
    Table,
    Whole,
    find_smallest_type,
    find_starts,
    sum_runs,
)

SMALLEST = 1e-300


class KneserNey:
    """Smoothed probabilities of the next token after any context.

    A context's counts, each less its discount, are divided by their sum. The discounts' total, with the counts that
    were pruned, is shared out by the probabilities after the context one token shorter, in the end evenly; so every
    token has a positive probability.

    Beside the tables, an n-gram takes three bytes in a usual vocabulary, and a context 24.
    """

    def __init__(self, tables: Sequence[Table], vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size
        self._bits = bits = count_token_bits(vocabulary_size)
        self._shortest = self._smooth_without_context(tables[0])  # (V,)
        self._tables = tables = tables[1:]
        lengths = range(1, len(tables) + 1)
        self._masks = np.array([mask_low_bits(length * bits) for length in lengths], dtype=np.uint64)
        # A bit before the first token tells contexts of different lengths apart, so that one search finds all.
        self._markers = np.array([1 << (length * bits) for length in lengths], dtype=np.uint64)
        entries = sum(len(table.keys) for table in tables)
        contexts = sum(count_contexts(table.keys, bits) for table in tables)
        self._tokens = np.empty(entries, find_smallest_type(vocabulary_size - 1))  # (n,): the last of each n-gram
        self._codes, self._numerators = _code_numerators(tables, entries)
        # The last entry stands for every context that was never seen: it passes all on to the shorter one.
        self._contexts = np.full(contexts + 1, mask_low_bits(KEY_BITS))
        self._kept = np.ones(contexts + 1)
        self._totals = np.ones(contexts + 1)
        self._starts: npt.NDArray[np.integer[Any]] = np.full(contexts + 2, entries, _choose_type(entries))
        self._fill(tables)

    def _fill(self, tables: Sequence[Table]) -> None:
        at = entry = 0
        for table, marker in zip(tables, self._markers, strict=True):
            first = at
            for piece in split_by_context(table.keys, self._bits):
                contexts, starts, totals, kept = _weigh(table, piece, at - first, self._bits)
                end = at + len(contexts)
                self._contexts[at:end] = contexts | marker
                self._starts[at:end] = starts + entry + piece.start
                self._totals[at:end], self._kept[at:end] = totals, kept
                self._tokens[entry + piece.start : entry + piece.stop] = table.keys[piece] & mask_low_bits(self._bits)
                at = end
            entry += len(table.keys)

    def _smooth_without_context(self, table: Table) -> Floats:
        uniform = np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        if not len(table.keys):
            return uniform
        _, _, totals, kept = _weigh(table, slice(0, len(table.keys)), 0, self._bits)
        uniform *= kept[0]
        taken = take_discounts(table.counts, table.discounts)
        uniform[table.keys.astype(np.int64)] += (table.counts - taken) / totals[0]
        return uniform

    def compute_probabilities(self, histories: Keys, length: int) -> Floats:
        """Return the probability of each next token, (B, V), after packed histories, (B,), of `length` tokens."""
        rows, size = len(histories), self.vocabulary_size
        places, weights = self._weigh_contexts(histories, length)  # (B, L), (B, L + 1)
        starts, ends = self._starts.take(places), self._starts.take(places + 1)  # (B, L)
        lengths = (ends - starts).ravel()  # (B · L,): entries of each context
        # The ranges start … end of all contexts behind one another, without a loop: (n,).
        entries = (ends.ravel() - lengths.cumsum(dtype=np.int64)).repeat(lengths)
        entries += np.arange(len(entries))
        cells = self._tokens.take(entries)  # (n,): the token of each entry, then its place in (B, V) laid flat
        if rows > 1:
            cells = cells + np.repeat(np.arange(rows) * size, lengths.reshape(rows, -1).sum(axis=1, dtype=np.int64))
        shares = self._numerators.take(self._codes.take(entries))
        shares *= (weights[:, 1:] / self._totals.take(places)).ravel().repeat(lengths)
        # One token comes after several contexts: its shares are added up.
        seen = np.bincount(cells, shares, minlength=rows * size).reshape(rows, size)
        result = weights[:, :1] * self._shortest  # (B, 1) times (V,)
        result += seen
        return np.maximum(result, SMALLEST, out=result)

    def compute_chosen(self, histories: Keys, tokens: npt.NDArray[Any], length: int) -> Floats:
        """Return the probability of one next token each, (B,), without computing the others."""
        places, weights = self._weigh_contexts(histories, length)
        result: Floats = weights[:, 0] * self._shortest[tokens]
        ids, entry = tokens.astype(np.uint64), 0
        for at, table in enumerate(self._tables[: places.shape[1]]):
            wanted = ((histories & self._masks[at]) << np.uint64(self._bits)) | ids  # (B,)
            found = table.keys.searchsorted(wanted)
            found[found == len(table.keys)] = 0
            rows = np.flatnonzero(table.keys[found] == wanted) if len(table.keys) else found[:0]
            numerators = self._numerators[self._codes[entry + found[rows]]]
            result[rows] += weights[rows, at + 1] * (numerators / self._totals[places[rows, at]])
            entry += len(table.keys)
        return np.maximum(result, SMALLEST, out=result)

    def _weigh_contexts(self, histories: Keys, length: int) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return the places of each history's contexts, (B, L), the shortest first, and the weights of all levels.

        The weights, (B, L + 1), begin with that of no context; each is the probability that the longer contexts leave.
        """
        needles = (histories[:, None] & self._masks[:length]) | self._markers[:length]  # (B, L)
        places = self._contexts.searchsorted(needles)
        np.putmask(places, self._contexts.take(places) != needles, len(self._contexts) - 1)
        weights = np.empty((len(histories), needles.shape[1] + 1))
        weights[:, -1] = 1
        # From the longest context down, each level gets what those above it have kept back.
        np.multiply.accumulate(self._kept.take(places[:, ::-1]), axis=1, out=weights[:, -2::-1])
        return places, weights


def take_discounts(counts: Counts, discounts: Floats) -> Floats:
    """Return what is taken off each count: those of three and more share a discount."""
    taken: Floats = discounts[np.minimum(counts, DISCOUNTS).astype(np.int64) - 1]
    return taken


def _choose_type(most: int) -> type[np.uint32 | np.int64]:
    return np.uint32 if most < 1 << 32 else np.int64


def _code_numerators(tables: Sequence[Table], entries: int) -> tuple[Counts, Floats]:
    """Return each n-gram's code, (n,), and for each code the count less its discount: few are different."""
    values = [np.unique(table.counts) for table in tables]
    numerators = [found - take_discounts(found, table.discounts) for found, table in zip(values, tables, strict=True)]
    codes = np.empty(entries, find_smallest_type(sum(map(len, values))))
    at = first = 0
    for found, table in zip(values, tables, strict=True):
        for start in range(0, len(table.keys), PIECE):
            piece = table.counts[start : start + PIECE]
            codes[at + start : at + start + len(piece)] = found.searchsorted(piece) + first
        at += len(table.keys)
        first += len(found)
    return codes, np.concatenate([*numerators, np.zeros(0)])


def _weigh(table: Table, piece: slice, first: int, bits: int) -> tuple[Keys, Whole, Floats, Floats]:
    """Return the contexts of a piece of a table, (C,), where each begins, the sum of its counts, and what it passes on.

    `first` is the number of contexts before them. What a context passes on to the shorter one is such that the
    probabilities after it add up to one.
    """
    contexts, counts = cut_last(table.keys[piece], bits), table.counts[piece]
    starts = find_starts(contexts)
    totals = sum_runs(counts.astype(np.float64), starts)
    passed = sum_runs(take_discounts(counts, table.discounts), starts)
    if table.rest is not None:
        rest = table.rest[first : first + len(starts)]
        totals, passed = totals + rest, passed + rest
    return contexts[starts], starts, totals, passed / totals
