"""The cutting of text into words, spaces and signs, alike wherever the text is cut into chunks."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from unicodedata import category

from textforge.encoders.base import END_OF_TEXT

LONGEST = 128
"""The most letters of a word, and spaces of a run: a longer one is cut there, so that a text of one word has an end."""
BLOCK = 1 << 18
"""Characters looked at together, which bounds the memory a long text takes."""
RUNS = re.compile("(  +)")
"""The spaces that may be one token; each other is one by itself, so that the words of a text are `text.split(" ")`."""

_MARKED = (
    *((0x300, 0x3100), (0xA600, 0xAC00), (0xFB00, 0xFE30), (0x10100, 0x12000), (0x16100, 0x17000)),
    *((0x1BC00, 0x1BD00), (0x1CF00, 0x1DB00), (0x1E000, 0x1EA00), (0xE0100, 0xE01F0)),
)
"""The ranges of code points that have combining marks: all of Unicode would take ten times as long to look through."""
_APOSTROPHES = "'’"
_JOINERS = "\u200c\u200d"


def split_tokens(text: str) -> list[str]:
    r"""Return the words, spaces and signs of a text, which joined are the text.

    A word is a run of letters, digits and their marks, with apostrophes inside, or one ideograph. A run of the same
    space is together, a line end by itself.

    >>> split_tokens("don't!\r\n\n  ")
    ["don't", '!', '\r\n', '\n', '  ']
    """
    found: list[str] = _compile_tokens().findall(text)
    return found


def cut_tokens(text: str) -> int:
    """Return the last place where a token begins that more text can't change; 0 where there is none but the first."""
    if not text:
        return 0
    behind = len(text.rstrip())
    # Between a word and a space a token ends whatever came before, so that only what is behind has to be split.
    begin = behind if behind < len(text) else len(text) - len(text.rsplit(maxsplit=1)[-1])
    tokens = split_tokens(text[begin:])
    cut = len(text) - len(tokens[-1])
    if tokens[-1] in _APOSTROPHES and len(tokens) > 1:  # which a letter may make a part of the word before
        cut -= len(tokens[-2])
    return cut


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
    # Most characters are known to be no marks without a look at their list.
    mark = rf"(?=[^\0-\u02ff\u3400-\ua5ff\uac00-\ufaff])[{_list_marks()}]"
    more = rf"{{0,{LONGEST - 1}}}+"
    word = rf"{letter}(?:{letter}|[{_APOSTROPHES}]{letter}|{mark}){more}"
    spaces = "|".join(space + space + more for space in (" ", r"\t", r"\xa0", r"\u3000"))
    alone = rf"[{END_OF_TEXT}\ud800-\udfff]"
    return re.compile(rf"{word}|{spaces}|\r\n|\s|{alone}|\S(?:{mark}){more}")


def _list_marks() -> str:
    """Return the combining marks and joiners of Unicode, as ranges in a set of a regular expression."""
    codes = [code for begin, end in _MARKED for code in range(begin, end) if category(chr(code))[0] == "M"]
    runs = [list(run) for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs) + _JOINERS
