"""The context of a sampler: the texts it works on, its own state, and its random numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Encoder
from textforge.errors import GenerationError
from textforge.generation.history import History
from textforge.generation.randomness import RandomStreams, Uniform


class RowContext:
    """The context of one position of the chain: implements `textforge.samplers.base.Context`.

    >>> context = RowContext(History(np.array([7]), rows=2), seed=1, texts=[0, 1], position=0)
    >>> context.random(3).shape
    (2, 3)
    """

    def __init__(
        self, history: History, *, seed: int, texts: Sequence[int], position: int, encoder: Encoder | None = None
    ) -> None:
        self.prompt_length = history.prompt_length
        self.encoder = encoder
        self.step = 0
        self.state: dict[str, Any] = {}
        self.shared: dict[str, Any] = {}
        self._history = history
        self._seed, self._texts, self._place = seed, list(texts), position + 1
        self._streams: RandomStreams | None = None
        self._used_step, self._used = -1, 0

    @property
    def tokens(self) -> npt.NDArray[np.int64]:
        """The prompt and what was generated so far, (B, t), read-only; not a copy."""
        return self._history.tokens

    def random(self, *shape: int) -> Uniform:
        """Return uniform numbers in [0, 1), (B, *shape); a second call in a step returns those that follow."""
        if self._streams is None:  # most samplers never ask
            self._streams = RandomStreams(self._seed, self._texts, self._place)
        if self.step != self._used_step:
            self._used_step, self._used = self.step, 0
        start = self._used
        self._used += math.prod(shape)
        numbers = self._streams.page(self.step, self._used)[:, start:]
        return numbers.reshape(len(self._texts), *shape)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop the entries of all rows but these. The history is shared, and is dropped from by itself.

        Raises `GenerationError` for an entry of `state` that isn't by row.
        """
        before = len(self._texts)
        self.state = {name: _keep_rows(name, value, rows, before) for name, value in self.state.items()}
        self._texts = [self._texts[row] for row in rows]
        if self._streams is not None:
            self._streams.keep(rows)


def _keep_rows(name: str, value: Any, rows: Sequence[int], before: int) -> Any:
    if not isinstance(value, (list, tuple, np.ndarray)) or np.shape(value)[:1] == () or len(value) != before:
        raise GenerationError(
            f"context.state[{name!r}] must be an array or a list with one entry a row, {before} now, "
            f"got {type(value).__name__}; what is not by row belongs in context.shared"
        )
    if isinstance(value, np.ndarray):
        return value[rows]
    return type(value)([value[row] for row in rows])
