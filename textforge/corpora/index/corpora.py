"""The index of corpora, as they are read for training: several are documents of one text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.index.making import open_index
from textforge.corpora.index.text_index import TextIndex
from textforge.plugins.blame import blame


def index_corpora(
    corpora: Sequence[Corpus], characters: int | None = None, announce: Callable[[int], None] | None = None
) -> TextIndex:
    """Return the index of the text of corpora, or of so many characters at its beginning; see `open_index`."""
    return open_index(_take(read_joined(corpora), characters), announce)


def read_joined(corpora: Sequence[Corpus]) -> Iterator[str]:
    """Yield the text of corpora in chunks; where there are several, each ends with `END_OF_TEXT`."""
    for corpus in corpora:
        chunk = ""
        with blame(corpus, "to be read"):
            for chunk in corpus.read():
                yield chunk
        if len(corpora) > 1 and not chunk.endswith(END_OF_TEXT):
            yield END_OF_TEXT


def _take(chunks: Iterator[str], characters: int | None) -> Iterator[str]:
    left = characters
    for chunk in chunks:
        piece = chunk[:left]
        yield piece
        if left is not None:
            left -= len(piece)
            if not left:
                return
