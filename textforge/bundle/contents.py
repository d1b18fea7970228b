"""The contents of a bundle."""

from __future__ import annotations

import itertools
from typing import Any

import attrs

from textforge.architectures.composite import Part
from textforge.backends.choose import choose_default_runner
from textforge.bundle.lineage import Ancestor
from textforge.bundle.mixing import Mixing, split_mix
from textforge.components.component import Component
from textforge.encoders.base import Encoder
from textforge.model import Model, SavedModel
from textforge.plugins.registry import Plugins
from textforge.training.checkpoint import Checkpoint
from textforge.training.data import CorpusRecord
from textforge.training.events import EpochResult


@attrs.frozen(eq=False)
class BundleContents:
    """The contents of a bundle: a model, its encoder, and what is known of its training."""

    encoder: Encoder
    """The fitted encoder."""
    model: SavedModel
    """The best weights, which generate. They are also the checkpoint's `best`, which is not stored twice."""
    backend: str
    """Spec of the backend that trained the model."""
    corpora: tuple[CorpusRecord, ...] = ()
    settings: dict[str, Any] = attrs.field(factory=dict)
    """The values of `textforge.TrainingSettings`, in full."""
    versions: dict[str, str] = attrs.field(factory=dict)
    """The versions of textforge, Python, and what else had a part in the training."""
    checkpoint: Checkpoint | None = None
    lineage: tuple[Ancestor, ...] = ()
    """The models that it went on from, the first one first."""
    history: tuple[EpochResult, ...] = attrs.field()
    """The results of all epochs: the checkpoint's, unless given."""
    encoder_plugin: str | None = None
    """The result of `find_plugin`, for the day on which the plugin isn't installed."""
    backend_plugin: str | None = None
    architecture_plugin: str | None = None
    mixing: Mixing | None = None
    """The figures of a model that was mixed of others; None for any other."""

    @property
    def trained(self) -> Part:
        """The model that the run trained: the first part of a mixture that a run has made, or else the model.

        Raises `BundleError` where such a mixture is damaged.
        """
        if self.mixing is not None and self.mixing.trained:
            return split_mix(self.model)[0]
        return Part(self.model, self.architecture_plugin)

    @property
    def learnt(self) -> tuple[CorpusRecord, ...]:
        """The corpora that the model was trained on last, without what it was validated on or what was mixed in."""
        return tuple(record for record in self.corpora if record.part == "training")

    @property
    def ever_learnt(self) -> tuple[CorpusRecord, ...]:
        """The corpora that the model and those that it goes on from have learnt, each text once."""
        corpora = itertools.chain(*(ancestor.corpora for ancestor in self.lineage), self.corpora)
        return tuple({record.sha256: record for record in corpora if record.part != "validation"}.values())

    @history.default
    def _checkpoint_history(self) -> tuple[EpochResult, ...]:
        return self.checkpoint.history if self.checkpoint else ()


def collect_contents(model: Model, encoder: Encoder, plugins: Plugins) -> BundleContents:
    """Return the contents of a bundle for a model whose training nothing is known of.

    Raises `BackendError` where no installed backend runs its architecture.
    """
    saved = model.save()
    backend = choose_default_runner(plugins, saved.architecture)
    return BundleContents(
        encoder=encoder,
        model=saved,
        backend=backend,
        encoder_plugin=find_plugin(plugins, "encoder", encoder),
        backend_plugin=find_plugin(plugins, "backend", backend),
        architecture_plugin=find_plugin(plugins, "architecture", saved.architecture),
    )


def find_plugin(plugins: Plugins, kind: str, component: Component | str) -> str | None:
    """Return the distribution, or else the file, of the plugin that brought a component, which may be given by name."""
    if isinstance(component, str) and component not in plugins.names(kind):
        return None
    found = plugins.find_source(kind, plugins.find(kind, component) if isinstance(component, str) else component)
    return (found.distribution or found.name) if found else None
