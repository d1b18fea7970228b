"""``textforge corpus``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from textforge.cli.group import Session
from textforge.cli.output import say, show
from textforge.terminal import make_visible

if TYPE_CHECKING:
    from textforge.encoders.base import Encoder
    from textforge.evaluation.survey import CharacterCount, Survey
    from textforge.plugins.registry import Plugins

SHOWN = 12
"""Characters shown of the most frequent ones, and of the strangest."""


@click.command("corpus")
@click.argument("corpora", metavar="CORPUS...", nargs=-1, required=True)
@click.option(
    "--encoder",
    "encoders",
    multiple=True,
    metavar="SPEC",
    help="Encoder to try; repeatable.  [default: all that are installed]",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def command(session: Session, corpora: tuple[str, ...], encoders: tuple[str, ...], as_json: bool) -> None:
    """Show what a corpus is, and what each encoder makes of it.

    Shows its documents, their lengths, how many are there twice, the most frequent and the strangest characters, and
    the tokens that it becomes by each encoder.
    """
    from textforge.corpora.resolve import resolve_corpora
    from textforge.evaluation.survey import survey

    plugins = session.plugins()
    found = survey(resolve_corpora(corpora, plugins), _choose_encoders(plugins, encoders))
    for note in found.notes:
        say(note)
    if as_json:
        show(json.dumps(found.to_json()))
        return
    for title, text in _rows(found):
        show(f"{title:<16}{text}")
    show(f"\n{make_visible(found.preview)}")


def _choose_encoders(plugins: Plugins, specs: tuple[str, ...]) -> list[Encoder]:
    """Return the encoders to try: those asked for, else all that need no option."""
    if specs:
        return [plugins.encoder(spec) for spec in specs]
    classes: list[Any] = [component.cls for component in plugins.components("encoder")]
    return [cls() for cls in classes if not any(option.required for option in cls.options().values())]


def _rows(found: Survey) -> Iterator[tuple[str, str]]:
    yield "corpus", found.corpus
    several = found.documents > 1
    lengths = f" of {found.shortest:,} to {found.longest:,} characters, {found.median:,.0f} in the middle"
    yield "documents", f"{found.documents:,}{lengths if several else ''}"
    if several:
        yield "duplicates", f"{found.duplicates:,} documents are equal to an earlier one"
    yield "characters", f"{found.characters:,}, {len(found.counts):,} different; {found.bytes:,} bytes in UTF-8"
    yield "most frequent", ", ".join(_share(count, found) for count in found.counts[:SHOWN])
    strangest = found.strangest[:SHOWN]
    for place, count in enumerate(strangest):
        times = "once" if count.count == 1 else f"{count.count:,} times"
        yield "" if place else "strangest", f"{make_visible(count.title)}, {times}"
    sampled = "" if found.sampled == found.characters else f" of the first {found.sampled:,} characters"
    for place, size in enumerate(found.encoders):
        tokens = f"{size.tokens:,} {size.unit}{sampled}, a vocabulary of {size.vocabulary_size:,}"
        yield "" if place else "encoders", f"{size.encoder:<8}{tokens}; {size.bytes_per_token:.2f} bytes a token"
    for spec, reason in found.refusals.items():
        yield "", f"{spec:<8}{reason}"


def _share(count: CharacterCount, found: Survey) -> str:
    return f"{count.character!r} {count.count / found.characters:.1%}"
