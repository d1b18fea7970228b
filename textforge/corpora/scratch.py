"""Temporary files that leave nothing behind: text and tokens too long for memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from textforge.corpora.record import Tokens
from textforge.errors import CorpusError

PIECE = 1 << 16
"""Bytes read at once."""
COPIED = 1 << 20
"""Bytes copied at once."""


class Scratch:
    """A temporary file without a name (on Windows, one removed when it is closed), so a killed run leaves nothing."""

    def __init__(
        self, folder: Path | None, content: str = "the corpus's tokens", remedy: str = "choose another folder"
    ) -> None:
        """Make the file; `content` and `remedy` are words for the message where there is no room for it."""
        self._folder = Path(tempfile.gettempdir()) if folder is None else folder
        self._content = content
        self._remedy = remedy
        try:
            # unbuffered: a full disk shows when writing, not once more when closing
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".textforge-", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._describe_failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the space back."""
        self._file.close()

    def write(self, data: bytes) -> None:
        """Append all of it. Raises `CorpusError` where the disk is full."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._describe_failure(error) from error

    def read(self, start: int, size: int) -> bytes:
        """Return so many bytes from there on, after all is written."""
        self._file.seek(start)
        data = self._file.read(size)
        while len(data) < size and (more := self._file.read(size - len(data))):
            data += more
        return data

    def text(self) -> Iterator[str]:
        """Yield the text that was written as UTF-8, from its beginning."""
        self._file.seek(0)
        rest = b""
        while data := self._file.read(PIECE):
            data = rest + data
            cut = _last_character(data)
            rest = data[cut:]
            if cut:
                yield data[:cut].decode("utf-8", "surrogatepass")
        if rest:
            yield rest.decode("utf-8", "surrogatepass")

    def store(self, parts: Iterable[Tokens], dtype: np.dtype[Any]) -> Tokens:
        """Append tokens behind one another, a piece at a time, and return all that was written."""
        for part in parts:
            for start in range(0, len(part), PIECE):
                self.write(part[start : start + PIECE].astype(dtype).tobytes())
        return self.map(dtype)

    def copy(self, path: Path) -> None:
        """Write all of it into a file, a piece at a time: what is read through `map` would stay in memory meanwhile."""
        self._file.seek(0)
        with path.open("wb") as file:
            shutil.copyfileobj(self._file, file, COPIED)
            file.flush()
            os.fsync(file.fileno())

    def map(self, dtype: np.dtype[Any]) -> Tokens:
        """Return what was written as an array of that type, read-only; raise `CorpusError` where nothing was."""
        if not self._file.tell():
            raise CorpusError("nothing of the corpus is in the vocabulary; give a text like the one trained on")
        return np.asarray(np.memmap(self._file, dtype=dtype, mode="r"))

    def _describe_failure(self, error: OSError) -> CorpusError:
        return CorpusError(
            f"can't write {self._content} into {str(self._folder)!r}: {error.strerror or error}; "
            f"free some space, or {self._remedy}"
        )


def _last_character(data: bytes) -> int:
    """Return where the last character begins in UTF-8; Python's incremental decoder stumbles over cut surrogates."""
    at = len(data) - 1
    while at > 0 and data[at] & 0xC0 == 0x80:
        at -= 1
    return at
