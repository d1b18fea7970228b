"""The corpus ``files``: texts as they lie on a disk, or come by standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from textforge.components import values
from textforge.components.component import option
from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.decoding import TextDecoder, check_encoding, has_null_bytes, likely_encoding, wide_encoding
from textforge.corpora.paths import STANDARD_INPUT, files_of, is_stream, reading, title
from textforge.errors import CorpusError, OptionError

CHUNK_BYTES = 1 << 18
"""How much is read at once."""


class FilesCorpus(Corpus):
    r"""Text files: by path, by folder (all files below it that are not hidden), or by pattern.

    Several files are several documents, each followed by `END_OF_TEXT`; an empty file is none.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "one.txt").write_bytes(b"First.\r\n")
    >>> list(FilesCorpus([str(folder)]).read())
    ['First.\n']
    >>> _ = (folder / "two.txt").write_bytes(b"Second.")
    >>> list(FilesCorpus([str(folder / "*.txt")], lowercase=True).read())
    ['first.\n', '\ufdd0', 'second.', '\ufdd0']
    """

    name = "files"
    paths: tuple[str, ...] = option(help="Files, folders and patterns such as books/**/*.txt; - is standard input.")
    encoding: str = option(default="utf-8", help="Encoding of the files; a byte order mark is left out.")
    errors: str = option(
        default="strict",
        choices=("strict", "replace", "ignore"),
        help="What becomes of bytes that are not in the encoding: an error, a mark, or nothing.",
    )
    lowercase: bool = option(default=False, help="Turn everything into lower case.")
    newlines: str = option(
        default="universal",
        choices=("universal", "keep"),
        help="Turn every kind of line end into \\n, or keep them as they are.",
    )

    def __attrs_post_init__(self) -> None:
        if not self.paths or "" in self.paths:
            raise OptionError(f"files: paths must name files or folders, got {values.quote(list(self.paths))}")
        if self.paths.count(STANDARD_INPUT) > 1:
            raise OptionError("files: paths names standard input (-) twice, but it can be read only once")
        try:
            check_encoding(self.encoding)
        except ValueError as error:
            raise OptionError(f"files: encoding {error}") from None

    @property
    def rereadable(self) -> bool:
        """Whether every path is a regular file, a folder or a pattern, not a pipe or standard input."""
        return not any(is_stream(path) for path in self.paths)

    def read(self) -> Iterator[str]:
        files = [(path, file) for path in self.paths for file in files_of(path)]
        for path, file in files:
            empty = True
            for text in self._read_file(path, file):
                empty = False
                yield text
            if len(files) > 1 and not empty:
                yield END_OF_TEXT

    def _read_file(self, path: str, file: str) -> Iterator[str]:
        """The text of one file, in chunks that are not empty; `path` is what it was given by."""
        decoder = TextDecoder(self.encoding, self.errors, self.newlines == "universal", self.lowercase)
        narrow = self.errors == "strict" and not has_null_bytes(self.encoding)
        head = None
        with reading(file), _opened(file) as stream:
            while data := stream.read(CHUNK_BYTES):
                head = data if head is None else head
                if narrow and b"\0" in data:
                    raise self._binary(path, file, head)
                if text := self._decode(decoder, data, path, file, head):
                    yield text
            if text := self._decode(decoder, b"", path, file, head or b""):
                yield text

    def _decode(self, decoder: TextDecoder, data: bytes, path: str, file: str, head: bytes) -> str:
        try:
            return decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            at = f"byte {decoder.offset(error)} is 0x{error.object[error.start]:02x}, {error.reason}"
            raise self._wrong_encoding(path, file, at, head) from None
        except UnicodeError as error:
            raise self._wrong_encoding(path, file, str(error), head) from None

    def _binary(self, path: str, file: str, head: bytes) -> CorpusError:
        wide = wide_encoding(head)
        if wide:
            return CorpusError(f"{title(file)} is not in {self.encoding}; read it as {self._spec(path, wide)}")
        advice = "give text files only" if path == file else "name its text files by a pattern, such as books/**/*.txt"
        return CorpusError(f"{title(file)} looks like a binary file (it has null bytes); {advice}")

    def _wrong_encoding(self, path: str, file: str, at: str, head: bytes) -> CorpusError:
        guess = likely_encoding(self.encoding, head)
        advice = f"try {self._spec(path, guess)}" if guess else "name the encoding it is in"
        return CorpusError(f"{title(file)} is not in {self.encoding}: {at}; {advice}")

    def _spec(self, path: str, encoding: str) -> str:
        """How to write this corpus with one of its paths and another encoding."""
        spec = self.replace(paths=(path,), encoding=encoding).spec
        bare = values.write(path, str)
        return spec.replace(self.options()["paths"].write((path,)), bare, 1) if bare == path else spec


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file != STANDARD_INPUT:
        with Path(file).open("rb") as stream:
            yield stream
        return
    buffer = getattr(sys.stdin, "buffer", None)
    if buffer is None or buffer.closed:
        raise CorpusError("standard input is closed; give a file instead of -")
    yield buffer
