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
    from textforge.corpora.index.text_index import TextIndex
    from textforge.library.comparing import ComparedText
    from textforge.plugins.registry import Plugins

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
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    metavar="CORPUS",
    help="Corpus whose runs of 20 characters or more are marked on the page of --html; repeatable.",
)
@click.pass_obj
def command(
    session: Session,
    /,
    model: Path,
    chains: tuple[str, ...],
    backend: str | None,
    html: Path | None,
    corpora: tuple[str, ...],
    **given: Unpack[RequestParameters],
) -> None:
    """Write from one prompt under several chains of samplers.

    All texts use the same seed, so that what differs comes from the chains. They stand side by side where the
    terminal has room, else one under another.

    Each has its entropy, the mean over the tokens drawn of how open the choice was, in bits: after the chain, and
    before it, as the model left it in the same places. Repetition is the share of the text's 4-grams of tokens that
    stand earlier in it too. With --corpus, the page marks what stands in a corpus word for word.
    """
    if corpora and not html:
        raise click.UsageError("--corpus marks what is copied on the page: give --html too.")
    request = read_request(**given)
    from textforge.library.comparing import ComparedText
    from textforge.library.facade import load

    plugins = session.plugins()
    parsed = [plugins.chain(chain) for chain in chains or DEFAULT_CHAINS]
    generator = load(model, backend=backend, plugins=plugins)
    with say_warnings(given["stop"], given["escapes"]):
        texts = [ComparedText(generator, chain, request) for chain in parsed]  # checked before anything is said
    index = _open_index(corpora, plugins) if corpora else None
    page = ResultFile("--html", html) if html else None
    with page or contextlib.nullcontext():
        _write(texts, request.prompt, None if given["seed"] is not None else f"seed {request.seed}")
        if page:
            page.write(_page(texts, request.prompt, {"model": model, "seed": request.seed}, index))


def _write(texts: Sequence[ComparedText], prompt: str, message: str | None) -> None:
    """Write the texts, with what is to be said first."""
    from textforge.cli.compare_terminal import lay_out, terminal_width

    with TextOutput() as output:
        if message:
            say(message)
        for piece in lay_out(texts, prompt, terminal_width()):
            output.write(piece)


def _open_index(corpora: Sequence[str], plugins: Plugins) -> TextIndex:
    from textforge.corpora.index.corpora import index_corpora
    from textforge.corpora.resolve import resolve_corpora

    return index_corpora(resolve_corpora(corpora, plugins))


def _page(texts: Sequence[ComparedText], prompt: str, facts: dict[str, object], index: TextIndex | None) -> str:
    from textforge.cli.compare_page import make_page
    from textforge.cli.visible import shorten
    from textforge.evaluation.copying import measure_characters

    copied = [measure_characters(index, text.text) for text in texts] if index else None
    return make_page(texts, prompt, {**facts, "prompt": shorten(prompt, 200) or "(none)"}, copied)
