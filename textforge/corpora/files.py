"""The corpus ``files``: texts as they lie on a disk, or come by standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from textforge.components import values
from textforge.components.component import option
from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.binary import HEAD_BYTES, describe_binary, find_wide_encoding
from textforge.corpora.decoding import AUTO, TextDecoder, check_encoding, has_null_bytes
from textforge.corpora.detecting import UndecidedError
from textforge.corpora.findings import Findings, list_kinds
from textforge.corpora.paths import STANDARD_INPUT, files_of, is_folder, is_stream, reading
from textforge.corpora.refusals import refuse_binary, refuse_encoding, refuse_undecided
from textforge.errors import CorpusError, OptionError

CHUNK_BYTES = 1 << 18
"""Bytes read at once."""


class FilesCorpus(Corpus):
    r"""Text files: by path, by folder (all files below it that are not hidden), or by pattern.

    Several files are several documents, each followed by `END_OF_TEXT`; an empty file is none.

    With the encoding ``auto``, each file is looked at by itself, 256 KiB at a time, as it is read: it is UTF-16 or
    UTF-32 where its beginning speaks for it, UTF-8 where its first 256 KiB with other than ASCII are, else Windows-1252
    where all of it is a Western text. Where that isn't certain, `CorpusError` is raised, with advice for that file. Of
    a folder, what is no text by its first 4 KiB (a picture, a PDF) is left out; named by itself, it is refused. `notes`
    tells what was found and left out. With `errors` other than ``strict`` everything is read, as UTF-8 by ``auto``.

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
    encoding: str = option(
        default=AUTO,
        help="Encoding of the files; auto: of each file by itself, UTF-8 first. A byte order mark is left out.",
    )
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
        object.__setattr__(self, "_findings", Findings())

    @property
    def rereadable(self) -> bool:
        """True where every path is a regular file, a folder or a pattern, not a pipe or standard input."""
        return not any(is_stream(path) for path in self.paths)

    def read(self) -> Iterator[str]:
        findings = Findings()
        object.__setattr__(self, "_findings", findings)  # for `notes`; no part of the value
        files = [(path, file) for path in self.paths for file in self._files_of(path, findings)]
        for path, file in files:
            empty = True
            for text in self._read_file(path, file, findings):
                empty = False
                yield text
            if len(files) > 1 and not empty:
                yield END_OF_TEXT

    def notes(self) -> Sequence[str]:
        findings: Findings = vars(self)["_findings"]
        return findings.notes()

    def _files_of(self, path: str, findings: Findings) -> list[str]:
        """Return the files that a path stands for; those of a folder without what is no text."""
        files = files_of(path)
        if self.errors != "strict" or not is_folder(path):
            return files
        kinds = {file: kind for file in files if (kind := self._describe_binary(_read_head(file)))}
        texts = [file for file in files if file not in kinds]
        if not texts:
            raise CorpusError(f"the folder {path!r} has no text: it has {list_kinds(kinds)}; name another folder")
        findings.add_left_out(path, kinds, len(files))
        return texts

    def _describe_binary(self, head: bytes) -> str | None:
        return describe_binary(head, nulls=not has_null_bytes(self.encoding), controls=self.encoding == AUTO)

    def _read_file(self, path: str, file: str, findings: Findings) -> Iterator[str]:
        """Yield the text of one file, in chunks that are not empty; `path` is what it was given by."""
        decoder = TextDecoder(self.encoding, self.errors, self.newlines == "universal", self.lowercase)
        with reading(file), _open(file) as stream:
            head = data = stream.read(CHUNK_BYTES)
            if self.errors == "strict" and (kind := self._describe_binary(head)):
                raise refuse_binary(kind, path, file)
            while data:
                if text := self._decode(decoder, data, path, file, head):
                    yield text
                data = stream.read(CHUNK_BYTES)
            if text := self._decode(decoder, b"", path, file, head):
                yield text
        findings.add_decoded(file, decoder.found_encoding)

    def _decode(self, decoder: TextDecoder, data: bytes, path: str, file: str, head: bytes) -> str:
        if self.errors == "strict" and self.encoding != AUTO and b"\0" in data and not has_null_bytes(self.encoding):
            raise self._refuse_null(path, file, head)
        try:
            return decoder.decode(data, final=not data)
        except UndecidedError as error:
            raise refuse_undecided(self, error, path, file) from None
        except UnicodeDecodeError as error:
            at = f"byte {decoder.offset(error)} is 0x{error.object[error.start]:02x}, {error.reason}"
            raise refuse_encoding(self, file, at, head) from None
        except UnicodeError as error:
            raise refuse_encoding(self, file, str(error), head) from None

    def _refuse_null(self, path: str, file: str, head: bytes) -> CorpusError:
        if find_wide_encoding(head):
            return refuse_encoding(self, file, "it has null bytes", head)
        return refuse_binary("a binary file with null bytes", path, file)


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
