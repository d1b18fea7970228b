"""What is checked, and with what: a component with the texts, the encoder or the model that the checks need."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from textforge.backends.base import Backend
from textforge.components.component import Component
from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.encoders.base import Encoder
from textforge.encoders.char import CharEncoder
from textforge.errors import PluginError
from textforge.model import Array, GradientModel, Model, SavedModel
from textforge.samplers.base import Sampler
from textforge.testing import training
from textforge.testing.failures import NotApplicable, fail
from textforge.testing.texts import HARD_TEXTS, PLAIN_TEXT, UNKNOWN


@attrs.frozen(eq=False, slots=False)
class Case:
    """A component, and what it is checked with."""

    component: Any


def _plain_encoder() -> Encoder:
    return CharEncoder().fit([PLAIN_TEXT, END_OF_TEXT])


@attrs.frozen(eq=False, slots=False)
class SamplerCase(Case):
    """A sampler, and the fitted encoder of the texts it works on."""

    component: Sampler
    encoder: Encoder = attrs.field(factory=_plain_encoder)


@attrs.frozen(eq=False, slots=False)
class EncoderCase(Case):
    """An encoder, the texts it is fitted to, and a text that they don't prepare it for."""

    component: Encoder
    texts: Sequence[str] = HARD_TEXTS
    unknown: str = UNKNOWN

    @functools.cached_property
    def fitted(self) -> Encoder:
        """The encoder that knows the texts as several documents."""
        return self.component.fit([part for text in self.texts for part in (text, END_OF_TEXT)])


@attrs.frozen(eq=False, slots=False)
class CorpusCase(Case):
    """A corpus, ready to be read."""

    component: Corpus


@attrs.frozen(eq=False, slots=False)
class BackendCase(Case):
    """A backend; `saved` is a model to run, for one that can't train, and `settings` how to train a tiny corpus."""

    component: Backend
    saved: SavedModel | None = None
    tolerance: float = 1e-5
    """How far logits may lie from each other that should agree, at a magnitude of 1."""
    settings: dict[str, Any] = attrs.field(factory=dict)
    """Changes to how the tiny corpus is trained on, such as a ``learning_rate``."""

    @functools.cached_property
    def fresh(self) -> SavedModel:
        """A model as training begins with it."""
        if not self.component.trains:
            raise NotApplicable("it only runs what others have trained")
        return self.component.create(training.VOCABULARY_SIZE, training.SEED).save()

    @functools.cached_property
    def ready(self) -> SavedModel:
        """A model whose logits depend on what it reads."""
        if not self.component.trains:
            return self.saved or training.untrained(self.component)
        model = self.component.load(self.fresh)
        if isinstance(model, GradientModel) and _distinguishes(model):
            return self.fresh
        return self.trained(model).save()

    def load(self) -> Model:
        """The ready model, as the backend loads it."""
        return self.component.load(self.ready)

    def made(self) -> Model:
        """A ready model that was never saved, where the backend makes such."""
        if not self.component.trains:
            return self.load()
        model = self.component.create(training.VOCABULARY_SIZE, training.SEED)
        return model if self.ready is self.fresh else self.trained(model)

    def trained(self, model: Model) -> Model:
        """What the model becomes on the tiny corpus."""
        return training.fitted(self.component, model, self.settings)

    def ids(self, rows: int, length: int) -> Array:
        """Tokens to read, (B, T), none of a row like another's."""
        random = np.random.Generator(np.random.PCG64(7))
        return random.integers(0, self.ready.vocabulary_size, (rows, length))


def _distinguishes(model: Model) -> bool:
    ids = np.arange(model.vocabulary_size)
    logits = np.asarray(model.step(ids, model.start(len(ids))))
    return bool(np.ptp(logits, axis=0).max() > 1e-3)


_CASES: tuple[tuple[type[Component], type[Case]], ...] = (
    (Sampler, SamplerCase),
    (Encoder, EncoderCase),
    (Corpus, CorpusCase),
    (Backend, BackendCase),
)


def case_of(component: Component, **details: Any) -> Case:
    """The case of a component: of its kind, with the kit's own texts and models but for `details`."""
    for base, case in _CASES:
        if isinstance(component, base):
            return case(component, **details)
    if isinstance(component, type):
        fail("a component", f"the class {component.__name__}", f"make one: {component.__name__}(…)")
    raise PluginError(f"a corpus, encoder, backend or sampler is expected, got {component!r}")
