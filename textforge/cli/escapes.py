"""Escapes in texts typed on the command line, as JSON and Python write them."""

from __future__ import annotations

import re

import click

_ESCAPE = r"\\(?:([nt\\])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|\\"
_PLAIN = {"n": "\n", "t": "\t", "\\": "\\"}
_PAIR = "[\ud800-\udbff][\udc00-\udfff]"
_SURROGATE = "[\ud800-\udfff]"


def unescape(text: str) -> str:
    r"""Read ``\n``, ``\t``, ``\\``, ``\uXXXX``, two of them as a surrogate pair, and ``\UXXXXXXXX``.

    Raises `click.BadParameter` for any other backslash, and for half of a pair.

    >>> unescape(r"a\tb\u00e9"), unescape(r"\ud83d\ude00") == unescape(r"\U0001f600")
    ('a\tbé', True)
    """
    read = re.sub(_ESCAPE, _read, text)
    whole = re.sub(_PAIR, lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), read)
    half = re.search(_SURROGATE, whole)
    if half:
        code = f"\\u{ord(half[0]):04x}"
        raise click.BadParameter(f"{code} is half a character: write both halves, or the whole as \\UXXXXXXXX")
    return whole


def _read(escape: re.Match[str]) -> str:
    letter, short, long = escape.groups()
    if letter:
        return _PLAIN[letter]
    code = int(short or long or "110000", 16)
    if code > 0x10FFFF:
        shown = escape.string[escape.start() : escape.start() + (10 if long else 2)]
        known = r"known are \n \t \\ \uXXXX, and \UXXXXXXXX up to \U0010ffff"
        raise click.BadParameter(f"{shown!r} at character {escape.start() + 1} is no escape; {known}")
    return chr(code)
