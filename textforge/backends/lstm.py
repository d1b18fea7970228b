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
import numbers
from typing import Any, ClassVar

import numpy as np

from textforge.backends.base import Array, Arrays, GradientBackend, Model, SavedModel
from textforge.backends.training_arrays import Shape
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


def state_shapes(num_layers: int, hidden_size: int) -> dict[str, Shape]:
    """What an LSTM carries from token to token, by canonical name: (L, rows, H) each."""
    return dict.fromkeys(("hidden", "cell"), (num_layers, None, hidden_size))


def checked_arrays(saved: SavedModel) -> Arrays:
    """The weights of a saved LSTM, as C-contiguous float32, each under its name and of its shape.

    Raises `BundleError` where an option is missing or wrong, or a weight missing, unknown, misshapen or not finite.
    """
    shapes = weight_shapes(saved.vocabulary_size, **_checked_options(saved))
    check_names_and_shapes(saved.arrays, shapes)
    return {name: _checked(name, saved.arrays[name]) for name in shapes}


def _checked_options(saved: SavedModel) -> dict[str, Any]:
    """The options that weights' shapes depend on."""
    if not isinstance(saved.vocabulary_size, numbers.Integral) or saved.vocabulary_size < 1:
        raise BundleError(f"the model's vocabulary_size must be a whole number >= 1, got {saved.vocabulary_size!r}")
    options = {name: _checked_option(saved, name) for name in ("hidden_size", "num_layers", "embedding_size")}
    if options["num_layers"] > len(saved.arrays):
        raise BundleError(f"the model's num_layers is {options['num_layers']}, but it has weights for fewer")
    return options


def _checked_option(saved: SavedModel, name: str) -> Any:
    if name not in saved.options:
        raise BundleError(f"the model's configuration lacks {name}; copy the model again, or train it again")
    try:
        return LSTMBackend.options()[name].check(saved.options[name])
    except ValueError as error:
        raise BundleError(f"the model's {name} {error}; copy the model again, or train it again") from None


def check_names_and_shapes(arrays: Arrays, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise `BundleError` unless there are just these arrays, of these shapes."""
    missing, unknown = sorted(shapes.keys() - arrays.keys()), sorted(arrays.keys() - shapes.keys())
    if missing:
        raise BundleError(f"the model lacks the weights {_shortened(missing)}; train it again, or copy it again")
    if unknown:
        raise BundleError(f"the model has weights its options don't speak of: {_shortened(unknown)}")
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise BundleError(f"the weights {name} have shape {arrays[name].shape}, but the options say {shape}")


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _checked(name: str, array: Array) -> Array:
    if not np.issubdtype(array.dtype, np.floating):
        raise BundleError(f"the weights {name} must be floating-point numbers, got {array.dtype}")
    with np.errstate(over="ignore"):  # what is too large for float32 is not finite there
        weights = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(weights).all():
        raise BundleError(f"the weights {name} have numbers that are not finite; train the model again")
    return weights


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
