"""The batches that a corpus is cut into for training; every batch of a run has one shape.

A batch depends on the seed, the epoch and its number alone, so a run can go on at any step.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from textforge.errors import TrainingError, advise
from textforge.model import Array
from textforge.training.data import Tokens
from textforge.training.settings import TrainingSettings

Indices = npt.NDArray[np.uint64]


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


def make_batches(tokens: Tokens, settings: TrainingSettings, unit: str = "tokens") -> Batches:
    """Return the batches that the settings ask for.

    Raises `TrainingError` for a corpus shorter than one sequence and its target.
    """
    windows = settings.sequences == "windows"
    length = settings.window if windows else settings.sequence_length
    if len(tokens) <= length:
        raise TrainingError(
            f"the corpus is too short: {len(tokens)} {unit} to train on, but a training sequence needs {length + 1}; "
            f"give a longer text, or a smaller ",
            advise("window" if windows else "sequence_length"),
        )
    if windows:
        return WindowBatches(tokens, settings.batch_size, length, settings.stride, settings.seed)
    return StreamBatches(tokens, settings.batch_size, length, settings.seed)


class StreamBatches:
    """Batches of B contiguous streams side by side, T tokens a step, every next token a target.

    Truncated backpropagation through time as in char-rnn: each batch goes on where the last one ended. What doesn't
    fill a step is left out; which part that is changes with the epoch.
    """

    carries_state = True

    def __init__(self, tokens: Tokens, rows: int, length: int, seed: int) -> None:
        predicted = len(tokens) - 1  # the first token is no target
        self._tokens = tokens
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
        block = self._tokens[self._starts + (offset + step * self.length)]  # (B, T + 1)
        return block[:, :-1], block[:, 1:]


def _stream_offset(seed: int, epoch: int, slack: int) -> int:
    # drawn by hash, not from a generator: any epoch's offset can be had without those before it
    return int(_mix(np.array([epoch], dtype=np.uint64), _key(seed, 0))[0] % np.uint64(slack + 1))


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


class Permutation:
    """A shuffled order of the numbers below `size`, without storing it.

    A Feistel network over the next even power of two, walked until it is back below `size` (Black and Rogaway,
    "Ciphers with arbitrary finite domains", 2002).

    >>> sorted(Permutation(5, seed=1, epoch=0)(np.arange(5, dtype=np.uint64)).tolist())
    [0, 1, 2, 3, 4]
    """

    ROUNDS = 6

    def __init__(self, size: int, seed: int, epoch: int) -> None:
        self._size = np.uint64(size)
        half = max(1, ((size - 1).bit_length() + 1) // 2)  # bits of each half; an even power of two splits in two
        self._half = np.uint64(half)
        self._mask = np.uint64((1 << half) - 1)
        self._keys = [_key(seed, epoch, number) for number in range(self.ROUNDS)]

    def __call__(self, numbers: Indices) -> Indices:
        """Return the place of each number, (n,)."""
        result = self._encrypt(numbers)
        # Walk the cycle of each that fell outside until it is back: so the walk stays a bijection below `size`. The
        # network's domain is at most four times `size`, so a walk takes few steps.
        while (outside := result >= self._size).any():
            result[outside] = self._encrypt(result[outside])
        return result

    def _encrypt(self, numbers: Indices) -> Indices:
        left, right = numbers >> self._half, numbers & self._mask
        # each round can be undone whatever `_mix` gives, which makes the whole a permutation
        for key in self._keys:
            left, right = right, left ^ (_mix(right, key) & self._mask)
        return (left << self._half) | right


def _key(*numbers: int) -> np.uint64:
    """Return 64 well-mixed bits from a few numbers."""
    return np.uint64(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _mix(values: Indices, key: np.uint64) -> Indices:
    """Hash values with a key, by the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).

    Products wrap at 64 bits, as they must.
    """
    mixed = values + key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
