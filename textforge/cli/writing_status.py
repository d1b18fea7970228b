"""The state of a long writing, on standard error where a person watches it."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

from textforge.terminal import is_plain, unwrap

if TYPE_CHECKING:
    from textforge.generation.loop import WritingProgress

SECONDS_BETWEEN = 0.1
SECONDS_BETWEEN_LINES = 10.0
"""The interval where the terminal is to have no line rewritten: `NO_COLOR`, `TERM=dumb`."""
_ERASE = "\r\x1b[K"


class WritingStatus:
    """A line that says how many texts are written; nothing where standard error is no terminal."""

    def __init__(self, max_tokens: int) -> None:
        self.finished = 0
        self._max_tokens = max_tokens
        self._watched = sys.stderr is not None and sys.stderr.isatty()
        self._rewrites = not is_plain()
        self._seconds = SECONDS_BETWEEN if self._rewrites else SECONDS_BETWEEN_LINES
        self._said = time.perf_counter()
        self._shown = False

    def __call__(self, progress: WritingProgress) -> None:
        """Say how far the writing is, seldom enough to cost nothing."""
        self.finished = progress.finished
        if not self._watched or (now := time.perf_counter()) - self._said < self._seconds:
            return
        self._said = now
        texts = f"{progress.finished} of {progress.count} texts written"
        line = f"{texts}; the next are at token {progress.tokens} of {self._max_tokens}"
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
