"""The cache of tokens: what took long to encode is kept, and used again as long as its files are the same.

An entry is a folder that appears whole or not at all::

    tokens/{key}/entry.json      the fitted encoder, and what is known of the groups of corpora
    tokens/{key}/{number}.bin    the tokens of each group that has some
    tokens/{key}.json            the key of the entry that a run which learnt its encoder has made
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import numpy as np

from textforge.bundle.checked_json import read_as, read_json, write_json
from textforge.bundle.parts import read_encoder, write_encoder
from textforge.corpora.base import Corpus
from textforge.corpora.cache import cache_folder
from textforge.corpora.paths import title
from textforge.corpora.record import CorpusRecord, Tokens
from textforge.corpora.tokens import Learning, TokenFile, find_dtype, token_files
from textforge.encoders.base import Encoder
from textforge.library.token_keys import make_key

FOLDER = "tokens"
"""The folder of tokens in the cache."""
KEEP_VARIABLE = "TEXTFORGE_KEEP_TOKENS"
"""The environment variable by which nothing is kept, and nothing looked for, where it is ``0``."""
LEAST_SECONDS = 2.0
"""The seconds that a text must take to be encoded for its tokens to be kept."""
MOST_BYTES = 20 << 30
"""Bytes of all that is kept: beyond them, what was used longest ago is removed."""
_FREE_SHARE = 0.5
"""The share of the free space that what is kept may take."""
_STALE_SECONDS = 86_400
_PARTIAL = ".partial"
_ENTRY = "entry.json"
_KEY = re.compile("[0-9a-f]{64}")
_SAMPLES = 64
"""Pieces of a file of tokens that are compared: a gigabyte is opened at once that way, and a damaged one found out."""
_SAMPLE_BYTES = 1 << 16
_TROUBLE = (OSError, RuntimeError, ValueError, KeyError, TypeError)
"""The errors of a cache that can't be used, and of an entry that was edited, damaged, or removed meanwhile."""
_USED = "the tokens that an earlier run has made of the corpus are used"


@attrs.frozen
class _Group:
    """A group of corpora, as it is known beside its tokens."""

    size: int
    digest: str
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
    the code of both (`make_key`). Where the cache can't be used, everything is encoded, and nothing kept.
    """
    key = None if os.environ.get(KEEP_VARIABLE) == "0" else make_key(groups, encoder, learning)
    if key and (found := _find(key, type(encoder), len(groups))):
        yield found
        return
    began = time.perf_counter()
    with ExitStack() as stack:
        files = stack.enter_context(token_files(groups, encoder, folder, learning=learning))
        if key and time.perf_counter() - began >= LEAST_SECONDS and key == make_key(groups, encoder, learning):
            kept = _keep(files, key, make_key(groups, files[0].encoder, "nothing"))
            if kept:
                stack.close()  # the temporary files' space
                files = kept
        yield files


def list_texts(entry: Path) -> list[str]:
    """Return the specs of the corpora that a file of the cache, an entry's ``entry.json``, is of; none for another."""
    if entry.name != _ENTRY or entry.parent.parent.name != FOLDER:
        return []
    with contextlib.suppress(*_TROUBLE):
        found = read_as(_Entry, read_json(entry.read_bytes()), "")
        return [record.spec for group in found.groups for record in group.corpora]
    return []


def _find(key: str, cls: type[Encoder], count: int) -> tuple[TokenFile, ...] | None:
    """Return what is kept under a key; None where nothing is, or it isn't whole."""
    with contextlib.suppress(*_TROUBLE):
        folder = cache_folder() / FOLDER
        link = folder / f"{key}.json"
        if link.exists():
            target = read_as(str, read_json(link.read_bytes()), "")
            if not _KEY.fullmatch(target):
                link.unlink()
                return None
            key = target
        return _open(folder / key, cls, count)
    return None


def _open(path: Path, cls: type[Encoder], count: int) -> tuple[TokenFile, ...] | None:
    if not path.exists():
        return None
    try:
        first, *others = _read(path, cls, count)
    except _TROUBLE:
        _remove(path)  # it is damaged, and in the way of what is made anew
        return None
    with contextlib.suppress(OSError):  # it may be another's
        os.utime(path)  # when it was used last
    return attrs.evolve(first, notes=(*first.notes, _USED)), *others


