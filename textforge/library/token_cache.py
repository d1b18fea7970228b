"""The cache of tokens: what took long to encode is kept, and used again as long as its files are the same.

An entry is a folder that appears whole or not at all::

    tokens/{key}/entry.json      what is known of the groups of corpora, and the fitted encoder
    tokens/{key}/{number}.bin    the tokens of each group that has some
    tokens/{key}.json            the key of the entry that a run which learnt its encoder has made
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import textforge
from textforge.bundle.checked_json import read_as, read_json, write_json
from textforge.bundle.parts import read_encoder, write_encoder
from textforge.components.component import Component
from textforge.corpora.base import Corpus
from textforge.corpora.cache import cache_folder
from textforge.corpora.paths import title
from textforge.corpora.record import CorpusRecord
from textforge.corpora.tokens import Learning, TokenFile, token_files
from textforge.encoders.base import Encoder
from textforge.errors import CorpusError
from textforge.plugins.blame import blame

FOLDER = "tokens"
"""The folder of tokens in the cache."""
LEAST_SECONDS = 2.0
"""The seconds that a text must take to be encoded for its tokens to be kept."""
MOST_BYTES = 20 << 30
"""Bytes of all that is kept: beyond them, what was used longest ago is removed."""
_STALE_SECONDS = 86_400
_PARTIAL = ".partial"
_ENTRY = "entry.json"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError)
"""The errors of reading an entry that was edited, damaged, or removed meanwhile."""


@attrs.frozen
class _Group:
    """A group of corpora, as it is known beside its tokens."""

    dtype: str
    size: int
    corpora: tuple[CorpusRecord, ...]
    notes: tuple[str, ...]


@attrs.frozen
class _Entry:
    encoder: str
    groups: tuple[_Group, ...]


@contextmanager
def kept_token_files(
    groups: Sequence[Sequence[Corpus]], encoder: Encoder, folder: Path | None = None, *, learning: Learning
) -> Iterator[tuple[TokenFile, ...]]:
    """Encode groups of corpora as `token_files` does, or give what an earlier run has kept of them.

    Kept is what took `LEAST_SECONDS`, of corpora that all have a fingerprint, under their fingerprints, the encoder and
    the code of both. Where the cache can't be written, nothing is kept.
    """
    key = _make_key(groups, encoder, learning)
    if key and (found := _find(key, type(encoder))):
        yield found
        return
    began = time.perf_counter()
    with ExitStack() as stack:
        files = stack.enter_context(token_files(groups, encoder, folder, learning=learning))
        if key and time.perf_counter() - began >= LEAST_SECONDS and key == _make_key(groups, encoder, learning):
            kept = _keep(files, key, _make_key(groups, files[0].encoder, "nothing"))
            if kept:
                stack.close()  # the temporary files' space
                files = kept
        yield files


def _make_key(groups: Sequence[Sequence[Corpus]], encoder: Encoder, learning: Learning) -> str | None:
    """Return the name of what is made of corpora by an encoder; None where it can't be known to be the same again."""
    prints = []
    for corpus in (corpus for group in groups for corpus in (*group, None)):
        found = None if corpus is None else _fingerprint(corpus)
        if corpus is not None and found is None:
            return None
        prints.append(found)
    code = _find_code(encoder)
    if code is None:
        return None
    known = [textforge.__version__, sys.byteorder, learning, code, prints]
    try:
        data = write_json([*known, encoder.name, encoder.option_values(), encoder.learned_values()])
    except ValueError:
        return None
    return hashlib.sha256(data).hexdigest()


def _fingerprint(corpus: Corpus) -> list[Any] | None:
    with blame(corpus, "to give its fingerprint"):
        try:
            found = corpus.fingerprint()
        except CorpusError:  # reading it will tell
            return None
    code = None if found is None else _find_code(corpus)
    return None if code is None else [corpus.spec, found, code]


