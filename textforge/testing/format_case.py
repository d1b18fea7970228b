"""The case of a format: a model of an architecture that it writes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from textforge.architectures.base import Architecture
from textforge.formats.base import Format
from textforge.library.exporting import export
from textforge.model import SavedModel
from textforge.plugins.registry import Plugins
from textforge.testing import training
from textforge.testing.cases import Case
from textforge.testing.failures import NotApplicable


@attrs.frozen(eq=False, slots=False)
class FormatCase(Case):
    """A format, and an architecture whose models it writes: the first that it is implemented for, unless given."""

    kind = "format"
    component: Format
    plugins: Plugins = attrs.field(factory=Plugins)
    architecture: str | Architecture | None = attrs.field(default=None, kw_only=True)

    def create(self, seed: int) -> SavedModel:
        """Return an untrained model of the architecture; raises `NotApplicable` where the format writes none."""
        architecture: Architecture = self.plugins.architecture(self.architecture or self._first())
        return architecture.create(training.VOCABULARY_SIZE, seed)

    def _first(self) -> str:
        if self.component.any_architecture:
            return self.plugins.names("architecture")[0]
        able = [each.architecture for each in self.plugins.implementations("format") if self._is_own(each.backend)]
        if not able:
            raise NotApplicable(f"no plugin registers an implementation for the format {self.component.name}")
        return able[0]

    def _is_own(self, name: str) -> bool:
        return name == self.component.name

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Make a folder that is deleted afterwards."""
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    def export_to(self, folder: Path, saved: SavedModel) -> Path:
        """Export a model as the program does, which compares the file with it."""
        path = folder / f"model{self.component.suffix or ''}"
        export(saved, training.tiny_encoder(), self.component, path, plugins=self.plugins)
        return path

    def export(self, saved: SavedModel) -> bytes:
        """Return the file that a model is exported to."""
        with self.folder() as folder:
            return self.export_to(folder, saved).read_bytes()

    def use(self) -> None:
        """Export a model."""
        self.export(self.create(training.SEED))
