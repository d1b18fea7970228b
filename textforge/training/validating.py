"""The validation of a run: on the whole of the text held out, or on a fixed part of it."""

from __future__ import annotations

import numpy as np

from textforge.evaluation.loss import token_loss
from textforge.model import Model
from textforge.training.data import Tokens
from textforge.training.settings import TrainingSettings

PIECES = 32
"""A part of the text is made of so many pieces, spread over all of it."""
PIECE_TOKENS = 1000
"""A piece has at least so many tokens, so that its beginning, without context, hardly counts."""
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
