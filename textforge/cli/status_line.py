"""A line on standard error that says how far a command is."""

from __future__ import annotations

import contextlib
import sys
import time

from textforge.terminal import is_plain, unwrap

SECONDS_BETWEEN = 0.1
SECONDS_BETWEEN_LINES = 10.0
"""The interval where the terminal is to have no line rewritten: `NO_COLOR`, `TERM=dumb`."""
SECONDS_BETWEEN_UNWATCHED = 30.0
"""The interval where standard error is no terminal, and goes to a log."""
_ERASE = "\r\x1b[K"


class StatusLine:
    """A line that is written over again and again on a terminal; elsewhere lines now and then, or none.

    `unwatched` says whether it is to be written where standard error is no terminal.
    """

    def __init__(self, unwatched: bool) -> None:
        watched = sys.stderr is not None and sys.stderr.isatty()
        self._rewrites = watched and not is_plain()
        self._speaks = sys.stderr is not None and (watched or unwatched)
        self._seconds = SECONDS_BETWEEN if self._rewrites else SECONDS_BETWEEN_LINES
        if not watched:
            self._seconds = SECONDS_BETWEEN_UNWATCHED
        self._said = time.perf_counter()
        self._shown = False

    def is_due(self) -> bool:
        """Return whether it is time to say something: seldom enough to cost nothing."""
        return self._speaks and time.perf_counter() - self._said >= self._seconds

    def say(self, line: str) -> None:
        """Show a line."""
        self._said = time.perf_counter()
        self._write(f"{_ERASE}{line}" if self._rewrites else f"{line}\n")
        self._shown = self._rewrites

    def clear(self) -> None:
        """Leave the line to what is written next."""
        if self._shown:
            self._write(_ERASE)
            self._shown = False

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nothing that is said is worth stopping for
            stream = unwrap(sys.stderr)
            stream.write(text)
            stream.flush()
