"""The saving of a bundle, so that at every moment one of its states is whole on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from textforge.bundle.contents import BundleContents
from textforge.bundle.errors import bundle_error, state_reason
from textforge.bundle.files import (
    HISTORY,
    MANIFEST,
    NewFiles,
    delete_if_possible,
    is_leftover,
    is_ours,
    part_name,
    probe,
    read_file,
    read_if_there,
    sha256,
    sync_folder,
)
from textforge.bundle.manifest import BackendEntry, EncoderEntry, FileEntry, Files, Manifest, ModelEntry, Results
from textforge.bundle.parts import write_arrays, write_checkpoint, write_encoder, write_history
from textforge.bundle.reader import Bundle
from textforge.errors import advise


class BundleWriter:
    """A writer that saves a bundle again and again, each time whole or not at all.

    An existing bundle stays as it is until the first `commit`; files that aren't a bundle's are never touched.

    >>> import tempfile, numpy as np
    >>> from textforge.model import SavedModel
    >>> from textforge.encoders.char import CharEncoder
    >>> encoder = CharEncoder().fit(["abracadabra"])
    >>> model = SavedModel("ngram", {"order": 1}, encoder.vocabulary_size, {"counts": np.array([5, 2, 1, 1, 2])})
    >>> folder = tempfile.TemporaryDirectory()
    >>> writer = BundleWriter.prepare(folder.name)
    >>> writer.commit(BundleContents(encoder=encoder, model=model, backend="numpy"))
    >>> Bundle.open(folder.name).model().arrays["counts"]
    array([5, 2, 1, 1, 2])
    >>> folder.cleanup()
    """

    def __init__(self, path: Path, current: Bundle | None, made: Sequence[Path] = ()) -> None:
        self.path = path
        self._made = made
        """Folders that were made for the bundle, the outermost first."""
        self._files = current.files if current else {}
        self._manifests = {current.data if current else None}
        """The manifests that may stand on disk, unless another program saves here too; None: there is none."""

    @classmethod
    def prepare(cls, path: str | Path, *, overwrite: bool = False, resume: bool = False) -> BundleWriter:
        """Make sure that a bundle can be saved in a folder, and make the folder.

        `overwrite` allows a bundle to be there, and `resume` requires one. Raises `BundleError` where there is one
        without either, where the folder holds anything else, or where no file can be made in it.
        """
        path = Path(path)
        try:
            current = _open_existing(path, resume)
            if current and not (overwrite or resume):
                raise bundle_error(
                    f"{path} holds a trained model already; go on training it with ",
                    advise("resume", True),
                    ", replace it with ",
                    advise("overwrite", True),
                    ", or choose another folder",
                )
            made = [folder for folder in (*reversed(path.parents), path) if not folder.exists()]
            path.mkdir(parents=True, exist_ok=True)
            probe(path)
        except (OSError, ValueError) as error:
            text = state_reason(error) if isinstance(error, OSError) else str(error)
            raise bundle_error(f"can't save a model in {path}: {text}; choose another folder") from None
        return cls(path, current, made)

    def close(self) -> None:
        """Remove the folders that were made for the bundle, where nothing was saved."""
        with contextlib.suppress(OSError):  # one that isn't empty stays
            for folder in reversed(self._made):
                folder.rmdir()

    def commit(self, contents: BundleContents) -> None:
        """Save the contents.

        Raises `BundleError` where that fails, with what was saved before still there, and where the contents can't
        be saved or another program saved to the same folder.
        """
        try:
            parts = _write_parts(contents)
            history = write_history(contents.history)
        except ValueError as error:
            raise bundle_error(f"can't save the model in {self.path}: {error}") from None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not self._can_extend(history):
                # The lines that the current manifest counts must stay until another one is in force.
                self._commit(contents, parts, history, part_name("history", history))
            self._commit(contents, parts, history, HISTORY)
        except (OSError, ValueError) as error:
            kept = "what was saved there before is unharmed" if self._files else "nothing was saved"
            text = state_reason(error) if isinstance(error, OSError) else str(error)
            raise bundle_error(f"can't save the model in {self.path}: {text}; {kept}") from None

    def _can_extend(self, history: bytes) -> bool:
        """Return whether the history can be written where it belongs without changing a line that counts."""
        entry = self._files.get("history")
        if not history or entry is None or entry.name != HISTORY:
            return True
        if sha256(history[: entry.size]) != entry.sha256:
            return False
        try:
            return read_file(self.path / HISTORY, entry.size, may_have_more=True) == history[: entry.size]
        except (FileNotFoundError, ValueError):
            return False

    def _commit(self, contents: BundleContents, parts: dict[str, bytes], history: bytes, history_name: str) -> None:
        self._check_unchanged()
        files = NewFiles(self.path)
        try:
            entries = {part: _put(files, part_name(part, data), data) for part, data in parts.items()}
            if history:
                self._put_history(files, history_name, history)
                lines = history.count(b"\n")
                entries["history"] = FileEntry(history_name, len(history), sha256(history), lines)
            sync_folder(self.path)
            manifest = _make_manifest(contents, Files(**entries)).to_bytes()
            self._check_unchanged()
            self._manifests.add(manifest)
            files.replace_manifest(manifest)
        except (OSError, ValueError):
            files.take_back()
            raise
        self._manifests = {manifest}
        self._clean_up(entries)

    def _put_history(self, files: NewFiles, name: str, history: bytes) -> None:
        entry = self._files.get("history")
        if entry is not None and entry.name == name == HISTORY:
            files.extend(name, entry.size, history[entry.size :])
        else:
            files.put(name, history)

    def _check_unchanged(self) -> None:
        found = read_if_there(self.path / MANIFEST)
        if found is not None and found not in self._manifests:
            raise ValueError("another program saved a model there meanwhile; train into another folder")

    def _clean_up(self, entries: dict[str, FileEntry]) -> None:
        """Delete what no manifest names any more."""
        before = {entry.name for entry in self._files.values()}
        now = {entry.name for entry in entries.values()}
        self._files = entries
        with contextlib.suppress(OSError):
            # Deleted only once the disk has the new manifest: else a power cut could bring the old one back.
            sync_folder(self.path)
            ours = before | {path.name for path in self.path.iterdir() if is_ours(path.name)}
            delete_if_possible(self.path / name for name in ours - now)


def _open_existing(path: Path, resume: bool) -> Bundle | None:
    """Return the bundle in a folder, or None where the folder is free for a new one."""
    if path.exists() and not path.is_dir():
        raise ValueError("it is a file")
    names = {found.name for found in path.iterdir()} if path.exists() else set()
    if resume or MANIFEST in names:
        return Bundle.open(path)
    if names and not is_leftover(names):
        raise bundle_error(
            f"{path} is not empty and holds no trained model, so nothing is saved there; choose another folder"
        )
    return None


def _write_parts(contents: BundleContents) -> dict[str, bytes]:
    parts = {"encoder": write_encoder(contents.encoder), "model": write_arrays(contents.model.arrays)}
    if contents.checkpoint is not None:
        parts["checkpoint"] = write_checkpoint(contents.checkpoint, contents.trained.saved)
    return parts


def _put(files: NewFiles, name: str, data: bytes) -> FileEntry:
    files.put(name, data)
    return FileEntry(name, len(data), sha256(data))


def _make_manifest(contents: BundleContents, files: Files) -> Manifest:
    model = contents.model
    return Manifest(
        corpora=contents.corpora,
        encoder=EncoderEntry(contents.encoder.name, contents.encoder_plugin),
        model=ModelEntry(
            model.architecture, dict(model.options), model.vocabulary_size, model.window, contents.architecture_plugin
        ),
        backend=BackendEntry(contents.backend, contents.backend_plugin),
        versions=contents.versions,
        settings=contents.settings,
        position=contents.checkpoint.position if contents.checkpoint else None,
        results=Results.from_history(contents.history),
        files=files,
        lineage=contents.lineage,
        mixing=contents.mixing,
    )
