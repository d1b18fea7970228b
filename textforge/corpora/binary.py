"""The signs by which a file is told from a text."""

from __future__ import annotations

import codecs
import re

HEAD_BYTES = 1 << 12
"""The bytes from a file's beginning that are looked at."""

_PDF = re.compile(rb"%PDF-\d\.\d")
# Old texts have backspaces, SO and SI, SUB (the end of the file) and ESC, which are no sign.
_CONTROLS = re.compile(rb"[\0-\x07\x10-\x19\x1c-\x1f\x7f]")
_WIDE_CONTROLS = re.compile("[\0-\x07\x10-\x19\x1c-\x1f\x7f-\x84\x86-\x9f]")

# What begins a file of a kind. Only a file that has null bytes or the like is looked up here: "GIF8" may begin a text.
_SIGNATURES = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"PK\x03\x04", "a ZIP archive, an office document or an e-book"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"ID3", "an MP3 file"),
    (b"OggS", "an Ogg file"),
    (b"RIFF", "a RIFF file (sound, film or picture)"),
)


def describe_binary(head: bytes, *, nulls: bool = True, controls: bool = True) -> str | None:
    r"""Return the kind of file that these first bytes begin, such as ``a PNG picture``; None for a text.

    A PDF is known by its first line; any other file by null bytes where they aren't UTF-16's or UTF-32's (unless
    `nulls` is False), or by control characters, one byte in a hundred or more, in what is not UTF-8 (unless `controls`
    is).

    >>> describe_binary(b"GIF8 is how such a file begins"), describe_binary(b"GIF89a\x01\0\x01\0\xf0")
    (None, 'a GIF picture')
    """
    head = head[:HEAD_BYTES]
    if _PDF.match(head):
        return "a PDF document"
    if find_wide_encoding(head):
        return None
    if nulls and b"\0" in head:
        return _name_kind(head) or "a binary file with null bytes"
    if controls and has_many_controls(head) and not is_utf_8(head):
        return _name_kind(head) or "a binary file with control characters"
    return None


def _name_kind(head: bytes) -> str | None:
    if head.startswith(b"ustar", 257):
        return "a tar archive"
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


def has_many_controls(data: bytes) -> bool:
    """Return whether one byte in a hundred or more is a control character that texts don't have."""
    return 100 * len(_CONTROLS.findall(data)) >= max(1, len(data))


def is_utf_8(data: bytes, final: bool = False) -> bool:
    """Return whether bytes are UTF-8; unless `final`, a last character may be incomplete."""
    try:
        codecs.utf_8_decode(data, "strict", final)
    except UnicodeDecodeError:
        return False
    return True


def find_wide_encoding(head: bytes) -> str | None:
    """Return ``utf-16``, ``utf-16-le``, ``utf-16-be`` or ``utf-32`` where a file's first bytes speak for it, else None.

    A byte order mark does, and so do null bytes at every other place. What is then decoded must be text.
    """
    head = head[:HEAD_BYTES]
    encoding = _find_marked(head) or _find_unmarked(head)
    if encoding is None:
        return None
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError:
        return None
    return None if 100 * len(_WIDE_CONTROLS.findall(text)) >= max(1, len(text)) else encoding


def _find_marked(head: bytes) -> str | None:
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else None


def _find_unmarked(head: bytes) -> str | None:
    even, odd = (4 * head[start::2].count(0) / max(len(head), 1) for start in (0, 1))
    if min(even, odd) < 0.1 and max(even, odd) > 1:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None
