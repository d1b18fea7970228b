"""What went wrong, as one line."""

from __future__ import annotations

import traceback

import click

from textforge.cli.output import unwritten

MEMORY_RAN_OUT = ("can't allocate memory", "out of memory", "OOM when allocating")
"""How frameworks say so in errors that aren't a MemoryError."""


class OneLineError(click.ClickException):
    """An error shown as one line, ``Error: …``, with exit status 1."""

    def __init__(self, error: Exception) -> None:
        super().__init__(one_line(error))


def one_line(error: Exception) -> str:
    """Return what to say of an error, or of a warning."""
    from textforge.errors import Message

    if isinstance(error, Message):
        return " ".join(error.command_line.split())
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return _memory_ran_out(text)
    if any(words in text for words in MEMORY_RAN_OUT):
        return _memory_ran_out("")
    if isinstance(error, OSError) and error.strerror:
        if _raised_by_echo(error):
            return unwritten(error)
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    kind = type(error).__name__
    return f"unexpected {kind}: {text}; this is a bug in textforge or a plugin: see it with textforge --debug …"


def _raised_by_echo(error: OSError) -> bool:
    """Whether it was raised by writing a help text or the like, which says nothing of the stream."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_code is click.echo.__code__


def _memory_ran_out(detail: str) -> str:
    return f"memory ran out{f' ({detail})' if detail else ''}: use a smaller model, batch or text"


def sentence(text: str) -> str:
    """The text, ended as a sentence is.

    >>> sentence("there is no 'a'"), sentence("did you mean 'b'?")
    ("there is no 'a'.", "did you mean 'b'?")
    """
    return text if text.endswith("?") else f"{text}."
