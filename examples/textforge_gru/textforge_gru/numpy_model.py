"""The GRU on NumPy alone, for a start without a framework."""

import numpy as np

from textforge import NumpyModel


def sigmoid(x):
    """Return the logistic function, as a hyperbolic tangent, which never overflows."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


class GRUModel(NumpyModel):
    """A saved GRU; its state is the dict of arrays that the architecture declares."""

    def __init__(self, saved, architecture, precision="float32"):
        super().__init__(saved, architecture, precision)
        names = ("input_weight", "input_bias", "recurrent_weight", "recurrent_bias")
        self._layers = [
            [self.weights[f"gru.{layer}.{name}"].T for name in names] for layer in range(architecture.num_layers)
        ]

    def step(self, ids, state):
        values = self.weights["embedding.weight"][ids]  # (B, E)
        for hidden, (input_weight, input_bias, recurrent_weight, recurrent_bias) in zip(
            state["hidden"], self._layers, strict=True
        ):
            given = values @ input_weight + input_bias  # (B, 3H)
            carried = hidden @ recurrent_weight + recurrent_bias
            size = hidden.shape[-1]
            reset, update = np.split(sigmoid(given[:, : 2 * size] + carried[:, : 2 * size]), 2, axis=1)
            new = np.tanh(given[:, 2 * size :] + reset * carried[:, 2 * size :])
            hidden[:] = new + update * (hidden - new)  # in place: the state is advanced
            values = hidden
        return values @ self.weights["output.weight"].T + self.weights["output.bias"]
