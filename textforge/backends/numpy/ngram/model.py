"""The n-gram model: what it has read last, and what its counts say of the next token."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from textforge.architectures.ngram import ENDING, Ngram, low_bits, table_names, token_bits
from textforge.backends.numpy.ngram.beginning import Beginnings, ending_of
from textforge.backends.numpy.ngram.counts import KneserNey, Table, count_tables
from textforge.model import Array, Arrays, CountingModel, Loss, SavedModel

PIECE = 1 << 20
"""Probabilities computed at once."""


@attrs.define(eq=False)
class NgramState:
    """The last tokens of each row."""

    histories: npt.NDArray[np.uint64]
    """(B,): up to order - 1 tokens, packed."""
    length: int = 0
    """How many tokens these are."""


class NgramModel(CountingModel):
    """Counts of n-grams on NumPy, in ``float32`` or ``float64``; its logits are log-probabilities.

    Predicts from the last `order` - 1 tokens. At the start of a text the context is as long as what was read so far,
    and the model one of that order.

    >>> import numpy as np
    >>> architecture = Ngram(order=3)
    >>> model = NgramModel(architecture.create(vocabulary_size=4, seed=0), architecture)
    >>> np.exp(model.step(np.array([2]), model.start(1)))
    array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """

    def __init__(self, saved: SavedModel, architecture: Ngram, precision: str = "float32") -> None:
        self.vocabulary_size = saved.vocabulary_size
        self.order: int = saved.options["order"]
        self.tables = tuple(
            Table(*(saved.arrays[name] for name in table_names(length))) for length in range(1, self.order + 1)
        )
        self._architecture = architecture
        self._precision = precision
        self._ending = saved.arrays[ENDING]
        self._dtype = np.dtype(precision)
        self._bits = np.uint64(token_bits(saved.vocabulary_size))
        self._mask = low_bits((self.order - 1) * int(self._bits))
        self._smoothed = KneserNey(self.tables, saved.vocabulary_size)

    @property
    def parameters(self) -> int:
        """Number of n-grams, of all lengths."""
        return sum(len(table.keys) for table in self.tables)

    def count(self, tokens: Array) -> NgramModel:
        """Return the model of the n-grams of these tokens, (n,), and of nothing before."""
        tables = count_tables(tokens, self.vocabulary_size, self.order)
        saved = self._saved(tables, ending_of(tokens, self.order))
        return NgramModel(saved, self._architecture, self._precision)

    def start(self, batch_size: int) -> NgramState:
        return NgramState(np.zeros(batch_size, dtype=np.uint64))

    def _advance(self, ids: Array, state: NgramState) -> None:
        state.histories = ((state.histories << self._bits) | ids.astype(np.uint64)) & self._mask
        state.length = min(state.length + 1, self.order - 1)

    @functools.cached_property
    def _beginnings(self) -> Beginnings:
        return Beginnings(self._smoothed, self.tables[-1], self.order, self._ending)

    def _after(self, length: int) -> KneserNey | Beginnings:
        """What knows the probabilities after so many tokens."""
        return self._smoothed if length == self.order - 1 else self._beginnings

    def _logits(self, histories: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.floating[Any]]:
        probabilities = self._after(length).probabilities(histories, length)
        return np.log(probabilities, out=probabilities).astype(self._dtype, copy=False)

    def step(self, ids: Array, state: NgramState) -> npt.NDArray[np.floating[Any]]:
        self._advance(ids, state)
        return self._logits(state.histories, state.length)

    def forward(self, ids: Array, state: NgramState, last_only: bool = False) -> npt.NDArray[np.floating[Any]]:
        rows, length = ids.shape
        kept = min(1, length) if last_only else length
        spans = self._spans(state.length, length, max(1, PIECE // (self.vocabulary_size * max(1, rows))))
        histories = self._read(ids, state)[:, length - kept :]
        logits = np.empty((rows, kept, self.vocabulary_size), dtype=self._dtype)
        for start, stop, context in [(0, kept, state.length)] if last_only else spans:
            span = histories[:, start:stop]
            logits[:, start:stop] = self._logits(span.ravel(), context).reshape(*span.shape, self.vocabulary_size)
        return logits

    def loss(self, inputs: Array, targets: Array, state: NgramState) -> tuple[Loss, NgramState]:
        """The mean loss of the targets, (B, T), or (B,) after the last input: much faster than by all the logits."""
        spans = self._spans(state.length, inputs.shape[1], PIECE)
        histories = self._read(inputs, state)
        if targets.ndim == 1:
            histories, targets, spans = histories[:, -1:], targets[:, None], iter([(0, 1, state.length)])
        losses = [
            -np.log(self._after(context).chosen(histories[:, a:b].ravel(), targets[:, a:b].ravel(), context))
            for a, b, context in spans
        ]
        return float(np.concatenate(losses).mean()), state

    def _read(self, ids: Array, state: NgramState) -> npt.NDArray[np.uint64]:
        """The history after each token, (B, T); the state is that after the last."""
        histories = np.empty(ids.shape, dtype=np.uint64)
        for t in range(ids.shape[1]):
            self._advance(ids[:, t], state)
            histories[:, t] = state.histories
        return histories

    def _spans(self, before: int, count: int, most: int) -> Iterator[tuple[int, int, int]]:
        """Neighbouring places whose contexts are of one length: where they begin and end, and that length.

        `before` tokens were read already; no span has more than so many places.
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
        """Return the state that `state_arrays` gave."""
        return NgramState(arrays["histories"].astype(np.uint64), int(arrays["length"].max(initial=0)))

    def save(self) -> SavedModel:
        saved = self._saved(self.tables, self._ending)
        return attrs.evolve(saved, arrays={name: array.copy() for name, array in saved.arrays.items()})

    def _saved(self, tables: tuple[Table, ...], ending: Array) -> SavedModel:
        arrays: Arrays = {ENDING: ending}
        for length, table in enumerate(tables, start=1):
            arrays |= dict(zip(table_names(length), (table.keys, table.counts, table.discounts), strict=True))
        return SavedModel(self._architecture.name, {"order": self.order}, self.vocabulary_size, arrays)
