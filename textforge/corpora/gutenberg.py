"""The licence that Project Gutenberg puts around its books, cut off."""

from __future__ import annotations

import re

LOOK_AHEAD = 1 << 17
"""Characters from a text's beginning within which the book's beginning is looked for."""
_LONGEST_MARK = 1 << 10
_END_LENGTH = 1 << 7

# A title may go on in the next line or two, up to the closing asterisks.
_START = re.compile(
    r"(?:\A|[\r\n])\ufeff?\*{3} ?START OF TH(?:E|IS) PROJECT GUTENBERG"
    r"(?:[^*\r\n]{0,200}(?:\r?\n[^*\r\n]{1,200}){0,2}\*{3})?[^\r\n]{0,200}",
    re.IGNORECASE,
)
_OLD_START = re.compile(
    r"(?:\A|[\r\n])\*{1,3}END ?\*? ?THE SMALL PRINT[^\r\n]{0,200}", re.IGNORECASE
)  # up to about 2003
_END = re.compile(
    r"[\r\n](?:\*{3} ?END OF TH(?:E|IS) PROJECT GUTENBERG|End of (?:The |This )?Project Gutenberg)", re.IGNORECASE
)


class GutenbergCutter:
    r"""A cut of a text given in chunks to the book within Project Gutenberg's licence.

    The book begins behind the line ``*** START OF THE PROJECT GUTENBERG EBOOK …``, or ``*END*THE SMALL PRINT!…`` in
    older texts, and ends before ``*** END OF …`` or ``End of Project Gutenberg's …``. A text without either is left as
    it is at that end.

    >>> cutter = GutenbergCutter()
    >>> cutter.push("Title: X\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nIt was.\n*** END", final=False)
    ''
    >>> cutter.push(" OF THE PROJECT GUTENBERG EBOOK X ***\nLicence.", final=True)
    'It was.\n'
    >>> cutter.found_start, cutter.found_end
    (True, True)
    """

    def __init__(self) -> None:
        self.found_start = False
        self.found_end = False
        self._held = ""
        self._in_head = True
        self._begun = False

    def push(self, text: str, final: bool = False) -> str:
        """Return the book's text as far as it is certain."""
        if self.found_end:
            return ""
        self._held += text
        if self._in_head and not self._pass_head(final):
            return ""
        book = self._read_book(final)
        if not self._begun and self.found_start:
            book = book.lstrip("\r\n")
        self._begun = self._begun or bool(book)
        return book

    def _pass_head(self, final: bool) -> bool:
        """Cut off what stands before the book; return False where more text is needed to tell."""
        start = self._find(_START)
        enough = final or len(self._held) >= (start.start() if start else LOOK_AHEAD) + _LONGEST_MARK
        if not enough:
            return False
        start = start or self._find(_OLD_START)
        if start:
            self.found_start = True
            self._held = self._held[start.end() :]
        self._in_head = False
        return True

    def _find(self, mark: re.Pattern[str]) -> re.Match[str] | None:
        found = mark.search(self._held)
        return found if found and found.start() < LOOK_AHEAD else None

    def _read_book(self, final: bool) -> str:
        end = _END.search(self._held)
        if end:
            self.found_end = True
            book, self._held = self._held[: end.start() + 1], ""
            return book
        line = max(self._held.rfind("\n"), self._held.rfind("\r"))
        waits = not final and line >= 0 and len(self._held) - line < _END_LENGTH
        cut = line if waits else len(self._held)
        book, self._held = self._held[:cut], self._held[cut:]
        return book
