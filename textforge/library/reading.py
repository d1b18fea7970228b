"""The reading of a run's corpora: encoded, and divided into what is learnt and what is kept for validation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import numpy as np

from textforge.corpora.record import CorpusRecord, Tokens
from textforge.corpora.scratch import Scratch
from textforge.corpora.tokens import TokenFile, count_growth
from textforge.errors import Advice, CorpusError, EncodingError, TrainingError, advise
from textforge.library.run import Run
from textforge.library.token_cache import kept_token_files
from textforge.training.data import TrainingData
from textforge.training.dividing import draw_documents, draw_slices, invert
from textforge.training.documents import find_document_ends
from textforge.training.settings import TrainingSettings
from textforge.training.validating import draw_pieces

FROM_MODEL = Advice("from_model", "from_model=…", "--from MODEL")
PARTS = ("training", "validation", "replay")
"""The parts that corpora have in a run, in the order in which they are read."""

USUAL_SHARE = 0.2
"""The share of an older text that is given without one."""


@attrs.frozen(eq=False)
class ReadCorpora:
    """The corpora of a run as tokens, valid as long as the context of `read_corpora`."""

    data: TrainingData
    records: tuple[CorpusRecord, ...]
    notes: tuple[str, ...]


@contextmanager
def read_corpora(run: Run, folder: Path | None) -> Iterator[ReadCorpora]:
    """Encode the corpora of a run into temporary files in `folder`, and divide them.

    Raises `TrainingError` where a resumed run is given another corpus than it began with.
    """
    with ExitStack() as stack:
        groups = [run.corpora, run.validation_corpora, run.replay_corpora]
        try:
            files = stack.enter_context(kept_token_files(groups, run.encoder, folder, learning=run.learning))
        except EncodingError as error:
            raise (_other_corpus(run) if run.checkpoint else error) from None
        except CorpusError as error:
            if not run.recorded:
                raise
            raise TrainingError(f"the corpus that the run began with: {error}; if it moved, name it anew") from None
        records = tuple(
            attrs.evolve(record, part=part) for part, file in zip(PARTS, files, strict=True) for record in file.corpora
        )
        if run.checkpoint and [each.sha256 for each in records] != [each.sha256 for each in run.records]:
            raise _other_corpus(run)
        data = _divide(files, run.settings, stack, folder)
        notes = [*(note for file in files for note in file.notes), *_note_replay(files, data, run.settings)]
        yield ReadCorpora(data, records, tuple(dict.fromkeys(notes)))


def _other_corpus(run: Run) -> TrainingError:
    """Return the error of a resumed run's corpus that isn't the one that it began with; it may have grown since."""
    corpora = [*run.corpora, *run.validation_corpora, *run.replay_corpora]
    for corpus, record in zip(corpora, run.records, strict=False):
        if corpus.rereadable and (more := count_growth(corpus, record)):
            characters = "1 character" if more == 1 else f"{more:,} characters"
            return TrainingError(
                f"{corpus.spec} has grown by {characters} since the run began, and a run goes on with the text "
                "that it began with; learn what is there now, with the model as it is, into another folder: ",
                FROM_MODEL,
            )
    names = ", ".join(record.spec for record in run.records)
    return TrainingError(
        f"the corpus is not the one that the run began with ({names}); give that one, or train anew with ",
        advise("overwrite", True),
        ", or go on with the model on another text into another folder: ",
        FROM_MODEL,
    )


def _divide(
    files: tuple[TokenFile, ...], settings: TrainingSettings, stack: ExitStack, folder: Path | None
) -> TrainingData:
    text, validation, older = files
    if len(validation.tokens):
        data = TrainingData(text.tokens, validation.tokens, text.encoder)
    elif settings.validation_part == "tail":
        data = TrainingData.split(text.tokens, text.encoder, settings.validation)
    else:
        data = _keep_ranges(text, settings, stack, folder)
    if not len(older.tokens):
        return data
    _, share = parse_replay(settings.replay or "")
    pool = TrainingData.split(older.tokens, older.encoder, settings.validation)
    scratch = stack.enter_context(Scratch(folder))
    parts = [data.train, *_draw_replay(pool.train, round(share / (1 - share) * len(data.train)), settings.seed)]
    return attrs.evolve(data, train=scratch.store(parts, data.train.dtype), replayed=pool.validation)


def _note_replay(files: tuple[TokenFile, ...], data: TrainingData, settings: TrainingSettings) -> Iterator[str]:
    """Yield what a user should know of an older text that is mixed in."""
    older = files[2].tokens
    if not len(older):
        return
    if data.replayed is None or len(data.replayed) < 2:
        yield "none of the older text is kept to measure the loss on: it is too short, or validation is 0"
    _, share = parse_replay(settings.replay or "")
    learnt = len(older) - (0 if data.replayed is None else len(data.replayed))
    times = len(data.train) * share / max(1, learnt)
    if times > 1.5:
        yield f"the older text is short: it is repeated {times:.0f} times to make up its share"


def _keep_ranges(file: TokenFile, settings: TrainingSettings, stack: ExitStack, folder: Path | None) -> TrainingData:
    """Return the data with slices or documents kept for validation, each part copied into a file of its own."""
    tokens = file.tokens
    if settings.validation_part == "slices":
        kept = draw_slices(len(tokens), settings.validation, settings.seed)
    else:
        ends = find_document_ends(tokens, file.encoder.end_of_text).astype(np.int64)
        kept = draw_documents(ends, settings.validation, settings.seed)
    learnt = invert(kept, len(tokens))
    copies = []
    for ranges in (learnt, kept):
        scratch = stack.enter_context(Scratch(folder))
        parts = (tokens[start:stop] for start, stop in ranges)
        copies.append(scratch.store(parts, tokens.dtype) if len(ranges) else tokens[:0])
    return TrainingData(copies[0], copies[1], file.encoder)


def _draw_replay(tokens: Tokens, size: int, seed: int) -> list[Tokens]:
    """Return `size` tokens of an older text: pieces spread over it, or all of it as often as it takes."""
    times, rest = divmod(size, max(1, len(tokens)))
    return [tokens] * times + (draw_pieces(tokens, rest, seed) if rest else [])


def parse_replay(text: str) -> tuple[str | None, float]:
    """Return the corpus to be replayed, None for that of the model that is gone on from, and its share of the text.

    >>> parse_replay("old.txt:0.3"), parse_replay("0.1"), parse_replay("files:old.txt,encoding=latin-1")
    (('old.txt', 0.3), (None, 0.1), ('files:old.txt,encoding=latin-1', 0.2))
    """
    corpus, _, last = text.rpartition(":")
    try:
        share = float(last)
    except ValueError:
        corpus, share = text, USUAL_SHARE
    if not 0 < share < 1 or not text:
        raise TrainingError(f"replay must be a corpus with its share, > 0 and < 1, such as old.txt:0.2, got {text!r}")
    return corpus or None, share
