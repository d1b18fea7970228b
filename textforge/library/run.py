"""A training run, ready to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.bundle import Ancestor
from textforge.corpora.base import Corpus
from textforge.corpora.tokens import Learning
from textforge.encoders.base import Encoder
from textforge.model import SavedModel
from textforge.plugins.registry import Plugins
from textforge.samplers.base import Sampler
from textforge.training.checkpoint import Checkpoint
from textforge.training.data import CorpusRecord
from textforge.training.settings import TrainingSettings


@attrs.frozen(eq=False)
class Run:
    """All that a run begins with."""

    plugins: Plugins
    corpora: Sequence[Corpus]
    encoder: Encoder
    architecture: Architecture
    backend: Backend
    settings: TrainingSettings
    """The settings, of which a recipe may still choose those that weren't given."""
    chains: Sequence[Sequence[Sampler]]
    given: Mapping[str, Any] = MappingProxyType({})
    """The settings that were given, by name."""
    validation_corpora: Sequence[Corpus] = ()
    replay_corpora: Sequence[Corpus] = ()
    learning: Learning = "fit"
    """The learning of the encoder from the corpora."""
    source: SavedModel | None = None
    """The model that a run on another text goes on from."""
    lineage: tuple[Ancestor, ...] = ()
    """The models that the run goes on from, the first one first."""
    checkpoint: Checkpoint | None = None
    records: tuple[CorpusRecord, ...] = ()
    """The corpora that the checkpoint was trained on."""
    mixed: bool = False
    """True where the checkpoint's model has been mixed already as the settings say."""
    recorded: bool = False
    """True where corpora are those of the records, not all given anew."""
