"""The reading of a bundle, which trusts nothing in it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from textforge.bundle.checked_json import read_json
from textforge.bundle.checks import check_settings
from textforge.bundle.contents import BundleContents
from textforge.bundle.errors import bundle_error, damage_error, reading_error
from textforge.bundle.files import MANIFEST, read_file, read_if_there, sha256
from textforge.bundle.lineage import Ancestor
from textforge.bundle.manifest import FileEntry, Manifest, NewerFormat, Results, check_version, upgrade
from textforge.bundle.mixing import Mixing, split_mix
from textforge.bundle.parts import read_arrays, read_checkpoint, read_encoder_options, read_fitted_encoder, read_history
from textforge.components import values
from textforge.encoders.base import Encoder
from textforge.errors import NAME_PLUGIN, BundleError, UnknownComponent
from textforge.model import SavedModel
from textforge.plugins.registry import Plugins
from textforge.training.checkpoint import Checkpoint, Position
from textforge.training.data import CorpusRecord
from textforge.training.events import EpochResult

R = TypeVar("R")


class Bundle:
    """A bundle whose manifest was read and checked; its parts are read, and checked, when they are asked for.

    >>> Bundle.open("no/such/folder")
    Traceback (most recent call last):
    textforge.errors.BundleError: there is no folder no/such/folder; correct the path, or train a model first
    """

    def __init__(self, path: Path, data: bytes) -> None:
        """Read a bundle's manifest from its bytes; raises `ValueError` where they are no manifest."""
        self.path = path
        self.data = data
        """``config.json`` to the letter."""
        self.manifest: dict[str, Any] = check_version(read_json(data))
        """``config.json`` as it stands; the properties have been checked besides."""
        self._manifest = Manifest.from_json(upgrade(self.manifest))

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Read the manifest of the bundle in a folder.

        Raises `BundleError` where there is none, or one that is damaged, or newer than this textforge.
        """
        path = Path(path)
        file = path / MANIFEST
        try:
            return cls(path, read_file(file))
        except (FileNotFoundError, NotADirectoryError):
            raise _no_manifest(path) from None
        except NewerFormat as error:
            raise bundle_error(f"can't read {file}: {error}; upgrade textforge") from None
        except ValueError as error:
            raise damage_error(file, error) from None
        except OSError as error:
            raise reading_error(file, error) from None

    @property
    def corpora(self) -> tuple[CorpusRecord, ...]:
        """The corpora that the model was trained on."""
        return self._manifest.corpora

    @property
    def lineage(self) -> tuple[Ancestor, ...]:
        """The models that it went on from, the first one first."""
        return self._manifest.lineage

    @property
    def mixing(self) -> Mixing | None:
        """The figures of a model that was mixed of others; None for any other."""
        return self._manifest.mixing

    @property
    def encoder_name(self) -> str:
        """The encoder's name."""
        return self._manifest.encoder.name

    @property
    def encoder_plugin(self) -> str | None:
        """The distribution or file that brought the encoder."""
        return self._manifest.encoder.plugin

    @property
    def backend(self) -> str:
        """The spec of the backend that trained the model."""
        return self._manifest.backend.spec

    @property
    def backend_plugin(self) -> str | None:
        """The distribution or file that brought the backend."""
        return self._manifest.backend.plugin

    @property
    def architecture(self) -> str:
        """The architecture's name: ``lstm``, ``ngram``, …."""
        return self._manifest.model.architecture

    @property
    def architecture_plugin(self) -> str | None:
        """The distribution or file that brought the architecture."""
        return self._manifest.model.plugin

    @property
    def model_options(self) -> dict[str, Any]:
        """The architecture's options, in full."""
        return dict(self._manifest.model.options)

    @property
    def vocabulary_size(self) -> int:
        """The number of token ids."""
        return self._manifest.model.vocabulary_size

    @property
    def window(self) -> int | None:
        """The number of tokens that the model looks back on, where it can't carry a state on."""
        return self._manifest.model.window

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the model was trained with: values of `textforge.TrainingSettings`, in full."""
        return dict(self._manifest.settings)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of all that had a part in the training."""
        return dict(self._manifest.versions)

    @property
    def position(self) -> Position | None:
        """The position of the training and its plan; None where it can't be resumed."""
        return self._manifest.position

    @property
    def results(self) -> Results:
        """The results of training."""
        return self._manifest.results

    @property
    def files(self) -> dict[str, FileEntry]:
        """The current files, by part: encoder, model, checkpoint, history."""
        return self._manifest.files.entries()

    def encoder(self, plugins: Plugins) -> Encoder:
        """Return the fitted encoder, its class found among the plugins.

        Raises `BundleError` where no plugin brings it, or its file is missing or damaged.
        """
        name, plugin = self.encoder_name, self.encoder_plugin
        try:
            cls = plugins.find("encoder", name, plugin)
        except UnknownComponent as error:
            source = f" of the plugin {values.quote(plugin)}" if plugin else ""
            needs = f"{self.path} needs the encoder {values.quote(name)}{source}; install that plugin, or "
            raise bundle_error(needs, NAME_PLUGIN, f" ({error})") from None
        read = functools.partial(read_fitted_encoder, cls, vocabulary_size=self.vocabulary_size)
        return self._read_part(self._manifest.files.encoder, read)

    def encoder_options(self) -> dict[str, Any]:
        """Return the encoder's options; raises `BundleError` where its file is missing or damaged."""
        return self._read_part(self._manifest.files.encoder, read_encoder_options)

    def model(self) -> SavedModel:
        """Return the weights that generate; raises `BundleError` where their file is missing or damaged."""
        arrays = self._read_part(self._manifest.files.model, read_arrays)
        return SavedModel(self.architecture, self.model_options, self.vocabulary_size, arrays, self.window)

    def history(self) -> tuple[EpochResult, ...]:
        """Return the results of all epochs; raises `BundleError` where their file is missing or damaged."""
        entry = self._manifest.files.history
        return self._read_part(entry, functools.partial(read_history, lines=entry.lines)) if entry else ()

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint that training goes on from, or None; raises `BundleError` as `model` does."""
        return self._read_checkpoint(self.model())

    def _read_checkpoint(self, model: SavedModel) -> Checkpoint | None:
        entry = self._manifest.files.checkpoint
        if entry is None:
            return None
        trained = split_mix(model)[0].saved if self.mixing and self.mixing.trained else model
        return self._read_part(entry, functools.partial(read_checkpoint, best=trained, history=self.history()))

    def contents(self, plugins: Plugins, *, resumable: bool = True) -> BundleContents:
        """Return all of it, to be saved elsewhere; without what resuming needs unless `resumable`.

        Raises `BundleError` where a file is missing or damaged, or the settings are none that training goes on with.
        """
        model = self.model()
        checkpoint = self._read_checkpoint(model) if resumable else None
        if checkpoint is not None:
            self._check_settings(checkpoint)
        return BundleContents(
            encoder=self.encoder(plugins),
            model=model,
            backend=self.backend,
            corpora=self.corpora,
            settings=self.settings,
            versions=self.versions,
            checkpoint=checkpoint,
            lineage=self.lineage,
            history=checkpoint.history if checkpoint else self.history(),
            encoder_plugin=self.encoder_plugin,
            backend_plugin=self.backend_plugin,
            architecture_plugin=self.architecture_plugin,
            mixing=self.mixing,
        )

    def _check_settings(self, checkpoint: Checkpoint) -> None:
        try:
            check_settings(self.settings, checkpoint)
        except ValueError as error:
            raise damage_error(self.path / MANIFEST, error) from None

    def _read_part(self, entry: FileEntry, read: Callable[[bytes], R]) -> R:
        """Read a current file, after making sure that it is the one that was saved."""
        file = self.path / entry.name
        try:
            data = read_file(file, entry.size, may_have_more=entry.lines is not None)
            if sha256(data) != entry.sha256:
                raise ValueError("its content is not what was saved (sha256 differs)")
            return read(data)
        except FileNotFoundError:
            raise self._missing_error(file) from None
        except ValueError as error:
            raise damage_error(file, error) from None
        except OSError as error:
            raise reading_error(file, error) from None

    def _missing_error(self, file: Path) -> BundleError:
        if _is_saved_anew(self):
            return bundle_error(f"{self.path} was saved anew while it was read; load it again")
        return bundle_error(f"{file} is missing; copy the whole folder again, or train the model again")


def _is_saved_anew(bundle: Bundle) -> bool:
    try:
        return read_if_there(bundle.path / MANIFEST) not in (bundle.data, None)
    except (OSError, ValueError):
        return False


def _no_manifest(path: Path) -> BundleError:
    if path.is_dir():
        return bundle_error(f"{path} holds no trained model: it has no {MANIFEST}; correct the path")
    if path.exists():
        return bundle_error(f"{path} is a file; a model is a folder with a {MANIFEST}: correct the path")
    return bundle_error(f"there is no folder {path}; correct the path, or train a model first")
