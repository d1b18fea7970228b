"""Writing a model in a form that others read, and making sure that the file is the model's own."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from textforge import __version__
from textforge.backends.choose import choose_default_runner, load_model, restore_architecture
from textforge.bundle.files import delete_if_possible
from textforge.components.spec import parse_spec
from textforge.encoders.base import Encoder
from textforge.errors import ExportError, UnknownComponent, advise, list_names, nearest
from textforge.formats.base import Format
from textforge.generation.arguments import encode_prompt
from textforge.library.export_check import Agreement, Reference, check_file
from textforge.model import SavedModel
from textforge.plugins.blame import blame
from textforge.plugins.registry import Implementation, Plugins

ABOUT_BYTES = 1 << 20
"""Bytes that may be said of a model in its file: a vocabulary that needs more is left out."""
EXACT = "float64"
"""The precision of the logits that a file's are compared with, where a backend has it."""


@attrs.frozen
class Exported:
    """A file that was written, and how well it agrees with the model."""

    path: Path
    format: str
    description: str
    """The format's own."""
    size: int
    """In bytes."""
    distance: float
    """The largest difference between its logits and the model's own; 0.0 where its weights are the model's own."""
    tokens: int
    """The tokens after which logits were compared; 0 where weights were."""


def export(
    saved: SavedModel,
    encoder: Encoder,
    format: str | Format,
    path: str | Path,
    *,
    overwrite: bool = False,
    plugins: Plugins | None = None,
) -> Exported:
    """Write a model to a file in an installed format.

    The file is read back, and must give the logits of textforge's own way to run the model on text that the model
    writes, in float64 where a backend has that; else nothing is left of it. Raises `ExportError` where there is no such
    format for the model's architecture, where the file is there already, unless `overwrite`, can't be written, or has a
    name that says something else, and where its logits differ; `BackendError` where what writes the format is missing.

    >>> import textforge
    >>> generator = textforge.train("python-docs", architecture="ngram:order=3")
    >>> export(generator.model.save(), generator.encoder, "onnx", "model.onnx")
    Traceback (most recent call last):
    textforge.errors.ExportError: a model of the architecture 'ngram' can't be written as 'onnx'; formats for it: none
    """
    plugins = plugins or Plugins()
    path = Path(path)
    writer = find_format(plugins, saved, format)
    _check_path(writer, path)
    with _naming(path), _beside(path, overwrite) as temporary:
        agreement = _write(plugins, writer, saved, encoder, temporary)
        size = _move(temporary, path, overwrite)
    return Exported(path, writer.name, writer.description, size, agreement.distance, agreement.tokens)


def find_format(plugins: Plugins, saved: SavedModel, format: str | Format) -> Format:
    """Return the format that a spec names; raises `ExportError` where there is none for the model's architecture."""
    able = formats_for(plugins, saved.architecture)
    try:
        found: Format = plugins.format(format)
    except UnknownComponent as error:
        name = parse_spec(str(format)).name
        message = f"there is no format {name!r}; formats for this model: {list_names(able)}{nearest(name, able)}"
        notes = plugins.notes()
        raise ExportError(f"{message} ({'; '.join(notes)})" if notes else message) from error
    if not (found.any_architecture or _implementation(plugins, found, saved.architecture)):
        problem = f"a model of the architecture {saved.architecture!r} can't be written as {found.name!r}"
        raise ExportError(f"{problem}; formats for it: {list_names(able)}")
    return found


def formats_for(plugins: Plugins, architecture: str) -> list[str]:
    """Return the names of the installed formats that models of an architecture can be written in."""
    classes: list[Any] = [found.cls for found in plugins.components("format")]
    implemented = {each.backend for each in plugins.implementations("format") if each.architecture == architecture}
    return [cls.name for cls in classes if cls.any_architecture or cls.name in implemented]


def _implementation(plugins: Plugins, format: Format, architecture: str) -> Implementation | None:
    try:
        return plugins.implementation(format.name, architecture, kind="format")
    except UnknownComponent:
        return None


def _check_path(format: Format, path: Path) -> None:
    if str(path) == "-":
        raise ExportError(
            f"a model can't be written to standard output, since the file is read back: name a file, such as "
            f"model{format.suffix or ''}"
        )
    with blame(format, "to check the file's name"):
        format.check_path(path)


