"""The novelty of what a model writes: how much of it stands in its corpus word for word, and how much is natural."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from textforge.bundle import BundleContents
from textforge.corpora.base import Corpus
from textforge.corpora.index.corpora import index_corpora
from textforge.corpora.index.text_index import TextIndex
from textforge.corpora.resolve import CorpusArgument, resolve_corpora
from textforge.corpora.text import TextCorpus
from textforge.corpora.tokens import TokenFile, token_file
from textforge.encoders.base import Encoder
from textforge.errors import CorpusError
from textforge.evaluation.copying import (
    CopiedRuns,
    Passage,
    count_characters,
    cut_evenly,
    find_passages,
    measure_copied,
)
from textforge.generation.loop import WritingWatcher, write
from textforge.generation.request import Request
from textforge.generation.task import make_task
from textforge.model import Model
from textforge.training.data import TrainingData

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins

COUNT = 20
"""Texts that are written unless a number is given."""
MAX_TOKENS = 1000
"""Tokens that each has at most, unless a number is given."""
PASSAGES = 5
"""Passages that are shown at most."""


@attrs.frozen
class Novelty:
    """The runs of what a model wrote that stand in its corpus, beside those of text that it was not trained on."""

    corpora: tuple[str, ...]
    """Specs of the corpora."""
    written: CopiedRuns
    """The runs of what the model wrote."""
    held_out: CopiedRuns | None
    """The runs of as much text from the corpus's end, held out in training: what is natural. None where there is none;
    else the corpus is all that comes before."""
    passages: tuple[Passage, ...]
    """The longest runs of what the model wrote, the longest first."""
    texts: int
    """Texts that the model wrote."""
    seed: int
    notes: tuple[str, ...] = ()
    """The lines that a user should read: why nothing is held out, what was left out of the corpora."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return attrs.asdict(self)


@attrs.frozen(eq=False)
class _Source:
    """The text that copies are looked for in: the corpora, or their beginning, and pieces of what comes behind."""

    corpora: Sequence[Corpus]
    characters: int | None = None
    """Characters at the beginning that a model was trained on; None for all."""
    held_out: Sequence[str] = ()
    notes: tuple[str, ...] = ()


def measure_novelty(
    model: Model,
    encoder: Encoder,
    contents: BundleContents | None,
    plugins: Plugins,
    corpus: CorpusArgument | Sequence[CorpusArgument],
    request: Request,
    *,
    announce: Callable[[int], None] | None = None,
    progress: WritingWatcher | None = None,
) -> Novelty:
    """Return how much of what a model writes stands in corpora; `contents` is what is known of its training."""
    recorded = isinstance(corpus, (tuple, list)) and not corpus
    corpora = _find_recorded(contents, plugins) if recorded else resolve_corpora(corpus, plugins)
    _refuse_streams(corpora)
    task = make_task(model, encoder, request, plugins)  # whose errors come before the long work
    source = _open_source(corpora, encoder, contents, request, recorded)
    index = index_corpora(source.corpora, source.characters, announce)
    texts = [text.text for text in write(task, request.count or 1, progress=progress)]
    return Novelty(
        corpora=tuple(corpus.spec for corpus in corpora),
        written=measure_copied(index, texts),
        held_out=_measure_held_out(index, source.held_out, texts),
        passages=tuple(find_passages(index, texts, PASSAGES)),
        texts=len(texts),
        seed=task.seed,
        notes=source.notes,
    )


def _measure_held_out(index: TextIndex, held_out: Sequence[str], texts: Sequence[str]) -> CopiedRuns | None:
    """Return the runs of pieces, each as long as the text that the model wrote beside it: more text has longer runs."""
    if not held_out:
        return None
    return measure_copied(index, [piece[: len(text)] for piece, text in zip(held_out, texts, strict=False)])


def _find_recorded(contents: BundleContents | None, plugins: Plugins) -> list[Corpus]:
    if contents is None or not contents.learnt:
        raise CorpusError("nothing is known of what the model was trained on: name the corpus to look for copies of")
    corpora = [plugins.corpus(record.spec) for record in contents.learnt]
    for corpus in corpora:
        if not corpus.rereadable:
            raise CorpusError(
                f"the model was trained on {corpus.spec}, which can't be read a second time: name a file with its text"
            )
    return corpora


def _refuse_streams(corpora: Sequence[Corpus]) -> None:
    for corpus in corpora:
        if not (corpus.rereadable or isinstance(corpus, TextCorpus)):
            raise CorpusError(f"{corpus.spec} can't be read a second time: save it in a file, and name that")


def _open_source(
    corpora: Sequence[Corpus], encoder: Encoder, contents: BundleContents | None, request: Request, recorded: bool
) -> _Source:
    """Return the text to look for copies of, cut where training cut it, if it is what the model was trained on."""
    if contents is None or not contents.learnt:
        return _Source(corpora, notes=("nothing is known of the model's training, so there is no text held out",))
    with token_file(corpora, encoder, learning="nothing", unknown="skip") as file:
        if [record.sha256 for record in file.corpora] == [record.sha256 for record in contents.learnt]:
            return _split(corpora, file, contents, request)
        notes = file.notes
    names = ", ".join(record.spec for record in contents.learnt)
    if recorded:
        raise CorpusError(f"{names} has changed since the model was trained on it: name the text it was trained on")
    other = f"this is not the text that the model was trained on ({names}), so there is no text held out"
    return _Source(corpora, notes=(*notes, other))


def _is_tail(contents: BundleContents) -> bool:
    return bool(contents.settings.get("validation_part", "tail") == "tail")


def _split(corpora: Sequence[Corpus], file: TokenFile, contents: BundleContents, request: Request) -> _Source:
    notes = (*file.notes, *_note_losses(file.encoder))
    if any(record.part == "validation" for record in contents.corpora) or not _is_tail(contents):
        return _Source(
            corpora, notes=(*notes, "what training held out isn't the corpus's end: nothing to compare with")
        )
    data = TrainingData.split(file.tokens, file.encoder, contents.settings.get("validation", 0.0))
    if not len(data.validation):
        return _Source(corpora, notes=(*notes, "no text was held out in training to compare with"))
    held_out = cut_evenly(data.validation, file.encoder, request.count or 1, request.max_tokens)
    if file.encoder.lossy:  # what it decodes may have another number of characters
        characters = sum(record.characters for record in file.corpora) * len(data.train) // len(file.tokens)
    else:
        characters = count_characters(data.train, file.encoder)
    return _Source(corpora, characters, held_out, notes)


def _note_losses(encoder: Encoder) -> tuple[str, ...]:
    if not encoder.lossy:
        return ()
    return (f"the encoder {encoder.spec} changes the corpus's text, and what then differs is not taken for a copy",)
