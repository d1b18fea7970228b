"""Bytes to text in chunks, so that where chunks are cut means nothing."""

from __future__ import annotations

import codecs
import io
from encodings.aliases import aliases

from textforge.errors import nearest

BYTE_ORDER_MARK = "\ufeff"
_CAPITAL_SIGMA, _FINAL_SIGMA = "Σ", "ς"
_TAIL = 32
_HEAD = 4096


class TextDecoder:
    """Decodes the bytes of one file, without a byte order mark.

    Raises `UnicodeError` for bytes that are not in the encoding; `offset` says where.
    """

    def __init__(self, encoding: str, errors: str, universal_newlines: bool, lowercase: bool) -> None:
        decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True) if universal_newlines else decoder
        self._lowercaser = Lowercaser() if lowercase else None
        self._at_start = True
        self._read = 0

    def decode(self, data: bytes, final: bool = False) -> str:
        """The text that is now certain and was not before."""
        self._read += len(data)
        text: str = self._decoder.decode(data, final)
        if text and self._at_start:
            self._at_start = False
            text = text.removeprefix(BYTE_ORDER_MARK)
        return self._lowercaser.push(text, final) if self._lowercaser else text

    def offset(self, error: UnicodeDecodeError) -> int:
        """The byte of the file, from 0, at which an error arose."""
        return self._read - len(error.object) + error.start


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
        """The lower case of the text up to what the next chunk may change."""
        text = self._held + text
        cut = len(text) if final else _decided(text)
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


def _decided(text: str) -> int:
    """Up to where no later text can change the lower case."""
    last = text.rfind(_CAPITAL_SIGMA)
    if last < 0:
        return len(text)
    after = text[last + 1 :]
    return last if _ends_in_word(after, True) and not _ends_in_word(after, False) else len(text)


def _ends_in_word(text: str, before: bool) -> bool:
    """Whether a Σ behind the text would see a letter that has cases; `before`: whether it would without the text.

    What Python passes over on the way (apostrophes, full stops, accents) is learnt from Python itself.
    """
    for tail in (text[-_TAIL:], text):
        behind_letter, behind_none = ((letter + tail + _CAPITAL_SIGMA).lower()[-1] for letter in ("a", " "))
        if behind_letter == behind_none:
            return behind_letter == _FINAL_SIGMA
    return before


def check_encoding(name: str) -> None:
    """Raise `ValueError` unless text can be decoded by an encoding of that name."""
    try:
        b"a".decode(name, "ignore")
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError, AttributeError):
        raise ValueError(f"must be an encoding that Python knows, got {name!r}{_similar(name)}") from None


def _similar(name: str) -> str:
    hint = nearest(name.lower(), [known.replace("_", "-") for known in (*aliases, *aliases.values())])
    return hint or ", such as utf-8, latin-1, cp1252 or utf-16"


def has_null_bytes(encoding: str) -> bool:
    """Whether ordinary text has null bytes in an encoding, as in UTF-16."""
    return b"\0" in "a".encode(encoding, "ignore")


def likely_encoding(encoding: str, head: bytes) -> str | None:
    """What a file that is not in `encoding` may be in, by its first bytes; None for no better guess."""
    given = codecs.lookup(encoding).name
    guess = wide_encoding(head) or ("latin-1" if given in ("utf-8", "utf-8-sig") else "utf-8")
    return None if codecs.lookup(guess).name == given else guess


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, where the first bytes of a file speak for it."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = head[:_HEAD]
    even, odd = (4 * head[start::2].count(0) / max(len(head), 1) for start in (0, 1))
    if min(even, odd) < 0.1 and max(even, odd) > 1:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None
