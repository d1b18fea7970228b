"""The n-gram model: its state, and the logits that follow from its counts."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from textforge.architectures.ngram import (
    ENDING,
    USUAL_MOST,
    Ngram,
    count_token_bits,
    mask_low_bits,
    name_pruned,
    name_tables,
)
from textforge.backends.numpy.ngram.beginning import Beginnings, take_ending
from textforge.backends.numpy.ngram.counts import count_tables
from textforge.backends.numpy.ngram.smoothing import KneserNey
from textforge.backends.numpy.ngram.table import Table
from textforge.model import Array, Arrays, CountingModel, Loss, SavedModel

PIECE = 1 << 20
"""The number of probabilities computed at once."""


@attrs.define(eq=False)
class NgramState:
    """The last tokens of each row."""

    histories: npt.NDArray[np.uint64]
    """(B,): up to order - 1 tokens, packed."""
    length: int = 0
    """The number of these tokens."""


class NgramModel(CountingModel):
    """Counts of n-grams on NumPy, in ``float32`` or ``float64``; its logits are log-probabilities.

    It predicts from the last `order` - 1 tokens. At the start of a text the context is all that was read so far, and
    the model one of that order.

    >>> import numpy as np
    >>> architecture = Ngram(order=3)
    >>> model = NgramModel(architecture.create(vocabulary_size=4, seed=0), architecture)
    >>> np.exp(model.step(np.array([2]), model.start(1)))
    array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """

    def __init__(self, saved: SavedModel, architecture: Ngram, precision: str = "float32") -> None:
        self.vocabulary_size = saved.vocabulary_size
        self.order: int = saved.options["order"]
        self.tables = tuple(_get_table(saved, length) for length in range(1, self.order + 1))
        self._architecture = architecture
        self._options = saved.options
        self._most: int | None = saved.options.get("max_ngrams", USUAL_MOST)
        self._precision = precision
        self._ending = saved.arrays[ENDING]
        self._dtype = np.dtype(precision)
        self._bits = np.uint64(count_token_bits(saved.vocabulary_size))
        self._mask = mask_low_bits((self.order - 1) * int(self._bits))
        self._smoothed = KneserNey(self.tables, saved.vocabulary_size)

    @property
    def parameters(self) -> int:
        """The number of n-grams, of all lengths."""
        return sum(len(table.keys) for table in self.tables)

    def count(self, tokens: Array) -> NgramModel:
        """Return the model of the n-grams of these tokens, (n,), and of those that it has counted before.

        It is the model of both texts behind one another, but that the first one seems to begin within a text. An
        n-gram that was pruned before and comes again counts as new.
        """
        tables = count_tables(tokens, self.vocabulary_size, self.order, self.tables, self._ending, self._most)
        ending = np.concatenate([self._ending, take_ending(tokens, self.order)])
        saved = self._make_saved(tables, take_ending(ending, self.order))
        return NgramModel(saved, self._architecture, self._precision)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on the n-grams that were pruned, where any were."""
        pruned = sum(int(table.pruned.sum()) for table in self.tables if table.pruned is not None)
        if not pruned:
            return ()
        bound = "none" if self._most is None else f"{self._most:,}"
        return (f"pruned {pruned:,} of {pruned + self.parameters:,} n-grams, the rarest: max_ngrams is {bound}",)

    def start(self, batch_size: int) -> NgramState:
        return NgramState(np.zeros(batch_size, dtype=np.uint64))

    def _advance(self, ids: Array, state: NgramState) -> None:
        state.histories = ((state.histories << self._bits) | ids.astype(np.uint64)) & self._mask
        state.length = min(state.length + 1, self.order - 1)

    @functools.cached_property
    def _beginnings(self) -> Beginnings:
        return Beginnings(self._smoothed, self.tables[-1], self.order, self._ending)

    def _choose_smoothed(self, length: int) -> KneserNey | Beginnings:
        """Return the smoothed probabilities for contexts of so many tokens."""
        return self._smoothed if length == self.order - 1 else self._beginnings

    def _compute_logits(self, histories: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.floating[Any]]:
        probabilities = self._choose_smoothed(length).compute_probabilities(histories, length)
        return np.log(probabilities, out=probabilities).astype(self._dtype, copy=False)

    def step(self, ids: Array, state: NgramState) -> npt.NDArray[np.floating[Any]]:
        self._advance(ids, state)
        return self._compute_logits(state.histories, state.length)

    def forward(self, ids: Array, state: NgramState, last_only: bool = False) -> npt.NDArray[np.floating[Any]]:
        rows, length = ids.shape
        kept = min(1, length) if last_only else length
        spans = self._split_spans(state.length, length, max(1, PIECE // (self.vocabulary_size * max(1, rows))))
        histories = self._read(ids, state)[:, length - kept :]
        logits = np.empty((rows, kept, self.vocabulary_size), dtype=self._dtype)
        for start, stop, context in [(0, kept, state.length)] if last_only else spans:
            span = histories[:, start:stop]
            flat = self._compute_logits(span.ravel(), context)  # (B · places, V)
            logits[:, start:stop] = flat.reshape(*span.shape, self.vocabulary_size)
        return logits

    def loss(self, inputs: Array, targets: Array, state: NgramState) -> tuple[Loss, NgramState]:
        """Return the mean loss of targets, (B, T), or (B,) after the last input, much faster than by all logits."""
        spans = self._split_spans(state.length, inputs.shape[1], PIECE)
        histories = self._read(inputs, state)
        if targets.ndim == 1:
            histories, targets, spans = histories[:, -1:], targets[:, None], iter([(0, 1, state.length)])
        losses = []
        for start, stop, context in spans:
            before, following = histories[:, start:stop].ravel(), targets[:, start:stop].ravel()
            losses.append(-np.log(self._choose_smoothed(context).compute_chosen(before, following, context)))
        return float(np.concatenate(losses).mean()), state

    def _read(self, ids: Array, state: NgramState) -> npt.NDArray[np.uint64]:
        """Read tokens, (B, T), into the state, and return the history after each, (B, T)."""
        histories = np.empty(ids.shape, dtype=np.uint64)
        for t in range(ids.shape[1]):
            self._advance(ids[:, t], state)
            histories[:, t] = state.histories
        return histories

    def _split_spans(self, before: int, count: int, most: int) -> Iterator[tuple[int, int, int]]:
        """Yield begin, end and context length of spans of places whose contexts are of one length.

        `before` tokens were read already; no span has more than `most` places.
        """
        longest = self.order - 1
        growing = min(count, max(0, longest - 1 - before))
        for place in range(growing):
            yield place, place + 1, before + place + 1
        for start in range(growing, count, most):
            yield start, min(start + most, count), longest

    def select(self, state: NgramState, rows: Array) -> NgramState:
        return NgramState(state.histories[rows].copy(), state.length)

    def state_arrays(self, state: NgramState) -> Arrays:
        """Return the packed last tokens of each row, (B,), and how many they are, (B,)."""
        return {"histories": state.histories.copy(), "length": np.full(len(state.histories), state.length)}

    def make_state(self, arrays: Arrays) -> NgramState:
        """Return a state from the arrays that `state_arrays` returned."""
        return NgramState(arrays["histories"].astype(np.uint64), int(arrays["length"].max(initial=0)))

    def save(self) -> SavedModel:
        saved = self._make_saved(self.tables, self._ending)
        return attrs.evolve(saved, arrays={name: array.copy() for name, array in saved.arrays.items()})

    def _make_saved(self, tables: tuple[Table, ...], ending: Array) -> SavedModel:
        arrays: Arrays = {ENDING: ending}
        for length, table in enumerate(tables, start=1):
            arrays |= dict(zip(name_tables(length), (table.keys, table.counts, table.discounts), strict=True))
            if table.rest is not None and table.pruned is not None:
                arrays |= dict(zip(name_pruned(length), (table.rest, table.pruned), strict=True))
        return SavedModel(self._architecture.name, self._options, self.vocabulary_size, arrays)


def _get_table(saved: SavedModel, length: int) -> Table:
    keys, counts, discounts = (saved.arrays[name] for name in name_tables(length))
    rest, pruned = (saved.arrays.get(name) for name in name_pruned(length))
    return Table(keys, counts, discounts, rest, pruned)
