"""The n-gram model where a text begins: the contexts there are shorter than the model's longest.

The longest context there is, is the highest order available, so how often each token came after it counts, as in a
Kneser-Ney model of that order; after how many different tokens an n-gram comes counts for the contexts below it alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.architectures.ngram import DISCOUNTS, low_bits, token_bits
from textforge.backends.numpy.ngram.counts import SMALLEST, Floats, Keys, KneserNey, Table, summed_by_context, table_of


def ending_of(tokens: npt.NDArray[Any], order: int) -> Keys:
    """The last `order` - 1 tokens of a text: none of the longest n-grams begins with them.

    >>> ending_of(np.array([4, 2, 3, 1]), order=3)
    array([3, 1], dtype=uint64)
    """
    return tokens[max(0, len(tokens) - order + 1) :].astype(np.uint64)


def occurrences(longest: Table, order: int, ending: Keys, bits: int) -> tuple[Table, ...]:
    """How often each n-gram of length 2 to `order` - 1 comes, from the longest ones.

    An n-gram comes as often as those one token longer that begin with it, and once more where it ends the text.
    """
    keys, counts = longest.keys, longest.counts.astype(np.int64)
    tables = []
    for length in range(order - 1, 1, -1):
        keys, counts = summed_by_context(keys, counts, bits)
        if len(ending) >= length:
            keys, counts = _with_one_more(keys, counts, _packed(ending[-length:], bits))
        tables.append(table_of(keys, counts))
    return tuple(reversed(tables))


def _packed(tokens: Keys, bits: int) -> np.uint64:
    key = np.uint64(0)
    for token in tokens:
        key = (key << np.uint64(bits)) | token
    return key


def _with_one_more(keys: Keys, counts: npt.NDArray[np.int64], key: np.uint64) -> tuple[Keys, npt.NDArray[np.int64]]:
    place = int(keys.searchsorted(key))
    if place == len(keys) or keys[place] != key:
        return np.insert(keys, place, key), np.insert(counts, place, 1)
    counts[place] += 1
    return keys, counts


class Beginnings:
    """Smoothed probabilities of the next token after all of a text that there is, of fewer than `order` - 1 tokens.

    `shorter` says those after contexts that are backed off to.
    """

    def __init__(self, shorter: KneserNey, longest: Table, order: int, ending: Keys) -> None:
        self._shorter = shorter
        self._bits = np.uint64(token_bits(shorter.vocabulary_size))
        self._tables = occurrences(longest, order, ending, int(self._bits))

    def probabilities(self, histories: Keys, length: int) -> Floats:
        """The probability of each next token, (B, V), after the packed histories, (B,), of so many tokens."""
        table = self._tables[length - 1]
        rows, entries = self._seen(table.keys, histories, length)
        counts = table.counts[entries]
        taken = table.discounts[np.minimum(counts, DISCOUNTS).astype(np.int64) - 1]
        totals = np.bincount(rows, counts, minlength=len(histories))
        kept = np.bincount(rows, taken, minlength=len(histories)) / np.maximum(totals, 1)
        result = self._shorter.probabilities(histories, length - 1)
        result *= np.where(totals > 0, kept, 1.0)[:, None]
        tokens = (table.keys[entries] & low_bits(int(self._bits))).astype(np.int64)
        result[rows, tokens] += (counts - taken) / totals[rows]
        return np.maximum(result, SMALLEST, out=result)

    def chosen(self, histories: Keys, tokens: npt.NDArray[Any], length: int) -> Floats:
        """The probability of one next token each, (B,)."""
        result: Floats = self.probabilities(histories, length)[np.arange(len(histories)), tokens]
        return result

    def _seen(self, keys: Keys, histories: Keys, length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The places of the n-grams that go on from each history, and each one's row."""
        contexts = histories & low_bits(length * int(self._bits))
        starts = keys.searchsorted(contexts << self._bits)
        lengths = keys.searchsorted((contexts + np.uint64(1)) << self._bits) - starts
        rows = np.repeat(np.arange(len(histories)), lengths)
        return rows, np.arange(len(rows)) + np.repeat(starts - lengths.cumsum() + lengths, lengths)
