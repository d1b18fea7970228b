"""The n-gram model where a text begins: the contexts there are shorter than the model's longest.

The whole text so far is then the highest order available. So the number of times that each token came after it counts,
as in a Kneser-Ney model of that order; only the shorter contexts go by the number of different tokens before an n-gram.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.architectures.ngram import DISCOUNTS, count_token_bits, mask_low_bits
from textforge.backends.numpy.ngram.smoothing import SMALLEST, KneserNey
from textforge.backends.numpy.ngram.table import Floats, Keys, Table, make_table, sum_by_context


def take_ending(tokens: npt.NDArray[Any], order: int) -> Keys:
    """Return the last `order` - 1 tokens of a text, with which none of the longest n-grams begins.

    >>> take_ending(np.array([4, 2, 3, 1]), order=3)
    array([3, 1], dtype=uint64)
    """
    return tokens[max(0, len(tokens) - order + 1) :].astype(np.uint64)


def count_occurrences(longest: Table, order: int, ending: Keys, bits: int) -> tuple[Table, ...]:
    """Count the n-grams of length 2 to `order` - 1, from the longest ones; return a table for each length.

    An n-gram comes as often as those one token longer that begin with it, and once more where it ends the text. Those
    of which all longer ones were pruned aren't known any more.
    """
    keys, counts = longest.keys, longest.counts.astype(np.int64)
    tables = []
    for length in range(order - 1, 1, -1):
        keys, counts = sum_by_context(keys, counts, bits)
        if length == order - 1 and longest.rest is not None:
            counts += longest.rest.astype(np.int64)  # what was pruned came after these contexts too
        if len(ending) >= length:
            keys, counts = _count_once_more(keys, counts, _pack_key(ending[-length:], bits))
        tables.append(make_table(keys, counts))
    return tuple(reversed(tables))


def _pack_key(tokens: Keys, bits: int) -> np.uint64:
    key = np.uint64(0)
    for token in tokens:
        key = (key << np.uint64(bits)) | token
    return key


def _count_once_more(keys: Keys, counts: npt.NDArray[np.int64], key: np.uint64) -> tuple[Keys, npt.NDArray[np.int64]]:
    place = int(keys.searchsorted(key))
    if place == len(keys) or keys[place] != key:
        return np.insert(keys, place, key), np.insert(counts, place, 1)
    counts[place] += 1
    return keys, counts


class Beginnings:
    """Smoothed probabilities of the next token after a whole text of fewer than `order` - 1 tokens.

    `shorter` has those after the contexts that are backed off to.
    """

    def __init__(self, shorter: KneserNey, longest: Table, order: int, ending: Keys) -> None:
        self._shorter = shorter
        self._bits = np.uint64(count_token_bits(shorter.vocabulary_size))
        self._tables = count_occurrences(longest, order, ending, int(self._bits))

    def compute_probabilities(self, histories: Keys, length: int) -> Floats:
        """Return the probability of each next token, (B, V), after packed histories, (B,), of `length` tokens."""
        table = self._tables[length - 1]
        rows, entries = self._find_continuations(table.keys, histories, length)
        counts = table.counts[entries]
        taken = table.discounts[np.minimum(counts, DISCOUNTS).astype(np.int64) - 1]
        totals = np.bincount(rows, counts, minlength=len(histories))
        kept = np.bincount(rows, taken, minlength=len(histories)) / np.maximum(totals, 1)
        result = self._shorter.compute_probabilities(histories, length - 1)
        result *= np.where(totals > 0, kept, 1.0)[:, None]
        tokens = (table.keys[entries] & mask_low_bits(int(self._bits))).astype(np.int64)
        result[rows, tokens] += (counts - taken) / totals[rows]
        return np.maximum(result, SMALLEST, out=result)

    def compute_chosen(self, histories: Keys, tokens: npt.NDArray[Any], length: int) -> Floats:
        """Return the probability of one next token each, (B,)."""
        result: Floats = self.compute_probabilities(histories, length)[np.arange(len(histories)), tokens]
        return result

    def _find_continuations(
        self, keys: Keys, histories: Keys, length: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the row and the place of each n-gram, (n,) each, that goes on from the history of a row."""
        contexts = histories & mask_low_bits(length * int(self._bits))
        starts = keys.searchsorted(contexts << self._bits)
        lengths = keys.searchsorted((contexts + np.uint64(1)) << self._bits) - starts
        rows = np.repeat(np.arange(len(histories)), lengths)
        return rows, np.arange(len(rows)) + np.repeat(starts - lengths.cumsum() + lengths, lengths)
