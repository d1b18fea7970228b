"""The token file: a corpus of any size, encoded once, then read from disk as it is needed."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
import numpy as np

from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.record import CorpusRecord, Tokens
from textforge.encoders.base import Encoder, Ids, Unknown
from textforge.errors import CorpusError, EncodingError
from textforge.plugins.blame import blame

PIECE = 1 << 16
"""Characters encoded together, or a little more."""


@attrs.frozen(eq=False)
class TokenFile:
    """A corpus as token ids."""

    encoder: Encoder
    """Fitted to the corpus."""
    tokens: Tokens
    """(n,), read-only and memory-mapped: valid as long as the context of `token_file`."""
    corpora: tuple[CorpusRecord, ...]
    notes: tuple[str, ...] = ()
    """The lines that a user should read of the corpora, each once: what was left out of them, say."""


@contextmanager
def token_file(
    corpora: Sequence[Corpus],
    encoder: Encoder,
    folder: Path | None = None,
    *,
    fitted: bool = False,
    unknown: Unknown = "error",
) -> Iterator[TokenFile]:
    """Encode corpora into a temporary file in `folder`, which nothing leaves behind.

    The encoder is fitted to them first, unless it is `fitted`: then each corpus is read once, and `unknown` says
    what becomes of text the vocabulary lacks. Several corpora are joined, each ending with `END_OF_TEXT`. Memory
    stays at a few MiB for a corpus of any size.

    Raises `CorpusError` for a corpus that is empty or changes while it is read, and for a full disk.

    >>> from textforge.corpora.python_docs import PythonDocsCorpus
    >>> from textforge.encoders.char import CharEncoder
    >>> with token_file([PythonDocsCorpus()], CharEncoder()) as file:
    ...     print(file.tokens.dtype, len(file.tokens) == file.corpora[0].characters)
    uint8 True
    """
    if not corpora:
        raise CorpusError("there is no corpus to read; name a file, a folder or a corpus")
    with _Scratch(folder) as file:
        with ExitStack() as spools:
            sources = [_source(corpus, folder, spools, spooled=not fitted) for corpus in corpora]
            if not fitted:
                encoder = _fit(encoder, sources)
            _encode(sources, encoder, file, unknown if fitted else "error")
        records = tuple(source.record for source in sources if source.record)
        yield TokenFile(encoder, file.map(_dtype(encoder)), records, _collect_notes(corpora))


def _collect_notes(corpora: Sequence[Corpus]) -> tuple[str, ...]:
    notes: dict[str, None] = {}
    for corpus in corpora:
        with blame(corpus, "to say what it has read"):
            notes |= dict.fromkeys(corpus.notes())
    return tuple(notes)


def _fit(encoder: Encoder, sources: Sequence[_Source]) -> Encoder:
    text = _join(sources)
    with blame(encoder, "to learn its vocabulary", passing=(OSError,)):  # a corpus is read meanwhile
        encoder = encoder.fit(text)
    _exhaust(text)  # an encoder may know enough before the end, but the records need all
    if encoder.vocabulary_size < 1:
        raise EncodingError(f"the encoder {encoder.name} found nothing to learn in the corpus; try another encoder")
    return encoder


def _encode(sources: Sequence[_Source], encoder: Encoder, file: _Scratch, unknown: Unknown) -> None:
    dtype = _dtype(encoder)
    text = _join(sources)
    try:
        for piece in _cut(text, encoder):
            with blame(encoder, "to encode the corpus"):
                ids = encoder.encode(piece, unknown=unknown)
            _check_ids(ids, encoder)
            file.write(ids.astype(dtype).tobytes())
    except EncodingError:
        if sources[0].record:
            _exhaust(text)  # where the corpus has changed since it was fitted to, that is the reason
        raise


def _exhaust(text: Iterable[str]) -> None:
    for _ in text:
        pass


def _dtype(encoder: Encoder) -> np.dtype[Any]:
    """Return the smallest unsigned type that holds every id."""
    return np.min_scalar_type(max(0, encoder.vocabulary_size - 1))


def _check_ids(ids: Ids, encoder: Encoder) -> None:
    if len(ids) and not (ids.min() >= 0 and ids.max() < encoder.vocabulary_size):
        raise EncodingError(
            f"the encoder {encoder.name} gave an id outside 0 to {encoder.vocabulary_size - 1}: "
            "it breaks its contract; tell its author"
        )


def _cut(chunks: Iterable[str], encoder: Encoder) -> Iterator[str]:
    """Yield the text in pieces that encode as the whole does."""
    parts: list[str] = []
    size, wanted = 0, PIECE
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size < wanted:
            continue
        text = "".join(parts)
        with blame(encoder, "to say where a text may be cut"):
            cut = encoder.cut(text)
        if cut:
            yield text[:cut]
        parts, size = [text[cut:]], len(text) - cut
        wanted = max(PIECE, 2 * size)  # doubling: a long text without a place to cut is not searched again and again
    if size:
        yield "".join(parts)


def _join(sources: Sequence[_Source]) -> Iterator[str]:
    """Yield the text of all sources; where there are several, each ends with `END_OF_TEXT`."""
    for source in sources:
        piece = ""
        for piece in source.read():
            yield piece
        if len(sources) > 1 and not piece.endswith(END_OF_TEXT):
            yield END_OF_TEXT


@attrs.define(eq=False)
class _Source:
    """A corpus that can be read as often as needed, and what is known of it once it was read."""

    corpus: Corpus
    spool: _Scratch | None = None
    record: CorpusRecord | None = None

    def read(self) -> Iterator[str]:
        """Yield the text in pieces, none empty and none long."""
        digest, characters, documents, empty = hashlib.sha256(), 0, 0, True
        for piece in _pieces(self.corpus) if self.spool is None else self.spool.text():
            digest.update(_utf_8(piece))
            characters += len(piece)
            documents += piece.count(END_OF_TEXT)
            empty = empty and not piece.strip(END_OF_TEXT)
            yield piece
        if empty:
            raise CorpusError(f"the corpus {_title(self.corpus)} is empty; give one that has text")
        self._settle(CorpusRecord(self.corpus.spec, digest.hexdigest(), characters, documents or None))

    def _settle(self, record: CorpusRecord) -> None:
        if self.record not in (None, record):
            raise CorpusError(f"the corpus {_title(self.corpus)} changed while it was read; try again")
        self.record = record


def _source(corpus: Corpus, folder: Path | None, spools: ExitStack, spooled: bool) -> _Source:
    if corpus.rereadable or not spooled:
        return _Source(corpus)
    spool = spools.enter_context(_Scratch(folder))
    for piece in _pieces(corpus):
        spool.write(_utf_8(piece))
    return _Source(corpus, spool)


def _pieces(corpus: Corpus) -> Iterator[str]:
    for chunk in _chunks(corpus):
        if not isinstance(chunk, str):
            raise CorpusError(f"the corpus {_title(corpus)} gave {type(chunk).__name__} instead of text")
        for start in range(0, len(chunk), PIECE):
            yield chunk[start : start + PIECE]


def _chunks(corpus: Corpus) -> Iterator[str]:
    with blame(corpus, "to be read", passing=(OSError,)):  # a file's trouble is told as such
        yield from corpus.read()


def _title(corpus: Corpus) -> str:
    return corpus.spec if len(corpus.spec) <= 200 else f"{corpus.spec[:197]}..."


def _utf_8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class _Scratch:
    """A temporary file without a name (on Windows, one removed when it is closed), so a killed run leaves nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = Path(tempfile.gettempdir()) if folder is None else folder
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
        self._file.close()

    def write(self, data: bytes) -> None:
        """Append all of it. Raises `CorpusError` where the disk is full."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._describe_failure(error) from error

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

    def map(self, dtype: np.dtype[Any]) -> Tokens:
        """Return what was written as an array of that type, read-only; raise `CorpusError` where nothing was."""
        if not self._file.tell():
            raise CorpusError("nothing of the corpus is in the vocabulary; give a text like the one trained on")
        return np.asarray(np.memmap(self._file, dtype=dtype, mode="r"))

    def _describe_failure(self, error: OSError) -> CorpusError:
        return CorpusError(
            f"can't write the corpus's tokens into {str(self._folder)!r}: {error.strerror or error}; "
            "free some space, or choose another folder"
        )


def _last_character(data: bytes) -> int:
    """Return where the last character begins in UTF-8; Python's incremental decoder stumbles over cut surrogates."""
    at = len(data) - 1
    while at > 0 and data[at] & 0xC0 == 0x80:
        at -= 1
    return at
