"""A text that the program has in hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from textforge.components.component import learned, option
from textforge.components.values import quote
from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.errors import CorpusError


class TextCorpus(Corpus):
    """A text as a corpus, or several as its documents, for the library: its spec says how long it is, not what it says.

    >>> corpus = TextCorpus.of("It is so.")
    >>> "".join(corpus.read()), corpus.spec
    ('It is so.', 'text:9')
    >>> "".join(TextCorpus.of(["one", "", "two"]).read())
    'one\ufdd0two\ufdd0'
    """

    name = "text"
    characters: int = option(default=0, ge=0, help="Length of a text that a program has in hand.")
    text: str = learned(default="")

    @classmethod
    def of(cls, text: str | Iterable[str]) -> Self:
        """Return the corpus of a text, or of several, each of which is a document; an empty one is none.

        Raises `TypeError` for what is no text.
        """
        if not isinstance(text, str):
            text = "".join(document + END_OF_TEXT for document in map(_check_text, text) if document)
        return cls(len(text), text=text)

    @property
    def rereadable(self) -> bool:
        """False: the spec alone doesn't bring the text back."""
        return False

    def read(self) -> Iterator[str]:
        if self.characters != len(self.text):
            raise CorpusError(f"{self.spec} stands for a text that a program had in hand: give the same text again")
        yield self.text


def _check_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a document must be a text, got {quote(value)}")
    return value
