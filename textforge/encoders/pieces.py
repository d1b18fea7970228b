"""The cutting of text into words, spaces and signs, alike wherever the text is cut into chunks."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from unicodedata import category

from textforge.encoders.base import END_OF_TEXT

LONGEST = 128
"""The most characters of a word: a text without spaces is cut after so many, which bounds the memory it takes."""
BLOCK = 1 << 18
"""Characters looked at together, which bounds the memory a long text takes."""

PIECE = re.compile(rf"\S{{1,{LONGEST}}}\s{{0,{LONGEST}}}|\s{{1,{LONGEST}}}")
"""A stretch of text without spaces and the spaces behind it. No word reaches across its ends."""

_MARKED: tuple[tuple[int, int], ...] = (
    (0x300, 0x3100),
    (0xA600, 0xAC00),
    (0xFB00, 0xFE30),
    (0x10100, 0x12000),
    (0x16A00, 0x17000),
)
_MARKED += ((0x1CF00, 0x1D300), (0x1E000, 0x1EA00), (0xE0100, 0xE01F0))
"""The ranges of code points that have combining marks: all of Unicode would take ten times as long to look through."""
_JOINERS = "\u200c\u200d"


def split_piece(piece: str) -> list[str]:
    r"""Return the words, spaces and signs of a piece, which joined are the piece.

    A word is a run of letters, digits and their marks, with apostrophes inside, an ideograph by itself; of spaces, a
    run of the same one is together, line ends apart.

    >>> split_piece("don't!\r\n\n  ")
    ["don't", '!', '\r\n', '\n', '  ']
    """
    found: list[str] = _compile_tokens().findall(piece)
    return found


def cut_pieces(text: str) -> int:
    """Return the last place where a piece begins that more text can't change; 0 where there is none but the first."""
    *_, last = text.rsplit(maxsplit=1) or [""]
    begin = len(text.rstrip()) - len(last)  # a word behind a space: there a piece begins, whatever came before
    for match in PIECE.finditer(text, begin):
        begin = match.start()
    return begin


def read_blocks(chunks: Iterable[str]) -> Iterator[str]:
    """Yield the text in blocks of whole pieces. Chunks cut elsewhere give the same blocks."""
    parts: list[str] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            text, begin = "".join(parts), 0
            while len(text) - begin >= BLOCK:
                block = text[begin : begin + BLOCK]  # of one length always, so that it is cut alike always
                cut = cut_pieces(block)
                yield block[:cut]
                begin += cut
            parts, size = [text[begin:]], len(text) - begin
    yield "".join(parts)


@functools.cache
def _compile_tokens() -> re.Pattern[str]:
    letter = r"[^\W_\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # ideographs are words by themselves
    marks = rf"(?=[^\0-\u02ff])[{_list_marks()}]++"  # most characters are known to be none without a look at the list
    word = rf"{letter}++(?:{marks}{letter}*+)*+"
    spaces = r" ++|\t++|\xa0++|\u3000++|\r\n|\s"
    alone = rf"[{END_OF_TEXT}\ud800-\udfff]"
    return re.compile(rf"{word}(?:['’]{word})*+|{spaces}|{alone}|\S(?:{marks})?+")


def _list_marks() -> str:
    """Return the combining marks and joiners of Unicode, as ranges in a set of a regular expression."""
    codes = [code for begin, end in _MARKED for code in range(begin, end) if category(chr(code))[0] == "M"]
    runs = [list(run) for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs) + _JOINERS
