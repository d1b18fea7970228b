"""The architecture ``ngram``: counts of n-grams, smoothed.

For each length of n-grams from 1 to the order:

    ngram.{length}.keys         (n,) uint64, sorted: the n-grams, packed
    ngram.{length}.counts       (n,) uint32 or uint64
    ngram.{length}.discounts    (3,) float64

And once:

    ngram.ending                (m,) uint64: the last tokens of the text, one fewer than the order, or all there are

An n-gram is packed into 64 bits: its tokens side by side, the last in the lowest bits. So a sorted array of such keys
is a table, and all that continues a context lies next to each other in it.

Source: Chen and Goodman, "An empirical study of smoothing techniques for language modeling", 1998: interpolated
Kneser-Ney smoothing with three discounts an order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs
import numpy as np

from textforge.architectures.base import Architecture, Weight
from textforge.architectures.checks import check_options
from textforge.components.component import option
from textforge.errors import BundleError, OptionError
from textforge.model import Array, Arrays, SavedModel, StateShape

USUAL_ORDER = 7
"""Measured: of the orders 3 to 9 the best on Nietzsche (1.968 bits a character) and Tiny Shakespeare (2.188)."""
ENDING = "ngram.ending"
KEY_BITS = 64
DISCOUNTS = 3
"""The number of discounts of a length: for n-grams counted once, twice, and more often."""
PLAIN_DISCOUNT = 0.5
"""The discount where a text is too small to estimate one."""


class Ngram(Architecture):
    """Counts of n-grams, smoothed: learnt in seconds, and the baseline that a network must beat.

    >>> Ngram(order=3).create(vocabulary_size=4, seed=0).arrays["ngram.3.keys"].shape
    (0,)
    """

    name = "ngram"
    priority: ClassVar[int] = 10

    order: int | None = option(
        default=None,
        ge=1,
        help=f"Tokens of the longest n-grams; none: {USUAL_ORDER}, or fewer where the vocabulary is too large for it.",
    )

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        """Return no weights: the shapes of the tables follow from the text."""
        return {}

    def state(self) -> Mapping[str, StateShape]:
        return {"histories": (None,), "length": (None,)}

    def create(self, vocabulary_size: int, seed: int) -> SavedModel:
        """Return a model of no text: all tokens are equally likely."""
        order = self._order_for(vocabulary_size)
        arrays: Arrays = {ENDING: np.zeros(0, np.uint64)}
        for length in range(1, order + 1):
            empty = np.zeros(0, np.uint64), np.zeros(0, np.uint32), np.full(DISCOUNTS, PLAIN_DISCOUNT)
            arrays |= dict(zip(name_tables(length), empty, strict=True))
        return SavedModel(self.name, {"order": order}, vocabulary_size, arrays)

    def grow(self, saved: SavedModel, vocabulary_size: int, seed: int) -> SavedModel:
        """Return the tables for a larger vocabulary, whose tokens may take more bits in a key.

        Raises `OptionError` where the longest n-grams don't fit into a key any more.
        """
        order = self.replace(order=saved.options["order"])._order_for(vocabulary_size)
        bits, wider = count_token_bits(saved.vocabulary_size), count_token_bits(vocabulary_size)
        arrays = self.check(saved)
        for length in range(2, order + 1):
            keys = name_tables(length)[0]
            arrays[keys] = _repack(arrays[keys], length, bits, wider)
        return attrs.evolve(saved, vocabulary_size=vocabulary_size, arrays=arrays)

    def check(self, saved: SavedModel) -> Arrays:
        """Return the tables of a saved model, each C-contiguous.

        Raises `textforge.errors.BundleError` where one is missing, unknown, of the wrong kind or shape, unsorted or out
        of range.
        """
        order = check_options(saved, self.options())["order"]
        longest = find_longest_order(saved.vocabulary_size)
        if order is None or order > longest:
            raise BundleError(
                f"the model's order must be a whole number from 1 to {longest} for its {saved.vocabulary_size} tokens, "
                f"got {order!r}"
            )
        _check_names(saved, {name for length in range(1, order + 1) for name in name_tables(length)} | {ENDING})
        for length in range(1, order + 1):
            _check_table(saved, length)
        _check_ending(saved, order)
        return {name: np.ascontiguousarray(array) for name, array in saved.arrays.items()}

    def count_parameters(self, saved: SavedModel) -> int:
        """Return the number of n-grams, of all lengths."""
        return sum(array.size for name, array in saved.arrays.items() if name.endswith(".keys"))

    def _order_for(self, vocabulary_size: int) -> int:
        longest = find_longest_order(vocabulary_size)
        if self.order is None:
            return min(USUAL_ORDER, longest)
        if self.order > longest:
            raise OptionError(
                f"{self.title()}order must be <= {longest} for a vocabulary of {vocabulary_size} tokens, "
                f"got {self.order}"
            )
        return self.order


def count_token_bits(vocabulary_size: int) -> int:
    """Return the number of bits that a token takes in a key."""
    return max(1, (vocabulary_size - 1).bit_length())


def find_longest_order(vocabulary_size: int) -> int:
    """Return the length of the longest n-grams that fit into a key.

    >>> find_longest_order(65), find_longest_order(50_000)
    (9, 4)
    """
    return KEY_BITS // count_token_bits(vocabulary_size)


def mask_low_bits(bits: int) -> np.uint64:
    """Return a mask of the lowest `bits` bits."""
    return np.uint64((1 << bits) - 1)


def _repack(keys: Array, length: int, bits: int, wider: int) -> Array:
    """Return n-grams, (n,), with more bits for each token; their order stays."""
    repacked = np.zeros_like(keys)
    for place in range(length):  # the last token first
        token = (keys >> np.uint64(place * bits)) & mask_low_bits(bits)
        repacked |= token << np.uint64(place * wider)
    return repacked


def name_tables(length: int) -> tuple[str, str, str]:
    """Return the canonical names of a table's keys, counts and discounts."""
    return f"ngram.{length}.keys", f"ngram.{length}.counts", f"ngram.{length}.discounts"


