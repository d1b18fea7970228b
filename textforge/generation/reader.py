"""Readers of tokens for a model: with its state carried on, or from a fresh state over its window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Ids
from textforge.generation.history import History
from textforge.model import Model, Opinion, State
from textforge.plugins.blame import blame_model

ModelLogits = npt.NDArray[np.floating[Any]]

PIECE = 512
"""Tokens of a prompt that are read at once."""


class Reader(ABC):
    """A reader of tokens for some rows; `logits` are those of the next token, (B, V), as the model gave them."""

    def __init__(self, model: Model, logits: ModelLogits) -> None:
        self.model = model
        self.logits = logits

    @abstractmethod
    def repeat(self, count: int) -> Reader:
        """Return a reader of `count` rows, each a copy of the only row of this one."""

    @abstractmethod
    def read(self, history: History) -> ModelLogits:
        """Read the newest token of each row, and return the logits, (B, V), valid until the next call."""

    @abstractmethod
    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these."""

    def collect_opinions(self) -> Sequence[Opinion]:
        """Return what each part of a model that is made of others said of the next token; none unless overridden."""
        return ()

    def _repeat_logits(self, count: int) -> ModelLogits:
        return np.repeat(self.logits, count, axis=0)


class StateReader(Reader):
    """A reader that carries the model's state on from token to token."""

    def __init__(self, model: Model, logits: ModelLogits, state: State) -> None:
        super().__init__(model, logits)
        self._state = state

    def repeat(self, count: int) -> StateReader:
        state = self.model.select(self._state, np.zeros(count, dtype=np.int64))
        return StateReader(self.model, self._repeat_logits(count), state)

    def read(self, history: History) -> ModelLogits:
        try:
            return self.model.step(history.newest, self._state)
        except Exception as error:
            raise blame_model(self.model, error, "to read a token") from error

    def collect_opinions(self) -> Sequence[Opinion]:
        return self.model.opinions(self._state)

    def keep(self, rows: Sequence[int]) -> None:
        self._state = self.model.select(self._state, np.array(rows, dtype=np.int64))


class WindowReader(Reader):
    """A reader that gives the model the last tokens of each text anew, from a fresh state, for every token."""

    def __init__(self, model: Model, logits: ModelLogits, window: int) -> None:
        super().__init__(model, logits)
        self._window = window

    def repeat(self, count: int) -> WindowReader:
        return WindowReader(self.model, self._repeat_logits(count), self._window)

    def read(self, history: History) -> ModelLogits:
        return _read_afresh(self.model, history.last(self._window))

    def keep(self, rows: Sequence[int]) -> None:
        """Do nothing, as no state is carried on."""


def read_prompt(model: Model, prompt: Ids) -> Reader:
    """Return a reader of one row that has read the prompt, (T,) with T at least 1."""
    ids = np.array(prompt, dtype=np.int64)[np.newaxis]
    if model.window is not None:
        return WindowReader(model, _read_afresh(model, ids[:, -model.window :]).copy(), model.window)
    try:
        state = model.start(1)
        for start in range(0, ids.shape[1], PIECE):
            logits = model.forward(ids[:, start : start + PIECE], state, last_only=True)
        return StateReader(model, logits[:, -1].copy(), state)
    except Exception as error:
        raise blame_model(model, error, "to read the prompt") from error


def _read_afresh(model: Model, ids: npt.NDArray[np.int64]) -> ModelLogits:
    try:
        return model.forward(ids, model.start(len(ids)), last_only=True)[:, -1]
    except Exception as error:
        raise blame_model(model, error, "to read a window") from error
