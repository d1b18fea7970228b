"""The parameters of `generate` and `compare` that make a request, declared once."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import click

from textforge.cli.escapes import unescape
from textforge.cli.messages import one_line
from textforge.cli.output import say
from textforge.cli.parameters import backend_option, model_argument, unknown_option

if TYPE_CHECKING:
    from textforge.encoders.base import Unknown
    from textforge.generation.request import Request

F = TypeVar("F", bound=Callable[..., Any])


class RequestParameters(TypedDict):
    """The values of these parameters, as a command receives them."""

    prompt: str | None
    prompt_file: str | None
    max_tokens: int
    stop: tuple[str, ...]
    escapes: bool
    seed: int | None
    unknown: Unknown


def prompt_options(function: F) -> F:
    """Add the model and the two ways to give a prompt."""
    for decorate in (
        click.option(
            "--prompt-file", metavar="FILE", help="File with the prompt, to the letter; - for standard input."
        ),
        click.option("--prompt", metavar="TEXT", help="Text to go on from; none: a new beginning."),
        model_argument,
    ):
        function = decorate(function)
    return function


def request_options(max_tokens: int) -> Callable[[F], F]:
    """Add the options that bound and decide a text: its length, where it stops, the seed, what runs the model."""
    decorators = (
        click.option(
            "--max-tokens",
            type=click.IntRange(min=0),
            default=max_tokens,
            show_default=True,
            metavar="N",
            help="Tokens to write at most.",
        ),
        click.option("--stop", multiple=True, metavar="TEXT", help="Text to stop before; repeatable."),
        click.option("--escapes", is_flag=True, help=r"Read \n, \t, \\, \uXXXX and \UXXXXXXXX in texts given here."),
        click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed; drawn and said unless given."),
        backend_option,
        unknown_option,
    )

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def read_request(**given: Unpack[RequestParameters]) -> Request:
    """Return the request that these parameters make, its prompt and stop texts read, a seed drawn unless given.

    Raises `click.UsageError` for a prompt that can't be read, and `GenerationError` for an empty stop text.
    """
    read = unescape if given["escapes"] else str
    prompt = _read_prompt(given["prompt"], given["prompt_file"], read)
    stop = [read(text) for text in given["stop"]]
    import secrets

    from textforge.generation.request import Request  # imports NumPy, which no usage error needs

    seed = secrets.randbits(32) if given["seed"] is None else given["seed"]
    return Request(prompt, max_tokens=given["max_tokens"], stop=stop, seed=seed, unknown=given["unknown"])


def _read_prompt(prompt: str | None, prompt_file: str | None, read: Callable[[str], str]) -> str:
    """Return the prompt that was given in one of the two ways, or the empty one."""
    if prompt is not None and prompt_file is not None:
        raise click.UsageError("--prompt and --prompt-file were both given; give one of them.")
    return read(prompt or "") if prompt_file is None else _read_file(prompt_file)


def _read_file(name: str) -> str:
    try:
        data = _read_standard_input() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise click.UsageError(f"--prompt-file {name}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise click.UsageError(f"--prompt-file {name}: not UTF-8 at byte {error.start}.") from None


def _read_standard_input() -> bytes:
    if sys.stdin is None:
        raise click.ClickException("standard input is closed: name a file, or give the prompt by --prompt")
    return sys.stdin.buffer.read()


@contextmanager
def say_warnings(stop: tuple[str, ...], escapes: bool) -> Iterator[None]:
    """Say, a line each on standard error, what the library warns of while a request is made ready.

    A stop text with an escape that nobody reads is warned of too, even where its backslash may come.
    """
    from textforge.errors import TextforgeWarning
    from textforge.generation.unreachable import ESCAPE

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TextforgeWarning)
        yield
    said = list(dict.fromkeys(one_line(each.message) for each in caught if isinstance(each.message, TextforgeWarning)))
    for text in () if escapes else stop:
        if ESCAPE.search(text) and not any(repr(text) in line for line in said):
            said.append(f"--stop {text!r} is read to the letter, its backslash too: give --escapes to have it read")
    for line in said:
        say(f"Warning: {line}")
