"""What models of every framework share: saving, and refusing to train before they are ready."""

from __future__ import annotations

from typing import Protocol

from textforge.architectures.base import Architecture
from textforge.errors import BackendError
from textforge.model import Array, Arrays, GradientModel, SavedModel, StateShape

STATE = "state/"
"""What the names of a carried state's arrays begin with in a checkpoint."""


class SavedNetwork(Protocol):
    """A network that gives its weights under canonical names."""

    def save(self) -> Arrays:
        """Return a float32 copy of the weights."""


class FrameworkModel(GradientModel):
    """A network in a framework, as a model.

    A subclass sets `network` and implements what the framework computes.
    """

    framework: str
    """Name of the backend, for messages."""
    network: SavedNetwork

    def __init__(self, saved: SavedModel, architecture: Architecture, precision: str) -> None:
        self.architecture = architecture
        self.vocabulary_size = saved.vocabulary_size
        self.window = saved.window
        self.precision = precision
        self.state_shapes: dict[str, StateShape] = dict(architecture.state())
        self.row_axes = {name: shape.index(None) for name, shape in self.state_shapes.items()}
        self._options = dict(saved.options)

    @property
    def dropout(self) -> float:
        """Share of values dropped in training: the architecture's option of that name, or none."""
        return float(getattr(self.architecture, "dropout", 0.0))

    def save(self) -> SavedModel:
        options = dict(self._options)
        return SavedModel(self.architecture.name, options, self.vocabulary_size, self.network.save(), self.window)

    def check_precision(self) -> None:
        """Raise `BackendError` for a precision that weights kept in float32 can't be trained in."""
        if self.precision == "float64":
            raise BackendError(
                f"{self.framework}: precision=float64 is for generating and evaluating, since weights are kept in "
                "float32: train with precision=float32 or bfloat16"
            )

    def not_begun(self) -> BackendError:
        """Return the error of a model that is to be trained before `begin`."""
        return BackendError(
            f"{self.framework}: the model is not ready to be trained: call begin(optimizer, seed) first"
        )

    def check_ids(self, ids: Array) -> None:
        """Raise `IndexError` for ids beyond the vocabulary, which a device may read as anything."""
        if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < self.vocabulary_size:
            raise IndexError(f"ids must be from 0 to {self.vocabulary_size - 1}, got {ids.min()} to {ids.max()}")
