"""Cases of what makes models: architectures, backends, and implementations of the ones on the others."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Self

import attrs
import numpy as np

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.backends.choose import load_model, resolve_parts
from textforge.errors import OptionError
from textforge.model import Array, CountingModel, GradientModel, Model, SavedModel
from textforge.plugins.registry import Plugins
from textforge.testing import training
from textforge.testing.cases import Case
from textforge.testing.failures import NotApplicable
from textforge.training.data import TrainingData
from textforge.training.fit import fit
from textforge.training.report import Report
from textforge.training.settings import TrainingSettings


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
class BackendCase(Case):
    """A backend, whose models are checked with each `ImplementationCase`."""

    kind = "backend"
    component: Backend
    plugins: Plugins = attrs.field(factory=Plugins)
    """The plugins among which its implementations are looked up."""

    def use(self) -> None:
        """Import what the backend needs."""
        self.component.require()


@attrs.frozen(eq=False, slots=False)
class ImplementationCase(Case):
    """An architecture on a backend: the component is the architecture, and `make` makes its saved models run.

    `of` finds what makes models by the names of both, as the program does.
    """

    kind = "implementation"
    component: Architecture
    make: Callable[[SavedModel], Model] = attrs.field(kw_only=True)
    on: str = attrs.field(default="", kw_only=True)
    """The backend's spec, for messages."""
    saved: SavedModel | None = attrs.field(default=None, kw_only=True)
    """A model to run, for an implementation that can't train and whose first values say nothing."""
    tolerance: float = attrs.field(default=1e-5, kw_only=True)
    """The most that logits may lie apart that should agree, at a magnitude of 1."""
    settings: dict[str, Any] = attrs.field(factory=dict, kw_only=True)
    """Changes to how the tiny corpus is trained on, such as a ``learning_rate``."""

    @classmethod
    def of(cls, plugins: Plugins, backend: str | Backend, architecture: str | Architecture, **details: Any) -> Self:
        """Return the case of an architecture on a backend, looked up among some plugins."""
        found: Backend = plugins.backend(backend)
        make = functools.partial(load_model, plugins, found)
        component: Architecture = plugins.architecture(architecture)
        saved = details.get("saved")
        if saved is not None:
            if saved.architecture != component.name:
                raise OptionError(f"the model is of the architecture {saved.architecture}, not {component.name}")
            component = type(component).of(saved)  # a model that is given says what its options are
        component = resolve_parts(plugins, component)
        return cls(component, make=make, on=found.spec, **details)

    @property
    def title(self) -> str:
        return f"{self.component.spec} on {self.on}" if self.on else self.component.spec

    @functools.cached_property
    def fresh(self) -> SavedModel:
        """A model as training begins with it."""
        return self.component.create(training.VOCABULARY_SIZE, training.SEED)

    @functools.cached_property
    def ready(self) -> SavedModel:
        """A model whose logits depend on what it reads."""
        if self.saved:
            return self.saved
        model = self.make(self.fresh)
        return self.fresh if distinguishes(model) else self.train(model).save()

    def load(self) -> Model:
        """Return the ready model, as it is loaded."""
        return self.make(self.ready)

    def train(self, model: Model) -> Model:
        """Return what the model becomes on the tiny corpus; raises `NotApplicable` where it can't be trained."""
        if not isinstance(model, (CountingModel, GradientModel)):
            raise NotApplicable("it only runs what others have trained")
        data = TrainingData.split(training.tiny_tokens(), training.tiny_encoder(), 0.1)
        return self.make(fit(model, data, self.make_settings(), Report()))

    def ids(self, rows: int, length: int) -> Array:
        """Return tokens to read, (B, T), none of a row like another's."""
        return training.made_ids(self.ready.vocabulary_size, rows, length)

    def use(self) -> None:
        """Make a model, read tokens, and train a step where the model learns by steps."""
        training.exercise(self.load(), self.make_settings())

    def make_settings(self) -> TrainingSettings:
        """Return the settings with which the tiny corpus is trained on, those that the architecture prefers first."""
        return training.make_settings({**self.component.training_defaults, **self.settings})


def distinguishes(model: Model) -> bool:
    """Return whether a model's logits depend on what it reads."""
    ids = np.arange(model.vocabulary_size)
    logits = np.asarray(model.step(ids, model.start(len(ids))))
    return bool(np.ptp(logits, axis=0).max() > 1e-3)
