"""``textforge evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textforge.cli.group import Session
from textforge.cli.output import show
from textforge.cli.parameters import backend_option, model_argument, unknown_option

if TYPE_CHECKING:
    from textforge.encoders.base import Unknown


@click.command("evaluate")
@model_argument
@click.argument("corpora", metavar="CORPUS...", nargs=-1, required=True)
@backend_option
@unknown_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def command(
    session: Session, model: Path, corpora: tuple[str, ...], backend: str | None, unknown: Unknown, as_json: bool
) -> None:
    """Measure how well a model predicts a text.

    Shows the mean loss in nats a token, the perplexity, and bits a character and a byte, which can be compared between
    models of any encoder.
    """
    from textforge.library.facade import load

    generator = load(model, backend=backend, plugins=session.plugins())
    result = generator.evaluate(corpora, unknown=unknown)
    if as_json:
        show(json.dumps(result.to_json()))
        return
    show(f"loss                {result.loss:.4f} nats a token")
    show(f"perplexity          {result.perplexity:.3f}")
    show(f"bits a character    {result.bits_per_character:.4f}")
    show(f"bits a byte         {result.bits_per_byte:.4f}")
    show(f"predicted           {result.tokens:,} {generator.encoder.unit} of {result.characters:,} characters")
    if result.skipped:
        show(f"skipped             {result.skipped:,} characters that the vocabulary lacks")
