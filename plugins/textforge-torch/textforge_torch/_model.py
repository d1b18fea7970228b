"""The LSTM on PyTorch: what makes logits, and learns.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from textforge.backends.base import Array, Arrays, Loss, Optimizer, SavedModel, TrainableModel
from textforge.backends.lstm import ARCHITECTURE
from textforge.errors import BackendError, BundleError
from textforge_torch._dropout import SeededDropout
from textforge_torch._network import LSTMState, Network, to_array
from textforge_torch._optimizers import Updates

Ids = Array | Sequence[int]


class TorchLSTM(TrainableModel):
    """An LSTM in PyTorch."""

    def __init__(self, saved: SavedModel, device: torch.device, precision: str = "float32") -> None:
        self.vocabulary_size = saved.vocabulary_size
        self.window = saved.window
        self._options = dict(saved.options)
        self._device = device
        self._precision = precision
        self._dtype = torch.float64 if precision == "float64" else torch.float32
        self._network = Network.from_saved(saved, device, self._dtype)
        self._updates: Updates | None = None
        self._dropout: SeededDropout | None = None

    def save(self) -> SavedModel:
        return SavedModel(ARCHITECTURE, dict(self._options), self.vocabulary_size, self._network.save(), self.window)

    def start(self, batch_size: int) -> LSTMState:
        return self._network.start(batch_size)

    def step(self, ids: Ids, state: LSTMState) -> Array:
        logits: Array = self.forward(np.asarray(ids)[:, None], state, last_only=True)[:, 0]
        return logits

    @torch.no_grad()
    def forward(self, ids: Array, state: LSTMState, last_only: bool = False) -> Array:
        logits, after = self._network(self._on_device(ids), state, last_only)
        state.hidden, state.cell = after.hidden, after.cell
        rows_first: Array = logits.transpose(0, 1).contiguous().cpu().numpy()
        return rows_first

    def select(self, state: LSTMState, rows: Ids) -> LSTMState:
        places = torch.tensor(np.asarray(rows, dtype=np.int64), device=self._device)
        return LSTMState(state.hidden[:, places], state.cell[:, places])

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
        self, inputs: Array, targets: Array, state: LSTMState, *, learning_rate: float, step: int
    ) -> tuple[Loss, LSTMState]:
        updates = self._begun()
        dropout = None if self._dropout is None else self._dropout.at_step(step)
        with self._mixed_precision():
            loss, after = self._loss(inputs, targets, state, dropout)
        loss.backward()  # type: ignore[no-untyped-call]
        updates.step(learning_rate)
        return loss.detach(), after

    @torch.no_grad()
    def loss(self, inputs: Array, targets: Array, state: LSTMState) -> tuple[Loss, LSTMState]:
        return self._loss(inputs, targets, state, None)

    def training_arrays(self, state: LSTMState) -> Arrays:
        moments = self._begun().arrays()
        return moments | {"state/hidden": to_array(state.hidden), "state/cell": to_array(state.cell)}

    def restore(self, arrays: Arrays) -> LSTMState:
        self._begun().restore(arrays)
        hidden, cell = self._carried("state/hidden", arrays), self._carried("state/cell", arrays)
        if hidden.shape != cell.shape:
            raise BundleError(
                f"the checkpoint has {hidden.shape[1]} rows of state/hidden, but {cell.shape[1]} of state/cell: "
                "train from the start"
            )
        return LSTMState(hidden, cell)

    def _begun(self) -> Updates:
        if self._updates is None:
            raise BackendError("torch: the model is not ready to be trained: call begin(optimizer, seed) first")
        return self._updates

    def _mixed_precision(self) -> AbstractContextManager[object]:
        if self._precision == "bfloat16":
            return torch.autocast(self._device.type, torch.bfloat16)
        return nullcontext()

    def _loss(
        self, inputs: Array, targets: Array, state: LSTMState, dropout: SeededDropout | None
    ) -> tuple[Tensor, LSTMState]:
        """The mean loss of (B, T) inputs with (B, T) or (B,) targets, and the state after."""
        last_only = targets.ndim == 1
        logits, after = self._network(self._on_device(inputs), state, last_only, dropout)
        expected = self._on_device(targets)  # (T, B) or (B,)
        return functional.cross_entropy(logits.flatten(0, 1), expected.flatten()), after

    def _on_device(self, ids: Array) -> Tensor:
        """Ids as a tensor, time first: (B, T) -> (T, B); (B,) stays."""
        return torch.from_numpy(ids.T.astype(np.int64, order="C")).to(self._device)

    def _carried(self, name: str, arrays: Arrays) -> Tensor:
        layers, _, size = self._network.start(0).hidden.shape
        found = arrays.get(name)
        if found is None or found.ndim != 3 or (found.shape[0], found.shape[2]) != (layers, size):
            given = "nothing" if found is None else f"shape {found.shape}"
            raise BundleError(
                f"the checkpoint has {given} for {name}, but ({layers}, rows, {size}) is needed: train from the start"
            )
        return torch.tensor(found, dtype=self._dtype, device=self._device)
