"""A bare LSTM in PyTorch that is stepped token by token: what generating costs there without a framework around it."""

from __future__ import annotations

from typing import Any

import torch

from textforge.model import SavedModel


class Stepper:
    """Generation by one token at a time from a saved `lstm` with an embedding: one product a layer, no call too many.

    `nn.LSTM` takes several times as long for a single token, and `nn.LSTMCell` half as long again.
    """

    def __init__(self, saved: SavedModel) -> None:
        arrays = {name: torch.from_numpy(array) for name, array in saved.arrays.items()}
        self.embedding = arrays["embedding.weight"]
        self.output, self.output_bias = arrays["output.weight"], arrays["output.bias"]
        layers, size = range(saved.options["num_layers"]), saved.options["hidden_size"]
        # The matrices side by side, for the input and the hidden state one below the other, (4H, inputs + H)
        self.layers = [
            (
                torch.cat([arrays[f"lstm.{layer}.input_weight"], arrays[f"lstm.{layer}.recurrent_weight"]], 1),
                arrays[f"lstm.{layer}.bias"],
            )
            for layer in layers
        ]
        self.state = [(torch.zeros(size), torch.zeros(size)) for _ in layers]

    @torch.inference_mode()
    def step(self, id: int) -> Any:
        """Return the logits after a token, (V,)."""
        values = self.embedding[id]
        for number, ((matrix, bias), (hidden, cell)) in enumerate(zip(self.layers, self.state, strict=True)):
            input_gate, forget_gate, candidate, output_gate = torch.addmv(
                bias, matrix, torch.cat([values, hidden])
            ).chunk(4)
            cell = forget_gate.sigmoid() * cell + input_gate.sigmoid() * candidate.tanh()
            values = output_gate.sigmoid() * cell.tanh()
            self.state[number] = (values, cell)
        return torch.addmv(self.output_bias, self.output, values).numpy()
