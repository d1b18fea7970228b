"""The documents of one text: its lines, or its paragraphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textforge.corpora.base import END_OF_TEXT

_LONGEST_BLANK = 1 << 16
"""Blanks at a line's beginning that are held back; a line that begins with more is not blank, whatever follows."""


def split_documents(chunks: Iterable[str], *, every_line: bool) -> Iterator[str]:
    r"""Yield a text with `END_OF_TEXT` after each line, or after each paragraph unless `every_line`.

    Lines end with ``\n``. Blank lines are none, and part paragraphs; where a document ends, so does its last line's
    end. Other blanks stay.

    >>> "".join(split_documents(["one\nt", "wo\n \n\nthree"], every_line=True)).split(END_OF_TEXT)
    ['one', 'two', 'three', '']
    >>> "".join(split_documents(["one\nt", "wo\n \n\nthree"], every_line=False)).split(END_OF_TEXT)
    ['one\ntwo', 'three', '']
    """
    splitter = _Splitter(every_line)
    for chunk in chunks:
        if text := splitter.push(chunk):
            yield text
    if text := splitter.end_document():
        yield text


class _Splitter:
    def __init__(self, every_line: bool) -> None:
        self._every_line = every_line
        self._held = ""  # blanks at the beginning of a line that may be blank
        self._in_line = False
        self._in_document = False

    def push(self, chunk: str) -> str:
        """Return the documents as far as they are now certain."""
        first, *others = chunk.split("\n")
        parts = [self._go_on(first)]
        for part in others:
            if self._every_line or not self._in_line:
                parts.append(self.end_document())
            self._held, self._in_line = "", False
            parts.append(self._go_on(part))
        return "".join(parts)

    def _go_on(self, part: str) -> str:
        if self._in_line:
            return part
        self._held += part
        if len(self._held) <= _LONGEST_BLANK and (not self._held or self._held.isspace()):
            return ""
        line = f"\n{self._held}" if self._in_document else self._held
        self._held, self._in_line, self._in_document = "", True, True
        return line

    def end_document(self) -> str:
        """Return the mark of an end where a document was begun."""
        ended = self._in_document
        self._in_document = False
        return END_OF_TEXT if ended else ""
