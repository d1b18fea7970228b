"""A text that the program has in hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from textforge.components.component import learned, option
from textforge.corpora.base import Corpus
from textforge.errors import CorpusError


class TextCorpus(Corpus):
    """A string as a corpus, for the library: its spec says how long it is, not what it says.

    >>> corpus = TextCorpus.of("It is so.")
    >>> "".join(corpus.read()), corpus.spec
    ('It is so.', 'text:9')
    """

    name = "text"
    characters: int = option(default=0, ge=0, help="Length of a text that a program has in hand.")
    text: str = learned(default="")

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the corpus of a text."""
        return cls(len(text), text=text)

    @property
    def rereadable(self) -> bool:
        """False: the spec alone doesn't bring the text back."""
        return False

    def read(self) -> Iterator[str]:
        if self.characters != len(self.text):
            raise CorpusError(f"{self.spec} stands for a text that a program had in hand: give the same text again")
        yield self.text