def _read(path: Path, cls: type[Encoder], count: int) -> tuple[TokenFile, ...]:
    entry = read_as(_Entry, read_json((path / _ENTRY).read_bytes()), "")
    if len(entry.groups) != count:
        raise ValueError("it is of other corpora")
    encoder = read_encoder(cls, entry.encoder.encode("utf-8", "surrogatepass"))
    dtype = find_dtype(encoder)
    return tuple(
        TokenFile(encoder, _map(path / f"{number}.bin", group, dtype), group.corpora, group.notes)
        for number, group in enumerate(entry.groups)
    )


def _map(path: Path, group: _Group, dtype: np.dtype[np.unsignedinteger]) -> Tokens:
    if not group.size:
        return np.zeros(0, dtype)
    if path.stat().st_size != group.size * dtype.itemsize or _digest(path) != group.digest:
        raise ValueError("it is damaged")
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))


def _digest(path: Path) -> str:
    """Return a digest of pieces spread over a file, its first and its last among them."""
    digest, size = hashlib.sha256(), path.stat().st_size
    places = sorted({int(place) for place in np.linspace(0, max(0, size - _SAMPLE_BYTES), _SAMPLES)})
    with path.open("rb") as file:
        for place in places:
            file.seek(place)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _keep(files: Sequence[TokenFile], key: str, last: str | None) -> tuple[TokenFile, ...] | None:
    """Keep what was encoded, under the last key, to which the other leads; None where it can't be."""
    if last is None:
        return None
    with contextlib.suppress(*_TROUBLE):
        folder = cache_folder() / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        if not _make_room(folder, sum(file.tokens.nbytes for file in files)):
            return None
        path = folder / last
        with tempfile.TemporaryDirectory(dir=folder, suffix=_PARTIAL, ignore_cleanup_errors=True) as partial:
            _write(Path(partial), files)
            with contextlib.suppress(OSError):  # another run has put it there
                Path(partial).rename(path)
        if key != last:
            _write_link(folder, key, last)
        first, *others = _read(path, type(files[0].encoder), len(files))
        note = f"the corpus's tokens are kept for the next run; `textforge cache` lists them, in {title(str(folder))}"
        return attrs.evolve(first, notes=(*first.notes, note)), *others
    return None


def _write(folder: Path, files: Sequence[TokenFile]) -> None:
    groups = []
    for number, file in enumerate(files):
        path, digest = folder / f"{number}.bin", ""
        if file.scratch is not None:
            file.scratch.copy(path)
            digest = _digest(path)
        groups.append(_Group(len(file.tokens), digest, file.corpora, file.notes))
    encoder = write_encoder(files[0].encoder).decode("utf-8", "surrogatepass")
    _write_whole(folder / _ENTRY, write_json(attrs.asdict(_Entry(encoder, tuple(groups)))))


def _write_whole(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _write_link(folder: Path, name: str, key: str) -> None:
    with tempfile.NamedTemporaryFile(dir=folder, suffix=_PARTIAL, delete=False) as file:
        file.write(write_json(key))
    Path(file.name).replace(folder / f"{name}.json")


def _make_room(folder: Path, needed: int) -> bool:
    """Return whether there is room for so many bytes, once what is of no use and what was used longest ago is gone.

    Of no use are what killed runs left behind long ago, and links to what is no longer there.
    """
    if needed > min(MOST_BYTES, _FREE_SHARE * shutil.disk_usage(folder).free):
        return False
    entries: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another's, or gone meanwhile
            status = path.stat()
            if path.suffix == _PARTIAL:
                if time.time() - status.st_mtime > _STALE_SECONDS:
                    _remove(path)
            elif path.is_dir() and _KEY.fullmatch(path.name):
                entries.append((status.st_mtime, sum(file.stat().st_size for file in path.iterdir()), path))
    excess = sum(size for _, size, _ in entries) + needed - MOST_BYTES
    for _, size, path in sorted(entries):
        if excess > 0:
            _remove(path)
            excess -= size
    _remove_dangling(folder)
    return True


def _remove_dangling(folder: Path) -> None:
    for link in folder.glob("*.json"):
        with contextlib.suppress(*_TROUBLE):
            target = read_as(str, read_json(link.read_bytes()), "")
            if not _KEY.fullmatch(target) or not (folder / target).exists():
                link.unlink()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
