"""The LSTM as PyTorch modules.

Shapes: B rows, T tokens, E embedding size, H hidden size, L layers, V the vocabulary's size. Time comes first:
(T, B, …).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from textforge.architectures.lstm import checked_arrays, state_shapes
from textforge.backends.training_arrays import Shape
from textforge.model import SavedModel
from textforge_torch._network import Dropout, Network, State, one_hot


class LSTMNetwork(Network):
    """Embedding or one-hot input, LSTM layers, output.

    Each layer is an `nn.LSTM` of its own: `nn.LSTM`'s dropout between layers can't be seeded for a step on every
    device.
    """

    row_axis: ClassVar[int] = 1

    def __init__(self, vocabulary_size: int, hidden_size: int, num_layers: int, embedding_size: int | None) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding = None if embedding_size is None else nn.Embedding(vocabulary_size, embedding_size)
        sizes = [embedding_size or vocabulary_size, *[hidden_size] * num_layers]
        self.layers = [nn.LSTM(size, hidden_size) for size in sizes[:-1]]
        self._registered = nn.ModuleList(self.layers)
        self.output = nn.Linear(hidden_size, vocabulary_size)

    @classmethod
    def from_saved(cls, saved: SavedModel, device: torch.device, dtype: torch.dtype) -> LSTMNetwork:
        arrays = checked_arrays(saved)
        sizes = {name: saved.options[name] for name in ("hidden_size", "num_layers", "embedding_size")}
        with torch.device("meta"):
            network = cls(saved.vocabulary_size, **sizes)
        network = network.to(dtype).to_empty(device=device)
        network.load(arrays)
        with torch.no_grad():
            for layer in network.layers:
                # The canonical LSTM has one bias; PyTorch's second one would learn the same once more.
                layer.get_parameter("bias_hh_l0").zero_().requires_grad_(False)
        return network

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

    def state_shapes(self) -> Mapping[str, Shape]:
        return state_shapes(len(self.layers), self.output.in_features)

    def forward(
        self, ids: Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[Tensor, State]:
        values = self._input(ids)
        hidden: list[Tensor] = []
        cell: list[Tensor] = []
        before = zip(state["hidden"].unsqueeze(1), state["cell"].unsqueeze(1), strict=True)
        for layer, carried in zip(self.layers, before, strict=True):
            values, (last_hidden, last_cell) = layer(values, carried)
            if last_only and len(hidden) == len(self.layers) - 1:
                values = values[-1:]
            if dropout is not None:
                values = dropout(values)
            hidden.append(last_hidden)
            cell.append(last_cell)
        after = {"hidden": torch.cat(hidden), "cell": torch.cat(cell)}
        # Mixed precision gives the state in fewer bits than it is kept in.
        return self.output(values), {name: value.detach().to(state[name].dtype) for name, value in after.items()}

    def _input(self, ids: Tensor) -> Tensor:
        """Embedded, (T, B) -> (T, B, E), or one-hot, (T, B, V)."""
        if self.embedding is None:
            return one_hot(ids, self.vocabulary_size, self.output.weight.dtype)
        embedded: Tensor = self.embedding(ids)
        return embedded
