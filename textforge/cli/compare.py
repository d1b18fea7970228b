"""``textforge compare``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textforge.cli.generate import drawn_seed
from textforge.cli.group import Session
from textforge.cli.output import TextOutput, say
from textforge.cli.parameters import backend_option, model_argument, seed_option, unknown_option

if TYPE_CHECKING:
    from textforge.encoders.base import Unknown

DEFAULT_CHAINS = ("temperature:0.2", "temperature:0.5", "temperature:1.0", "temperature:1.2")
"""The temperatures that *Deep Learning with Python* compares."""


@click.command("compare")
@model_argument
@click.option("--prompt", default="", metavar="TEXT", help="Text to go on from; none: a new beginning.")
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
@click.pass_obj
def command(
    session: Session,
    /,
    model: Path,
    prompt: str,
    chains: tuple[str, ...],
    max_tokens: int,
    seed: int | None,
    backend: str | None,
    unknown: Unknown,
) -> None:
    """Write from one prompt under several chains of samplers.

    All texts use the same seed, so that what differs comes from the chains.
    """
    from textforge.library import load
    from textforge.spec import write_chain

    plugins = session.plugins()
    parsed = [plugins.chain(chain) for chain in chains or DEFAULT_CHAINS]
    generator = load(model, backend=backend, plugins=plugins)
    used = drawn_seed() if seed is None else seed
    request = partial(generator.stream, prompt, max_tokens=max_tokens, seed=used, unknown=unknown)
    texts = [request(samplers=chain) for chain in parsed]  # checked before anything is said
    with TextOutput() as output:
        if seed is None:
            say(f"seed {used}")
        for chain, text in zip(parsed, texts, strict=True):
            output.write(f"--- {write_chain(chain)} ---\n{prompt}")
            for piece in text:
                output.write(piece)
            output.write("\n\n")
