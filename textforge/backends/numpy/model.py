"""A base of NumPy's models: states, saving, and reading many tokens in pieces."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from textforge.architectures.base import Architecture
from textforge.model import Array, Arrays, Model, SavedModel

Numbers = npt.NDArray[np.floating[Any]]
PIECE_BYTES = 1 << 22
"""Memory that the tokens read at once may take, so that a long text needs little."""


class NumpyModel(Model):
    """A saved model, run by NumPy in ``float32`` or ``float64``.

    A subclass finds its weights, by canonical name, in `weights`, and declares `step`. Its state is a dict of arrays by
    canonical name, in the shapes that its architecture declares, unless it declares another with `start`, `select`,
    `state_arrays` and `make_state`. It may declare `read`, to be quick with many tokens at once.
    """

    def __init__(self, saved: SavedModel, architecture: Architecture, precision: str = "float32") -> None:
        self.architecture = architecture
        self.vocabulary_size = saved.vocabulary_size
        self.window = saved.window
        self.dtype = np.dtype(precision)
        self.weights: Arrays = {name: array.astype(self.dtype, copy=False) for name, array in saved.arrays.items()}
        self._saved = saved

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle what was saved: matrices made of it lie in memory as suits the processor."""
        return type(self), (self.save(), self.architecture, self.dtype.name)

    def start(self, batch_size: int) -> Any:
        return {
            name: np.zeros([batch_size if size is None else size for size in shape], self.dtype)
            for name, shape in self.architecture.state().items()
        }

    def forward(self, ids: Array, state: Any, last_only: bool = False) -> Numbers:
        rows, length = ids.shape
        kept = min(1, length) if last_only else length
        logits = np.empty((rows, kept, self.vocabulary_size), self.dtype)
        piece = max(1, PIECE_BYTES // max(1, self.bytes_per_token(rows)))
        for start in range(0, length, piece):
            read = self.read(ids[:, start : start + piece], state, last_only)
            logits[:, 0 if last_only else start : start + piece] = read
        return logits

    def read(self, ids: Array, state: Any, last_only: bool) -> Numbers:
        """Read a piece of tokens, (B, T), and return the logits, (B, T, V), or (B, 1, V)."""
        logits: Numbers = super().forward(ids, state, last_only)
        return logits

    def bytes_per_token(self, rows: int) -> int:
        """Return the bytes that `read` takes for a token of so many rows."""
        return rows * self.vocabulary_size * self.dtype.itemsize

    def select(self, state: Any, rows: Array) -> Any:
        axes = {name: shape.index(None) for name, shape in self.architecture.state().items()}
        return {name: array.take(rows, axis=axes[name]) for name, array in state.items()}

    def state_arrays(self, state: Any) -> Arrays:
        return {name: array.copy() for name, array in state.items()}

    def make_state(self, arrays: Arrays) -> Any:
        return {name: array.astype(self.dtype) for name, array in arrays.items()}

    def save(self) -> SavedModel:
        arrays = {name: array.copy() for name, array in self._saved.arrays.items()}
        return attrs.evolve(self._saved, arrays=arrays, window=self.window)
