"""Lower case of a text given in chunks."""

from __future__ import annotations

_CAPITAL_SIGMA, _FINAL_SIGMA = "Σ", "ς"
_TAIL = 32


class Lowercaser:
    """`str.lower` of a text given in chunks.

    One letter's lower case depends on its neighbours: Σ becomes ς at a word's end and σ elsewhere, and marks such
    as apostrophes may stand between. So a Σ is held back until what follows decides it.

    >>> lowercaser = Lowercaser()
    >>> [lowercaser.push("ΟΔΟΣ"), lowercaser.push(" ΣΑΣ"), lowercaser.push("", final=True)]
    ['οδο', 'ς σα', 'ς']
    """

    def __init__(self) -> None:
        self._held = ""
        self._in_word = False

    def push(self, text: str, final: bool = False) -> str:
        """Return the lower case of the text up to what the next chunk may change."""
        text = self._held + text
        cut = len(text) if final else _count_decided(text)
        self._held = text[cut:]
        lowered = self._lower(text[:cut])
        self._in_word = _ends_in_word(text[:cut], self._in_word)
        return lowered

    def _lower(self, text: str) -> str:
        if _CAPITAL_SIGMA not in text:
            return text.lower()  # an ASCII text stays one, which is faster
        before = "a" if self._in_word else ""
        after = "a" if self._held else ""
        return (before + text + after).lower()[len(before) : -1 if after else None]


def _count_decided(text: str) -> int:
    """Return the number of characters whose lower case no later text can change."""
    last = text.rfind(_CAPITAL_SIGMA)
    if last < 0:
        return len(text)
    after = text[last + 1 :]
    return last if _ends_in_word(after, True) and not _ends_in_word(after, False) else len(text)


def _ends_in_word(text: str, before: bool) -> bool:
    """Return whether a Σ behind the text would see a letter with cases; `before`: whether it would without the text.

    What Python passes over on the way (apostrophes, full stops, accents) is learnt from Python itself.
    """
    for tail in (text[-_TAIL:], text):
        behind_letter, behind_none = ((letter + tail + _CAPITAL_SIGMA).lower()[-1] for letter in ("a", " "))
        if behind_letter == behind_none:
            return behind_letter == _FINAL_SIGMA
    return before
