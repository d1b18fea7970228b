"""What a saved n-gram model consists of.

For each length of n-grams from 1 to the order:

    ngram.{length}.keys         (n,) uint64, sorted: the n-grams, packed as `textforge.backends.numpy.ngram.counts` says
    ngram.{length}.counts       (n,) uint32 or uint64
    ngram.{length}.discounts    (3,) float64

And once:

    ngram.ending                (m,) uint64: the last tokens of the text, one fewer than the order, or all there are
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textforge.backends.numpy.ngram.counts import DISCOUNTS, KEY_BITS, Keys, Table, longest_order, low_bits, token_bits
from textforge.errors import BundleError
from textforge.model import Array, Arrays, SavedModel

ENDING = "ngram.ending"


def _names(length: int) -> tuple[str, ...]:
    return tuple(f"ngram.{length}.{part}" for part in ("keys", "counts", "discounts"))


def saved_arrays(tables: Sequence[Table], ending: Keys) -> Arrays:
    """Copies of the tables' arrays, and of the text's ending, under their canonical names."""
    arrays: Arrays = {ENDING: ending.copy()}
    for length, table in enumerate(tables, start=1):
        arrays.update({name: values.copy() for name, values in zip(_names(length), _values(table), strict=True)})
    return arrays


def _values(table: Table) -> tuple[Array, ...]:
    return table.keys, table.counts, table.discounts


def checked_tables(saved: SavedModel) -> tuple[tuple[Table, ...], Keys]:
    """The tables of a saved model, and its text's ending.

    Raises `BundleError` where one is missing, unknown, of the wrong kind or shape, unsorted or out of range.
    """
    order, longest = saved.options.get("order"), longest_order(saved.vocabulary_size)
    if not isinstance(order, int) or isinstance(order, bool) or not 1 <= order <= longest:
        raise BundleError(
            f"the model's order must be a whole number from 1 to {longest} for its {saved.vocabulary_size} tokens, "
            f"got {order!r}"
        )
    lengths = range(1, order + 1)
    expected = {name for length in lengths for name in _names(length)} | {ENDING}
    if missing := sorted(expected - saved.arrays.keys()):
        raise BundleError(f"the model lacks the arrays {', '.join(missing)}; train it again, or copy it again")
    if unknown := sorted(saved.arrays.keys() - expected):
        raise BundleError(f"the model has arrays its order doesn't speak of: {', '.join(unknown)}")
    return tuple(_checked_table(saved, length) for length in lengths), _checked_ending(saved, order)


def _checked_ending(saved: SavedModel, order: int) -> Keys:
    ending = saved.arrays[ENDING]
    if ending.dtype != np.uint64 or ending.ndim != 1 or len(ending) >= order:
        wrong = f"must be at most {order - 1} tokens in uint64, got {ending.dtype} of shape {ending.shape}"
    elif (ending >= saved.vocabulary_size).any():
        wrong = f"has tokens beyond the vocabulary of {saved.vocabulary_size}"
    else:
        return ending
    raise _damaged(ENDING, wrong)


def _damaged(name: str, wrong: str) -> BundleError:
    return BundleError(f"the array {name} {wrong}; train the model again, or copy it again")


def _checked_table(saved: SavedModel, length: int) -> Table:
    table = Table(*(np.ascontiguousarray(saved.arrays[name]) for name in _names(length)))
    for name, wrong in zip(_names(length), _faults(table, length, saved.vocabulary_size), strict=True):
        if wrong:
            raise _damaged(name, wrong)
    return table


def _faults(table: Table, length: int, vocabulary_size: int) -> tuple[str, str, str]:
    """What is wrong with the keys, the counts and the discounts; empty where nothing is."""
    keys, counts, discounts = _values(table)
    return _key_fault(keys, length, vocabulary_size), _count_fault(counts, keys), _discount_fault(discounts)


def _key_fault(keys: Array, length: int, vocabulary_size: int) -> str:
    if keys.dtype != np.uint64 or keys.ndim != 1:
        return f"must be one row of uint64, got {keys.dtype} of shape {keys.shape}"
    if not (keys[1:] > keys[:-1]).all():
        return "must be sorted, each key once"
    bits = token_bits(vocabulary_size)
    if length * bits < KEY_BITS and (keys >> np.uint64(length * bits)).any():
        return f"has keys of more than {length} tokens"
    for place in range(length):
        if ((keys >> np.uint64(place * bits)) & low_bits(bits) >= vocabulary_size).any():
            return f"has tokens beyond the vocabulary of {vocabulary_size}"
    return ""


def _count_fault(counts: Array, keys: Array) -> str:
    if counts.dtype not in (np.uint32, np.uint64) or counts.shape != keys.shape:
        return f"must be uint32 or uint64, one for each of {keys.size} keys, got {counts.dtype} of shape {counts.shape}"
    return "" if counts.all() else "must not be 0 anywhere"


def _discount_fault(discounts: Array) -> str:
    if discounts.dtype != np.float64 or discounts.shape != (DISCOUNTS,):
        return f"must be {DISCOUNTS} numbers in float64, got {discounts.dtype} of shape {discounts.shape}"
    if not ((discounts > 0) & (discounts <= np.arange(1, DISCOUNTS + 1))).all():
        return "must be greater than 0 and at most 1, 2 and 3"
    return ""
