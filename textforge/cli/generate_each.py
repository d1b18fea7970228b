"""``textforge generate --prompts``: texts after many prompts, a line of JSON each, which can be gone on with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from textforge.cli.output import TextOutput, say

if TYPE_CHECKING:
    from textforge.cli.writing_status import WritingStatus
    from textforge.generation.request import Request
    from textforge.library.generator import TextGenerator


def read_prompts(name: str) -> list[str]:
    """Return the prompts of a file of JSON lines: a text each, or an object that has one as ``prompt``.

    Raises `click.UsageError` for a file that can't be read, or a line that is neither.
    """
    if name == "-" and sys.stdin is None:
        raise click.ClickException("standard input is closed: name a file")
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        lines = data.decode("utf-8-sig").split("\n")
    except OSError as error:
        raise click.UsageError(f"--prompts {name}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise click.UsageError(f"--prompts {name}: not UTF-8 at byte {error.start}.") from None
    prompts = [_read_prompt(line, f"--prompts {name}: line {number}") for number, line in enumerate(lines, 1)]
    return [prompt for prompt in prompts if prompt is not None]


def _read_prompt(line: str, title: str) -> str | None:
    """Return the prompt of a line, or None for a blank one."""
    if not line.strip():
        return None
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    prompt = value.get("prompt") if isinstance(value, dict) else value
    if not isinstance(prompt, str):
        raise click.UsageError(
            f'{title} must be a prompt as JSON, such as "It is " or {{"prompt": "It is "}}, got {line.strip()[:60]!r}.'
        )
    return prompt


class Results:
    """A file of JSON lines, in the order of their prompts, which keeps those it has already.

    A line that was cut off, and the texts of a prompt that lacks some, are written anew.

    Raises `click.ClickException` where the file has other texts, or can't be read or written.
    """

    def __init__(self, path: Path, prompts: Sequence[str], count: int) -> None:
        self._path = path
        self._stream: BinaryIO | None = None
        lines = self._read().split(b"\n")[:-1]
        del lines[len(lines) - len(lines) % count :]
        self.seed: int | None = None
        """The seed of the texts there are; None without any."""
        for place, line in enumerate(lines):
            self._check(place, line, prompts, count)
        self.prompts = len(lines) // count
        """The prompts whose texts are there."""
        self._size = sum(len(line) + 1 for line in lines)

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise click.ClickException(
                f"--results {self._path}: {error.strerror or error}; name another file"
            ) from None

    def _check(self, place: int, line: bytes, prompts: Sequence[str], count: int) -> None:
        try:
            entry = json.loads(line)
            found = entry["prompt"], entry["number"], entry["seed"]
        except (ValueError, TypeError, KeyError):
            found = None, None, None
        self.seed = found[2] if self.seed is None else self.seed
        wanted = (prompts[place // count] if place // count < len(prompts) else None, place % count, self.seed)
        if found != wanted or not isinstance(self.seed, int):
            raise click.ClickException(
                f"--results {self._path} has something else in line {place + 1} than the text of that prompt and seed: "
                "name another file"
            )

    def __enter__(self) -> Results:
        try:
            self._stream = self._path.open("r+b" if self._path.exists() else "wb")
            self._stream.seek(self._size)
            self._stream.truncate()
        except OSError as error:
            raise click.ClickException(
                f"--results {self._path} can't be written: {error.strerror or error}; name another file"
            ) from error
        return self

    def write(self, line: str) -> None:
        """Write a line, so that it is there whatever comes next."""
        if self._stream is not None:
            try:
                self._stream.write(line.encode("utf-8", "backslashreplace"))
                self._stream.flush()
            except OSError as error:
                raise click.ClickException(
                    f"--results {self._path} is incomplete: {error.strerror or error}; make room, and give the same "
                    "command again to go on"
                ) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()


def write_each(
    generator: TextGenerator,
    request: Request,
    prompts: Sequence[str],
    results: Results | None,
    status: WritingStatus,
    to_entry: Callable[[Any], dict[str, Any]],
    message: str | None,
) -> None:
    """Write the texts of all prompts, a line of JSON each, to standard output or to a file of results.

    What is wrong with a prompt is told before the message is said, and anything written.
    """
    from textforge.generation.healing import split_prompts

    split_prompts(generator.encoder, prompts, request.unknown, lambda place: f"prompt {place + 1}")
    first = results.prompts if results else 0
    count = request.count or 1
    options: dict[str, Any] = {
        name: getattr(request, name) for name in ("samplers", "max_tokens", "stop", "seed", "unknown", "count")
    }
    texts = generator.complete_each(prompts[first:], progress=status, **options)
    lines = (json.dumps(to_entry(text), ensure_ascii=False) + "\n" for text in texts)
    written = 0
    try:
        with results or TextOutput() as output:
            if message:
                say(message)
            for line in lines:
                status.clear()
                output.write(line)
                written += 1
    except KeyboardInterrupt:
        status.clear()
        there = f"{first * count + written:,} of {len(prompts) * count:,} texts"
        go_on = "give the same command again to go on" if results else "--results FILE keeps them, to go on from"
        say(f"\nstopped: {there} are written; {go_on}")
        raise
    finally:
        status.clear()
