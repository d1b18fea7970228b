"""The causal convolutional network as PyTorch modules.

Shapes: B rows, T tokens, E embedding size, C channels, K kernel size, V the vocabulary's size. Time comes first:
(T, B, …).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from textforge.architectures.conv import Conv, find_needed_lengths
from textforge_torch.network import Dropout, Network, State


class ConvNetwork(Network):
    """Embedding or one-hot input, gated convolutions that each add to what is carried upward, output."""

    def __init__(self, architecture: Conv, vocabulary_size: int) -> None:
        super().__init__(architecture, vocabulary_size)
        channels, embedding_size = architecture.channels, architecture.embedding_size
        kernel_size = architecture.kernel_size
        self.embedding = None if embedding_size is None else nn.Embedding(vocabulary_size, embedding_size)
        self.input = nn.Linear(embedding_size or vocabulary_size, channels)
        self.look_backs = architecture.look_backs
        self.state_names = list(architecture.state())
        self.layers = [
            nn.Conv1d(channels, 2 * channels, kernel_size, dilation=look_back // (kernel_size - 1))
            for look_back in self.look_backs
        ]
        self._registered = nn.ModuleList(self.layers)
        self.output = nn.Linear(channels, vocabulary_size)

    def canonical_parameters(self) -> dict[str, nn.Parameter]:
        modules = {"input": self.input, **{f"conv.{n}": layer for n, layer in enumerate(self.layers)}}
        found = {} if self.embedding is None else {"embedding.weight": self.embedding.get_parameter("weight")}
        for name, module in (modules | {"output": self.output}).items():
            found[f"{name}.weight"] = module.get_parameter("weight")
            found[f"{name}.bias"] = module.get_parameter("bias")
        return found

    def forward(
        self, ids: Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[Tensor, State]:
        values = self._input(ids)
        after: State = {}
        lengths = find_needed_lengths(self.look_backs, len(ids)) if last_only else [len(ids)] * len(self.layers)
        for name, layer, length in zip(self.state_names, self.layers, lengths, strict=True):
            read = torch.cat([state[name].transpose(0, 1), values])
            after[name] = read[len(values) :].transpose(0, 1).contiguous()
            added = functional.glu(convolve(layer, read, length), -1)
            if dropout is not None:
                added = dropout(added)
            values = values[len(values) - length :] + added
        return self.output(values), after

    def _input(self, ids: Tensor) -> Tensor:
        """Return the first layer's input, (T, B) -> (T, B, C)."""
        if self.embedding is None:
            return functional.embedding(ids, self.input.weight.t()) + self.input.bias
        # What layers add to is kept in all its bits where they themselves compute in fewer.
        values: Tensor = self.input(self.embedding(ids)).to(self.input.weight.dtype)
        return values


def convolve(layer: nn.Conv1d, values: Tensor, length: int) -> Tensor:
    """Return the last `length` outputs, (length, B, 2C), of inputs, (…, B, C), that begin with those before the first.

    One product, of what is read of each position laid side by side and all weights: on a CPU, at textforge's sizes,
    that is up to 1.6 times as fast as `nn.Conv1d`'s own way.
    """
    (kernel_size,), (dilation,) = layer.kernel_size, layer.dilation
    first = len(values) - length - (kernel_size - 1) * dilation
    starts = range(first, first + kernel_size * dilation, dilation)
    read = torch.cat([values[start : start + length] for start in starts], -1)
    return functional.linear(read, layer.weight.transpose(1, 2).flatten(1), layer.bias)
