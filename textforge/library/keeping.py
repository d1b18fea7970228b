"""The keeping of a run: its checkpoints become a bundle's contents, and are committed."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform

import attrs
import numpy as np

import textforge
from textforge.backends.base import Backend
from textforge.bundle import BundleContents, BundleWriter, Mixing, find_plugin
from textforge.corpora.record import CorpusRecord
from textforge.encoders.base import Encoder
from textforge.library.run import Run
from textforge.model import SavedModel
from textforge.training.checkpoint import Checkpoint
from textforge.training.report import Report


class Keeper(Report):
    """A report that turns checkpoints into a bundle's contents, and commits them where there is a writer."""

    def __init__(
        self, run: Run, encoder: Encoder, corpora: tuple[CorpusRecord, ...], writer: BundleWriter | None
    ) -> None:
        self._run = run
        self._encoder = encoder
        self._corpora = corpora
        self._writer = writer
        self._checkpoint = run.checkpoint
        self._committed = False

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._commit(self.contents(checkpoint.best))

    def conclude(self, model: SavedModel) -> BundleContents:
        """Return the run's outcome; it is committed now where the backend gave no checkpoint along the way."""
        contents = self.contents(model)
        if not self._committed:
            self._commit(contents)
        return contents

    def keep_mixture(self, model: SavedModel, mixing: Mixing) -> BundleContents:
        """Commit a mixture with the model that the run trained, and return the run's outcome."""
        contents = attrs.evolve(
            self.contents(model),
            architecture_plugin=find_plugin(self._run.plugins, "architecture", model.architecture),
            mixing=mixing,
        )
        self._commit(contents)
        return contents

    def _commit(self, contents: BundleContents) -> None:
        if self._writer:
            self._writer.commit(contents)
        self._committed = True

    def contents(self, model: SavedModel) -> BundleContents:
        """Return the contents of a bundle with this model, and the run so far."""
        run = self._run
        return BundleContents(
            encoder=self._encoder,
            model=attrs.evolve(model, window=model.window or run.architecture.model_window),
            backend=run.backend.spec,
            corpora=self._corpora,
            settings=run.settings.option_values(),
            versions=list_versions(run.backend),
            checkpoint=self._checkpoint,
            lineage=run.lineage,
            encoder_plugin=find_plugin(run.plugins, "encoder", self._encoder),
            backend_plugin=find_plugin(run.plugins, "backend", run.backend),
            architecture_plugin=find_plugin(run.plugins, "architecture", run.architecture),
        )


def list_versions(backend: Backend) -> dict[str, str]:
    """Return the versions that a run was made with."""
    found = {"textforge": textforge.__version__, "python": platform.python_version(), "numpy": np.__version__}
    for framework in backend.frameworks:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # it may be installed by another name
            found[framework] = importlib.metadata.version(framework)
    return found