def _find_code(component: Component) -> list[list[Any]] | None:
    """Return the sizes and times of the files of a component's code, those beside them too; None for an unknown one."""
    files: set[Path] = set()
    for cls in type(component).__mro__[: type(component).__mro__.index(Component)]:
        module = sys.modules.get(cls.__module__)
        path = getattr(module, "__file__", None)
        if not path:
            return None
        files |= set(Path(path).parent.glob("*.py")) if getattr(module, "__package__", None) else {Path(path)}
    try:
        return [[str(path), (status := path.stat()).st_size, status.st_mtime_ns] for path in sorted(files)]
    except OSError:
        return None


def _find(key: str, cls: type[Encoder]) -> tuple[TokenFile, ...] | None:
    """Return what is kept under a key; None where nothing is, or it isn't whole."""
    folder = cache_folder() / FOLDER
    path = folder / key
    try:
        if not path.is_dir():
            path = folder / read_as(str, read_json((folder / f"{key}.json").read_bytes()), "")
        found = _read(path, cls)
        os.utime(path)  # when it was used last
    except _UNREADABLE:
        if path.is_dir():
            _remove(path)  # it is damaged, and in the way of what is made anew
        return None
    return found


def _read(path: Path, cls: type[Encoder]) -> tuple[TokenFile, ...]:
    entry = read_as(_Entry, read_json((path / _ENTRY).read_bytes()), "")
    encoder = read_encoder(cls, entry.encoder.encode("utf-8", "surrogatepass"))
    return tuple(
        TokenFile(encoder, _map(path / f"{number}.bin", group), group.corpora, group.notes)
        for number, group in enumerate(entry.groups)
    )


def _map(path: Path, group: _Group) -> Any:
    dtype = np.dtype(group.dtype)
    if not group.size:
        return np.zeros(0, dtype)
    if path.stat().st_size != group.size * dtype.itemsize:
        raise ValueError("it was cut short")
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))


def _keep(files: Sequence[TokenFile], *keys: str | None) -> tuple[TokenFile, ...] | None:
    """Keep what was encoded, under the last key, to which the others lead; None where it can't be."""
    folder = cache_folder() / FOLDER
    last = keys[-1]
    if last is None:
        return None
    with contextlib.suppress(*_UNREADABLE):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_old(folder, sum(file.tokens.nbytes for file in files))
        with tempfile.TemporaryDirectory(dir=folder, suffix=_PARTIAL, ignore_cleanup_errors=True) as partial:
            _write(Path(partial), files)
            path = folder / last
            with contextlib.suppress(OSError):  # another run has put it there
                Path(partial).rename(path)
        for key in keys[:-1]:
            if key != last:
                _write_link(folder, f"{key}.json", last)
        first, *others = _read(path, type(files[0].encoder))
        note = f"its tokens are kept for the next run in {title(str(path))}; `textforge cache` lists what is kept"
        return attrs.evolve(first, notes=(*first.notes, note)), *others
    return None


def _write(folder: Path, files: Sequence[TokenFile]) -> None:
    for number, file in enumerate(files):
        if file.scratch is not None:
            file.scratch.copy(folder / f"{number}.bin")
    encoder = write_encoder(files[0].encoder).decode("utf-8", "surrogatepass")
    groups = [_Group(file.tokens.dtype.str, len(file.tokens), file.corpora, file.notes) for file in files]
    (folder / _ENTRY).write_bytes(write_json(attrs.asdict(_Entry(encoder, tuple(groups)))))


def _write_link(folder: Path, name: str, key: str) -> None:
    with tempfile.NamedTemporaryFile(dir=folder, suffix=_PARTIAL, delete=False) as file:
        file.write(write_json(key))
    Path(file.name).replace(folder / name)


def _remove_old(folder: Path, needed: int) -> None:
    """Remove what killed runs left behind long ago, and what was used longest ago where there is too much."""
    for path in folder.glob(f"*{_PARTIAL}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                _remove(path)
    entries = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    sizes = [sum(file.stat().st_size for file in path.iterdir()) for path in entries]
    excess = sum(sizes) + needed - MOST_BYTES
    for path, size in zip(entries, sizes, strict=True):
        if excess <= 0:
            return
        _remove(path)
        excess -= size


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
