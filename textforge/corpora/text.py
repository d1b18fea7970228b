"""A text that the program has in hand."""

from __future__ import annotations

from collections.abc import Iterator

from textforge.components.component import option
from textforge.corpora.base import Corpus


class TextCorpus(Corpus):
    """A string as a corpus, for the library.

    >>> "".join(TextCorpus("It is so.").read())
    'It is so.'
    """

    name = "text"
    text: str = option(help="The text itself.")

    def read(self) -> Iterator[str]:
        yield self.text
