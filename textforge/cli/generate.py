"""``textforge generate``."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import click

from textforge.cli.escapes import unescape
from textforge.cli.files import ResultFile, result_file_option
from textforge.cli.group import Session
from textforge.cli.output import TextOutput, say
from textforge.cli.request import RequestParameters, prompt_options, read_request, request_options, say_warnings
from textforge.cli.slips import SamplingCommand
from textforge.cli.writing_status import WritingStatus
from textforge.generation.defaults import DEFAULT_CHAIN, DEFAULT_MAX_TOKENS

if TYPE_CHECKING:
    from textforge.encoders.base import Encoder
    from textforge.generation.request import Request
    from textforge.generation.watching import DrawnToken, Watcher
    from textforge.library.generated_text import GeneratedText
    from textforge.library.generator import TextGenerator


@click.command("generate", cls=SamplingCommand)
@prompt_options
@click.option(
    "--sampler",
    "samplers",
    multiple=True,
    metavar="CHAIN",
    help=f"Sampler, or chain of them joined by |; repeated, one chain.  [default: {DEFAULT_CHAIN}]",
)
@request_options(max_tokens=DEFAULT_MAX_TOKENS)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Texts to write, each ended by a newline.")
@click.option(
    "--separator", metavar="TEXT", help="Line between the texts of --count; on a terminal, a rule unless given."
)
@click.option("--adapt", is_flag=True, help="Let the model learn from the prompt before it writes.")
@click.option("--echo", is_flag=True, help="Put the prompt before the text.")
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
@click.option(
    "--prompts",
    metavar="FILE",
    help='File with a prompt a line, as JSON: a text, or an object with one as "prompt"; - for standard input. '
    "Texts are written side by side, a line of JSON each.",
)
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File for the texts of --prompts; those that it has already are kept, and gone on from.",
)
@click.pass_obj
def command(
    session: Session,
    /,
    model: Path,
    samplers: tuple[str, ...],
    prompts: str | None,
    results: Path | None,
    count: int | None,
    separator: str | None,
    adapt: bool,
    echo: bool,
    backend: str | None,
    as_json: bool,
    logprobs: bool,
    trace: Path | None,
    **given: Unpack[RequestParameters],
) -> None:
    """Write text with a model.

    The text goes to standard output as it is made, and everything else to standard error. Ctrl-C ends it; of several
    texts, those that are finished are written.
    """
    _check_usage(count, separator, echo, as_json, logprobs)
    alone = {"--adapt": adapt, "--echo": echo, "--logprobs": logprobs, "--trace": trace, **_prompt_of(given)}
    _check_prompts(prompts, results, alone)
    request = read_request(**given).replace(count=count)
    if adapt and not request.prompt:
        raise click.UsageError("--adapt learns from the prompt: give one, by --prompt or --prompt-file.")
    if samplers:
        request = request.replace(samplers=samplers)
    if separator is not None and given["escapes"]:
        separator = unescape(separator)
    from textforge.library.facade import load

    generator = load(model, backend=backend, plugins=session.plugins())
    if prompts is not None:
        _write_each(generator, request, prompts, results, given)
        return
    if adapt:
        generator = generator.adapt(request.prompt, backend=backend, unknown=given["unknown"])
    file, watch = _open_trace(trace, generator.encoder) if trace else (contextlib.nullcontext(), None)
    status = WritingStatus(request.max_tokens)
    with say_warnings(given["stop"], given["escapes"]):
        if as_json:
            pieces = _as_json(generator, request, logprobs, watch, status)
        else:
            pieces = _as_text(generator, request, echo, separator, watch, status)
    with file, TextOutput() as output:
        if given["seed"] is None:
            say(f"seed {request.seed}")
        _write(pieces, output, status, count or 1)
        output.end_on_terminal()


def _check_usage(count: int | None, separator: str | None, echo: bool, as_json: bool, logprobs: bool) -> None:
    if echo and as_json:
        raise click.UsageError("--json has the prompt already: leave out --echo.")
    if logprobs and not as_json:
        raise click.UsageError("--logprobs goes into JSON: give --json too.")
    if separator is not None and as_json:
        raise click.UsageError("--json has a line a text already: leave out --separator.")
    if separator is not None and count is None:
        raise click.UsageError("--separator stands between several texts: give --count too.")


def _prompt_of(given: RequestParameters) -> dict[str, object]:
    return {"--prompt": given["prompt"] is not None, "--prompt-file": given["prompt_file"] is not None}


def _check_prompts(prompts: str | None, results: Path | None, others: Mapping[str, object]) -> None:
    if prompts is None and results is not None:
        raise click.UsageError("--results has the texts of --prompts: give that too.")
    for name, value in others.items():
        if prompts is not None and value:
            raise click.UsageError(f"--prompts doesn't go with {name}: leave out one of them.")


def _write_each(
    generator: TextGenerator, request: Request, prompts: str, results: Path | None, given: RequestParameters
) -> None:
    """Write a line of JSON for each text of many prompts, with the seed of those that are there already."""
    from textforge.cli.generate_each import Results, read_prompts, write_each

    texts = read_prompts(prompts)
    file = Results(results, texts, request.count or 1) if results else None
    if file and file.seed is not None:
        if given["seed"] not in (None, file.seed):
            raise click.UsageError(f"--results {results} has texts of the seed {file.seed}: leave out --seed.")
        request = request.replace(seed=file.seed)
    message = None if given["seed"] is not None or (file and file.seed is not None) else f"seed {request.seed}"
    with say_warnings(given["stop"], given["escapes"]):
        write_each(generator, request, texts, file, WritingStatus(request.max_tokens), _entry, message)


def _write(pieces: Iterator[str], output: TextOutput, status: WritingStatus, count: int) -> None:
    """Write the pieces as they come; where Ctrl-C ends it, say how many texts there are."""
    try:
        for piece in pieces:
            status.clear()
            output.write(piece)
    except KeyboardInterrupt:
        status.clear()
        if count > 1:
            say(f"\nstopped: {status.finished} of {count} texts were finished")
        raise
    finally:
        status.clear()


def _open_trace(path: Path, encoder: Encoder) -> tuple[ResultFile, Watcher]:
    """Return the file of the trace, and a watcher that writes a line into it for each token."""
    from textforge.generation.tracing import trace

    file = ResultFile("--trace", path)

    def write(drawn: DrawnToken) -> None:
        file.write(json.dumps(trace(drawn, encoder), ensure_ascii=False) + "\n")

    return file, write


def _as_text(
    generator: TextGenerator,
    request: Request,
    echo: bool,
    separator: str | None,
    watch: Watcher | None,
    status: WritingStatus,
) -> Iterator[str]:
    """Return the pieces to write; the request is checked at once, and run piece by piece."""
    before = request.prompt if echo else ""
    if request.count is None:
        return itertools.chain([before], generator.stream(request, watch=watch))
    between = _rule() if separator is None else f"{separator}\n"
    texts = generator.complete(request, watch=watch, progress=status)
    return (f"{between if place else ''}{before}{text.text}\n" for place, text in enumerate(texts))


def _rule() -> str:
    """Return a line to stand between two texts where a person reads them, who couldn't tell them apart."""
    watched = sys.stdout is not None and sys.stdout.isatty()
    return "─" * min(shutil.get_terminal_size().columns, 40) + "\n" if watched else ""


def _as_json(
    generator: TextGenerator, request: Request, logprobs: bool, watch: Watcher | None, status: WritingStatus
) -> Iterator[str]:
    """Return the texts as a line of JSON each; the request is checked at once."""
    texts = generator.complete(request, logprobs=logprobs, watch=watch, progress=status)
    return (json.dumps(_entry(text), ensure_ascii=False) + "\n" for text in texts)


def _entry(text: GeneratedText) -> dict[str, Any]:
    """Return a text for JSON, which has no minus infinity: null stands for it."""
    import attrs

    entry = {"number": text.number, **attrs.asdict(text)}
    if text.logprobs is None:
        del entry["logprobs"]
    else:
        for noted in entry["logprobs"]:
            noted["before"] = noted["before"] if noted["before"] > -math.inf else None
    return entry
