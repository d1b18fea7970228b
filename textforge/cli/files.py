"""Files that a command writes beside standard output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import click


class ResultFile:
    """A text file, opened as the block is entered. Where it fails later, that is said at the block's end.

    So a full disk costs what would have been written to it, and nothing of the text that is being generated.

    Raises `click.ClickException`, one line, naming the option the file was given by.
    """

    def __init__(self, option: str, path: Path) -> None:
        self._title = f"{option} {path}"
        self._path = path
        self._stream: TextIO | None = None
        self._failure: OSError | None = None

    def __enter__(self) -> ResultFile:
        try:  # a lone surrogate becomes an escape, which JSON reads
            self._stream = self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
        except OSError as error:
            raise click.ClickException(
                f"{self._title} can't be written: {error.strerror or error}; name another file"
            ) from error
        return self

    def write(self, text: str) -> None:
        """Write, while that is possible."""
        if self._stream is not None and self._failure is None:
            self._try(self._stream.write, text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._try(self._stream.close)
        if self._failure is not None and error is None:
            reason = self._failure.strerror or self._failure
            raise click.ClickException(f"{self._title} is incomplete: {reason}; make room, or name another file")

    def _try(self, action: Callable[..., object], *arguments: str) -> None:
        try:
            action(*arguments)
        except OSError as error:
            self._failure = self._failure or error


def _refuse_dash(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and str(value) == "-":
        raise click.BadParameter("name a file: standard output has the text.")
    return value


def result_file_option(name: str, help: str) -> Callable[[Any], Any]:
    """Add an option that names a file to write."""
    return click.option(
        name, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", callback=_refuse_dash, help=help
    )
