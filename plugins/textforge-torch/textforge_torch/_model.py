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

from textforge.backends.training_arrays import STATE, carried_state
from textforge.errors import BackendError
from textforge.model import Array, Arrays, GradientModel, Loss, Optimizer, SavedModel
from textforge_torch._dropout import SeededDropout
from textforge_torch._network import Network, State, to_array
from textforge_torch._optimizers import Updates

Ids = Array | Sequence[int]


class TorchModel(GradientModel):
    """A model in PyTorch, of any architecture there is a network for."""

    def __init__(
        self, saved: SavedModel, network: type[Network], device: torch.device, precision: str = "float32"
    ) -> None:
        self.vocabulary_size = saved.vocabulary_size
        self.window = saved.window
        self._architecture = saved.architecture
        self._options = dict(saved.options)
        self._device = device
        self._precision = precision
        self._dtype = torch.float64 if precision == "float64" else torch.float32
        self._network = network.from_saved(saved, device, self._dtype)
        self._updates: Updates | None = None
        self._dropout: SeededDropout | None = None

    def save(self) -> SavedModel:
        arrays = self._network.save()
        return SavedModel(self._architecture, dict(self._options), self.vocabulary_size, arrays, self.window)

    def start(self, batch_size: int) -> State:
        return self._network.start(batch_size)

    def step(self, ids: Ids, state: State) -> Array:
        logits: Array = self.forward(np.asarray(ids)[:, None], state, last_only=True)[:, 0]
        return logits

    @torch.no_grad()
    def forward(self, ids: Array, state: State, last_only: bool = False) -> Array:
        logits, after = self._network(self._on_device(ids), state, last_only)
        state.update(after)
        rows_first: Array = logits.transpose(0, 1).contiguous().cpu().numpy()
        return rows_first

    def select(self, state: State, rows: Ids) -> State:
        places = torch.tensor(np.asarray(rows, dtype=np.int64), device=self._device)
        return {name: value.index_select(self._network.row_axis, places) for name, value in state.items()}

    def begin(self, optimizer: Optimizer, seed: int) -> None:
        if self._precision == "float64":
            raise BackendError(
                "torch: precision=float64 is for generating and evaluating, since weights are kept in float32: "
                "train with precision=float32 or bfloat16"
            )
        self._updates = Updates(optimizer, self._network.canonical_parameters())
        share = self._options.get("dropout", 0.0)
        self._dropout = SeededDropout(share, seed, self._device) if share else None

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
        carried = carried_state(arrays, self._network.state_shapes())
        return {name: torch.tensor(array, dtype=self._dtype, device=self._device) for name, array in carried.items()}

    def _begun(self) -> Updates:
        if self._updates is None:
            raise BackendError("torch: the model is not ready to be trained: call begin(optimizer, seed) first")
        return self._updates

    def _mixed_precision(self) -> AbstractContextManager[object]:
        if self._precision == "bfloat16":
            return torch.autocast(self._device.type, torch.bfloat16)
        return nullcontext()

    def _loss(self, inputs: Array, targets: Array, state: State, dropout: SeededDropout | None) -> tuple[Tensor, State]:
        """The mean loss of (B, T) inputs with (B, T) or (B,) targets, and the state after."""
        last_only = targets.ndim == 1
        logits, after = self._network(self._on_device(inputs), state, last_only, dropout)
        expected = self._on_device(targets)  # (T, B) or (B,)
        return functional.cross_entropy(logits.flatten(0, 1), expected.flatten()), after

    def _on_device(self, ids: Array) -> Tensor:
        """Ids as a tensor, time first: (B, T) -> (T, B); (B,) stays."""
        return torch.from_numpy(ids.T.astype(np.int64, order="C")).to(self._device)
