"""The backend interface: what computes models."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from textforge.architectures.base import Architecture
from textforge.components.component import Component
from textforge.model import Model, SavedModel


class Backend(Component):
    """A way to compute models of any architecture that it has an implementation of.

    Every option says how to run, none what the model is. Its module is light: the framework is imported only when a
    model is made. Implementations are found by the names of backend and architecture, as plugins register them by
    `register_implementations`.
    """

    frameworks: ClassVar[tuple[str, ...]] = ()
    """The distributions that compute, such as ``torch``: a bundle records their versions."""
    trains: ClassVar[bool] = True
    """Whether its implementations can be trained, unless one is registered to say otherwise."""
    training_priority: ClassVar[int] = 0
    """Rank among the backends that can train an architecture: the highest does unless another is asked for."""
    running_priority: ClassVar[int] = 0
    """Rank among the backends that can run an architecture: the highest does unless another is asked for."""

    def __attrs_post_init__(self) -> None:
        """Refuse options that don't go together; an override calls `super()`'s."""

    def require(self) -> None:
        """Import the frameworks, before any implementation is imported; nothing unless overridden.

        Raises `textforge.errors.BackendError` where one is missing, broken or too old: see `textforge.Framework`.
        """

    @abstractmethod
    def load(self, saved: SavedModel, architecture: Architecture, implementation: Any) -> Model:
        """Return a saved model, run by this backend.

        `implementation` is what was registered for the backend and the architecture. The arrays of `saved` have been
        checked by the architecture, and may not be written to. Raises `textforge.errors.BackendError` where a device
        is missing.
        """
