"""Samples for the tests of exporting: models as trained ones are, and what their logits must be."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from support import ModelMaker

from textforge.model import Array, SavedModel

Options = dict[str, int | None]
LSTMS: dict[str, Options] = {
    "default": {},
    "three-layers": {"num_layers": 3, "hidden_size": 12},
    "one-hot": {"embedding_size": None, "num_layers": 2, "hidden_size": 9},
    "tiny": {"hidden_size": 1, "embedding_size": 1},
}
CONVS: dict[str, Options] = {
    "conv": {},
    "conv-wide": {"num_layers": 3, "kernel_size": 3, "dilation_growth": 3, "channels": 10},
    "conv-one-hot": {"embedding_size": None, "num_layers": 4, "channels": 9, "dilation_growth": 1},
    "conv-tiny": {"embedding_size": 1, "num_layers": 1, "channels": 1},
}
GPTS: dict[str, Options] = {
    "gpt": {"num_layers": 2, "hidden_size": 24, "num_heads": 3, "window": 16},
    "gpt-wide": {"num_layers": 1, "hidden_size": 12, "num_heads": 1, "window": 40},
    "gpt-tiny": {"num_layers": 1, "hidden_size": 2, "num_heads": 1, "window": 1},
}


def saved_lstm(**keywords: Any) -> SavedModel:
    return saved_model("lstm", **keywords)


def saved_conv(**keywords: Any) -> SavedModel:
    return saved_model("conv", **keywords)


def saved_gpt(**keywords: Any) -> SavedModel:
    return saved_model("gpt", **keywords)


def saved_model(
    architecture: str,
    *,
    vocabulary_size: int = 11,
    seed: int = 3,
    model_window: int | None = None,
    scale: float = 1,
    **options: Any,
) -> SavedModel:
    """A model whose biases are no zeros, so that none can be forgotten, its weights `scale` times as large as fresh."""
    made = ModelMaker("numpy", architecture, **options).initial(vocabulary_size, seed)
    random = np.random.default_rng(seed)
    arrays = {name: array * np.float32(scale) for name, array in made.arrays.items()}
    for name in arrays:
        if name.endswith("bias"):
            arrays[name] += random.normal(0, 0.3, arrays[name].shape).astype(np.float32)
    return attrs.evolve(made, arrays=arrays, window=model_window)


SAVED: dict[str, Callable[[], SavedModel]] = {
    **{name: functools.partial(saved_lstm, **options) for name, options in LSTMS.items()},
    **{name: functools.partial(saved_conv, **options) for name, options in CONVS.items()},
    **{name: functools.partial(saved_gpt, **options) for name, options in GPTS.items()},
}
"""Models of every architecture."""


def some_ids(rows: int, length: int, vocabulary_size: int = 11, seed: int = 5) -> Array:
    return np.random.default_rng(seed).integers(0, vocabulary_size, (rows, length))


def exact_logits(saved: SavedModel, ids: Array) -> Array:
    """(B, T) -> (B, T, V), in float64"""
    model = ModelMaker("numpy", saved.architecture, precision="float64").load(saved)
    logits: Array = model.forward(ids, model.start(len(ids)))
    return logits
