"""The architecture ``conv``.

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
from collections.abc import Mapping, Sequence

import numpy as np

from textforge.architectures.base import Architecture, Weight
from textforge.architectures.first_values import FirstValues, glorot, normal, zeros
from textforge.components.component import option
from textforge.errors import OptionError
from textforge.model import Array, StateShape

LONGEST_LOOK_BACK = 1 << 16
"""Positions that all layers together may keep for a row: at 128 channels 32 MiB."""


class Conv(Architecture):
    """A causal network of gated, dilated convolutions in residual layers.

    >>> Conv(num_layers=3).look_backs
    [1, 2, 4]
    """

    name = "conv"

    channels: int = option(default=96, ge=1, help="Numbers that each position carries from layer to layer.")
    num_layers: int = option(default=6, ge=1, le=1000, help="Layers, one above the other.")
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

    @property
    def look_backs(self) -> list[int]:
        """Positions before its newest that each layer reads from."""
        return look_backs(self.num_layers, self.kernel_size, self.dilation_growth)

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        channels, embedding_size = self.channels, self.embedding_size
        found = {}
        if embedding_size is None:
            found["input.weight"] = Weight((channels, vocabulary_size), normal(0.5), vocabulary_axis=1)
        else:
            found["embedding.weight"] = Weight((vocabulary_size, embedding_size), normal(0.5), vocabulary_axis=0)
            # N(0, 1 / inputs) keeps a signal's size.
            found["input.weight"] = Weight((channels, embedding_size), normal(1.0 / math.sqrt(embedding_size)))
        found["input.bias"] = Weight((channels,), zeros())
        for layer in range(self.num_layers):
            shape = (2 * channels, channels, self.kernel_size)
            found[f"conv.{layer}.weight"] = Weight(shape, self._gated_kernel())
            found[f"conv.{layer}.bias"] = Weight((2 * channels,), zeros())
        found["output.weight"] = Weight((vocabulary_size, channels), glorot(), vocabulary_axis=0)
        found["output.bias"] = Weight((vocabulary_size,), zeros(), vocabulary_axis=0)
        return found

    def state(self) -> Mapping[str, StateShape]:
        """Return each layer's last inputs, (rows, look-back, C), the oldest first."""
        return {f"conv.{layer}": (None, length, self.channels) for layer, length in enumerate(self.look_backs)}

    def _gated_kernel(self) -> FirstValues:
        """Return values N(0, 1 / inputs), those that are added to x smaller by the root of the number of layers.

        So x is about as large after many layers as after few.
        """

        def draw(shape: tuple[int, ...], random: np.random.Generator) -> Array:
            kernel = random.normal(0.0, 1.0 / math.sqrt(math.prod(shape[1:])), shape)
            kernel[: self.channels] /= math.sqrt(self.num_layers)
            return kernel

        return draw


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
