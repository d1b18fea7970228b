"""The text that a model is evaluated on, measured while it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from textforge.components.component import learned
from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.encoders.base import Encoder
from textforge.evaluation.loss import spans
from textforge.model import Array
from textforge.plugins.blame import blame

PIECE = 1 << 16


@attrs.define
class TextSize:
    """The length of a text; `END_OF_TEXT` counts for nothing.

    >>> size = TextSize()
    >>> size.add("naïve")
    >>> size
    TextSize(characters=5, bytes=6)
    """

    characters: int = 0
    bytes: int = 0
    """Bytes in UTF-8."""

    def add(self, text: str) -> None:
        """Count some more text."""
        text = text.replace(END_OF_TEXT, "")
        self.characters += len(text)
        self.bytes += len(text.encode("utf-8", "surrogatepass"))

    def less(self, other: TextSize) -> TextSize:
        """Return the size that is left without the other, never below nothing."""
        return TextSize(max(0, self.characters - other.characters), max(0, self.bytes - other.bytes))


class JoinedCorpus(Corpus):
    """Several corpora as one, measured while it is read."""

    name = "joined"
    corpora: tuple[Corpus, ...] = learned(default=())
    marked: bool = learned(default=True)
    size: TextSize = learned(default=None)
    hashes: list[tuple[str, str]] = learned(default=None)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "size", TextSize())
        object.__setattr__(self, "hashes", [])

    @property
    def spec(self) -> str:
        return " ".join(corpus.spec for corpus in self.corpora)

    @property
    def rereadable(self) -> bool:
        return all(corpus.rereadable for corpus in self.corpora)

    def notes(self) -> Sequence[str]:
        found: list[str] = []
        for corpus in self.corpora:
            with blame(corpus, "to say what it has read"):
                found += corpus.notes()
        return found

    def read(self) -> Iterator[str]:
        """Yield the texts; each ends with `END_OF_TEXT` where there are several, unless the model never saw one."""
        for corpus in self.corpora:
            chunk, digest = "", hashlib.sha256()
            with blame(corpus, "to be read", passing=(OSError,)):  # a file's trouble is told as such
                for chunk in corpus.read():
                    self.size.add(chunk)
                    digest.update(chunk.encode("utf-8", "surrogatepass"))
                    yield chunk if self.marked else chunk.replace(END_OF_TEXT, "")
            self.hashes.append((corpus.spec, digest.hexdigest()))
            if self.marked and len(self.corpora) > 1 and not chunk.endswith(END_OF_TEXT):
                yield END_OF_TEXT


def measure_decoded(tokens: Array, encoder: Encoder, *, without: tuple[int, ...] = ()) -> TextSize:
    """Return the size of the text that token ids, (n,), stand for, leaving some ids out."""
    size, decoder = TextSize(), encoder.decoder()
    for begin, end in spans(0, len(tokens), PIECE):
        piece = tokens[begin:end]
        size.add(decoder.push(piece[~np.isin(piece, without)].tolist()))
    size.add(decoder.finish())
    return size


def count_among(tokens: Array, ids: tuple[int, ...]) -> int:
    """Return the number of tokens, (n,), that are one of these ids."""
    if not ids:
        return 0
    return sum(int(np.isin(tokens[begin:end], ids).sum()) for begin, end in spans(0, len(tokens), PIECE))
