"""Unicode's normal forms of a text given in chunks."""

from __future__ import annotations

import functools
import sys
import unicodedata
from typing import Literal

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: tuple[Form, ...] = ("NFC", "NFD", "NFKC", "NFKD")
NONE = "none"
"""The name of the form that leaves a text as it is."""


class Normalizer:
    r"""`unicodedata.normalize` of a text given in chunks.

    A letter may go together with what follows, as an accent does or a Korean syllable's end. So the last letter is held
    back, with all that belongs to it, until what follows is known to stand by itself.

    >>> normalizer = Normalizer("NFC")
    >>> [normalizer.push("cafe"), normalizer.push("\u0301 a"), normalizer.push("", final=True)]
    ['caf', 'é ', 'a']
    """

    def __init__(self, form: Form) -> None:
        self._form: Form = form
        self._held: list[str] = []

    def push(self, text: str, final: bool = False) -> str:
        """Return the normal form of the text up to what the next chunk may change."""
        cut = len(text) if final else _find_last_start(text)
        if cut is None:
            self._held.append(text)
            return ""
        whole = "".join([*self._held, text[:cut]])
        self._held = [text[cut:]]
        return unicodedata.normalize(self._form, whole)


def _find_last_start(text: str) -> int | None:
    """Return the place of the last character that nothing before it can change; None where there is none."""
    for place in range(len(text) - 1, -1, -1):
        if stands_alone(text[place]):
            return place
    return None


@functools.lru_cache(maxsize=1 << 12)
def stands_alone(character: str) -> bool:
    r"""Return whether neither it nor what precedes it changes in any normal form because they stand together.

    >>> stands_alone("a"), stands_alone("\u0301"), stands_alone("각"), stands_alone("\u11a8")
    (True, False, True, False)
    """
    if character.isascii():
        return True
    first = unicodedata.normalize("NFKD", character)[0]
    return not unicodedata.combining(first) and first not in _find_seconds()


@functools.cache
def _find_seconds() -> frozenset[str]:
    """Return the characters that are composed with one before, though they have no class of marks; 0.2 s, once."""
    decompositions = map(unicodedata.decomposition, map(chr, range(0x80, sys.maxunicode + 1)))
    seconds = {chr(int(pair.split()[1], 16)) for pair in decompositions if " " in pair and not pair.startswith("<")}
    vowels, ends = range(0x1161, 0x1176), range(0x11A8, 0x11C3)  # Korean syllables are composed by a rule
    return frozenset(seconds.union(map(chr, (*vowels, *ends))))