def _check_names(saved: SavedModel, expected: set[str]) -> None:
    if missing := sorted(expected - saved.arrays.keys()):
        raise BundleError(f"the model lacks the arrays {', '.join(missing)}; train it again, or copy it again")
    if unknown := sorted(saved.arrays.keys() - expected):
        raise BundleError(f"the model has arrays its order doesn't speak of: {', '.join(unknown)}")


def _check_ending(saved: SavedModel, order: int) -> None:
    ending = saved.arrays[ENDING]
    if ending.dtype != np.uint64 or ending.ndim != 1 or len(ending) >= order:
        wrong = f"must be at most {order - 1} tokens in uint64, got {ending.dtype} of shape {ending.shape}"
    elif (ending >= saved.vocabulary_size).any():
        wrong = f"has tokens beyond the vocabulary of {saved.vocabulary_size}"
    else:
        return
    raise _make_damage_error(ENDING, wrong)


def _make_damage_error(name: str, wrong: str) -> BundleError:
    return BundleError(f"the array {name} {wrong}; train the model again, or copy it again")


def _check_table(saved: SavedModel, length: int) -> None:
    names = name_tables(length)
    keys, counts, discounts = (saved.arrays[name] for name in names)
    faults = (
        _find_key_fault(keys, length, saved.vocabulary_size),
        _find_count_fault(counts, keys),
        _find_discount_fault(discounts),
    )
    for name, wrong in zip(names, faults, strict=True):
        if wrong:
            raise _make_damage_error(name, wrong)


def _find_key_fault(keys: Array, length: int, vocabulary_size: int) -> str:
    if keys.dtype != np.uint64 or keys.ndim != 1:
        return f"must be one row of uint64, got {keys.dtype} of shape {keys.shape}"
    if not (keys[1:] > keys[:-1]).all():
        return "must be sorted, each key once"
    bits = count_token_bits(vocabulary_size)
    if length * bits < KEY_BITS and (keys >> np.uint64(length * bits)).any():
        return f"has keys of more than {length} tokens"
    for place in range(length):
        if ((keys >> np.uint64(place * bits)) & mask_low_bits(bits) >= vocabulary_size).any():
            return f"has tokens beyond the vocabulary of {vocabulary_size}"
    return ""


def _find_count_fault(counts: Array, keys: Array) -> str:
    if counts.dtype not in (np.uint32, np.uint64) or counts.shape != keys.shape:
        return f"must be uint32 or uint64, one for each of {keys.size} keys, got {counts.dtype} of shape {counts.shape}"
    return "" if counts.all() else "must not be 0 anywhere"


def _find_discount_fault(discounts: Array) -> str:
    if discounts.dtype != np.float64 or discounts.shape != (DISCOUNTS,):
        return f"must be {DISCOUNTS} numbers in float64, got {discounts.dtype} of shape {discounts.shape}"
    if not ((discounts > 0) & (discounts <= np.arange(1, DISCOUNTS + 1))).all():
        return "must be greater than 0 and at most 1, 2 and 3"
    return ""
