"""A bundle's manifest, ``config.json``, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from textforge.bundle.checked_json import read_as, write_json
from textforge.bundle.checks import check_position, check_window
from textforge.bundle.files import is_part_name
from textforge.bundle.lineage import Ancestor
from textforge.bundle.mixing import Mixing
from textforge.components import values
from textforge.components.spec import parse_spec
from textforge.errors import SpecError
from textforge.training.checkpoint import Position
from textforge.training.data import CorpusRecord
from textforge.training.events import EpochResult

FORMAT_VERSION = 2
"""1, of textforge 0.1.0: the backend's spec had the architecture's options, and there was one backend for each
architecture on each framework."""


@attrs.frozen
class FileEntry:
    """The name, size and hash of a current file."""

    name: str
    size: int
    """Bytes that count; the history's file alone may have more."""
    sha256: str
    lines: int | None = None
    """Lines that count, of the history."""


@attrs.frozen
class Files:
    """The current files of a bundle."""

    encoder: FileEntry
    model: FileEntry
    checkpoint: FileEntry | None = None
    history: FileEntry | None = None

    def entries(self) -> dict[str, FileEntry]:
        """Return the files that there are, by part."""
        found = {field.name: getattr(self, field.name) for field in attrs.fields(Files)}
        return {part: entry for part, entry in found.items() if entry is not None}


@attrs.frozen
class EncoderEntry:
    """The encoder, and the distribution or file of the plugin that brought it."""

    name: str
    plugin: str | None = None


@attrs.frozen
class BackendEntry:
    """The backend that trained the model, and the distribution or file of the plugin that brought it."""

    spec: str
    plugin: str | None = None


@attrs.frozen
class ModelEntry:
    """The model without its weights."""

    architecture: str
    options: dict[str, Any]
    vocabulary_size: int
    window: int | None = None
    plugin: str | None = None
    """The distribution or file of the plugin that brought the architecture."""


@attrs.frozen
class Results:
    """The results of training; None where nothing was measured."""

    epochs: float | None = None
    steps: int | None = None
    train_loss: float | None = None
    """Mean training loss of the last epoch, in nats a token."""
    validation_loss: float | None = None
    best_loss: float | None = None
    """The loss of the weights that generate: in validation, or in training where nothing is kept for validation."""
    best_epoch: float | None = None
    seconds: float | None = None

    @classmethod
    def from_history(cls, history: Sequence[EpochResult]) -> Results:
        """Return the results that a history ends with."""
        if not history:
            return cls()
        last = history[-1]
        best = next((result for result in reversed(history) if result.best), last)
        return cls(
            epochs=last.epoch,
            steps=last.step,
            train_loss=last.train_loss,
            validation_loss=last.validation_loss,
            best_loss=best.train_loss if best.validation_loss is None else best.validation_loss,
            best_epoch=best.epoch,
            seconds=last.seconds,
        )


_LEFT_OUT = ("lines", "mixing")
"""The fields that are left out where they are None."""


@attrs.frozen
class Manifest:
    """``config.json``, field by field."""

    corpora: tuple[CorpusRecord, ...]
    encoder: EncoderEntry
    model: ModelEntry
    backend: BackendEntry
    versions: dict[str, str]
    settings: dict[str, Any]
    position: Position | None
    results: Results
    files: Files
    lineage: tuple[Ancestor, ...] = ()
    mixing: Mixing | None = None

    def __attrs_post_init__(self) -> None:
        # When it is written too: a bundle that is saved must load.
        check_window(self.model.window)
        if self.position is not None:
            check_position(self.position)

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        fields = attrs.asdict(self, filter=lambda field, value: field.name not in _LEFT_OUT or value is not None)
        return write_json({"format_version": FORMAT_VERSION, **fields})

    @classmethod
    def from_json(cls, value: Any) -> Manifest:
        """Return the manifest that a file's JSON stands for; raises `ValueError` for a name that no bundle has."""
        manifest: Manifest = read_as(cls, value, "")
        for part, entry in manifest.files.entries().items():
            if not is_part_name(part, entry.name):
                raise ValueError(f"files.{part}.name is no name of a bundle's file: {values.quote(entry.name)}")
        return manifest


def upgrade(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest's JSON as this version would have written it.

    >>> model = {"architecture": "conv", "options": {"channels": 8}}
    >>> old = {"format_version": 1, "model": model, "backend": {"spec": "torch-conv:channels=8,device=cpu"}}
    >>> upgrade(old)["backend"]
    {'spec': 'torch:device=cpu'}
    """
    model, backend = manifest.get("model"), manifest.get("backend")
    if manifest["format_version"] != 1 or not isinstance(model, dict) or not isinstance(backend, dict):
        return manifest
    architecture, options = model.get("architecture"), model.get("options")
    if not isinstance(architecture, str) or not isinstance(options, dict) or not isinstance(backend.get("spec"), str):
        return manifest
    return {**manifest, "backend": {**backend, "spec": _upgrade_spec(backend["spec"], architecture, options)}}


def _upgrade_spec(text: str, architecture: str, options: dict[str, Any]) -> str:
    """Take the architecture out of the spec of a backend: ``torch-conv:channels=8`` becomes ``torch``."""
    try:
        spec = parse_spec(text)
    except SpecError:
        return text
    name = "numpy" if spec.name == architecture else spec.name.removesuffix(f"-{architecture}")
    pairs = [f"{key}={value}" for key, value in spec.pairs.items() if key not in options]
    return f"{name}:{','.join(pairs)}" if pairs else name


class NewerFormat(ValueError):
    """The error that a manifest is of a format this version doesn't know."""


def check_version(value: Any) -> dict[str, Any]:
    """Return the JSON of a manifest; raises `NewerFormat`, or `ValueError` where it is none."""
    version = value.get("format_version") if isinstance(value, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError("it has no format_version, so it is not textforge's")
    if version > FORMAT_VERSION:
        raise NewerFormat(f"it is of format {version}, and this textforge reads up to {FORMAT_VERSION}")
    manifest: dict[str, Any] = value
    return manifest
