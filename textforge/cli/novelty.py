"""``textforge novelty``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from textforge.cli.group import Session
from textforge.cli.output import say, show
from textforge.cli.request import RequestParameters, prompt_options, read_request, request_options, say_warnings
from textforge.cli.slips import SamplingCommand
from textforge.cli.visible import shorten
from textforge.cli.writing_status import WritingStatus
from textforge.generation.defaults import DEFAULT_CHAIN

if TYPE_CHECKING:
    from textforge.evaluation.copying import CopiedRuns, Passage
    from textforge.library.novelty import Novelty

_ANNOUNCED_BYTES = 10_000_000
"""A smaller text is indexed before anybody wonders."""
_SHOWN = 300


@click.command("novelty", cls=SamplingCommand)
@prompt_options
@click.argument("corpora", metavar="[CORPUS]...", nargs=-1)
@click.option(
    "--sampler",
    "samplers",
    multiple=True,
    metavar="CHAIN",
    help=f"Sampler, or chain of them joined by |; repeated, one chain.  [default: {DEFAULT_CHAIN}]",
)
@click.option("--count", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="Texts to write.")
@request_options(max_tokens=1000)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def command(
    session: Session,
    /,
    model: Path,
    corpora: tuple[str, ...],
    samplers: tuple[str, ...],
    count: int,
    backend: str | None,
    as_json: bool,
    **given: Unpack[RequestParameters],
) -> None:
    """Measure how much of what a model writes is copied.

    Lets the model write, and finds the runs of characters that stand in the corpus word for word, each as long as can
    be. Beside them stand those of as much text from the corpus's end, which training held out: what is natural. The
    corpus is then all that comes before. Without a CORPUS, it is what the model was trained on, read again.

    A run of a share or of the median is the longest that a character is in. The index of the corpus is exact, and is
    kept in the cache: five bytes for each of English text.
    """
    request = read_request(**given).replace(count=count)
    if samplers:
        request = request.replace(samplers=samplers)
    from textforge.library.facade import load

    generator = load(model, backend=backend, plugins=session.plugins())
    status = WritingStatus(request.max_tokens)
    try:
        with say_warnings(given["stop"], given["escapes"]):
            result = generator.measure_novelty(corpora, request, announce=_announce, progress=status)
    finally:
        status.clear()
    for note in result.notes:
        say(note)
    if given["seed"] is None:
        say(f"seed {request.seed}")
    for line in [json.dumps(result.to_json(), ensure_ascii=False)] if as_json else _lines(result):
        show(line)


def _announce(size: int) -> None:
    if size >= _ANNOUNCED_BYTES:
        say(
            f"indexing {size / 1e6:,.0f} MB of text, once: it takes about a minute for 100 MB, and is kept in the cache"
        )


def _lines(result: Novelty) -> Iterator[str]:
    columns = [("", "written", "held out"), *_rows(result.written, result.held_out)]
    for title, written, held_out in columns:
        yield f"{title:<27}{written:>10}{held_out if result.held_out else '':>12}".rstrip()
    if not result.passages:
        return
    yield ""
    yield "the longest passages that stand in both, word for word:"
    several = any(passage.place.document > 1 for passage in result.passages)
    for passage in result.passages:
        yield _describe(passage, several)


def _rows(written: CopiedRuns, held_out: CopiedRuns | None) -> Iterator[tuple[str, str, str]]:
    other = held_out or written
    yield "characters", f"{written.characters:,}", f"{other.characters:,}"
    yield "longest run", f"{written.longest:,}", f"{other.longest:,}"
    yield "median run", f"{written.median:,.0f}", f"{other.median:,.0f}"
    for share, natural in zip(written.shares, other.shares, strict=True):
        yield f"in runs of {share.length} or more", f"{share.share:.1%}", f"{natural.share:.1%}"


def _describe(passage: Passage, several: bool) -> str:
    document = f"document {passage.place.document:,}, " if several else ""
    where = f"text {passage.number + 1}, and at {document}line {passage.place.line:,} of the corpus"
    shown = shorten(passage.text.replace("\n", "↵"), _SHOWN)
    return f'{len(passage.text):,} characters in {where}: "{shown}"'
