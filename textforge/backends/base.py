"""The backend interface: the computation of models by a framework."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

from textforge.architectures.base import Architecture
from textforge.components.open import OpenComponent
from textforge.model import Model, SavedModel


class Backend(OpenComponent):
    """A framework that computes the models of those architectures for which it has an implementation.

    Its options concern the computation alone, never the model. Its module is light: the framework is imported only when
    a model is made. Implementations are found by the names of backend and architecture, under which plugins register
    them in `register_implementations`.
    """

    frameworks: ClassVar[tuple[str, ...]] = ()
    """The distributions of the framework, such as ``torch``: a bundle records their versions."""
    trains: ClassVar[bool] = True
    """True where its implementations can be trained; one may be registered to say otherwise."""
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

    def find_memory(self) -> int | None:
        """Return the bytes of memory that models are trained in; None where it isn't known, as unless overridden.

        A model that can't be trained in so much is refused before the run begins. It is asked for after `require`.
        """
        return None

    def find_speed(self) -> float:
        """Return the speed of training as a multiple of PyTorch's on two cores of a processor; 1 unless overridden.

        A recipe fits the model to the minutes by it. It is a round number that is known beforehand, never a measurement
        at each start. It is asked for after `require`.
        """
        return 1.0

    def mix_precision(self) -> Self:
        """Return this backend set to train in mixed precision, where this machine is faster that way.

        What is in `given` stays. It is asked, after `require`, where a recipe's network loses nothing by it. Itself
        unless overridden.
        """
        return self

    @abstractmethod
    def load(self, saved: SavedModel, architecture: Architecture, implementation: Any) -> Model:
        """Return a saved model as a `Model` of this backend.

        `implementation` is the object registered for the backend and the architecture. The arrays of `saved` have been
        checked by the architecture, and may not be written to. Raises `textforge.errors.BackendError` where a device
        is missing.
        """
