"""``textforge evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textforge.cli.group import Session
from textforge.cli.output import say, show
from textforge.cli.parameters import backend_option, model_argument, unknown_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textforge.encoders.base import Unknown
    from textforge.evaluation.evaluation import Evaluation


@click.command("evaluate")
@model_argument
@click.argument("corpora", metavar="CORPUS...", nargs=-1, required=True)
@backend_option
@unknown_option
@click.option(
    "--metric", "metrics", multiple=True, metavar="SPEC", help="Figure of a plugin to measure too; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def command(
    session: Session,
    model: Path,
    corpora: tuple[str, ...],
    backend: str | None,
    unknown: Unknown,
    metrics: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure how well a model predicts a text.

    Shows the mean loss in nats a token, the perplexity, and bits a character and a byte, which can be compared between
    models of any encoder. Give a text that the model was not trained on.
    """
    from textforge.library.facade import load

    generator = load(model, backend=backend, plugins=session.plugins())
    result = generator.evaluate(corpora, unknown=unknown, metrics=metrics)
    for note in result.notes:
        say(note)
    if result.trained_on:
        say(_warning(result))
    if as_json:
        show(json.dumps(result.to_json()))
        return
    for title, figure in _rows(result, generator.encoder.token_name):
        show(f"{title:<19} {figure}")


def _warning(result: Evaluation) -> str:
    loss = result.trained_validation_loss
    validation = "" if loss is None else f"; its validation loss was {loss:.4f} nats a token"
    names = ", ".join(spec if len(spec) <= 60 else f"{spec[:57]}..." for spec in result.trained_on)
    return f"this is the text that the model was trained on ({names}){validation}: evaluate it on a text held out"


def _rows(result: Evaluation, unit: str) -> Iterator[tuple[str, str]]:
    """Yield the rows of the table: what is measured, and the figure with its unit."""
    yield "loss", f"{result.loss:.4f} nats a token"
    yield "perplexity", f"{result.perplexity:.3f}"
    yield "bits a character", f"{result.bits_per_character:.4f}"
    yield "bits a byte", f"{result.bits_per_byte:.4f}"
    for figure in result.metrics:
        yield figure.metric, f"{figure.value:.6g} {figure.unit}".rstrip()
    yield "predicted", f"{result.tokens:,} {unit} of {result.characters:,} characters"
    if result.skipped:
        yield "skipped", f"{result.skipped:,} characters that the vocabulary lacks"
    if result.unwritten:
        yield "left out", f"{result.unwritten:,} characters that the vocabulary has only a mark for, never written"
