"""Decompression of gzip, bzip2, xz and zstd, in bounded memory."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from textforge.corpora.paths import title
from textforge.errors import CorpusError
from textforge.names import CORE

CHUNK_BYTES = 1 << 18
"""Bytes read at once."""
LARGEST_RATIO = 1000
"""Times its size to which a file may expand, once it has given `FREE_BYTES`. Texts shrink to a tenth at the least."""
FREE_BYTES = 1 << 26
_PIECE_BYTES = 1 << 8
"""Bytes given to a decompressor at once. Those of gzip and zstd return all that these expand to: 8 MiB at most."""
_LARGEST_DICTIONARY = 1 << 28
"""Bytes that an xz file may have its decompressor hold; ``xz -9`` asks for a quarter."""

_SIGNATURES = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),  # "BZh9" may begin a text
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
}


def find_compression(head: bytes) -> str | None:
    r"""Return the name of the compression that a file's first bytes speak for, else None.

    >>> find_compression(b"\x1f\x8b\x08\0"), find_compression(b"BZh9 is how such a file begins")
    ('gzip', None)
    """
    return next((name for name, signature in _SIGNATURES.items() if signature.match(head)), None)


def decompress(chunks: Iterable[bytes], compression: str, name: str) -> Iterator[bytes]:
    """Yield what a compressed file has, in chunks; it may have several parts, one behind the other.

    Raises `CorpusError`, which names the file, where it is damaged or cut short, and where it expands to more than
    `LARGEST_RATIO` times its size: memory is bounded in any case, but not the disk that the text is written to.

    >>> b"".join(decompress([zlib.compress(b"It is. ", wbits=31)] * 2, "gzip", "book.txt.gz"))
    b'It is. It is. '
    """
    parts: list[bytes] = []
    size = 0
    for part in _Expansion(compression, name).expand(chunks):
        parts.append(part)
        size += len(part)
        if size >= CHUNK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if size:
        yield b"".join(parts)


def check_ratio(compressed: int, expanded: int, name: str) -> None:
    """Raise `CorpusError` where a file expands to more than texts do."""
    if expanded > FREE_BYTES and expanded > LARGEST_RATIO * compressed:
        raise CorpusError(
            f"{title(name)} expands to more than {LARGEST_RATIO:,} times its size, as no text does; if it is one, "
            "decompress it and give the file that comes out"
        )


class _Expansion:
    """The decompression of one file."""

    def __init__(self, compression: str, name: str) -> None:
        self._name = name
        self._compression = compression
        self._make = _find_decompressor(compression, name)
        self._decompressor: Any = None
        self._compressed = self._expanded = 0

    def expand(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the file's bytes in parts of any size."""
        for chunk in chunks:
            for start in range(0, len(chunk), _PIECE_BYTES):
                for part in self._push(chunk[start : start + _PIECE_BYTES]):
                    self._expanded += len(part)
                    check_ratio(self._compressed, self._expanded, self._name)
                    yield part
        if self._decompressor is not None:
            raise CorpusError(
                f"{title(self._name)} is cut short: its {self._compression} data ends too early; get the whole file"
            )

    def _push(self, data: bytes) -> Iterator[bytes]:
        self._compressed += len(data)
        while data:
            if self._decompressor is None:
                data = data.lstrip(b"\0")  # parts are padded with null bytes, and none begins with one
                if not data:
                    return
                self._decompressor = self._make()
            yield from self._decompress(data)
            data = b""
            if self._decompressor.eof:
                data, self._decompressor = self._decompressor.unused_data, None

    def _decompress(self, data: bytes) -> Iterator[bytes]:
        decompressor = self._decompressor
        if not hasattr(decompressor, "needs_input"):
            yield self._ask(data)
            return
        yield self._ask(data, CHUNK_BYTES)
        while not (decompressor.eof or decompressor.needs_input):
            yield self._ask(b"", CHUNK_BYTES)

    def _ask(self, data: bytes, *most: int) -> bytes:
        try:
            expanded: bytes = self._decompressor.decompress(data, *most)
        except MemoryError:
            raise
        except Exception as error:  # each library has its own
            raise CorpusError(
                f"{title(self._name)} is damaged: its {self._compression} data can't be decompressed "
                f"({' '.join(str(error).split())}); get it anew"
            ) from error
        return expanded


def _find_decompressor(compression: str, name: str) -> Callable[[], Any]:
    """Return the function that makes a decompressor, with a `decompress`, `eof` and `unused_data`."""
    if compression == "gzip":
        return lambda: zlib.decompressobj(wbits=31)
    if compression == "bzip2":
        return bz2.BZ2Decompressor
    if compression == "xz":
        return lambda: lzma.LZMADecompressor(memlimit=_LARGEST_DICTIONARY)
    try:
        import zstandard
    except ImportError:
        raise CorpusError(
            f"{title(name)} is compressed by zstd, and the package zstandard is not installed: "
            f"run `pip install '{CORE}[zst]'`, or decompress it first"
        ) from None
    return lambda: zstandard.ZstdDecompressor().decompressobj()
