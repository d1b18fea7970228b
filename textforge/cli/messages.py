"""Messages of errors, each as one line."""

from __future__ import annotations

import traceback

import click

from textforge.cli.output import state_unwritten


class OneLineError(click.ClickException):
    """An error shown as one line, ``Error: …``, with exit status 1."""

    def __init__(self, error: Exception) -> None:
        super().__init__(one_line(error))


def one_line(error: Exception) -> str:
    """Return the line to say of an error, or of a warning."""
    from textforge.errors import Message, is_memory_error

    if isinstance(error, Message):
        return " ".join(error.command_line.split())
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return _memory_ran_out(text)
    if is_memory_error(error):
        return _memory_ran_out("")
    if isinstance(error, OSError) and error.strerror:
        if _is_raised_by_echo(error):
            return state_unwritten(error)
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    kind = type(error).__name__
    return f"unexpected {kind}: {text}; this is a bug in textforge or a plugin: see it with textforge --debug …"


def _is_raised_by_echo(error: OSError) -> bool:
    """Return whether the error came of writing a help text or the like, which says nothing of the stream."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_code is click.echo.__code__


def _memory_ran_out(detail: str) -> str:
    return f"memory ran out{f' ({detail})' if detail else ''}: use a smaller model, batch or text"


def end_sentence(text: str) -> str:
    """Return the text, ended as a sentence is.

    >>> end_sentence("there is no 'a'"), end_sentence("did you mean 'b'?")
    ("there is no 'a'.", "did you mean 'b'?")
    """
    return text if text.endswith("?") else f"{text}."
