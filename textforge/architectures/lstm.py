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

from textforge.architectures.checks import check_layers, checked_options, checked_weights
from textforge.backends.base import GradientBackend
from textforge.backends.training_arrays import Shape
from textforge.components.component import option
from textforge.model import Array, Arrays, Model, SavedModel

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


def state_shapes(num_layers: int, hidden_size: int) -> dict[str, Shape]:
    """What an LSTM carries from token to token, by canonical name: (L, rows, H) each."""
    return dict.fromkeys(("hidden", "cell"), (num_layers, None, hidden_size))


def checked_arrays(saved: SavedModel) -> Arrays:
    """The weights of a saved LSTM, as C-contiguous float32, each under its name and of its shape.

    Raises `textforge.errors.BundleError` where an option is missing or wrong, or a weight missing, unknown, misshapen
    or not finite.
    """
    options = checked_options(saved, LSTMBackend.options(), ("hidden_size", "num_layers", "embedding_size"))
    check_layers(saved, options["num_layers"])
    return checked_weights(saved.arrays, weight_shapes(saved.vocabulary_size, **options))


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