def _write(plugins: Plugins, format: Format, saved: SavedModel, encoder: Encoder, path: Path) -> Agreement:
    """Write the file, and compare it with the model."""
    with blame(format, "to import what it needs"):
        format.require()
    architecture = restore_architecture(plugins, saved)
    saved = attrs.evolve(saved, arrays=architecture.check(saved))
    found = None if format.any_architecture else _implementation(plugins, format, saved.architecture)
    implementation = None if found is None else found.load()
    writer = f"the format {format.name}"
    with blame(format, "to write the model", passing=(OSError,)):
        read_back = format.write(saved, architecture, implementation, path, about(saved, encoder))
    if isinstance(read_back, SavedModel):
        _check_same(read_back, saved, writer)
        return Agreement(0.0, 0)
    return check_file(read_back, make_reference(plugins, saved), encode_prompt(encoder, "", "error"), writer)


def make_reference(plugins: Plugins, saved: SavedModel) -> Reference:
    """Return a model as its default backend runs it: in float64 and in float32, where there are both."""
    name = choose_default_runner(plugins, saved.architecture)
    precision = plugins.find("backend", name).options().get("precision")
    rounded = load_model(plugins, plugins.backend(name), saved)
    state = restore_architecture(plugins, saved).state()
    if precision is None or EXACT not in (precision.choices or ()):
        return Reference(rounded, None, state)
    return Reference(load_model(plugins, plugins.backend(f"{name}:precision={EXACT}"), saved), rounded, state)


def _check_same(found: SavedModel, saved: SavedModel, writer: str) -> None:
    """Raise `ExportError` unless the model that was read back is the one that was written, and was read."""
    common = found.arrays.keys() & saved.arrays.keys()
    if any(np.may_share_memory(found.arrays[name], saved.arrays[name]) for name in common):
        raise ExportError(
            f"{writer} gives back the model that it was given, not what it reads from its file; nothing was kept: "
            "report it to who made the format"
        )
    differing = [
        name
        for name in ("architecture", "vocabulary_size", "window", "options")
        if getattr(found, name) != getattr(saved, name)
    ]
    differing += sorted(found.arrays.keys() ^ saved.arrays.keys())
    for name in common:
        one, other = found.arrays[name], saved.arrays[name]
        if one.dtype != other.dtype or not np.array_equal(one, other):
            differing.append(name)
    if differing:
        raise ExportError(
            f"{writer} wrote a file that gives another model back, for these differ: {', '.join(differing)}; nothing "
            "was kept: report it to who made the format"
        )


def about(saved: SavedModel, encoder: Encoder) -> dict[str, Any]:
    """Return what a file says of its model, as JSON has it.

    ``tokens`` has the text of each token id, so that the file is of use without textforge; a vocabulary that would take
    more than a megabyte is left out.
    """
    known = {
        "textforge": __version__,
        "architecture": saved.architecture,
        "options": dict(saved.options),
        "vocabulary_size": int(saved.vocabulary_size),
        "window": saved.window,
        "encoder": encoder.spec,
    }
    tokens = [encoder.token_text(id) for id in range(encoder.vocabulary_size)]
    return known | {"tokens": tokens} if len(json.dumps(tokens)) <= ABOUT_BYTES else known


@contextmanager
def _beside(path: Path, overwrite: bool) -> Iterator[Path]:
    """Make an empty file in the same folder and with the same ending, removed afterwards unless it was moved.

    Made before a framework is imported, so that who can't write there doesn't wait for that.
    """
    _refuse_existing(path, overwrite)
    temporary = path.with_name(f".textforge-{secrets.token_hex(8)}{path.suffix}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
    finally:
        delete_if_possible([temporary])


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what the system refuses into an error that names the file."""
    try:
        yield
    except OSError as error:
        raise ExportError(f"can't write {path}: {error.strerror or error}; choose another place") from error


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise ExportError(f"{path} is a folder: name a file in it")
    if not (path.exists() or path.is_symlink()):
        return
    if not overwrite:
        replace = advise("overwrite", True)
        raise ExportError(f"{path} is there already; replace it with ", replace, ", or choose another name")
    if not path.is_file():
        raise ExportError(f"{path} is no regular file, so it can't be replaced: choose another name")


def _move(temporary: Path, path: Path, overwrite: bool) -> int:
    """Give the file its name, once it is on the disk, and return its size in bytes."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    _refuse_existing(path, overwrite)  # once more: checking takes a while
    temporary.replace(path)
    return size
