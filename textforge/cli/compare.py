"""``textforge compare``."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from textforge.cli.files import ResultFile, result_file_option
from textforge.cli.group import Session
from textforge.cli.output import TextOutput, say
from textforge.cli.request import RequestParameters, prompt_options, read_request, request_options, say_warnings
from textforge.cli.slips import SamplingCommand

if TYPE_CHECKING:
    from textforge.library.comparing import ComparedText

DEFAULT_CHAINS = ("temperature:0.2", "temperature:0.5", "temperature:1.0", "temperature:1.2")
"""The temperatures that *Deep Learning with Python* compares."""


@click.command("compare", cls=SamplingCommand)
@prompt_options
@click.option(
    "--chain",
    "chains",
    multiple=True,
    metavar="CHAIN",
    help="Chain of samplers; repeatable.  [default: temperatures 0.2, 0.5, 1.0 and 1.2]",
)
@request_options(max_tokens=200)
@result_file_option("--html", "Write the comparison as a page too, its tokens shaded by how likely they were.")
@click.pass_obj
def command(
    session: Session,
    /,
    model: Path,
    chains: tuple[str, ...],
    backend: str | None,
    html: Path | None,
    **given: Unpack[RequestParameters],
) -> None:
    """Write from one prompt under several chains of samplers.

    All texts use the same seed, so that what differs comes from the chains. They stand side by side where the
    terminal has room, else one under another.

    Each has its entropy, the mean over the tokens drawn of how open the choice was, in bits: after the chain, and
    before it, as the model left it in the same places. Repetition is the share of the text's 4-grams of tokens that
    stand earlier in it too.
    """
    request = read_request(**given)
    from textforge.library.comparing import ComparedText
    from textforge.library.facade import load

    plugins = session.plugins()
    parsed = [plugins.chain(chain) for chain in chains or DEFAULT_CHAINS]
    generator = load(model, backend=backend, plugins=plugins)
    with say_warnings(given["stop"], given["escapes"]):
        texts = [ComparedText(generator, chain, request) for chain in parsed]  # checked before anything is said
    page = ResultFile("--html", html) if html else None
    with page or contextlib.nullcontext():
        _write(texts, request.prompt, None if given["seed"] is not None else f"seed {request.seed}")
        if page:
            page.write(_page(texts, request.prompt, {"model": model, "seed": request.seed}))


def _write(texts: Sequence[ComparedText], prompt: str, message: str | None) -> None:
    """Write the texts, with what is to be said first."""
    from textforge.cli.compare_terminal import lay_out, terminal_width

    with TextOutput() as output:
        if message:
            say(message)
        for piece in lay_out(texts, prompt, terminal_width()):
            output.write(piece)


def _page(texts: Sequence[ComparedText], prompt: str, facts: dict[str, object]) -> str:
    from textforge.cli.compare_page import make_page
    from textforge.cli.visible import shorten

    return make_page(texts, prompt, {**facts, "prompt": shorten(prompt, 200) or "(none)"})
