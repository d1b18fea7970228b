"""The sources of text that paths stand for, as bytes: files, decompressed where need be, and members of archives."""

from __future__ import annotations

import itertools
import sys
import zipfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Self

import attrs

from textforge.corpora.archives import find_obstacle, is_archive, list_members, open_archive, read_member
from textforge.corpora.binary import HEAD_BYTES
from textforge.corpora.compression import CHUNK_BYTES, decompress, find_compression
from textforge.corpora.paths import ARCHIVE, STANDARD_INPUT, files_of, is_file, is_folder, reading, split_member
from textforge.errors import CorpusError


@attrs.frozen
class Source:
    """A file, or a member of an archive."""

    path: str
    """The path it was given by."""
    file: str
    member: str | None = None

    @property
    def name(self) -> str:
        """The path that stands for it alone, such as ``books.zip/one.txt``."""
        return self.file if self.member is None else f"{self.file}/{self.member}"

    @property
    def is_among_others(self) -> bool:
        """True where what it was given by was looked through: a folder, or an archive."""
        return is_folder(self.path) or (self.member is not None and self.path != self.name)


class Sources:
    """A reader of sources, which keeps the archive open that it has read last.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "books.zip"
    >>> with zipfile.ZipFile(file, "w") as archive:
    ...     archive.writestr("one.txt", "It is.")
    >>> with Sources() as sources:
    ...     [b"".join(sources.read(source)) for source in sources.find(str(file))]
    [b'It is.']
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._archive: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def find(self, path: str) -> list[Source]:
        """Return the sources that a path stands for; raises `CorpusError` where there are none."""
        found = split_member(path)
        if found:
            return [Source(path, *found)]
        sources = [source for file in files_of(path) for source in self._look_into(path, file)]
        if not sources:
            raise CorpusError(f"{path!r} has no files, hidden ones aside; put texts there, or name another")
        return sources

    def _look_into(self, path: str, file: str) -> list[Source]:
        if not file.lower().endswith(ARCHIVE) or not is_file(file) or not is_archive(file, _read_head(file)):
            return [Source(path, file)]
        return [Source(path, file, member) for member in list_members(self._open(file))]

    def _open(self, file: str) -> zipfile.ZipFile:
        if self._archive is None or self._archive.filename != file:
            self._stack.close()
            self._archive = self._stack.enter_context(open_archive(file))
        return self._archive

    def find_obstacle(self, source: Source) -> str | None:
        """Return the reason why a member of an archive can't be read, as a kind of file; None where it can."""
        return None if source.member is None else find_obstacle(self._open(source.file), source.member)

    def read_head(self, source: Source) -> bytes:
        """Return a source's first bytes, decompressed."""
        with closing(self.read(source, HEAD_BYTES)) as chunks:
            return next(chunks, b"")[:HEAD_BYTES]

    def read(self, source: Source, size: int | None = None) -> Generator[bytes, None, None]:
        """Yield a source's bytes, decompressed, in chunks of about `size`."""
        size = CHUNK_BYTES if size is None else size
        if source.member is not None:
            yield from read_member(self._open(source.file), source.member, source.name, size)
        else:
            yield from _read_file(source.file, size)


def _read_file(file: str, size: int) -> Iterator[bytes]:
    with reading(file), _open(file) as stream:
        head = stream.read(size)
        chunks = itertools.chain([head] if head else [], iter(lambda: stream.read(size), b""))
        compression = find_compression(head)
        yield from decompress(chunks, compression, file) if compression else chunks


def _read_head(file: str) -> bytes:
    with reading(file), Path(file).open("rb") as stream:
        return stream.read(HEAD_BYTES)


@contextmanager
def _open(file: str) -> Iterator[BinaryIO]:
    if file != STANDARD_INPUT:
        with Path(file).open("rb") as stream:
            yield stream
        return
    buffer = getattr(sys.stdin, "buffer", None)
    if buffer is None or buffer.closed:
        raise CorpusError("standard input is closed; give a file instead of -")
    yield buffer
