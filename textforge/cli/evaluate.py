"""``textforge evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textforge.cli.group import Session
from textforge.cli.output import say, show
from textforge.cli.parameters import backend_option, model_argument, unknown_option
from textforge.cli.status_line import StatusLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textforge.corpora.base import Corpus
    from textforge.encoders.base import Unknown
    from textforge.evaluation.evaluation import Evaluation
    from textforge.library.generator import TextGenerator


@click.command("evaluate")
@model_argument
@click.argument("corpora", metavar="CORPUS...", nargs=-1, required=True)
@backend_option
@unknown_option
@click.option(
    "--metric", "metrics", multiple=True, metavar="SPEC", help="Figure of a plugin to measure too; repeatable."
)
@click.option(
    "--beside",
    "others",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="MODEL",
    help="Another model to measure on the same text, in a column of its own; repeatable.",
)
@click.option(
    "--baseline",
    metavar="SPEC",
    help="Architecture to train on what MODEL learnt and to measure beside it: ngram, which a network must beat.",
)
@click.option(
    "--adapt",
    is_flag=True,
    help="Measure too how well it predicts where it goes on learning from the text as it reads it.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON, a line a model.")
@click.pass_obj
def command(
    session: Session,
    model: Path,
    corpora: tuple[str, ...],
    backend: str | None,
    unknown: Unknown,
    metrics: tuple[str, ...],
    others: tuple[Path, ...],
    baseline: str | None,
    adapt: bool,
    as_json: bool,
) -> None:
    """Measure how well a model predicts a text.

    Shows the mean loss in nats a token, the perplexity, and bits a character and a byte, which can be compared between
    models of any encoder. Give a text that the model was not trained on.
    """
    from textforge.corpora.resolve import resolve_corpora
    from textforge.library.baseline import train_baseline
    from textforge.library.facade import load

    plugins = session.plugins()
    texts = resolve_corpora(corpora, plugins)
    if (others or baseline) and not all(text.rereadable for text in texts):
        raise click.UsageError("Several models read the text one after another: save it in a file, and name that.")
    generators = [(str(path), load(path, backend=backend, plugins=plugins)) for path in (model, *others)]
    if baseline:
        generators.append((f"{baseline} (baseline)", train_baseline(baseline, generators[0][1].contents, plugins)))
    adapting = (backend or True) if adapt else False
    results = [_evaluate(generator, texts, unknown, metrics, adapting) for _, generator in generators]
    for line in dict.fromkeys(line for result in results for line in _list_notes(result)):
        say(line)
    names = [name for name, _ in generators]
    if as_json:
        for name, result in zip(names, results, strict=True):
            show(json.dumps(result.to_json() if len(names) == 1 else {"model": name, **result.to_json()}))
        return
    units = [generator.encoder.token_name for _, generator in generators]
    for line in _lay_out(names, [dict(_rows(*pair)) for pair in zip(results, units, strict=True)]):
        show(line)


def _evaluate(
    generator: TextGenerator,
    corpora: Sequence[Corpus],
    unknown: Unknown,
    metrics: tuple[str, ...],
    adapt: bool | str,
) -> Evaluation:
    """Evaluate a model, saying how far that is where it takes long."""
    status = StatusLine(unwatched=True)

    def tell(done: int, total: int) -> None:
        if status.is_due():
            status.say(f"{done:,} of {total:,} {generator.encoder.token_name} predicted")

    try:
        return generator.evaluate(corpora, unknown=unknown, metrics=metrics, adapt=adapt, progress=tell)
    finally:
        status.clear()


def _list_notes(result: Evaluation) -> list[str]:
    return [*result.notes, *([_warning(result)] if result.trained_on else [])]


def _lay_out(names: list[str], tables: list[dict[str, str]]) -> Iterator[str]:
    """Yield the lines of a table: a column a model, under its name where there are several."""
    titles = list(dict.fromkeys(title for table in tables for title in table))
    if len(tables) == 1:
        yield from (f"{title:<19} {tables[0][title]}" for title in titles)
        return
    rows = [["", *names], *([title, *(table.get(title, "") for table in tables)] for title in titles)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(tables) + 1)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


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
    if result.adapted_loss is not None:
        yield "loss, adapting", f"{result.adapted_loss:.4f} nats a token, learning from the text as it is read"
    for figure in result.metrics:
        yield figure.metric, f"{figure.value:.6g} {figure.unit}".rstrip()
    yield "predicted", f"{result.tokens:,} {unit} of {result.characters:,} characters"
    if result.skipped:
        yield "skipped", f"{result.skipped:,} characters that the vocabulary lacks"
    if result.unwritten:
        yield "left out", f"{result.unwritten:,} characters that the vocabulary has only a mark for, never written"
