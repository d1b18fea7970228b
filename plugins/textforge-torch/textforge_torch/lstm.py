"""The LSTM as PyTorch modules.

Shapes: B rows, T tokens, E embedding size, H hidden size, L layers, V the vocabulary's size. Time comes first:
(T, B, …).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from textforge.architectures.lstm import LSTM
from textforge_torch.network import Dropout, Network, State, one_hot


class LSTMNetwork(Network):
    """Embedding or one-hot input, LSTM layers, output.

    Each layer is an `nn.LSTM` of its own: `nn.LSTM`'s dropout between layers can't be seeded for a step on every
    device. The canonical LSTM has one bias: PyTorch's second one, which would learn the same once more, has no
    canonical name and so stays zero.
    """

    def __init__(self, architecture: LSTM, vocabulary_size: int) -> None:
        super().__init__(architecture, vocabulary_size)
        size, embedding_size = architecture.hidden_size, architecture.embedding_size
        self.embedding = None if embedding_size is None else nn.Embedding(vocabulary_size, embedding_size)
        sizes = [embedding_size or vocabulary_size, *[size] * architecture.num_layers]
        self.layers = [nn.LSTM(input_size, size) for input_size in sizes[:-1]]
        self._registered = nn.ModuleList(self.layers)
        self.output = nn.Linear(size, vocabulary_size)

    def canonical_parameters(self) -> dict[str, nn.Parameter]:
        found: dict[str, nn.Parameter] = {}
        if self.embedding is not None:
            found["embedding.weight"] = self.embedding.get_parameter("weight")
        for number, layer in enumerate(self.layers):
            found[f"lstm.{number}.input_weight"] = layer.get_parameter("weight_ih_l0")
            found[f"lstm.{number}.recurrent_weight"] = layer.get_parameter("weight_hh_l0")
            found[f"lstm.{number}.bias"] = layer.get_parameter("bias_ih_l0")
        found["output.weight"] = self.output.get_parameter("weight")
        found["output.bias"] = self.output.get_parameter("bias")
        return found

    def forward(
        self, ids: Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[Tensor, State]:
        values = self._input(ids)
        hidden: list[Tensor] = []
        cell: list[Tensor] = []
        # (L, B, H) to a (1, B, H) each, as `nn.LSTM` of one layer takes them.
        before = zip(state["hidden"].unsqueeze(1), state["cell"].unsqueeze(1), strict=True)
        # nn.LSTM prepares its weights anew in each call, which for a single token costs more than the token.
        read = _step if len(ids) == 1 and ids.device.type == "cpu" and not torch.is_grad_enabled() else nn.LSTM.__call__
        for layer, carried in zip(self.layers, before, strict=True):
            values, (last_hidden, last_cell) = read(layer, values, carried)
            if last_only and len(hidden) == len(self.layers) - 1:  # layers above need the whole of those below
                values = values[-1:]
            if dropout is not None:
                values = dropout(values)
            hidden.append(last_hidden)
            cell.append(last_cell)
        return self.output(values), {"hidden": torch.cat(hidden), "cell": torch.cat(cell)}

    def _input(self, ids: Tensor) -> Tensor:
        """Return the first layer's input: embedded, (T, B) -> (T, B, E), or one-hot, (T, B, V)."""
        if self.embedding is None:
            return one_hot(ids, self.vocabulary_size, self.output.weight.dtype)
        embedded: Tensor = self.embedding(ids)
        return embedded


def _step(layer: nn.LSTM, values: Tensor, carried: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return what a layer gives for one token, (1, B, …), by its own formula."""
    hidden, cell = carried
    input_weight, recurrent_weight = layer.get_parameter("weight_ih_l0"), layer.get_parameter("weight_hh_l0")
    gates = functional.linear(values, input_weight, layer.get_parameter("bias_ih_l0"))
    entering, forgetting, new, leaving = (gates + functional.linear(hidden, recurrent_weight)).chunk(4, -1)
    cell = forgetting.sigmoid() * cell + entering.sigmoid() * new.tanh()
    hidden = leaving.sigmoid() * cell.tanh()
    return hidden, (hidden, cell)
