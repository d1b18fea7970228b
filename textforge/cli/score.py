"""``textforge score``."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textforge.cli.files import ResultFile, result_file_option
from textforge.cli.group import Session
from textforge.cli.output import TextOutput, say
from textforge.cli.parameters import backend_option, model_argument, unknown_option

if TYPE_CHECKING:
    from textforge.encoders.base import Encoder, Unknown
    from textforge.evaluation.score import Score
    from textforge.library.generator import TextGenerator


@click.command("score")
@model_argument
@click.argument("file", metavar="[FILE | -]", default="-")
@click.option("--lines", is_flag=True, help="Score each line as a text of its own, without its line end.")
@click.option(
    "--end",
    is_flag=True,
    help="Score the end of each text too: the end-of-text token; with --lines, the newline where there is none.",
)
@backend_option
@unknown_option
@click.option("--show", is_flag=True, help="Show every text whole; on a terminal, its surprising places shaded.")
@click.option("--json", "as_json", is_flag=True, help="Write a line of JSON a text, with each token.")
@result_file_option("--html", "Write the texts as a page too, their tokens shaded by how likely they were.")
@click.pass_obj
def command(
    session: Session,
    model: Path,
    file: str,
    lines: bool,
    end: bool,
    backend: str | None,
    unknown: Unknown,
    show: bool,
    as_json: bool,
    html: Path | None,
) -> None:
    """Measure how likely a model finds each text, and each token.

    A text is all of FILE, or of standard input, its last newline too; of a folder, each file is one. Shows its
    log-likelihood in nats, its perplexity a token and its bits a character. The first token is predicted from what an
    empty prompt begins with. Tokens that are read but never generated are left out.
    """
    if show and as_json:
        raise click.UsageError("--json has the texts already: leave out --show.")
    from textforge.corpora.resolve import resolve_corpora
    from textforge.library.facade import load

    plugins = session.plugins()
    generator = load(model, backend=backend, plugins=plugins)
    (corpus,) = resolve_corpora(file, plugins)
    texts = split_texts(corpus.read(), lines)
    scores = _expect_some(_score(generator, texts, lines, end, unknown), file)
    page = ResultFile("--html", html) if html else None
    with page or contextlib.nullcontext(), TextOutput() as output:
        if page:
            scores = _copy_to(page, scores, generator.encoder, {"model": model, "text": file})
        scores, left_out = _count_left_out(scores)
        for piece in _as_json(scores) if as_json else _as_text(scores, generator.encoder, show):
            output.write(piece)
    for note in (*corpus.notes(), *left_out):
        say(note)


def split_texts(chunks: Iterable[str], lines: bool) -> Iterator[str]:
    r"""Yield the documents of a corpus, or its lines without their ends; a document's end ends a line too.

    >>> list(split_texts(["a", "b\nc", "\n\nd"], lines=True))
    ['ab', 'c', '', 'd']
    """
    from textforge.corpora.base import END_OF_TEXT

    held: list[str] = []
    for chunk in chunks:
        for place, part in enumerate(chunk.split(END_OF_TEXT)):
            if place and held:
                yield "".join(held)
                held = []
            *ended, rest = part.split("\n") if lines else (part,)
            for text in ended:
                yield "".join((*held, text))
                held = []
            if rest:
                held.append(rest)
    if held:
        yield "".join(held)


def _score(generator: TextGenerator, texts: Iterator[str], lines: bool, end: bool, unknown: Unknown) -> Iterator[Score]:
    """Yield the score of each text. Of lines, the newline is the end, to a model that knows no other."""
    from textforge.evaluation.scoring import score_texts

    if lines and end and generator.encoder.end_of_text is None:
        texts, end = (f"{text}\n" for text in texts), False
    kind = "line" if lines else "text"
    return score_texts(
        generator.model, generator.encoder, texts, end=end, unknown=unknown, name=lambda number: f"{kind} {number + 1}"
    )


def _expect_some(scores: Iterator[Score], file: str) -> Iterator[Score]:
    """Return the scores, the first of them made: what is wrong is told before any file is replaced."""
    first = next(scores, None)
    if first is None:
        from textforge.errors import CorpusError

        raise CorpusError(f"there is nothing to score, for {file!r} is empty: give a text")
    return itertools.chain([first], scores)


def _copy_to(page: ResultFile, scores: Iterator[Score], encoder: Encoder, facts: dict[str, object]) -> Iterator[Score]:
    """Yield the scores, and write each to the page too."""
    from textforge.cli.score_page import FOOT, make_article, make_top

    page.write(make_top(facts))
    for number, score in enumerate(scores, 1):
        page.write(make_article(number, score, encoder))
        yield score
    page.write(FOOT)


def _count_left_out(scores: Iterator[Score]) -> tuple[Iterator[Score], Iterator[str]]:
    """Return the scores, and lines, to be read after them, that say how much of the texts was left out."""
    from textforge.cli.score_page import count_characters

    sums = [0, 0]

    def count() -> Iterator[Score]:
        for score in scores:
            sums[0] += score.skipped
            sums[1] += score.unwritten
            yield score

    def state() -> Iterator[str]:
        if sums[0]:
            yield f"skipped {count_characters(sums[0])} that the vocabulary lacks"
        if sums[1]:
            yield f"left out {count_characters(sums[1])} that the vocabulary has only a mark for, never written"

    return count(), state()


def _as_json(scores: Iterator[Score]) -> Iterator[str]:
    for number, score in enumerate(scores):
        yield json.dumps({"number": number, **score.to_json()}, ensure_ascii=False) + "\n"


def _as_text(scores: Iterator[Score], encoder: Encoder, show: bool) -> Iterator[str]:
    """Yield a line a text, and the text itself where all are to be shown, or where a person watches and it is one."""
    from textforge.cli.score_pieces import split_pieces
    from textforge.cli.score_terminal import HEAD, LONGEST, is_shaded, shade, write_row

    shaded = is_shaded()
    first, second = next(scores), next(scores, None)
    show_only = second is None and shaded
    yield HEAD
    for score in itertools.chain([first], [] if second is None else [second], scores):
        yield write_row(score)
        if show and not shaded:
            yield f"{score.text}\n\n"
        elif show or show_only:
            pieces = split_pieces(score, encoder)
            yield "\n"
            yield shade(pieces if show else itertools.islice(pieces, LONGEST), legend=show_only)
            if not show and len(score.tokens) > LONGEST:
                yield "\n… all of it with --show\n"
