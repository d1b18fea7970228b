"""Mixtures of small models that read alike in every test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textforge.architectures.base import Architecture
from textforge.architectures.composite import describe_part
from textforge.architectures.mix import Mix
from textforge.backends.choose import load_model, resolve_parts
from textforge.model import Array, CountingModel, Model, SavedModel
from textforge.plugins.registry import Plugins

SIZE = 7
"""The vocabulary's."""
PLUGINS = Plugins(disabled="all")
TOKENS = np.random.Generator(np.random.PCG64(5)).integers(0, SIZE, 300)


def make_part(spec: str, seed: int = 1, window: int | None = None) -> SavedModel:
    """An untrained model, or a counted one; its logits are far from even."""
    architecture: Architecture = PLUGINS.architecture(spec)
    saved = architecture.create(SIZE, seed)
    model = load_model(PLUGINS, PLUGINS.backend("numpy"), saved, architecture)
    if isinstance(model, CountingModel):
        return model.count(TOKENS).save()
    arrays = {name: (3 * array).astype(array.dtype) for name, array in saved.arrays.items()}
    return SavedModel(saved.architecture, saved.options, SIZE, arrays, window)


LSTM, OTHER, NGRAM = make_part("lstm:8"), make_part("lstm:hidden_size=5", seed=2), make_part("ngram:order=3")
WINDOWED = make_part("lstm:hidden_size=6", seed=3, window=4)


def describe(parts: Sequence[SavedModel], coefficients: Sequence[float], kind: str = "linear") -> Mix:
    """The architecture of a mixture, which knows those of its parts."""
    made = Mix(parts=[describe_part(part, None) for part in parts], coefficients=tuple(coefficients), kind=kind)
    resolved = resolve_parts(PLUGINS, made)
    assert isinstance(resolved, Mix)
    return resolved


def join(parts: Sequence[SavedModel], coefficients: Sequence[float], kind: str = "linear") -> SavedModel:
    """A mixture as a bundle has it."""
    return describe(parts, coefficients, kind).join(parts)


def load(saved: SavedModel, backend: str = "numpy:precision=float64") -> Model:
    """Any model, run in float64 unless told otherwise."""
    return load_model(PLUGINS, PLUGINS.backend(backend), saved)


def read(model: Model, ids: Array) -> Array:
    """The log-probabilities after each token, (B, T, V)."""
    logits = np.array(model.forward(ids, model.start(len(ids))), dtype=np.float64)
    best = logits.max(axis=-1, keepdims=True)
    return logits - best - np.log(np.exp(logits - best).sum(axis=-1, keepdims=True))
