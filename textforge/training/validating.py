"""The validation of a run: on the whole of the text held out, or on a fixed part of it."""

from __future__ import annotations

import numpy as np

from textforge.evaluation.loss import token_loss
from textforge.model import Model
from textforge.training.data import Tokens, TrainingData
from textforge.training.settings import TrainingSettings

PIECES = 32
"""A part of the text is made of so many pieces, spread over all of it."""
PIECE_TOKENS = 1000
"""A piece has at least so many tokens, so that its beginning, without context, hardly counts."""
REPLAYED_TOKENS = 100_000
"""The most tokens of an older text that its loss is measured on."""
_STREAM = 0x76616C
"""A part of the seed that keeps the places of the pieces apart from other numbers drawn from it."""


def draw_part(tokens: Tokens, size: int | None, seed: int) -> Tokens:
    """Return `size` of the tokens, (n,), or all: contiguous pieces at places drawn from the seed, in their order.

    >>> draw_part(np.arange(100, dtype=np.uint8), 3, seed=1).tolist()
    [63, 64, 65]
    """
    if size is None or size >= len(tokens):
        return tokens
    return np.concatenate(draw_pieces(tokens, size, seed))


def draw_pieces(tokens: Tokens, size: int, seed: int) -> list[Tokens]:
    """Return the pieces that `draw_part` puts together, for fewer tokens than there are: parts of the same array."""
    pieces = min(PIECES, max(1, size // PIECE_TOKENS))
    length, stratum = size // pieces, len(tokens) // pieces
    random = np.random.Generator(np.random.PCG64([seed, _STREAM]))
    # one piece in each of equally long stretches of the text, so that no stretch is left out
    starts = np.arange(pieces) * stratum + random.integers(0, stratum - length + 1, pieces)
    return [tokens[start : start + length] for start in starts]


class Validation:
    """The validation text of a run and the loss on it.

    `size` is the number of tokens read each time; None reads all.
    """

    def __init__(self, tokens: Tokens, settings: TrainingSettings, length: int, size: int | None = None) -> None:
        self._settings = settings
        self._length = length
        self._all = tokens
        self._part = draw_part(tokens, size, settings.seed)

    @property
    def tokens(self) -> int:
        """The number of tokens read each time."""
        return len(self._part)

    def bound(self, size: int) -> Validation:
        """Return a validation on no more than `size` tokens."""
        return Validation(self._all, self._settings, self._length, size)

    def loss(self, model: Model) -> float | None:
        """Return the model's mean loss in nats a token; None where the text is too short for any."""
        if len(self._part) <= (model.window or 0) + 1:
            return None
        stride = self._settings.stride if model.window else 1
        return token_loss(model, self._part, sequence_length=self._length, stride=stride).mean


class HeldOut:
    """The texts that a run is measured on: that of its validation, and what was kept of an older text mixed in.

    `size` is the number of tokens that a validation reads; None reads all.
    """

    def __init__(self, data: TrainingData, settings: TrainingSettings, length: int, size: int | None) -> None:
        self._data = data
        self._validation = Validation(data.validation, settings, length, size)
        self._replayed: Validation | None = None
        if data.replayed is not None:
            most = min(size or REPLAYED_TOKENS, REPLAYED_TOKENS)
            self._replayed = Validation(data.replayed, settings, length, most)

    @property
    def tokens(self) -> int:
        """The number of tokens that a validation reads."""
        return self._validation.tokens

    def loss(self, model: Model) -> float | None:
        """Return the model's validation loss; None where the text is too short for any."""
        return self._validation.loss(model)

    def replay_loss(self, model: Model) -> float | None:
        """Return the model's loss on the older text; None where none is mixed in."""
        return self._replayed.loss(model) if self._replayed else None

    def bound(self, size: int) -> int | None:
        """Read no more than `size` tokens from now on; return the number to be recorded, None where all are read."""
        self._validation = self._validation.bound(size)
        if self._replayed is not None:
            self._replayed = self._replayed.bound(min(size, REPLAYED_TOKENS))
        if self.tokens < len(self._data.validation):
            return self.tokens
        return size if self._replayed is not None and size < REPLAYED_TOKENS else None

    def describe(self) -> str | None:
        """Return a message on the part that is read; None where that is all."""
        if self.tokens >= len(self._data.validation):
            return None
        return (
            f"the time allows for validation on {self.tokens:,} of {len(self._data.validation):,} "
            f"{self._data.encoder.token_name}: the same part each time, spread over all of them"
        )
