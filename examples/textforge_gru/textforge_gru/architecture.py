"""The architecture ``gru``.

With x the vector of a token, or the hidden state of the layer below, and h the layer's hidden state before:

    reset   r = sigmoid(W x + b + R h + c), the first H rows of each
    update  z = sigmoid(W x + b + R h + c), the next H
    new     n = tanh(W x + b + r * (R h + c)), the last H
    h' = (1 - z) * n + z * h

Source: Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
2014, with the reset gate behind the product, as in cuDNN.
"""

import textforge
from textforge import Weight, glorot, normal, orthogonal, zeros


class GRU(textforge.Architecture):
    """Layers of gated recurrent units on an embedding.

    >>> GRU(hidden_size=8).weights(vocabulary_size=5)["gru.0.recurrent_weight"].shape
    (24, 8)
    """

    name = "gru"

    hidden_size: int = textforge.option(default=128, ge=1, help="Units of each layer.")
    num_layers: int = textforge.option(default=1, ge=1, le=1000, help="Layers, one above the other.")
    embedding_size: int = textforge.option(default=64, ge=1, help="Size of the token embedding.")
    dropout: float = textforge.option(default=0.1, ge=0, lt=1, help="Share of the top layer's output dropped.")

    def weights(self, vocabulary_size):
        size, input_size = self.hidden_size, self.embedding_size
        found = {"embedding.weight": Weight((vocabulary_size, input_size), normal(0.5), vocabulary_axis=0)}
        for layer in range(self.num_layers):
            found[f"gru.{layer}.input_weight"] = Weight((3 * size, input_size), glorot())  # W
            found[f"gru.{layer}.recurrent_weight"] = Weight((3 * size, size), orthogonal())  # R
            found[f"gru.{layer}.input_bias"] = Weight((3 * size,), zeros())  # b
            found[f"gru.{layer}.recurrent_bias"] = Weight((3 * size,), zeros())  # c
            input_size = size
        found["output.weight"] = Weight((vocabulary_size, size), glorot(), vocabulary_axis=0)
        found["output.bias"] = Weight((vocabulary_size,), zeros(), vocabulary_axis=0)
        return found

    def state(self):
        return {"hidden": (self.num_layers, None, self.hidden_size)}
