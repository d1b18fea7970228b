"""The LSTM that every backend shares: its options, its weights' names and shapes, its first weights.

Weights are float32, gates in the order input, forget, cell, output:

    embedding.weight                (V, E), only with an embedding
    lstm.{layer}.input_weight       (4H, input size): E, or V for one-hot input, or H above the first layer
    lstm.{layer}.recurrent_weight   (4H, H)
    lstm.{layer}.bias               (4H,)
    output.weight, output.bias      (V, H), (V,)

Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997, with the forget gate of Gers et al., 1999,
and its bias of 1 of Jozefowicz et al., 2015.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from textforge.backends.base import Array, Arrays, GradientBackend, Model, SavedModel
from textforge.component import option
from textforge.errors import BundleError

ARCHITECTURE = "lstm"
EMBEDDING_DEVIATION = 0.5


class LSTMBackend(GradientBackend):
    """The options of the LSTM. A backend that trains it subclasses this and adds run-time options only."""

    architecture: ClassVar[str] = ARCHITECTURE

    hidden_size: int = option(default=128, ge=1, help="Units of each layer.")
    num_layers: int = option(default=1, ge=1, help="Layers, one above the other.")
    embedding_size: int | None = option(default=64, ge=1, help="Size of the token embedding; none: one-hot input.")
    dropout: float = option(default=0.1, ge=0, lt=1, help="Share of each layer's output dropped in training.")

    def create(self, vocabulary_size: int, seed: int) -> Model:
        """A new model with the core's own first weights, so that every backend starts equal."""
        return self.load(self.initial(vocabulary_size, seed))

    def initial(self, vocabulary_size: int, seed: int) -> SavedModel:
        """An untrained model.

        Embedding N(0, 0.5²), input and output weights Glorot-uniform, recurrent weights orthogonal, biases zero
        but one for the forget gate.
        """
        shapes = weight_shapes(vocabulary_size, self.hidden_size, self.num_layers, self.embedding_size)
        random = np.random.Generator(np.random.PCG64(seed))
        arrays = {name: _initial(name, shape, random) for name, shape in shapes.items()}
        return SavedModel(ARCHITECTURE, self.architecture_options(), vocabulary_size, arrays)


def weight_shapes(
    vocabulary_size: int, hidden_size: int, num_layers: int, embedding_size: int | None
) -> dict[str, tuple[int, ...]]:
    """The canonical names and shapes, in the order in which first weights are drawn."""
    shapes: dict[str, tuple[int, ...]] = {}
    if embedding_size is not None:
        shapes["embedding.weight"] = (vocabulary_size, embedding_size)
    input_size = embedding_size or vocabulary_size
    for layer in range(num_layers):
        shapes[f"lstm.{layer}.input_weight"] = (4 * hidden_size, input_size)
        shapes[f"lstm.{layer}.recurrent_weight"] = (4 * hidden_size, hidden_size)
        shapes[f"lstm.{layer}.bias"] = (4 * hidden_size,)
        input_size = hidden_size
    shapes["output.weight"] = (vocabulary_size, hidden_size)
    shapes["output.bias"] = (vocabulary_size,)
    return shapes


def checked_arrays(saved: SavedModel) -> Arrays:
    """The weights of a saved LSTM, as C-contiguous float32, each under its name and of its shape.

    Raises `BundleError` where one is missing, unknown, misshapen or not finite.
    """
    options = {name: saved.options.get(name) for name in ("hidden_size", "num_layers", "embedding_size")}
    shapes = weight_shapes(saved.vocabulary_size, **options)  # type: ignore[arg-type]
    check_names_and_shapes(saved.arrays, shapes)
    return {name: np.ascontiguousarray(saved.arrays[name], dtype=np.float32) for name in shapes}


def check_names_and_shapes(arrays: Arrays, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise `BundleError` unless there are just these arrays, of these shapes, all numbers finite."""
    missing, unknown = sorted(shapes.keys() - arrays.keys()), sorted(arrays.keys() - shapes.keys())
    if missing:
        raise BundleError(f"the model lacks the weights {', '.join(missing)}; train it again, or copy it again")
    if unknown:
        raise BundleError(f"the model has weights its options don't speak of: {', '.join(unknown)}")
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise BundleError(f"the weights {name} have shape {arrays[name].shape}, but the options say {shape}")
        if not np.isfinite(arrays[name]).all():
            raise BundleError(f"the weights {name} have numbers that are not finite; train the model again")


def _initial(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    if name == "embedding.weight":
        values = random.normal(0.0, EMBEDDING_DEVIATION, shape)
    elif name.endswith("recurrent_weight"):
        values = _orthogonal(shape, random)
    elif name.endswith("weight"):
        limit = math.sqrt(6.0 / (shape[0] + shape[1]))
        values = random.uniform(-limit, limit, shape)
    else:
        values = _bias(name, shape)
    return np.ascontiguousarray(values, dtype=np.float32)


def _bias(name: str, shape: tuple[int, ...]) -> Array:
    values = np.zeros(shape)
    if name.startswith("lstm."):
        quarter = shape[0] // 4
        values[quarter : 2 * quarter] = 1.0  # the forget gate: remember, until taught otherwise
    return values


def _orthogonal(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Orthonormal columns, signs made unique (Saxe et al., 2013)."""
    orthonormal, upper = np.linalg.qr(random.normal(size=shape))
    return orthonormal * np.sign(np.diag(upper))
