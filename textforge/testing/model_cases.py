"""Cases of what makes models: backends, implementations and architectures."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

import attrs
import numpy as np

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.backends.choose import load_model
from textforge.model import Array, CountingModel, GradientModel, Model, SavedModel
from textforge.plugins.registry import Plugins
from textforge.testing import training
from textforge.testing.cases import Case
from textforge.testing.failures import NotApplicable
from textforge.training.data import TrainingData
from textforge.training.loop import fit
from textforge.training.report import Report
from textforge.training.settings import TrainingSettings

RUNS_ONLY = "it only runs what others have trained"


@attrs.frozen(eq=False, slots=False)
class ModelCase(Case):
    """Something that makes models; `saved` is a model to run, for one whose own first values say nothing."""

    saved: SavedModel | None = attrs.field(default=None, kw_only=True)
    tolerance: float = attrs.field(default=1e-5, kw_only=True)
    """How far logits may lie from each other that should agree, at a magnitude of 1."""
    settings: dict[str, Any] = attrs.field(factory=dict, kw_only=True)
    """Changes to how the tiny corpus is trained on, such as a ``learning_rate``."""

    @abstractmethod
    def make(self, saved: SavedModel) -> Model:
        """Return the model that was saved."""

    @property
    @abstractmethod
    def fresh(self) -> SavedModel:
        """A model as training begins with it; raises `NotApplicable` where nothing is trained."""

    @property
    @abstractmethod
    def ready(self) -> SavedModel:
        """A model whose logits depend on what it reads."""

    @abstractmethod
    def trained(self, model: Model) -> Model:
        """Return what the model becomes on the tiny corpus."""

    @abstractmethod
    def made(self) -> Model:
        """Return a ready model that was never saved, where such are made."""

    @abstractmethod
    def is_own(self, saved: SavedModel) -> bool:
        """Return whether a saved model is of the architecture that the component computes."""

    def counts(self, model: Model) -> bool:
        """Return whether a model learns in one reading instead of by steps."""
        return isinstance(model, CountingModel)

    def load(self) -> Model:
        """Return the ready model, as it is loaded."""
        return self.make(self.ready)

    def ids(self, rows: int, length: int) -> Array:
        """Return tokens to read, (B, T), none of a row like another's."""
        return training.made_ids(self.ready.vocabulary_size, rows, length)

    def use(self) -> None:
        """Make a model, read tokens, and train a step where the model learns by steps."""
        training.exercise(self.made(), self.make_settings())

    def make_settings(self) -> TrainingSettings:
        """Return the settings with which the tiny corpus is trained on."""
        return training.make_settings(self.settings)


@attrs.frozen(eq=False, slots=False)
class BackendCase(ModelCase):
    """A backend; `saved` is a model to run, for one that can't train, and `settings` how to train a tiny corpus."""

    kind = "backend"
    component: Backend

    def make(self, saved: SavedModel) -> Model:
        return self.component.load(saved)

    @functools.cached_property
    def fresh(self) -> SavedModel:
        if not self.component.trains:
            raise NotApplicable(RUNS_ONLY)
        return self.component.create(training.VOCABULARY_SIZE, training.SEED).save()

    @functools.cached_property
    def ready(self) -> SavedModel:
        if not self.component.trains:
            return self.saved or training.untrained(self.component)
        model = self.component.load(self.fresh)
        if isinstance(model, GradientModel) and distinguishes(model):
            return self.fresh
        return self.trained(model).save()

    def made(self) -> Model:
        if not self.component.trains:
            return self.load()
        model = self.component.create(training.VOCABULARY_SIZE, training.SEED)
        return model if self.ready is self.fresh else self.trained(model)

    def trained(self, model: Model) -> Model:
        return training.fitted(self.component, model, self.settings)

    def counts(self, model: Model) -> bool:
        return self.component.trains and not isinstance(model, GradientModel)

    def is_own(self, saved: SavedModel) -> bool:
        return self.component.runs(saved.architecture)


@attrs.frozen(eq=False, slots=False)
class ArchitectureCase(Case):
    """An architecture."""

    kind = "architecture"
    component: Architecture

    def use(self) -> None:
        """Make an untrained model and check it."""
        saved = self.component.create(training.VOCABULARY_SIZE, training.SEED)
        self.component.check(saved)
        self.component.state()


@attrs.frozen(eq=False, slots=False)
class ImplementationCase(ModelCase):
    """An architecture on a backend: the component is the architecture, `make_model` makes its saved models run.

    `of` finds what makes models by the names of both, as the program does.
    """

    kind = "implementation"
    component: Architecture
    make_model: Callable[[SavedModel], Model] = attrs.field(kw_only=True)

    @classmethod
    def of(cls, plugins: Plugins, backend: str | Backend, architecture: Architecture, **details: Any) -> Self:
        """Return the case of an architecture on a backend, looked up among some plugins."""
        return cls(architecture, make_model=functools.partial(load_model, plugins.backend(backend)), **details)

    def make(self, saved: SavedModel) -> Model:
        return self.make_model(saved)

    @functools.cached_property
    def fresh(self) -> SavedModel:
        return self.component.create(training.VOCABULARY_SIZE, training.SEED)

    @functools.cached_property
    def ready(self) -> SavedModel:
        if self.saved:
            return self.saved
        model = self.make(self.fresh)
        return self.fresh if distinguishes(model) else self.trained(model).save()

    def made(self) -> Model:
        return self.load()

    def trained(self, model: Model) -> Model:
        if isinstance(model, CountingModel):
            return model.count(training.tiny_tokens())
        if isinstance(model, GradientModel):
            data = TrainingData.split(training.tiny_tokens(), training.tiny_encoder(), 0.1)
            return self.make(fit(model, data, self.make_settings(), Report()))
        raise NotApplicable(RUNS_ONLY)

    def make_settings(self) -> TrainingSettings:
        """Return the settings with which the tiny corpus is trained on, those that the architecture prefers first."""
        return training.make_settings({**self.component.training_defaults, **self.settings})

    def is_own(self, saved: SavedModel) -> bool:
        return saved.architecture == self.component.name


def distinguishes(model: Model) -> bool:
    """Return whether a model's logits depend on what it reads."""
    ids = np.arange(model.vocabulary_size)
    logits = np.asarray(model.step(ids, model.start(len(ids))))
    return bool(np.ptp(logits, axis=0).max() > 1e-3)
