"""What an architecture is to the model: parameters under canonical names, and a way from ids to logits.

Shapes: B rows, T tokens, V the vocabulary's size. Inside, time comes first: (T, B, …).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from textforge.backends.training_arrays import Shape
from textforge.model import Array, Arrays, SavedModel

Dropout = Callable[[Tensor], Tensor]
State = dict[str, Tensor]
"""What is carried from token to token, on its device, under canonical names."""


class Network(nn.Module, ABC):
    """An architecture as PyTorch modules.

    Always in training mode, which cuDNN needs for gradients; dropout is given with the call.
    """

    row_axis: ClassVar[int]
    """The axis of a state's tensors that the rows lie along."""

    @classmethod
    @abstractmethod
    def from_saved(cls, saved: SavedModel, device: torch.device, dtype: torch.dtype) -> Self:
        """The network with these weights, made without drawing others first.

        Raises `textforge.errors.BundleError` for weights that don't fit the options.
        """

    @abstractmethod
    def canonical_parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters under the names that every backend shares."""

    @abstractmethod
    def state_shapes(self) -> Mapping[str, Shape]:
        """The shapes of what is carried on, by canonical name."""

    @abstractmethod
    def forward(
        self, ids: Tensor, state: State, last_only: bool = False, dropout: Dropout | None = None
    ) -> tuple[Tensor, State]:
        """The logits after each token, or after the last one only, and the state after that, without gradients.

        `ids` (T, B) -> (T, B, V), or (1, B, V)
        """

    def start(self, batch_size: int) -> State:
        """The state before the first token: zeros."""
        zeros = next(self.parameters()).new_zeros
        shapes = self.state_shapes()
        return {name: zeros([batch_size if size is None else size for size in shape]) for name, shape in shapes.items()}

    def save(self) -> Arrays:
        """A float32 copy of the weights, under their canonical names."""
        parameters = self.canonical_parameters()
        return {name: to_array(parameter) for name, parameter in parameters.items()}

    @torch.no_grad()
    def load(self, arrays: Arrays) -> None:
        """Take these weights, by canonical name."""
        for name, parameter in self.canonical_parameters().items():
            parameter.copy_(torch.tensor(arrays[name]))


def one_hot(ids: Tensor, vocabulary_size: int, dtype: torch.dtype) -> Tensor:
    """Ids of any shape, (…), as vectors, (…, V)."""
    vectors = torch.zeros(*ids.shape, vocabulary_size, dtype=dtype, device=ids.device)
    return vectors.scatter_(-1, ids.unsqueeze(-1), 1.0)


def to_array(tensor: Tensor) -> Array:
    """A float32 copy of a tensor, wherever it lives."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32, order="C")
