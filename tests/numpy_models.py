"""Small models of each architecture, and their logits step by step."""

from __future__ import annotations

import attrs
import numpy as np

from textforge.architectures.conv import Conv
from textforge.architectures.gpt import GPT
from textforge.architectures.lstm import LSTM
from textforge.model import Model, SavedModel

ARCHITECTURES = {
    "lstm": lambda **options: LSTM(**{"hidden_size": 16, **options}),
    "conv": lambda **options: Conv(**{"channels": 12, "num_layers": 3, "kernel_size": 2, **options}),
    "gpt": lambda **options: GPT(**{"hidden_size": 12, "num_layers": 2, "num_heads": 2, "window": 10, **options}),
}
ONE_HOT = ("lstm", "conv")
"""Those whose input may be one-hot."""
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


def saved_model(
    architecture: str, vocabulary_size: int = 11, seed: int = 3, model_window: int | None = None, **options: int | None
) -> SavedModel:
    """Return a model with fresh weights, and biases that are not zeros."""
    made = ARCHITECTURES[architecture](**options).create(vocabulary_size, seed)
    random = np.random.default_rng(seed)
    biases = {
        name: array + random.normal(0, 0.3, array.shape).astype(np.float32)
        for name, array in made.arrays.items()
        if name.endswith("bias")
    }
    return attrs.evolve(made, arrays=made.arrays | biases, window=model_window)


def some_ids(rows: int, length: int, vocabulary_size: int = 11, seed: int = 5) -> np.ndarray:
    """Return token ids, (rows, length)."""
    return np.random.default_rng(seed).integers(0, vocabulary_size, (rows, length))


def steps(model: Model, ids: np.ndarray, state: object | None = None) -> np.ndarray:
    """Return the logits after each token, (B, T, V), read one by one."""
    state = model.start(len(ids)) if state is None else state
    return np.stack([model.step(ids[:, t], state).copy() for t in range(ids.shape[1])], axis=1)
