"""``textforge generate``."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textforge.cli.group import Session
from textforge.cli.output import TextOutput, say
from textforge.cli.parameters import backend_option, model_argument, seed_option, unescape, unknown_option

if TYPE_CHECKING:
    from textforge.generation.generator import TextGenerator


@click.command("generate")
@model_argument
@click.option("--prompt", metavar="TEXT", help="Text to go on from; none: a new beginning.")
@click.option("--prompt-file", metavar="FILE", help="File with the prompt, to the letter; - for standard input.")
@click.option(
    "--sampler",
    "samplers",
    multiple=True,
    metavar="CHAIN",
    help="Sampler, or chain of them joined by |; repeated, one chain.  [default: temperature:0.7]",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=0),
    default=400,
    show_default=True,
    metavar="N",
    help="Tokens to write at most.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Texts to write, each ended by a newline.")
@click.option("--stop", multiple=True, metavar="TEXT", help="Text to stop before; repeatable.")
@click.option("--escapes", is_flag=True, help=r"Read \n, \t, \\ and \uXXXX in --prompt and --stop.")
@click.option("--echo", is_flag=True, help="Put the prompt before the text.")
@seed_option
@backend_option
@unknown_option
@click.option("--json", "as_json", is_flag=True, help="Write a line of JSON a text.")
@click.pass_obj
def command(
    session: Session,
    /,
    model: Path,
    prompt: str | None,
    prompt_file: str | None,
    samplers: tuple[str, ...],
    count: int | None,
    stop: tuple[str, ...],
    escapes: bool,
    echo: bool,
    seed: int | None,
    backend: str | None,
    as_json: bool,
    **limits: Any,
) -> None:
    """Write text with a model.

    The text goes to standard output as it is made, and everything else to standard error.
    """
    if echo and as_json:
        raise click.UsageError("--json has the prompt already: leave out --echo.")
    prompt = read_prompt(prompt, prompt_file, escapes)
    from textforge.library import load

    generator = load(model, backend=backend, plugins=session.plugins())
    request = dict(limits, prompt=prompt, stop=[unescape(text) if escapes else text for text in stop])
    request["seed"] = drawn_seed() if seed is None else seed
    if samplers:
        request["samplers"] = samplers
    pieces = _as_json(generator, request, count) if as_json else _as_text(generator, request, count, echo)
    with TextOutput() as output:
        if seed is None:
            say(f"seed {request['seed']}")
        for piece in pieces:
            output.write(piece)
        output.end_on_terminal()


def _as_text(generator: TextGenerator, request: dict[str, Any], count: int | None, echo: bool) -> Iterator[str]:
    """What to write; the request is checked at once, and run piece by piece."""
    before: str = request["prompt"] if echo else ""
    if count is None:
        return itertools.chain([before], generator.stream(**request))
    return (f"{before}{text.text}\n" for text in generator.complete(**request, count=count))


def _as_json(generator: TextGenerator, request: dict[str, Any], count: int | None) -> Iterator[str]:
    """As `_as_text`, a line of JSON a text."""
    import attrs

    texts = generator.complete(**request, count=1 if count is None else count)
    return (
        json.dumps({"number": number, **attrs.asdict(text)}, ensure_ascii=False) + "\n"
        for number, text in enumerate(texts)
    )


def read_prompt(prompt: str | None, prompt_file: str | None, escapes: bool) -> str:
    """The prompt that was given in one of the two ways, or the empty one."""
    if prompt is not None and prompt_file is not None:
        raise click.UsageError("--prompt and --prompt-file were both given; give one of them.")
    if prompt_file is not None:
        return _read_file(prompt_file)
    return unescape(prompt or "") if escapes else prompt or ""


def _read_file(name: str) -> str:
    try:
        data = _standard_input() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise click.UsageError(f"--prompt-file {name}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise click.UsageError(f"--prompt-file {name}: not UTF-8 at byte {error.start}.") from None


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise click.ClickException("standard input is closed: name a file, or give the prompt by --prompt")
    return sys.stdin.buffer.read()


def drawn_seed() -> int:
    """A seed for who gave none; to be said."""
    import secrets

    return secrets.randbits(32)
