"""What a bundle holds."""

from __future__ import annotations

from typing import Any

import attrs

from textforge.backends.choose import default_runner
from textforge.components.component import Component
from textforge.encoders.base import Encoder
from textforge.model import Model, SavedModel
from textforge.plugins.registry import Plugins
from textforge.training.checkpoint import Checkpoint
from textforge.training.data import CorpusRecord
from textforge.training.events import EpochResult


@attrs.frozen(eq=False)
class BundleContents:
    """All that a bundle holds."""

    encoder: Encoder
    """Fitted."""
    model: SavedModel
    """The best weights: what generates. They are also the checkpoint's `best`, which is not stored twice."""
    backend: str
    """Spec of the backend that trained the model."""
    corpora: tuple[CorpusRecord, ...] = ()
    settings: dict[str, Any] = attrs.field(factory=dict)
    """Of `textforge.TrainingSettings`, in full."""
    versions: dict[str, str] = attrs.field(factory=dict)
    """Of textforge, Python, and what else had a part in the training."""
    checkpoint: Checkpoint | None = None
    history: tuple[EpochResult, ...] = attrs.field()
    """The checkpoint's, unless given."""
    encoder_plugin: str | None = None
    """What `plugin_of` gives, for the day on which it isn't installed."""
    backend_plugin: str | None = None
    architecture_plugin: str | None = None

    @history.default
    def _checkpoint_history(self) -> tuple[EpochResult, ...]:
        return self.checkpoint.history if self.checkpoint else ()


def contents_of(model: Model, encoder: Encoder, plugins: Plugins) -> BundleContents:
    """What a bundle holds of a model whose training nothing is known of.

    Raises `BackendError` where no installed backend runs its architecture.
    """
    saved = model.save()
    backend = default_runner(plugins, saved.architecture)
    return BundleContents(
        encoder=encoder,
        model=saved,
        backend=backend,
        encoder_plugin=plugin_of(plugins, "encoder", encoder),
        backend_plugin=plugin_of(plugins, "backend", backend),
        architecture_plugin=plugin_of(plugins, "architecture", saved.architecture),
    )


def plugin_of(plugins: Plugins, kind: str, component: Component | str) -> str | None:
    """Return the distribution, or else the file, of the plugin that brought a component, which may be given by name."""
    if isinstance(component, str) and component not in plugins.names(kind):
        return None
    found = plugins.find_source(kind, plugins.find(kind, component) if isinstance(component, str) else component)
    return (found.distribution or found.name) if found else None
