"""The backend interface: what makes, trains and runs models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from textforge.components.component import Component
from textforge.errors import BackendError
from textforge.model import GradientModel, Model, ReadBack, SavedModel

if TYPE_CHECKING:
    from textforge.training.checkpoint import Checkpoint
    from textforge.training.data import TrainingData
    from textforge.training.report import Report
    from textforge.training.settings import TrainingSettings


class Backend(Component):
    """Makes, trains and runs models of one architecture.

    Its module is light: the framework is imported only when a model is made.
    """

    architecture: ClassVar[str]
    """``lstm``, ``ngram``, …: backends that share it read each other's models."""
    frameworks: ClassVar[tuple[str, ...]] = ()
    """The distributions that compute, such as ``torch``: a bundle records their versions."""
    trains: ClassVar[bool] = True
    """Whether the backend can train, or only run what others have trained."""
    formats: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """What `export` writes the models in that the backend runs: names, and what each is."""

    def __attrs_post_init__(self) -> None:
        """Refuse options that don't go together; one that does so calls `super()`'s, for the others it inherits."""

    @classmethod
    def runs(cls, architecture: str) -> bool:
        """Whether the backend loads models of that architecture."""
        return architecture == cls.architecture

    def architecture_options(self) -> dict[str, Any]:
        """The options that are part of the model, in full."""
        return {name: getattr(self, name) for name, found in self.options().items() if not found.runtime}

    @abstractmethod
    def create(self, vocabulary_size: int, seed: int) -> Model:
        """A new, untrained model; the same for the same seed."""

    @abstractmethod
    def load(self, saved: SavedModel) -> Model:
        """The model that was saved, run by this backend.

        Raises `textforge.errors.BundleError` where arrays are missing or of the wrong shape.
        """

    @abstractmethod
    def fit(
        self,
        model: Model,
        data: TrainingData,
        settings: TrainingSettings,
        report: Report,
        checkpoint: Checkpoint | None = None,
    ) -> Model:
        """Train a model and give the best it became, telling `report` how it goes.

        With a `checkpoint`, go on from there.
        """

    def export(self, saved: SavedModel, format: str, path: Path, about: Mapping[str, Any]) -> ReadBack:
        """Write a model to a file in one of `formats`, and give a way to compute logits by that file, read back.

        `about` says of the model what the file should say, as JSON has it. The core has made `path` an empty file, and
        keeps what is written there only if the logits agree with its own. Raises `OSError` as the system does, and
        `BackendError` where what is needed to write it is missing.
        """
        raise BackendError(f"the backend {self.name} names the format {format!r}, but has no export for it")


class GradientBackend(Backend):
    """A backend whose models learn step by step: it inherits the core's training loop."""

    def fit(
        self,
        model: Model,
        data: TrainingData,
        settings: TrainingSettings,
        report: Report,
        checkpoint: Checkpoint | None = None,
    ) -> Model:
        """Train with the core's loop, `textforge.training.loop`."""
        from textforge.training.loop import fit

        if not isinstance(model, GradientModel):
            raise BackendError(f"{self.name} made a model that can't be trained: {type(model).__name__}")
        return self.load(fit(model, data, settings, report, checkpoint))
