"""Models that go on learning from a text: for `evaluate --adapt` and `generate --adapt`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from textforge.architectures.composite import Composite
from textforge.backends.base import Backend
from textforge.backends.choose import choose_trained, load_model, restore_architecture
from textforge.bundle import BundleContents
from textforge.encoders.base import Unknown
from textforge.errors import BackendError, TrainingError, advise
from textforge.evaluation.adapting import measure_adapted_loss
from textforge.model import GradientModel

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins

DROPOUT = "dropout"
"""The option of architectures that says which share backends drop in training."""


def load_learner(plugins: Plugins, contents: BundleContents, backend: str | Backend | None) -> GradientModel:
    """Return the model of a bundle, ready to learn without dropout, on a backend that trains it.

    Raises `BackendError` where the backend only runs models, or the model isn't trained step by step.
    """
    saved = contents.model
    architecture = restore_architecture(plugins, saved, contents.architecture_plugin)
    if isinstance(architecture, Composite):
        raise BackendError(f"the model can't adapt to a text: it is a {architecture.name}; adapt one of its parts")
    architecture, trainer = choose_trained(plugins, architecture, backend)
    if DROPOUT in saved.options:
        saved = attrs.evolve(saved, options={**saved.options, DROPOUT: 0.0})
        architecture = type(architecture).of(saved)
    model = load_model(plugins, trainer, saved, architecture)
    if not isinstance(model, GradientModel):
        raise BackendError(f"the model can't adapt to a text: {architecture.name} isn't trained step by step")
    if model.window is not None:
        raise BackendError(
            "the model can't adapt to a text: it looks back on a window alone; train it in streams, with ",
            advise("sequences", "stream"),
        )
    return model


def learn_from(contents: BundleContents, learner: GradientModel, text: str, unknown: Unknown) -> BundleContents:
    """Return the contents of a bundle whose model has learnt from a text too; what was measured of it stays.

    A text of a token or none changes nothing. Raises `EncodingError` for a text that the vocabulary doesn't cover, and
    `TrainingError` where learning from it makes the weights infinite.
    """
    tokens = contents.encoder.encode(text, unknown=unknown)
    if len(tokens) < 2:
        return contents
    loss = measure_adapted_loss(learner, tokens).mean
    arrays = learner.save().arrays
    if not (math.isfinite(loss) and all(np.isfinite(array).all() for array in arrays.values())):
        raise TrainingError("the model diverged while it adapted to the text: generate without that")
    return attrs.evolve(contents, model=attrs.evolve(contents.model, arrays=arrays), checkpoint=None, history=())
