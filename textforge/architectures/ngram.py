"""The architecture ``ngram``: counts of n-grams, smoothed.

For each length of n-grams from 1 to the order:

    ngram.{length}.keys         (n,) uint64, sorted: the n-grams, packed
    ngram.{length}.counts       (n,) the smallest unsigned type that holds them
    ngram.{length}.discounts    (3,) float64

Where n-grams of a length were pruned, both of these besides, in any unsigned type:

    ngram.{length}.rest         (C,) the sum of the counts pruned after each context that is left, in their order
    ngram.{length}.pruned       (5,) the number pruned of a count of 1, 2, 3, 4, and more

And once:

    ngram.ending                (m,) uint64: the last tokens of the text, one fewer than the order, or all there are

An n-gram is packed into 64 bits: its tokens side by side, the last in the lowest bits. So a sorted array of such keys
is a table, and all that continues a context lies next to each other in it.

Source: Chen and Goodman, "An empirical study of smoothing techniques for language modeling", 1998: interpolated
Kneser-Ney smoothing with three discounts an order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

import attrs
import numpy as np

from textforge.architectures.base import Architecture, Weight
from textforge.architectures.checks import check_options
from textforge.architectures.recipe import Budget, CorpusSize, Recipe
from textforge.components.component import option
from textforge.errors import BundleError, OptionError
from textforge.model import Array, Arrays, SavedModel, StateShape

USUAL_ORDER = 7
"""Measured: of the orders 3 to 9 the best on Nietzsche (1.968 bits a character) and Tiny Shakespeare (2.188)."""
MIXED_ORDER = 9
"""Measured: beside an LSTM, 1.383 nats a character where the order 7 has 1.388 (Tiny Shakespeare), and 1.277 where it
has 1.282 (Nietzsche), though alone the longer n-grams are worse."""
ENDING = "ngram.ending"
KEY_BITS = 64
PIECE = 1 << 17
"""The number of n-grams that are looked at together."""
DISCOUNTS = 3
"""The number of discounts of a length: for n-grams counted once, twice, and more often."""
ESTIMATED = DISCOUNTS + 1
"""The counts, from 1 on, whose numbers the discounts are estimated from."""
PLAIN_DISCOUNT = 0.5
"""The discount where a text is too small to estimate one."""
USUAL_MOST = 10_000_000
"""Eleven times the n-grams of Tiny Shakespeare. Training takes some 50 bytes for each: half a gigabyte."""


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
        help=f"Tokens of the longest n-grams; none: {USUAL_ORDER}, in a mixture {MIXED_ORDER}, or fewer where the "
        "vocabulary is too large for it.",
    )

    max_ngrams: int | None = option(
        default=USUAL_MOST,
        ge=1,
        help="n-grams kept, of all lengths together: the rarest are pruned, the longest first; none: no bound.",
        remedy="none keeps all",
    )

    def sized(self, corpus: CorpusSize, budget: Budget) -> Recipe[Ngram]:
        """Return the recipe: the declared defaults suit any corpus, but longer n-grams are worth more in a mixture.

        A network knows the short ones by itself.
        """
        if not budget.mixed or "order" in self.given:
            return Recipe(self)
        return Recipe(self.replace(order=min(MIXED_ORDER, find_longest_order(corpus.vocabulary_size))))

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
        # The usual bound is left out, so that a model is the same as before there was one.
        bound = {} if self.max_ngrams == USUAL_MOST else {"max_ngrams": self.max_ngrams}
        return SavedModel(self.name, {"order": order, **bound}, vocabulary_size, arrays)

    @classmethod
    def of(cls, saved: SavedModel) -> Self:
        return super().of(_complete(saved))

    def grow(self, saved: SavedModel, vocabulary_size: int, seed: int) -> SavedModel:
        """Return the tables for a larger vocabulary, whose tokens may take more bits in a key.

        Raises `OptionError` where the longest n-grams don't fit into a key any more.
        """
        order, longest = saved.options["order"], find_longest_order(vocabulary_size)
        if order > longest:
            raise OptionError(
                f"{self.title()}order must be <= {longest} for a vocabulary of {vocabulary_size} tokens, got {order} "
                f"from the model; count both texts anew, with {self.name}:order={longest}"
            )
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
        order = check_options(_complete(saved), self.options())["order"]
        longest = find_longest_order(saved.vocabulary_size)
        if order is None or order > longest:
            raise BundleError(
                f"the model's order must be a whole number from 1 to {longest} for its {saved.vocabulary_size} tokens, "
                f"got {order!r}"
            )
        _check_names(saved, order)
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


def name_pruned(length: int) -> tuple[str, str]:
    """Return the canonical names of what is known of the n-grams that were pruned of a table."""
    return f"ngram.{length}.rest", f"ngram.{length}.pruned"


def _complete(saved: SavedModel) -> SavedModel:
    """Return a saved model with the usual bound where it names none."""
    return attrs.evolve(saved, options={"max_ngrams": USUAL_MOST, **saved.options})


def _check_names(saved: SavedModel, order: int) -> None:
    expected = {name for length in range(1, order + 1) for name in name_tables(length)} | {ENDING}
    for pair in map(name_pruned, range(1, order + 1)):
        expected |= set(pair) if not saved.arrays.keys().isdisjoint(pair) else set()
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
    rest, pruned = name_pruned(length)
    if rest in saved.arrays:
        bits = count_token_bits(saved.vocabulary_size)
        _check_pruned(saved, rest, count_contexts(keys, bits))
        _check_pruned(saved, pruned, ESTIMATED + 1)


def _check_pruned(saved: SavedModel, name: str, size: int) -> None:
    array = saved.arrays[name]
    if array.dtype.kind != "u" or array.shape != (size,):
        raise _make_damage_error(name, f"must be {size} unsigned numbers, got {array.dtype} of shape {array.shape}")


def split_by_context(keys: Array, bits: int) -> Iterator[slice]:
    """Yield the places of about `PIECE` n-grams each, so that those of one context stay together."""
    start = 0
    while start < len(keys):
        last = keys[min(start + PIECE, len(keys)) - 1] | mask_low_bits(bits)
        stop = int(keys.searchsorted(last, side="right"))
        yield slice(start, stop)
        start = stop


def cut_last(keys: Array, bits: int) -> Array:
    """Return the contexts of n-grams, (n,): all their tokens but the last."""
    return keys >> np.uint64(bits) if bits < KEY_BITS else np.zeros_like(keys)


def count_contexts(keys: Array, bits: int) -> int:
    """Return the number of different contexts of n-grams, sorted, (n,)."""
    total = 0
    for piece in split_by_context(keys, bits):
        contexts = cut_last(keys[piece], bits)
        total += 1 + int(np.count_nonzero(contexts[1:] != contexts[:-1]))
    return total


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
    if counts.dtype.kind != "u" or counts.shape != keys.shape:
        wanted = f"must be uint32 or uint64, one for each of {keys.size} keys, or of a smaller unsigned type"
        return f"{wanted}, got {counts.dtype} of shape {counts.shape}"
    return "" if counts.all() else "must not be 0 anywhere"


def _find_discount_fault(discounts: Array) -> str:
    if discounts.dtype != np.float64 or discounts.shape != (DISCOUNTS,):
        return f"must be {DISCOUNTS} numbers in float64, got {discounts.dtype} of shape {discounts.shape}"
    if not ((discounts > 0) & (discounts <= np.arange(1, DISCOUNTS + 1))).all():
        return "must be greater than 0 and at most 1, 2 and 3"
    return ""
