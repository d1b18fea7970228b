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
from textforge.architectures.lstm_recipe import choose_dropout, choose_settings, choose_size
from textforge.architectures.recipe import Budget, CorpusSize, Recipe, write_reason
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

    def sized(self, corpus: CorpusSize, budget: Budget) -> Recipe[LSTM]:
        """Return the recipe: the largest network that pays in the tokens that a run reads, and its training settings.

        Windows, the notebook's way, are trained by the declared defaults.
        """
        if budget.settings.get("sequences") == "windows":
            return Recipe(self, reason="windows")
        own = {name: value for name, value in self.option_values().items() if name in self.given}
        size = choose_size(corpus, budget, {name: value for name, value in own.items() if name != "dropout"})
        passes = size.count_passes(corpus, budget)
        options = {
            "hidden_size": size.hidden_size,
            "num_layers": size.num_layers,
            "embedding_size": size.embedding_size,
            "dropout": choose_dropout(size, passes, corpus),
        }
        made = self.replace(**{**options, **own})
        settings = choose_settings(size, passes, corpus, budget)
        reason = write_reason(passes, corpus, budget, to_spare="epochs" in settings)
        return Recipe(made, settings, reason, mixed_precision=True)

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
            found[f"lstm.{layer}.bias"] = Weight((4 * size,), draw_biases)
        found["output.weight"] = Weight((vocabulary_size, size), glorot(), vocabulary_axis=0)
        found["output.bias"] = Weight((vocabulary_size,), zeros(), vocabulary_axis=0)
        return found

    def state(self) -> Mapping[str, StateShape]:
        return dict.fromkeys(("hidden", "cell"), (self.num_layers, None, self.hidden_size))


def draw_biases(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Return biases, (4H,): one for the forget gate, so that the cell remembers at first, and zero for the others."""
    values = np.zeros(shape)
    quarter = shape[0] // 4
    values[quarter : 2 * quarter] = 1.0
    return values
