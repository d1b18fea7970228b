"""Writing a model in a form that others read, and making sure that the file gives the model's own logits.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

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
from textforge.backends.base import Backend
from textforge.backends.choose import RUNNER, choose_runner, default_runner, load_model, options_of
from textforge.bundle.files import delete_if_possible
from textforge.components.component import build
from textforge.encoders.base import Encoder
from textforge.errors import ExportError, advise, listed, nearest
from textforge.model import Array, ReadBack, SavedModel
from textforge.plugins.registry import Plugins

ROWS = 2
TOKENS = 500
"""Tokens a row that a file is checked with: enough for a state that goes wrong to show."""
LOGITS = 1 << 24
"""Logits compared at most, which bounds the memory that a large vocabulary takes."""
ABSOLUTE, RELATIVE = 1e-5, 5e-6
"""How far logits may be apart, the second in proportion to the largest of them.

Float32 rounds fresh weights' logits, about 1, to 1e-7; those of trained ones, about 20, to 4e-5.
"""
ROUNDING = 100
"""How many times as far as float32 itself a file's logits may be besides."""
ABOUT_BYTES = 1 << 20
"""What may be said of a model in its file: a vocabulary that needs more is left out."""


@attrs.frozen
class Exported:
    """A file that was written, and how well it agrees with the model."""

    path: Path
    format: str
    description: str
    """What the format is."""
    size: int
    """In bytes."""
    distance: float
    """The largest difference between its logits and the model's own."""
    tokens: int
    """How many tokens that was measured on."""


def export(
    saved: SavedModel,
    encoder: Encoder,
    format: str,
    path: str | Path,
    *,
    overwrite: bool = False,
    plugins: Plugins | None = None,
) -> Exported:
    """Write a model to a file in a format that an installed backend brings.

    The file is read back and must give the logits of textforge's own way to run the model, in float64 where that is
    `numpy`; else nothing is left of it. Raises `ExportError` where there is no such format for the model's
    architecture, where the file is there already, unless `overwrite`, or can't be written, and where its logits differ;
    `BackendError` where what writes the format is missing.

    >>> import textforge
    >>> generator = textforge.train("python-docs", backend="ngram:order=3")
    >>> export(generator.model.save(), generator.encoder, "onnx", "model.onnx")
    Traceback (most recent call last):
    textforge.errors.ExportError: a model of the architecture 'ngram' can't be written as 'onnx'; formats for it: none
    """
    plugins = plugins or Plugins()
    path = Path(path)
    writer = find_writer(plugins, saved, format)
    with _naming(path), _beside(path, overwrite) as temporary:
        expected = expected_logits(plugins, saved)
        read_back = writer.export(saved, format, temporary, about(saved, encoder))
        distance = _compare(expected, read_back, writer.name)
        size = _move(temporary, path, overwrite)
    return Exported(path, format, writer.formats[format], size, distance, expected.ids.size)


def find_writer(plugins: Plugins, saved: SavedModel, format: str) -> Backend:
    """The backend that writes a model in a format; raises `ExportError` where there is none."""
    backends: list[Any] = [found.cls for found in plugins.components("backend")]
    able: dict[str, type[Backend]] = {
        name: cls for cls in reversed(backends) if cls.runs(saved.architecture) for name in cls.formats
    }
    if format in able:
        return build(able[format], None, options_of(able[format], saved))
    if any(format in cls.formats for cls in backends):
        problem = f"a model of the architecture {saved.architecture!r} can't be written as {format!r}"
        raise ExportError(f"{problem}; formats for it: {listed(able)}")
    message = f"there is no format {format!r}; formats for this model: {listed(able)}{nearest(format, able)}"
    notes = plugins.notes()
    raise ExportError(f"{message} ({'; '.join(notes)})" if notes else message)


def about(saved: SavedModel, encoder: Encoder) -> dict[str, Any]:
    """What a file says of its model, as JSON has it.

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


@attrs.frozen
class Expected:
    """What a file's logits must be."""

    ids: Array
    """The tokens they follow, (B, T)."""
    logits: Array
    """As exact as textforge can tell, (B, T, V)."""
    allowed: Array
    """How far others may be from them at each position, (T,)."""


def expected_logits(plugins: Plugins, saved: SavedModel) -> Expected:
    """What textforge itself makes of a model on some tokens.

    In float64 where NumPy runs it. Some models magnify rounding from token to token, so that float32's distance from
    that says how far a right file may be.
    """
    name = default_runner(plugins, saved.architecture)
    ids = some_ids(saved.vocabulary_size)
    if name != RUNNER:
        logits = _run(plugins, saved, name, ids)
        rounding = np.zeros(ids.shape[1])
    else:
        logits = _run(plugins, saved, f"{name}:precision=float64", ids)
        rounding = np.maximum.accumulate(_distances(_run(plugins, saved, name, ids), logits))
    allowed = max(ABSOLUTE, RELATIVE * float(np.abs(logits).max()))
    return Expected(ids, logits, allowed + ROUNDING * rounding)


def _run(plugins: Plugins, saved: SavedModel, spec: str, ids: Array) -> Array:
    model = load_model(choose_runner(plugins, saved, spec, spec), saved)
    return model.forward(ids, model.start(len(ids)))


def _distances(one: Array, other: Array) -> Array:
    """The largest difference at each position, (B, T, V) -> (T,)."""
    distances: Array = np.abs(one - other).max(axis=(0, 2))
    return distances


def _compare(expected: Expected, read_back: ReadBack, name: str) -> float:
    """The largest difference of logits; raises `ExportError` where one is too large."""
    found = np.asarray(read_back(expected.ids))
    if found.shape != expected.logits.shape:
        raise ExportError(
            f"the backend {name} wrote a file that gives logits of shape {found.shape}, where the model's are "
            f"{expected.logits.shape}; nothing was kept: report it to who made the backend"
        )
    distances = _distances(found, expected.logits)
    wrong = np.flatnonzero(~(distances <= expected.allowed))  # not-a-number is wrong, too
    if len(wrong):
        first = wrong[0]
        raise ExportError(
            f"the backend {name} wrote a file whose logits are {distances[first]:.1e} from the model's after "
            f"{first + 1} tokens, and {expected.allowed[first]:.1e} is allowed; nothing was kept: report it to who "
            "made the backend"
        )
    return float(distances.max())


def some_ids(vocabulary_size: int) -> Array:
    """Tokens to compare logits on, (B, T): as many different ones as there is room for."""
    length = max(1, min(TOKENS, LOGITS // (ROWS * vocabulary_size)))
    different = np.resize(np.arange(vocabulary_size, dtype=np.int64), (ROWS, length))
    return np.random.Generator(np.random.PCG64(0)).permuted(different, axis=1)


@contextmanager
def _beside(path: Path, overwrite: bool) -> Iterator[Path]:
    """An empty file in the same folder and with the same ending, removed afterwards unless it was moved.

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
    """Give the file its name, once it is on the disk; its size in bytes."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    _refuse_existing(path, overwrite)  # once more: checking takes a while
    temporary.replace(path)
    return size
