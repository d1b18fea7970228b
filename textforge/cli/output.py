"""Standard output for generated text: UTF-8, and shown as it is made."""

from __future__ import annotations

import io
import sys
import time
from types import TracebackType

import click

SECONDS_BETWEEN_FLUSHES = 0.02


class TextOutput:
    """Writes text to standard output, flushing often enough to be watched and seldom enough to be fast."""

    def __init__(self) -> None:
        self._stream = sys.stdout
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(encoding="utf-8", errors="replace")
        self._flushed = 0.0
        self._last = "\n"

    def __enter__(self) -> TextOutput:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None or not issubclass(kind, BrokenPipeError):
            self._stream.flush()

    def write(self, text: str) -> None:
        """Write a piece."""
        self._stream.write(text)
        self._last = text[-1:] or self._last
        now = time.perf_counter()
        if now - self._flushed > SECONDS_BETWEEN_FLUSHES:
            self._stream.flush()
            self._flushed = now

    def end_on_terminal(self) -> None:
        """Where a person watches, put the shell's next prompt on a line of its own."""
        self._stream.flush()
        if self._last != "\n" and self._stream.isatty() and sys.stderr.isatty():
            click.echo(err=True)
