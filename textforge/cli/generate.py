"""``textforge generate``."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textforge.cli.files import ResultFile, result_file_option
from textforge.cli.group import Session
from textforge.cli.output import TextOutput, say
from textforge.cli.parameters import (
    backend_option,
    model_argument,
    prompt_file_option,
    prompt_option,
    seed_option,
    unescape,
    unknown_option,
)
from textforge.cli.slips import SamplingCommand

if TYPE_CHECKING:
    from textforge.encoders.base import Encoder
    from textforge.generation.watching import DrawnToken
    from textforge.library.generator import GeneratedText, TextGenerator


@click.command("generate", cls=SamplingCommand)
@model_argument
@prompt_option
@prompt_file_option
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
@click.option(
    "--logprobs",
    is_flag=True,
    help="Put into --json each token's log-probability, natural, before and after the samplers.",
)
@result_file_option(
    "--trace",
    "Write a line of JSON a token: what the model thought, what each sampler removed, what was left and drawn.",
)
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
    trace: Path | None,
    **request: Any,
) -> None:
    """Write text with a model.

    The text goes to standard output as it is made, and everything else to standard error.
    """
    if echo and as_json:
        raise click.UsageError("--json has the prompt already: leave out --echo.")
    if request["logprobs"] and not as_json:
        raise click.UsageError("--logprobs goes into JSON: give --json too.")
    prompt = read_prompt(prompt, prompt_file, escapes)
    from textforge.library.facade import load

    generator = load(model, backend=backend, plugins=session.plugins())
    used = drawn_seed() if seed is None else seed
    request |= {"prompt": prompt, "seed": used, "stop": [unescape(text) if escapes else text for text in stop]}
    if samplers:
        request["samplers"] = samplers
    file = _traced(request, trace, generator.encoder) if trace else contextlib.nullcontext()
    pieces = _as_json(generator, request, count) if as_json else _as_text(generator, request, count, echo)
    with file, TextOutput() as output:
        if seed is None:
            say(f"seed {used}")
        for piece in pieces:
            output.write(piece)
        output.end_on_terminal()


def _traced(request: dict[str, Any], path: Path, encoder: Encoder) -> ResultFile:
    """The file of the trace; the request then writes a line into it for each token."""
    from textforge.generation.tracing import trace

    file = ResultFile("--trace", path)

    def write(drawn: DrawnToken) -> None:
        file.write(json.dumps(trace(drawn, encoder), ensure_ascii=False) + "\n")

    request["watch"] = write
    return file


def _as_text(generator: TextGenerator, request: dict[str, Any], count: int | None, echo: bool) -> Iterator[str]:
    """What to write; the request is checked at once, and run piece by piece."""
    before: str = request["prompt"] if echo else ""
    request.pop("logprobs")
    if count is None:
        return itertools.chain([before], generator.stream(**request))
    return (f"{before}{text.text}\n" for text in generator.complete(**request, count=count))


def _as_json(generator: TextGenerator, request: dict[str, Any], count: int | None) -> Iterator[str]:
    """As `_as_text`, a line of JSON a text."""
    texts = generator.complete(**request, count=1 if count is None else count)
    return (json.dumps(_entry(number, text), ensure_ascii=False) + "\n" for number, text in enumerate(texts))


def _entry(number: int, text: GeneratedText) -> dict[str, Any]:
    """A text for JSON, which has no minus infinity: null stands for it."""
    import attrs

    entry = {"number": number, **attrs.asdict(text)}
    if text.logprobs is None:
        del entry["logprobs"]
    else:
        for noted in entry["logprobs"]:
            noted["before"] = noted["before"] if noted["before"] > -math.inf else None
    return entry


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
