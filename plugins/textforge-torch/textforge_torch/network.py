"""The network interface: an architecture as PyTorch modules.

Shapes: B rows, T tokens, V the vocabulary's size. Inside, time comes first: (T, B, …).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from textforge.model import Array, Arrays

Dropout = Callable[[Tensor], Tensor]
"""Drops values of a tensor, (T, B, ·), as the seed and the step say."""
State = dict[str, Tensor]
"""The tensors that are carried from token to token, on their device, under the architecture's canonical names."""


class Network(nn.Module, ABC):
    """An architecture as PyTorch modules.

    A subclass makes its modules in `__init__(self, architecture, vocabulary_size)` and declares `forward`. Where its
    parameters' own names aren't the canonical ones, it declares `canonical_parameters` too; a parameter that has no
    canonical name stays zero and untrained. First values come from the architecture, so modules may draw what they
    like. Always in training mode, which cuDNN needs for gradients; dropout is given with the call.
    """

    architecture: Any
    vocabulary_size: int

    def __init__(self, architecture: Any, vocabulary_size: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.vocabulary_size = vocabulary_size

    @abstractmethod
    def forward(
        self, ids: Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[Tensor, State]:
        """Return the logits after each token, or after the last one only, and the state after that.

        `ids` (T, B) -> (T, B, V), or (1, B, V). Each tensor of the state has the shape that the architecture declares;
        its gradient and, in mixed precision, its type are the model's affair.
        `dropout`, unless None, is called for each value to be dropped from, in the same order in every framework.
        """

    def canonical_parameters(self) -> dict[str, nn.Parameter]:
        """Return the trained parameters by canonical name: their own names, unless overridden."""
        return dict(self.named_parameters())

    def save(self) -> Arrays:
        """Return a float32 copy of the weights, by canonical name."""
        return {name: to_array(parameter) for name, parameter in self.canonical_parameters().items()}

    @torch.no_grad()
    def load(self, arrays: Arrays) -> None:
        """Take these weights, by canonical name, and zero the parameters that have no such name."""
        trained = self.canonical_parameters()
        for name, parameter in trained.items():
            parameter.copy_(torch.tensor(arrays[name]))
        known = {id(parameter) for parameter in trained.values()}
        for parameter in self.parameters():
            if id(parameter) not in known:
                parameter.zero_().requires_grad_(False)


def make_network(
    network: type[Network], architecture: Any, vocabulary_size: int, device: torch.device, dtype: torch.dtype
) -> Network:
    """Return a network of any weights on a device; PyTorch's global random numbers stay where they were."""
    with torch.random.fork_rng(devices=[]):
        return network(architecture, vocabulary_size).to(device=device, dtype=dtype)


def one_hot(ids: Tensor, vocabulary_size: int, dtype: torch.dtype) -> Tensor:
    """Return ids of any shape, (…), as vectors, (…, V)."""
    vectors = torch.zeros(*ids.shape, vocabulary_size, dtype=dtype, device=ids.device)
    return vectors.scatter_(-1, ids.unsqueeze(-1), 1.0)


def to_array(tensor: Tensor) -> Array:
    """Return a float32 copy of a tensor, wherever it lives."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32, order="C")
