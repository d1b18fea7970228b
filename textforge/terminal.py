r"""Text that a person sees in a terminal: a character that would act there instead of showing is shown by its code.

A model writes whatever it has read, and a file's author writes what they like: an escape sequence among it would set
colours, titles, even the clipboard. `show_visibly` puts a `Screen` before each standard stream that is a terminal, so
that no text reaches it another way; a pipe or a file gets every text to the letter.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

_HIDDEN = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for the tab and the newline
    "\u2028-\u202e\u2066-\u2069"  # those that end a line, or turn the direction of all that follows
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"  # what is no character, and can't be written
)


def make_visible(text: str) -> str:
    r"""Return the text with the code in the place of each character that would act instead of showing.

    >>> make_visible("a\x1b[1mb")
    'a⟨U+001B⟩[1mb'
    """
    return re.sub(_HIDDEN, _write_code, text)  # compiled at its first use: a help text in a pipe has none


def _write_code(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"


class Styled(str):
    """Text that was made visible and has been given colours since: a screen passes it on as it is."""

    __slots__ = ()


class Screen:
    r"""A text stream to a terminal, which makes every text visible.

    >>> Screen(sys.stdout).write("a\x07b")
    a⟨U+0007⟩b3
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        """The stream behind, for what is styled by our own hand."""

    def write(self, text: str) -> int:
        """Write the text, made visible, and return its length."""
        if not isinstance(text, str):
            raise TypeError(f"a text is expected, got {type(text).__name__}")  # as every text stream says
        self.stream.write(text if isinstance(text, Styled) else make_visible(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each text, made visible."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def unwrap(stream: TextIO) -> TextIO:
    """Return the stream behind a screen, or the stream itself."""
    return stream.stream if isinstance(stream, Screen) else stream


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person watches the stream."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it was closed
        return False


def is_plain() -> bool:
    """Return whether the user asked for text alone, without colours, weights or movement of the cursor.

    See https://no-color.org for ``NO_COLOR``; ``TERM=dumb`` is a terminal that knows none of them.
    """
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "").lower() in ("dumb", "unknown")


@contextmanager
def show_visibly() -> Iterator[None]:
    """Put a screen before standard output and standard error, each where it is a terminal, until the end."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_put_screen, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _put_screen(stream: TextIO) -> TextIO:
    if not is_terminal(stream):
        return stream
    stream = unwrap(stream)
    if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name == "ascii":
        # An unset locale says nothing of the terminal. click would take UTF-8 too, by a stream of its own beside ours.
        stream.reconfigure(encoding="utf-8", errors="replace")
    return cast("TextIO", Screen(stream))


def take_screens_away() -> None:
    """Let text through as it is, for a program that styles its own."""
    sys.stdout, sys.stderr = (unwrap(stream) for stream in (sys.stdout, sys.stderr))
