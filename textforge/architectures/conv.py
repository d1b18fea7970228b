"""The convolutional network that every backend shares: its options, its weights' names and shapes, its first weights.

Causal: token by token, with x the C channels of a position, and what lies before the first position zero:

    x = input.weight · embedding.weight[token] + input.bias
    for each layer, looking back `dilation` = dilation_growth**layer positions at a time:
        [a, g] = conv.{layer}.bias + the sum over k of conv.{layer}.weight[:, :, K - 1 - k] · x, k * dilation earlier
        x = x + a * sigmoid(g)
    logits = output.weight · x + output.bias

Weights are float32:

    embedding.weight                (V, E), only with an embedding
    input.weight, input.bias        (C, E), or (C, V) for one-hot input; (C,)
    conv.{layer}.weight             (2C, C, K): the values' rows, then the gates'; the newest position comes last
    conv.{layer}.bias               (2C,)
    output.weight, output.bias      (V, C), (V,)

Sources: Dauphin et al., "Language modeling with gated convolutional networks", 2017, for a gated linear unit in each
layer; van den Oord et al., "WaveNet", 2016, for causal convolutions whose dilation grows; Bai et al., "An empirical
evaluation of generic convolutional and recurrent networks for sequence modeling", 2018, for both in residual blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from textforge.architectures.checks import check_layers, checked_options, checked_weights
from textforge.backends.base import GradientBackend
from textforge.backends.training_arrays import Shape
from textforge.components.component import option
from textforge.errors import BundleError, OptionError
from textforge.model import Array, Arrays, Model, SavedModel

ARCHITECTURE = "conv"
EMBEDDING_DEVIATION = 0.5
LONGEST_LOOK_BACK = 1 << 16
"""Positions that all layers together may keep for a row: at 128 channels 32 MiB."""
SIZES = ("channels", "num_layers", "kernel_size", "dilation_growth", "embedding_size")


class ConvBackend(GradientBackend):
    """The options of the convolutional network. A backend that trains it adds run-time options only."""

    architecture: ClassVar[str] = ARCHITECTURE

    channels: int = option(default=96, ge=1, help="Numbers that each position carries from layer to layer.")
    num_layers: int = option(default=6, ge=1, help="Layers, one above the other.")
    kernel_size: int = option(default=2, ge=2, help="Positions that a layer reads.")
    dilation_growth: int = option(default=2, ge=1, help="The positions lie growth**layer apart, layers from 0.")
    embedding_size: int | None = option(default=64, ge=1, help="Size of the token embedding; none: one-hot input.")
    dropout: float = option(default=0.1, ge=0, lt=1, help="Share of what each layer adds that is dropped in training.")

    def __attrs_post_init__(self) -> None:
        """Refuse layers that look back further than memory would reach."""
        super().__attrs_post_init__()
        try:
            look_backs(self.num_layers, self.kernel_size, self.dilation_growth)
        except ValueError as error:
            raise OptionError(f"{self.title()}{error}") from None

    def create(self, vocabulary_size: int, seed: int) -> Model:
        """A new model with the core's own first weights, so that every backend starts equal."""
        return self.load(self.initial(vocabulary_size, seed))

    def initial(self, vocabulary_size: int, seed: int) -> SavedModel:
        """An untrained model.

        Embedding, or the weights of one-hot input, N(0, 0.5²), output weights Glorot-uniform, biases zero. The others
        N(0, 1 / inputs), which keeps a signal's size; but the values of L layers smaller by the root of L, so that x
        is about as large after many layers as after few.
        """
        shapes = weight_shapes(vocabulary_size, self.channels, self.num_layers, self.kernel_size, self.embedding_size)
        random = np.random.Generator(np.random.PCG64(seed))
        arrays = {name: self._initial(name, shape, random) for name, shape in shapes.items()}
        return SavedModel(ARCHITECTURE, self.architecture_options(), vocabulary_size, arrays)

    def _initial(self, name: str, shape: tuple[int, ...], random: np.random.Generator) -> Array:
        if name.endswith("bias"):
            values = np.zeros(shape)
        elif name == "output.weight":
            limit = math.sqrt(6.0 / (shape[0] + shape[1]))
            values = random.uniform(-limit, limit, shape)
        else:
            values = random.normal(0.0, self._deviation(name, shape), shape)
        if name.startswith("conv."):
            values[: self.channels] /= math.sqrt(self.num_layers)
        return np.ascontiguousarray(values, dtype=np.float32)

    def _deviation(self, name: str, shape: tuple[int, ...]) -> float:
        looked_up = "input.weight" if self.embedding_size is None else "embedding.weight"
        return EMBEDDING_DEVIATION if name == looked_up else 1.0 / math.sqrt(math.prod(shape[1:]))


