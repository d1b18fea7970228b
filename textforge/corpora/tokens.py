"""The token file: a corpus of any size, encoded once, then read from disk as it is needed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np

from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.record import CorpusRecord, Tokens
from textforge.corpora.scratch import Scratch
from textforge.encoders.base import Encoder, Ids, Unknown
from textforge.encoders.chunks import recut
from textforge.errors import CorpusError, EncodingError
from textforge.plugins.blame import blame

PIECE = 1 << 16
"""Characters encoded together, or a little more."""
Learning = Literal["fit", "grow", "nothing"]
"""The learning of an encoder from corpora that it is to encode: of its vocabulary, of what is new to it, or none."""


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
    scratch: Scratch | None = None
    """The temporary file that the tokens are mapped from; None where they are kept elsewhere, or there are none."""


@contextmanager
def token_file(
    corpora: Sequence[Corpus],
    encoder: Encoder,
    folder: Path | None = None,
    *,
    learning: Learning = "fit",
    unknown: Unknown = "error",
) -> Iterator[TokenFile]:
    """Encode corpora into a temporary file in `folder`, which nothing leaves behind.

    By `learning` the encoder is fitted to them first, or grown by them, or taken as it is: then each corpus is read
    once, and `unknown` says what becomes of text the vocabulary lacks. Several corpora are joined, each ending with
    `END_OF_TEXT`. Memory stays at a few MiB for a corpus of any size.

    Raises `CorpusError` for a corpus that is empty or changes while it is read, and for a full disk.

    >>> from textforge.corpora.python_docs import PythonDocsCorpus
    >>> from textforge.encoders.char import CharEncoder
    >>> with token_file([PythonDocsCorpus()], CharEncoder()) as file:
    ...     print(file.tokens.dtype, len(file.tokens) == file.corpora[0].characters)
    uint8 True
    """
    with token_files([corpora], encoder, folder, learning=learning, unknown=unknown) as (file,):
        yield file


@contextmanager
def token_files(
    groups: Sequence[Sequence[Corpus]],
    encoder: Encoder,
    folder: Path | None = None,
    *,
    learning: Learning = "fit",
    unknown: Unknown = "error",
) -> Iterator[tuple[TokenFile, ...]]:
    """Encode groups of corpora as `token_file` does, a file each, by one encoder that learns from all of them.

    A group without corpora gives a file without tokens, but for the first, which must have one.
    """
    if not groups[0]:
        raise CorpusError("there is no corpus to read; name a file, a folder or a corpus")
    with ExitStack() as files:
        scratches = [files.enter_context(Scratch(folder)) for _ in groups]
        with ExitStack() as spools:
            read_again = learning != "nothing"
            sources = [[_source(corpus, folder, spools, spooled=read_again) for corpus in group] for group in groups]
            encoder, refusal = _learn(encoder, sources, learning)
            for scratch, group in zip(scratches, sources, strict=True):
                _encode(group, encoder, scratch, "error" if read_again else unknown, refusal)
        yield tuple(
            TokenFile(
                encoder,
                scratch.map(find_dtype(encoder)) if corpora else np.zeros(0, find_dtype(encoder)),
                tuple(source.record for source in group if source.record),
                _collect_notes(corpora),
                scratch if corpora else None,
            )
            for scratch, group, corpora in zip(scratches, sources, groups, strict=True)
        )


def _collect_notes(corpora: Sequence[Corpus]) -> tuple[str, ...]:
    notes: dict[str, None] = {}
    for corpus in corpora:
        with blame(corpus, "to say what it has read"):
            notes |= dict.fromkeys(corpus.notes())
    return tuple(notes)


def _learn(
    encoder: Encoder, groups: Sequence[Sequence[_Source]], learning: Learning
) -> tuple[Encoder, EncodingError | None]:
    """Return the encoder with what it learns; where it is to grow and can't, as it is, with its reason."""
    if learning == "nothing":
        return encoder, None
    text = itertools.chain.from_iterable(map(_join, groups))
    try:
        with blame(encoder, "to learn its vocabulary", passing=(OSError,)):  # a corpus is read meanwhile
            encoder = encoder.fit(text) if learning == "fit" else encoder.grow(text)
    except EncodingError as error:
        if learning == "fit":
            raise
        return encoder, error  # the text may have nothing new to it
    _exhaust(text)  # an encoder may know enough before the end, but the records need all
    if encoder.vocabulary_size < 1:
        raise EncodingError(f"the encoder {encoder.name} found nothing to learn in the corpus; try another encoder")
    return encoder, None


def _encode(
    sources: Sequence[_Source], encoder: Encoder, file: Scratch, unknown: Unknown, refusal: EncodingError | None
) -> None:
    dtype = find_dtype(encoder)
    text = _join(sources)
    try:
        for piece in _cut(text, encoder):
            with blame(encoder, "to encode the corpus"):
                ids = encoder.encode(piece, unknown=unknown)
            _check_ids(ids, encoder)
            file.write(ids.astype(dtype).tobytes())
    except EncodingError as error:
        if sources[0].record:
            _exhaust(text)  # where the corpus has changed since it was fitted to, that is the reason
        if refusal:
            raise EncodingError(*error.args, f"; {refusal}") from None
        raise


def _exhaust(text: Iterable[str]) -> None:
    for _ in text:
        pass


def find_dtype(encoder: Encoder) -> np.dtype[Any]:
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

    def find_cut(text: str) -> int:
        with blame(encoder, "to say where a text may be cut"):
            return encoder.cut(text)

    return recut(chunks, find_cut, PIECE)


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
    spool: Scratch | None = None
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


def count_growth(corpus: Corpus, record: CorpusRecord) -> int:
    """Return the number of characters that a corpus has behind the text of its record; 0 where that has changed.

    Where the last of several documents has grown, its end is no longer where it was.
    """
    digest, characters = hashlib.sha256(), 0
    last = record.characters - 1  # which may be `END_OF_TEXT`
    following = ""
    for piece in _pieces(corpus):
        digest.update(_utf_8(piece[: max(0, last - characters)]))
        if characters <= last < characters + len(piece):
            following = piece[last - characters]
        characters += len(piece)
    as_it_was, ended = digest, digest.copy()
    as_it_was.update(_utf_8(following))
    ended.update(_utf_8(END_OF_TEXT))
    is_known = record.sha256 in (as_it_was.hexdigest(), ended.hexdigest())
    return max(0, characters - record.characters) if is_known else 0


def _source(corpus: Corpus, folder: Path | None, spools: ExitStack, spooled: bool) -> _Source:
    if corpus.rereadable or not spooled:
        return _Source(corpus)
    spool = spools.enter_context(Scratch(folder))
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
