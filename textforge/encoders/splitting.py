"""The cutting of text into words, spaces and signs, alike wherever the text is cut into chunks."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from unicodedata import category

from textforge.encoders.base import END_OF_TEXT

LONGEST = 128
"""The most characters of a word: text without spaces is cut after so many, which bounds the memory it takes."""
BLOCK = 1 << 18
"""Characters looked at together, which bounds the memory a long text takes."""
RUNS = re.compile("(  +)")
"""The spaces that may be one token; each other is one by itself, so that the words of a text are `text.split(" ")`."""

_MARKED = (
    *((0x300, 0x3100), (0xA600, 0xAC00), (0xFB00, 0xFE30), (0x10100, 0x12000), (0x16100, 0x17000)),
    *((0x1BC00, 0x1BD00), (0x1CF00, 0x1DB00), (0x1E000, 0x1EA00), (0xE0100, 0xE01F0)),
)
"""The ranges of code points that have combining marks: all of Unicode would take ten times as long to look through."""
_STRETCH = re.compile(rf"\S{{1,{LONGEST}}}|\s+")
_JOINERS = "\u200c\u200d"


def split_tokens(text: str) -> list[str]:
    r"""Return the words, spaces and signs of a text, which joined are the text.

    A word is a run of letters, digits and their marks, with apostrophes inside, or one ideograph. A run of the same
    space is together, a line end by itself.

    >>> split_tokens("don't!\r\n\n  ")
    ["don't", '!', '\r\n', '\n', '  ']
    """
    find_tokens = _compile_tokens().findall
    if len(text) <= LONGEST:
        return list(find_tokens(text))
    return [token for stretch in _STRETCH.findall(text) for token in find_tokens(stretch)]


def cut_tokens(text: str) -> int:
    """Return the last place where a token begins that more text can't change."""
    behind = len(text.rstrip())
    if behind < len(text):
        return len(text) - len(split_tokens(text[behind:])[-1])
    *_, last = text.rsplit(maxsplit=1) or [""]
    return len(text) - ((len(last) - 1) % LONGEST + 1 if last else 0)


def read_blocks(chunks: Iterable[str]) -> Iterator[str]:
    """Yield the text in blocks of whole tokens. Chunks cut elsewhere give the same blocks."""
    parts: list[str] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            text, begin = "".join(parts), 0
            while len(text) - begin >= BLOCK:
                block = text[begin : begin + BLOCK]  # of one length always, so that it is cut alike always
                cut = cut_tokens(block)
                yield block[:cut]
                begin += cut
            parts, size = [text[begin:]], len(text) - begin
    yield "".join(parts)


@functools.cache
def _compile_tokens() -> re.Pattern[str]:
    letter = r"[^\W_\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # ideographs are words by themselves
    marks = rf"(?=[^\0-\u02ff])[{_list_marks()}]++"  # most characters are known to be none without a look at the list
    word = rf"{letter}++(?:{marks}{letter}*+)*+"
    spaces = "|".join(rf"{space}{{1,{LONGEST}}}+" for space in (" ", r"\t", r"\xa0", r"\u3000"))
    alone = rf"[{END_OF_TEXT}\ud800-\udfff]"
    return re.compile(rf"{word}(?:['’]{word})*+|{spaces}|\r\n|\s|{alone}|\S(?:{marks})?+")


def _list_marks() -> str:
    """Return the combining marks and joiners of Unicode, as ranges in a set of a regular expression."""
    codes = [code for begin, end in _MARKED for code in range(begin, end) if category(chr(code))[0] == "M"]
    runs = [list(run) for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs) + _JOINERS
