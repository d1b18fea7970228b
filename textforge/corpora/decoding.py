"""Bytes to text in chunks, so that where chunks are cut means nothing."""

from __future__ import annotations

import codecs
import io
from collections.abc import Sequence
from encodings.aliases import aliases

from textforge.corpora.detecting import DetectingDecoder
from textforge.corpora.stages import Stage
from textforge.errors import nearest

BYTE_ORDER_MARK = "\ufeff"
AUTO = "auto"
"""The name that stands for no encoding in particular: it is found by each file itself."""


class TextDecoder:
    """A decoder of one file's bytes, which leaves out a byte order mark and passes the text through stages.

    With the encoding `AUTO`, it is found by the bytes (`DetectingDecoder`), or UTF-8 where `errors` isn't ``strict``.
    Raises `UnicodeError` for bytes that are not in the encoding; `offset` says where.
    """

    def __init__(self, encoding: str, errors: str, universal_newlines: bool, stages: Sequence[Stage] = ()) -> None:
        decoder = _make_decoder(encoding, errors)
        self._given = decoder
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True) if universal_newlines else decoder
        self._stages = stages
        self._at_start = True
        self._read = 0

    def decode(self, data: bytes, final: bool = False) -> str:
        """Return the text that is now certain and was not before."""
        self._read += len(data)
        text: str = self._decoder.decode(data, final)
        if text and self._at_start:
            self._at_start = False
            text = text.removeprefix(BYTE_ORDER_MARK)
        for stage in self._stages:
            text = stage.push(text, final)
        return text

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
