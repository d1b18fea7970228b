"""What the tests of exporting share: LSTMs as trained ones are, and what their logits must be."""

from __future__ import annotations

import attrs
import numpy as np

from textforge.backends.base import Array, Model, SavedModel
from textforge.backends.lstm import LSTMBackend
from textforge.backends.numpy_lstm import NumpyLSTM

LSTMS: dict[str, dict[str, int | None]] = {
    "default": {},
    "three-layers": {"num_layers": 3, "hidden_size": 12},
    "one-hot": {"embedding_size": None, "num_layers": 2, "hidden_size": 9},
    "tiny": {"hidden_size": 1, "embedding_size": 1},
}


class UntrainedLSTM(LSTMBackend):
    name = "untrained"

    def load(self, saved: SavedModel) -> Model:
        return NumpyLSTM(saved)


def saved_lstm(
    vocabulary_size: int = 11, seed: int = 3, window: int | None = None, scale: float = 1, **options: int | None
) -> SavedModel:
    """An LSTM whose biases are no zeros, so that none can be forgotten, its weights `scale` times as large as fresh."""
    made = UntrainedLSTM(**options).initial(vocabulary_size, seed)
    random = np.random.default_rng(seed)
    arrays = {name: array * np.float32(scale) for name, array in made.arrays.items()}
    for name in arrays:
        if name.endswith("bias"):
            arrays[name] += random.normal(0, 0.3, arrays[name].shape).astype(np.float32)
    return attrs.evolve(made, arrays=arrays, window=window)


def some_ids(rows: int, length: int, vocabulary_size: int = 11, seed: int = 5) -> Array:
    return np.random.default_rng(seed).integers(0, vocabulary_size, (rows, length))


def exact_logits(saved: SavedModel, ids: Array) -> Array:
    """(B, T) -> (B, T, V), in float64"""
    model = NumpyLSTM(saved, "float64")
    return model.forward(ids, model.start(len(ids)))
