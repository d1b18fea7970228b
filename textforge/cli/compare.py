"""``textforge compare``."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textforge.cli.files import ResultFile, result_file_option
from textforge.cli.generate import drawn_seed, read_prompt
from textforge.cli.group import Session
from textforge.cli.output import TextOutput, say
from textforge.cli.parameters import (
    backend_option,
    model_argument,
    prompt_file_option,
    prompt_option,
    seed_option,
    unknown_option,
)
from textforge.cli.slips import SamplingCommand

if TYPE_CHECKING:
    from textforge.library.comparing import ComparedText

DEFAULT_CHAINS = ("temperature:0.2", "temperature:0.5", "temperature:1.0", "temperature:1.2")
"""The temperatures that *Deep Learning with Python* compares."""


@click.command("compare", cls=SamplingCommand)
@model_argument
@prompt_option
@prompt_file_option
@click.option("--escapes", is_flag=True, help=r"Read \n, \t, \\ and \uXXXX in --prompt.")
@click.option(
    "--chain",
    "chains",
    multiple=True,
    metavar="CHAIN",
    help="Chain of samplers; repeatable.  [default: temperatures 0.2, 0.5, 1.0 and 1.2]",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    metavar="N",
    help="Tokens to write at most.",
)
@seed_option
@backend_option
@unknown_option
@result_file_option("--html", "Write the comparison as a page too, its tokens shaded by how likely they were.")
@click.pass_obj
def command(
    session: Session,
    /,
    model: Path,
    prompt: str | None,
    prompt_file: str | None,
    escapes: bool,
    chains: tuple[str, ...],
    seed: int | None,
    backend: str | None,
    html: Path | None,
    **request: Any,
) -> None:
    """Write from one prompt under several chains of samplers.

    All texts use the same seed, so that what differs comes from the chains. They stand side by side where the
    terminal has room, else one under another.

    Each has its entropy, the mean over the tokens drawn of how open the choice was, in bits: after the chain, and
    before it, as the model left it in the same places. Repetition is the share of the text's 4-grams of tokens that
    stand earlier in it too.
    """
    prompt = read_prompt(prompt, prompt_file, escapes)
    from textforge.library.comparing import ComparedText
    from textforge.library.facade import load

    plugins = session.plugins()
    parsed = [plugins.chain(chain) for chain in chains or DEFAULT_CHAINS]
    generator = load(model, backend=backend, plugins=plugins)
    request["seed"] = drawn_seed() if seed is None else seed
    texts = [ComparedText(generator, chain, prompt, **request) for chain in parsed]  # checked before anything is said
    page = ResultFile("--html", html) if html else None
    with page or contextlib.nullcontext():
        _write(texts, prompt, None if seed is not None else f"seed {request['seed']}")
        if page:
            page.write(_page(texts, prompt, {"model": model, "seed": request["seed"]}))


def _write(texts: Sequence[ComparedText], prompt: str, message: str | None) -> None:
    """Write the texts, with what is to be said first."""
    from textforge.cli.compare_terminal import shown, terminal_width

    with TextOutput() as output:
        if message:
            say(message)
        for piece in shown(texts, prompt, terminal_width()):
            output.write(piece)


def _page(texts: Sequence[ComparedText], prompt: str, facts: dict[str, object]) -> str:
    from textforge.cli.compare_page import comparison_page
    from textforge.cli.visible import shortened

    return comparison_page(texts, prompt, {**facts, "prompt": shortened(prompt, 200) or "(none)"})
