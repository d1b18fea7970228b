"""The LSTM as PyTorch modules, its parameters under their canonical names.

Shapes: B rows, T tokens, E embedding size, H hidden size, L layers, V the vocabulary's size. Inside, time comes
first: (T, B, …).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from textforge.backends.base import Array, Arrays, SavedModel
from textforge.backends.lstm import checked_arrays

Dropout = Callable[[Tensor], Tensor]


@attrs.define(eq=False)
class LSTMState:
    """What an LSTM carries from token to token, on its device."""

    hidden: Tensor
    """(L, B, H)"""
    cell: Tensor
    """(L, B, H)"""

    def by_layer(self) -> Iterator[tuple[Tensor, Tensor]]:
        """What each layer carries, (1, B, H) twice."""
        return zip(self.hidden.unsqueeze(1), self.cell.unsqueeze(1), strict=True)

    @classmethod
    def joined(cls, hidden: list[Tensor], cell: list[Tensor], dtype: torch.dtype) -> LSTMState:
        """The state of all layers, without gradients; mixed precision gives it in fewer bits than it is kept in."""
        return cls(torch.cat(hidden).detach().to(dtype), torch.cat(cell).detach().to(dtype))


class Network(nn.Module):
    """Embedding or one-hot input, LSTM layers, output.

    Each layer is an `nn.LSTM` of its own: `nn.LSTM`'s dropout between layers can't be seeded for a step on every
    device. Always in training mode, which cuDNN needs for gradients; dropout is given with the call.
    """

    def __init__(self, vocabulary_size: int, hidden_size: int, num_layers: int, embedding_size: int | None) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding = None if embedding_size is None else nn.Embedding(vocabulary_size, embedding_size)
        sizes = [embedding_size or vocabulary_size, *[hidden_size] * num_layers]
        self.layers = [nn.LSTM(size, hidden_size) for size in sizes[:-1]]
        self._registered = nn.ModuleList(self.layers)
        self.output = nn.Linear(hidden_size, vocabulary_size)

    @classmethod
    def from_saved(cls, saved: SavedModel, device: torch.device, dtype: torch.dtype) -> Network:
        """The network with these weights, made without drawing others first.

        Raises `textforge.errors.BundleError` for weights that don't fit the options.
        """
        arrays = checked_arrays(saved)
        sizes = {name: saved.options[name] for name in ("hidden_size", "num_layers", "embedding_size")}
        with torch.device("meta"):
            network = cls(saved.vocabulary_size, **sizes)
        network = network.to(dtype).to_empty(device=device)
        network._load(arrays)
        return network

    @torch.no_grad()
    def _load(self, arrays: Arrays) -> None:
        for name, parameter in self.canonical_parameters().items():
            parameter.copy_(torch.tensor(arrays[name]))
        for layer in self.layers:
            # The canonical LSTM has one bias; PyTorch's second one would learn the same once more.
            layer.get_parameter("bias_hh_l0").zero_().requires_grad_(False)

    def canonical_parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters under the names that every backend shares."""
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

    def save(self) -> Arrays:
        """A float32 copy of the weights, under their canonical names."""
        parameters = self.canonical_parameters()
        return {name: to_array(parameter) for name, parameter in parameters.items()}

    def forward(
        self, ids: Tensor, state: LSTMState, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[Tensor, LSTMState]:
        """The logits after each token, or after the last one only, and the state after that.

        `ids` (T, B) -> (T, B, V), or (1, B, V)
        """
        values = self._input(ids)
        hidden: list[Tensor] = []
        cell: list[Tensor] = []
        for layer, before in zip(self.layers, state.by_layer(), strict=True):
            values, (last_hidden, last_cell) = layer(values, before)
            if last_only and len(hidden) == len(self.layers) - 1:
                values = values[-1:]
            if dropout is not None:
                values = dropout(values)
            hidden.append(last_hidden)
            cell.append(last_cell)
        return self.output(values), LSTMState.joined(hidden, cell, state.cell.dtype)

    def start(self, batch_size: int) -> LSTMState:
        """The state before the first token: zeros."""
        weight = self.output.weight
        shape = (len(self.layers), batch_size, weight.shape[1])
        return LSTMState(weight.new_zeros(shape), weight.new_zeros(shape))

    def _input(self, ids: Tensor) -> Tensor:
        """Embedded, (T, B) -> (T, B, E), or one-hot, (T, B, V)."""
        if self.embedding is not None:
            embedded: Tensor = self.embedding(ids)
            return embedded
        one_hot = torch.zeros(*ids.shape, self.vocabulary_size, dtype=self.output.weight.dtype, device=ids.device)
        return one_hot.scatter_(-1, ids.unsqueeze(-1), 1.0)


def to_array(tensor: Tensor) -> Array:
    """A float32 copy of a tensor, wherever it lives."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32, order="C")
