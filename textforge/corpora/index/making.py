"""The making of an index, in blocks of bounded size, and its place in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from textforge.corpora.cache import CACHE_VARIABLE, cache_folder
from textforge.corpora.index.search import OrderedText
from textforge.corpora.index.suffixes import Bytes, sort_suffixes
from textforge.corpora.index.text_index import TextIndex, to_utf_8
from textforge.corpora.paths import title
from textforge.errors import CorpusError

BLOCK = 1 << 24
"""Bytes of text whose places are put in order together: that takes 650 MB of memory."""
DEPTH = 1 << 16
"""Bytes behind a block that decide its order too."""
FOLDER = "indexes"
"""The folder of indexes in the cache."""
_MAGIC = b"textforge index 1"
_STALE_SECONDS = 86_400


def make_index(text: str, block: int = BLOCK, depth: int = DEPTH) -> TextIndex:
    """Return the index of a text, in memory.

    >>> make_index("banana").contains("nan")
    True
    """
    data = to_utf_8(text)
    blocks = list(_order_blocks(np.frombuffer(data, dtype=np.uint8), block, depth))
    places = np.concatenate([np.zeros(0, dtype=np.uint32), *blocks])
    bounds = np.cumsum([0, *map(len, blocks)]).tolist()
    return TextIndex(OrderedText(data, places.data, bounds, _decide_depth(len(data), block, depth)))


def open_index(chunks: Iterable[str], announce: Callable[[int], None] | None = None) -> TextIndex:
    """Return the index of a text, from the cache, where it is made first unless it is there.

    It is kept under the text's SHA-256, and takes five bytes a byte of plain English. It appears there whole or not at
    all, also where several processes make it at once. Where it must be made, `announce` is told the number of bytes
    first. Raises `CorpusError` for a text that is empty, and where the cache has no room or may not be written.
    """
    folder = cache_folder() / FOLDER
    with _keeping(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        with _partial(folder) as file:
            digest, size = _write_text(chunks, file)
            path = folder / f"{digest}.{'index' if sys.byteorder == 'little' else 'big'}"
            found = _read(path, size)
            if found is None:
                if announce is not None:
                    announce(size)
                _write_places(file, size)
                file.close()
                _put(Path(file.name), path)
                found = _read(path, size)
    if found is None:
        raise CorpusError(f"the index {title(str(path))} was changed while it was made; try again")
    return found


@contextlib.contextmanager
def _keeping(folder: Path) -> Iterator[None]:
    """Turn what the system says of the cache into a `CorpusError`."""
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"can't keep the index of a text in the folder {title(str(folder))}: {error.strerror or error}; "
            f"free some space, or name another folder in {CACHE_VARIABLE}"
        ) from error


@contextlib.contextmanager
def _partial(folder: Path) -> Iterator[Any]:
    """Give a file to write the index to, which is removed unless it was put in its place."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".partial", delete=False) as file:
        try:
            yield file
        finally:
            file.close()
            with contextlib.suppress(FileNotFoundError):
                Path(file.name).unlink()


def _remove_stale(folder: Path) -> None:
    """Remove what killed processes left behind, long ago."""
    for path in folder.glob("*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()


def _put(partial: Path, path: Path) -> None:
    try:
        partial.replace(path)
    except PermissionError:  # Windows replaces no file that is in use: then another process has put it there
        if not path.exists():
            raise


def _write_text(chunks: Iterable[str], file: BinaryIO) -> tuple[str, int]:
    """Write a text, and return its SHA-256 and its number of bytes; raise `CorpusError` where it is empty."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        data = to_utf_8(chunk)
        digest.update(data)
        size += file.write(data)
    if not size:
        raise CorpusError("the text to look for copies of is empty; give one that has text")
    return digest.hexdigest(), size


def _write_places(file: BinaryIO, size: int) -> None:
    """Write, behind a text, the places in their order, the blocks' bounds, and where those are."""
    file.flush()
    text = np.memmap(file.name, dtype=np.uint8, mode="r", shape=(size,))
    file.write(bytes(-size % 8))
    bounds = [0]
    for places in _order_blocks(text, BLOCK, DEPTH):
        file.write(places.tobytes())
        bounds.append(bounds[-1] + len(places))
    footer = json.dumps({"bytes": size, "bounds": bounds, "depth": _decide_depth(size, BLOCK, DEPTH)}).encode()
    file.write(footer + len(footer).to_bytes(8, "little") + _MAGIC)
    file.flush()
    os.fsync(file.fileno())


def _order_blocks(text: Bytes, block: int, depth: int) -> Iterator[np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]]:
    """Yield the places of each block where characters begin, in the order of what follows them."""
    dtype = _choose_type(len(text))
    for start in range(0, len(text), block):
        piece = np.array(text[start : start + block + depth])
        order = sort_suffixes(piece)
        is_start = (piece & 0xC0) != 0x80
        is_start[block:] = False
        places = order[is_start[order]].astype(dtype)
        places += dtype(start)
        yield places


def _choose_type(size: int) -> Any:
    return np.uint32 if size < 1 << 32 else np.uint64


def _decide_depth(size: int, block: int, depth: int) -> int:
    """Return how many bytes the order is right for: all, where there is a single block."""
    return size + 1 if size <= block else depth


def _read(path: Path, size: int) -> TextIndex | None:
    """Return the index in a file; None where there is none of a text of that size, or it isn't whole."""
    try:
        with path.open("rb") as file:
            whole = mmap(file.fileno(), 0, access=ACCESS_READ)
            text = mmap(file.fileno(), size, access=ACCESS_READ)
        return TextIndex(_parse(whole, text))
    except (FileNotFoundError, ValueError, KeyError, TypeError, IndexError):  # none, or damaged: it is made anew
        return None


def _parse(whole: mmap, text: mmap) -> OrderedText:
    """Return what a file holds; raise `ValueError` or its like where that is no index of that text."""
    end = len(whole) - len(_MAGIC)
    length = int.from_bytes(whole[end - 8 : end], "little")
    footer = json.loads(whole[end - 8 - length : end - 8])
    size = footer["bytes"]
    begin, dtype = size + -size % 8, np.dtype(_choose_type(size))
    stop = begin + footer["bounds"][-1] * dtype.itemsize
    if whole[end:] != _MAGIC or size != len(text) or stop != end - 8 - length:
        raise ValueError("it is not whole")
    return OrderedText(text, memoryview(whole)[begin:stop].cast(dtype.char), footer["bounds"], footer["depth"])
