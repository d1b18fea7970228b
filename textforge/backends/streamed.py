"""A model with a window, read as one that carries its state on.

Shapes: B rows, T tokens, W the window.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from textforge.architectures.composite import SEEN, UNSEEN
from textforge.model import Array, Arrays, Model, SavedModel


@attrs.define(eq=False)
class SeenTokens:
    """The last tokens of each row."""

    ids: npt.NDArray[np.int64]
    """(B, W), the newest last; `UNSEEN` where there are fewer."""
    length: int
    """The number of tokens that there are."""


class StreamedModel(Model):
    """A model that looks back on a window alone, with the window's tokens for its state.

    So it can be read token by token, beside models that carry a state on. For each token it reads its window anew.
    """

    window: int | None = None

    def __init__(self, model: Model, window: int) -> None:
        self._model = model
        self._window = window
        self.vocabulary_size = model.vocabulary_size

    def start(self, batch_size: int) -> SeenTokens:
        return SeenTokens(np.full((batch_size, self._window), UNSEEN, np.int64), 0)

    def step(self, ids: Array, state: SeenTokens) -> npt.NDArray[np.floating[Any]]:
        return self.forward(ids[:, np.newaxis], state, last_only=True)[:, -1]

    def forward(self, ids: Array, state: SeenTokens, last_only: bool = False) -> npt.NDArray[np.floating[Any]]:
        rows, length = ids.shape
        seen = np.concatenate([state.ids[:, self._window - state.length :], ids], axis=1)  # (B, up to W + T)
        total = seen.shape[1]
        ends = range(total + 1 - min(1, length) if last_only else total + 1 - length, total + 1)
        read = [self._read_window(seen[:, max(0, end - self._window) : end]) for end in ends]
        state.length = min(total, self._window)
        state.ids[:, self._window - state.length :] = seen[:, total - state.length :]
        return np.stack(read, axis=1) if read else np.empty((rows, 0, self.vocabulary_size), np.float32)

    def _read_window(self, ids: Array) -> npt.NDArray[np.floating[Any]]:
        """Return the logits after a window, (B, V), by a fresh state."""
        return np.array(self._model.forward(ids, self._model.start(len(ids)), last_only=True)[:, -1])

    def select(self, state: SeenTokens, rows: Array) -> SeenTokens:
        return SeenTokens(state.ids[rows], state.length)

    def save(self) -> SavedModel:
        return self._model.save()

    def state_arrays(self, state: SeenTokens) -> Arrays:
        """Return a copy of the tokens, (B, W)."""
        return {SEEN: state.ids.copy()}

    def make_state(self, arrays: Arrays) -> SeenTokens:
        """Return a state from the array that `state_arrays` returned."""
        ids = arrays[SEEN].astype(np.int64)
        return SeenTokens(ids, int((ids != UNSEEN).sum(axis=1).max(initial=0)))


def read_as_stream(model: Model) -> Model:
    """Return the model, which carries its state on, or one that does where it has a window."""
    return model if model.window is None else StreamedModel(model, model.window)