def weight_shapes(
    vocabulary_size: int, channels: int, num_layers: int, kernel_size: int, embedding_size: int | None
) -> dict[str, tuple[int, ...]]:
    """The canonical names and shapes, in the order in which first weights are drawn."""
    shapes: dict[str, tuple[int, ...]] = {}
    if embedding_size is not None:
        shapes["embedding.weight"] = (vocabulary_size, embedding_size)
    shapes["input.weight"] = (channels, embedding_size or vocabulary_size)
    shapes["input.bias"] = (channels,)
    for layer in range(num_layers):
        shapes[f"conv.{layer}.weight"] = (2 * channels, channels, kernel_size)
        shapes[f"conv.{layer}.bias"] = (2 * channels,)
    shapes["output.weight"] = (vocabulary_size, channels)
    shapes["output.bias"] = (vocabulary_size,)
    return shapes


def look_backs(num_layers: int, kernel_size: int, dilation_growth: int) -> list[int]:
    """How many positions before its newest each layer reads from: (K - 1) * dilation.

    Raises `ValueError` where they are too many to keep.

    >>> look_backs(num_layers=4, kernel_size=3, dilation_growth=2)
    [2, 4, 8, 16]
    """
    found: list[int] = []
    left = LONGEST_LOOK_BACK
    for layer in range(num_layers):
        found.append((kernel_size - 1) * dilation_growth**layer)
        left -= found[-1]
        if left < 0:
            raise ValueError(
                f"num_layers={num_layers}, kernel_size={kernel_size} and dilation_growth={dilation_growth} look back "
                f"too far: all layers together may keep {LONGEST_LOOK_BACK} positions, so one of these must be smaller"
            )
    return found


def lengths_needed(look_backs: Sequence[int], length: int) -> list[int]:
    """Of how many last positions each layer must give its output, where only the last position's logits are wanted.

    The others no layer above reads, nor will later: what a layer keeps is among them.

    >>> lengths_needed([1, 2, 4], length=100)
    [7, 5, 1]
    """
    return [min(length, 1 + sum(look_backs[above:])) for above in range(1, len(look_backs) + 1)]


def state_shapes(channels: int, look_backs: Sequence[int]) -> dict[str, Shape]:
    """What a network carries from token to token, by canonical name.

    Each layer's last inputs, (rows, look-back, C), the oldest first.
    """
    return {f"conv.{layer}": (None, positions, channels) for layer, positions in enumerate(look_backs)}


def checked_arrays(saved: SavedModel) -> Arrays:
    """The weights of a saved network, as C-contiguous float32, each under its name and of its shape.

    Raises `textforge.errors.BundleError` where an option is missing or wrong, or a weight missing, unknown, misshapen
    or not finite.
    """
    options = checked_options(saved, ConvBackend.options(), SIZES)
    check_layers(saved, options["num_layers"])
    growth = options.pop("dilation_growth")
    try:
        look_backs(options["num_layers"], options["kernel_size"], growth)
    except ValueError as error:
        raise BundleError(f"the model's {error}; copy it again, or train it again") from None
    return checked_weights(saved.arrays, weight_shapes(saved.vocabulary_size, **options))
