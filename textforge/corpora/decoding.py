"""Bytes to text in chunks, so that where chunks are cut means nothing."""

from __future__ import annotations

import codecs
import io
from encodings.aliases import aliases

from textforge.corpora.detecting import DetectingDecoder
from textforge.errors import nearest

BYTE_ORDER_MARK = "\ufeff"
_CAPITAL_SIGMA, _FINAL_SIGMA = "Σ", "ς"
_TAIL = 32
AUTO = "auto"
"""The name that stands for no encoding in particular: it is found by each file itself."""


class TextDecoder:
    """A decoder of one file's bytes, which leaves out a byte order mark.

    With the encoding `AUTO`, it is found by the bytes (`DetectingDecoder`), or UTF-8 where `errors` isn't ``strict``.
    Raises `UnicodeError` for bytes that are not in the encoding; `offset` says where.
    """

    def __init__(self, encoding: str, errors: str, universal_newlines: bool, lowercase: bool) -> None:
        decoder = _make_decoder(encoding, errors)
        self._given = decoder
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True) if universal_newlines else decoder
        self._lowercaser = Lowercaser() if lowercase else None
        self._at_start = True
        self._read = 0

    def decode(self, data: bytes, final: bool = False) -> str:
        """Return the text that is now certain and was not before."""
        self._read += len(data)
        text: str = self._decoder.decode(data, final)
        if text and self._at_start:
            self._at_start = False
            text = text.removeprefix(BYTE_ORDER_MARK)
        return self._lowercaser.push(text, final) if self._lowercaser else text

    @property
    def found_encoding(self) -> str | None:
        """The encoding that was found; None where it was given, or everything was ASCII so far."""
        return self._given.encoding if isinstance(self._given, DetectingDecoder) else None

    def offset(self, error: UnicodeDecodeError) -> int:
        """Return the byte of the file, from 0, at which an error arose."""
        return self._read - len(error.object) + error.start


def _make_decoder(encoding: str, errors: str) -> codecs.IncrementalDecoder:
    if encoding == AUTO and errors == "strict":
        return DetectingDecoder()
    return codecs.getincrementaldecoder("utf-8" if encoding == AUTO else encoding)(errors)


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


def check_encoding(name: str) -> None:
    """Raise `ValueError` unless text can be decoded by an encoding of that name, or it is `AUTO`."""
    if name == AUTO:
        return
    try:
        b"a".decode(name, "ignore")
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError, AttributeError):
        raise ValueError(f"must be an encoding that Python knows, got {name!r}{_similar(name)}") from None


def _similar(name: str) -> str:
    hint = nearest(name.lower(), [known.replace("_", "-") for known in (*aliases, *aliases.values())])
    return hint or ", such as utf-8, cp1252, latin-1 or utf-16"


def has_null_bytes(encoding: str) -> bool:
    """Return whether ordinary text has null bytes in an encoding, as in UTF-16."""
    return encoding != AUTO and b"\0" in "a".encode(encoding, "ignore")
