"""The corpus interface: where text comes from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from textforge.components.component import Component
from textforge.encoders.base import END_OF_TEXT

__all__ = ["END_OF_TEXT", "Corpus"]


class Corpus(Component):
    """A text to learn from, read in chunks.

    >>> class Alphabet(Corpus):
    ...     name = "alphabet"
    ...     def read(self):
    ...         yield "abcdefghijklm"
    ...         yield "nopqrstuvwxyz"
    >>> "".join(Alphabet().read())
    'abcdefghijklmnopqrstuvwxyz'
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    """The suffixes of the files that it reads where a user names no corpus, such as ``(".docx",)``, in small letters.

    Such a corpus has an option `paths`, `tuple[str, ...]`, and its `notes` say how the files were read.
    """

    @abstractmethod
    def read(self) -> Iterator[str]:
        """Yield the text from its beginning, in chunks of any size.

        Where the corpus has several documents, `END_OF_TEXT` is yielded after each. Where chunks
        are cut means nothing. Raises `textforge.errors.CorpusError` for a text that can't be
        found, read or decoded.
        """

    def notes(self) -> Sequence[str]:
        """Return what a user should know of the last reading, a line each: what was left out or guessed, say.

        It is asked for once the text has been read to its end, and shown by `train` and `evaluate`.
        """
        return ()

    def fingerprint(self) -> str | None:
        """Return a text that changes with what `read` gives, found without reading it; None where there is none.

        What is made of a text at length, such as its tokens, is kept under it and used again. `fingerprint_files` gives
        that of files; unless overridden there is none. One that another package's class has written is not asked.
        """
        return None

    @property
    def rereadable(self) -> bool:
        """True where `read` gives the same text a second time; standard input does not."""
        return True
