"""A network as a model of textforge's: what makes logits, and learns.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from textforge.architectures.base import Architecture
from textforge.backends.framework_model import STATE, FrameworkModel
from textforge.backends.training_arrays import read_carried_state
from textforge.model import Array, Arrays, Loss, Optimizer, SavedModel
from textforge_torch._dropout import SeededDropout
from textforge_torch._optimizers import Updates
from textforge_torch.network import Network, State, make_network, to_array

Ids = Array | Sequence[int]


class TorchModel(FrameworkModel):
    """A model in PyTorch, of any architecture that there is a network for."""

    framework = "torch"
    network: Network

    def __init__(
        self,
        saved: SavedModel,
        architecture: Architecture,
        network: type[Network],
        device: torch.device,
        precision: str = "float32",
    ) -> None:
        super().__init__(saved, architecture, precision)
        self._device = device
        self._dtype = torch.float64 if precision == "float64" else torch.float32
        self.network = make_network(network, architecture, saved.vocabulary_size, device, self._dtype)
        shapes = {name: tuple(weight.shape) for name, weight in self.network.canonical_parameters().items()}
        self.check_weights(shapes, saved.arrays)
        self.network.load(saved.arrays)
        self._updates: Updates | None = None
        self._dropout: SeededDropout | None = None

    def start(self, batch_size: int) -> State:
        def zeros(shape: tuple[int | None, ...]) -> Tensor:
            sizes = [batch_size if size is None else size for size in shape]
            return torch.zeros(sizes, dtype=self._dtype, device=self._device)

        return {name: zeros(shape) for name, shape in self.state_shapes.items()}

    def step(self, ids: Ids, state: State) -> Array:
        logits: Array = self.forward(np.asarray(ids)[:, None], state, last_only=True)[:, 0]
        return logits

    @torch.no_grad()
    def forward(self, ids: Array, state: State, last_only: bool = False) -> Array:
        logits, after = self._read(self._on_device(ids), state, last_only)
        state.update(after)
        rows_first: Array = logits.transpose(0, 1).contiguous().cpu().numpy()
        return rows_first

    def select(self, state: State, rows: Ids) -> State:
        places = torch.tensor(np.asarray(rows, dtype=np.int64), device=self._device)
        return {name: value.index_select(self.row_axes[name], places) for name, value in state.items()}

    def state_arrays(self, state: State) -> Arrays:
        return {name: value.detach().cpu().numpy().copy() for name, value in state.items()}

    def make_state(self, arrays: Arrays) -> State:
        return {name: torch.tensor(array, dtype=self._dtype, device=self._device) for name, array in arrays.items()}

    def begin(self, optimizer: Optimizer, seed: int) -> None:
        self.check_precision()
        self._updates = Updates(optimizer, self.network.canonical_parameters())
        self._dropout = SeededDropout(self.dropout, seed, self._device) if self.dropout else None

    def train_step(
        self, inputs: Array, targets: Array, state: State, *, learning_rate: float, step: int
    ) -> tuple[Loss, State]:
        updates = self._begun()
        dropout = None if self._dropout is None else self._dropout.at_step(step)
        with self._mixed_precision():
            loss, after = self._loss(inputs, targets, state, dropout)
        loss.backward()  # type: ignore[no-untyped-call]
        updates.step(learning_rate)
        return loss.detach(), after

    @torch.no_grad()
    def loss(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, State]:
        return self._loss(inputs, targets, state, None)

    def training_arrays(self, state: State) -> Arrays:
        return self._begun().arrays() | {f"{STATE}{name}": to_array(value) for name, value in state.items()}

    def restore(self, arrays: Arrays) -> State:
        self._begun().restore(arrays)
        return self.make_state(read_carried_state(arrays, self.state_shapes))

    def _begun(self) -> Updates:
        if self._updates is None:
            raise self.make_unready_error()
        return self._updates

    def _mixed_precision(self) -> AbstractContextManager[object]:
        if self.precision == "bfloat16":
            return torch.autocast(self._device.type, torch.bfloat16)
        return nullcontext()

    def _loss(self, inputs: Array, targets: Array, state: State, dropout: SeededDropout | None) -> tuple[Tensor, State]:
        """Return the mean loss of (B, T) inputs with (B, T) or (B,) targets, and the state after."""
        last_only = targets.ndim == 1
        logits, after = self._read(self._on_device(inputs), state, last_only, dropout)
        expected = self._on_device(targets)  # (T, B) or (B,)
        return functional.cross_entropy(logits.flatten(0, 1), expected.flatten()), after

    def _read(
        self, ids: Tensor, state: State, last_only: bool, dropout: SeededDropout | None = None
    ) -> tuple[Tensor, State]:
        """Return the logits of (T, B) ids, time first, and the state after, detached and in the type it is kept in."""
        logits, after = self.network(ids, state, last_only, dropout)
        self.check_state(after)
        # Mixed precision gives the state in fewer bits than it is kept in.
        return logits, {name: after[name].detach().to(self._dtype) for name in self.state_shapes}

    def _on_device(self, ids: Array) -> Tensor:
        """Return ids as a tensor, time first: (B, T) -> (T, B); (B,) stays."""
        return torch.from_numpy(ids.T.astype(np.int64, order="C")).to(self._device)
