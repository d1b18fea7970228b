"""The standard streams: generated text as UTF-8, shown as it is made, and what is said beside it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import NoReturn, TextIO

import click

from textforge.terminal import unwrap

SECONDS_BETWEEN_FLUSHES = 0.02


class TextOutput:
    """A writer to standard output that flushes often enough to be watched and seldom enough to be fast.

    Raises `click.ClickException` where standard output is closed or can't be written, and `BrokenPipeError` where
    nobody reads it any more.
    """

    def __init__(self) -> None:
        if sys.stdout is None:
            raise click.ClickException("standard output is closed: leave it open, or send it to a file")
        self._stream = sys.stdout
        if isinstance(plain := unwrap(self._stream), io.TextIOWrapper):
            plain.reconfigure(encoding="utf-8", errors="replace")
        self._flushed = 0.0
        self._last = "\n"
        self._failed = False

    def __enter__(self) -> TextOutput:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._failed:
            self._flush()

    def write(self, text: str) -> None:
        """Write a piece."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._fail(error)
        self._last = text[-1:] or self._last
        now = time.perf_counter()
        if now - self._flushed > SECONDS_BETWEEN_FLUSHES:
            self._flush()
            self._flushed = now

    def _flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> NoReturn:
        self._failed = True
        if isinstance(error, BrokenPipeError):
            raise error
        raise click.ClickException(state_unwritten(error)) from error

    def end_on_terminal(self) -> None:
        """Put the shell's next prompt on a line of its own, where a person watches."""
        self._flush()
        if self._last != "\n" and self._stream.isatty() and sys.stderr.isatty():
            say()


def state_unwritten(error: OSError) -> str:
    """Return the message that standard output takes nothing."""
    return f"standard output could not be written: {error.strerror or error}"


def show(text: str) -> None:
    """Write a line to standard output."""
    with TextOutput() as output:
        output.write(f"{text}\n")


def say(text: str = "") -> None:
    """Write a line to standard error, where somebody reads it: nothing that is said is worth stopping for."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(text, err=True)


def is_broken(stream: TextIO | None) -> bool:
    """Return whether a stream holds text that it can't get rid of."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        return True
    return False


def let_go(stream: TextIO | None) -> None:
    """Keep the interpreter from writing, at its end, to a stream that takes nothing."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def quote_command(*words: object) -> str:
    """Return a command as a person types it into the shell.

    >>> quote_command("textforge", "info", "m")
    'textforge info m'
    """
    texts = [str(word) for word in words]
    if os.name == "nt":
        import subprocess

        return subprocess.list2cmdline(texts)
    import shlex

    return shlex.join(texts)
