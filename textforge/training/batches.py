"""The batches that a corpus is cut into for training; every batch of a run has one shape.

A batch depends on the seed, the epoch and its number alone, so a run can go on at any step.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from textforge.errors import TrainingError, advise
from textforge.model import Array
from textforge.training.data import Tokens
from textforge.training.documents import ShuffledDocuments
from textforge.training.permutation import Permutation, derive_key, mix
from textforge.training.settings import TrainingSettings


class Batches(Protocol):
    """The batches of every epoch."""

    rows: int
    """B, the sequences in a batch: fewer than asked for where the corpus is short."""
    length: int
    """T, the tokens of a sequence."""
    sequences: int
    """Sequences the corpus is cut into."""
    steps_per_epoch: int
    tokens_per_step: int
    """Tokens predicted in a step."""
    carries_state: bool
    """True where a batch goes on where the one before it ended."""

    def batch(self, epoch: int, step: int) -> tuple[Array, Array]:
        """Return the inputs, (B, T), and the targets of a step of an epoch, both counted from 0.

        Targets are (B, T), the token after each input; those of windows are (B,), the token after the last.
        """


def make_batches(
    tokens: Tokens, settings: TrainingSettings, unit: str = "tokens", end_of_text: int | None = None
) -> Batches:
    """Return the batches that the settings ask for; `end_of_text` is the token that ends a document.

    Raises `TrainingError` for a corpus shorter than one sequence and its target, and where documents are to be shuffled
    and there aren't several, or windows are, which are shuffled themselves.
    """
    windows = settings.sequences == "windows"
    length = settings.window if windows else settings.sequence_length
    if len(tokens) <= length:
        raise TrainingError(
            f"the corpus is too short: {len(tokens)} {unit} to train on, but a training sequence needs {length + 1}; "
            f"give a longer text, or a smaller ",
            advise("window" if windows else "sequence_length"),
        )
    if windows and settings.shuffle != "none":
        raise TrainingError("windows are shuffled by themselves: leave out ", advise("shuffle"))
    if windows:
        return WindowBatches(tokens, settings.batch_size, length, settings.stride, settings.seed)
    documents = ShuffledDocuments(tokens, end_of_text, settings.seed) if settings.shuffle == "documents" else None
    return StreamBatches(tokens, settings.batch_size, length, settings.seed, documents)


class StreamBatches:
    """Batches of B contiguous streams side by side, T tokens a step, every next token a target.

    Truncated backpropagation through time as in char-rnn: each batch goes on where the last one ended. What doesn't
    fill a step is left out; which part that is changes with the epoch. With `documents`, their order does too.
    """

    carries_state = True

    def __init__(
        self, tokens: Tokens, rows: int, length: int, seed: int, documents: ShuffledDocuments | None = None
    ) -> None:
        predicted = len(tokens) - 1  # the first token is no target
        self._tokens = tokens
        self._documents = documents
        self._seed = seed
        self.rows = min(rows, predicted // length)
        self.length = length
        stream = predicted // self.rows  # targets of a row
        self.steps_per_epoch = stream // length
        self.sequences = self.rows * self.steps_per_epoch
        self.tokens_per_step = self.rows * length
        self._starts = np.arange(self.rows)[:, None] * stream + np.arange(length + 1)  # (B, T + 1)
        self._slack = predicted - (self.rows - 1) * stream - self.steps_per_epoch * length

    def batch(self, epoch: int, step: int) -> tuple[Array, Array]:
        offset = _stream_offset(self._seed, epoch, self._slack)
        places = self._starts + (offset + step * self.length)  # (B, T + 1)
        block = self._tokens[places if self._documents is None else self._documents.find(places, epoch)]
        return block[:, :-1], block[:, 1:]


def _stream_offset(seed: int, epoch: int, slack: int) -> int:
    # drawn by hash, not from a generator: any epoch's offset can be had without those before it
    return int(mix(np.array([epoch], dtype=np.uint64), derive_key(seed, 0))[0] % np.uint64(slack + 1))


class WindowBatches:
    """Batches of overlapping windows of T tokens, one every `stride`, shuffled anew each epoch, with the next token.

    As in *Deep Learning with Python*, section 8.1, but no window is ever stored: a keyed permutation says which
    windows a batch has.
    """

    carries_state = False

    def __init__(self, tokens: Tokens, rows: int, length: int, stride: int, seed: int) -> None:
        self._tokens = tokens
        self._seed = seed
        self._stride = stride
        self.sequences = -(-(len(tokens) - length) // stride)  # rounded up: every window that has a next token
        self.rows = min(rows, self.sequences)
        self.length = length
        self.steps_per_epoch = self.sequences // self.rows
        self.tokens_per_step = self.rows  # a window has one target
        self._window = np.arange(length + 1)  # (T + 1,)

    def batch(self, epoch: int, step: int) -> tuple[Array, Array]:
        order = Permutation(self.sequences, self._seed, epoch)
        numbers = order(np.arange(step * self.rows, (step + 1) * self.rows, dtype=np.uint64))  # (B,)
        block = self._tokens[numbers.astype(np.int64)[:, None] * self._stride + self._window]  # (B, T + 1)
        return block[:, :-1], block[:, -1]
