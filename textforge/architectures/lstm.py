"""The architecture ``lstm``.

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

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from textforge.architectures.base import Architecture, Weight
from textforge.architectures.first_values import glorot, normal, orthogonal, zeros
from textforge.components.component import option
from textforge.model import Array, StateShape


class LSTM(Architecture):
    """Layers of long short-term memory on an embedding or one-hot input.

    >>> LSTM(hidden_size=8).weights(vocabulary_size=5)["output.weight"].shape
    (5, 8)
    """

    name = "lstm"
    priority: ClassVar[int] = 20

    hidden_size: int = option(default=128, ge=1, help="Units of each layer.")
    num_layers: int = option(default=1, ge=1, le=1000, help="Layers, one above the other.")
    embedding_size: int | None = option(default=64, ge=1, help="Size of the token embedding; none: one-hot input.")
    dropout: float = option(default=0.1, ge=0, lt=1, help="Share of each layer's output dropped in training.")

    def weights(self, vocabulary_size: int) -> Mapping[str, Weight]:
        size = self.hidden_size
        found = {}
        if self.embedding_size is not None:
            found["embedding.weight"] = Weight((vocabulary_size, self.embedding_size), normal(0.5), vocabulary_axis=0)
        for layer in range(self.num_layers):
            input_size = size if layer else self.embedding_size or vocabulary_size
            one_hot = layer == 0 and self.embedding_size is None
            found[f"lstm.{layer}.input_weight"] = Weight((4 * size, input_size), glorot(), 1 if one_hot else None)
            found[f"lstm.{layer}.recurrent_weight"] = Weight((4 * size, size), orthogonal())
            found[f"lstm.{layer}.bias"] = Weight((4 * size,), remembering)
        found["output.weight"] = Weight((vocabulary_size, size), glorot(), vocabulary_axis=0)
        found["output.bias"] = Weight((vocabulary_size,), zeros(), vocabulary_axis=0)
        return found

    def state(self) -> Mapping[str, StateShape]:
        return dict.fromkeys(("hidden", "cell"), (self.num_layers, None, self.hidden_size))


def remembering(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Return biases, (4H,), that are zero but for the forget gate's: it remembers, until taught otherwise."""
    values = np.zeros(shape)
    quarter = shape[0] // 4
    values[quarter : 2 * quarter] = 1.0
    return values
