"""The measure of copying: how long the runs of some texts are that stand in an indexed one, word for word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from textforge.corpora.index.text_index import Place, Run, TextIndex
from textforge.encoders.base import END_OF_TEXT, Encoder, TokenDecoder
from textforge.evaluation.loss import spans
from textforge.model import Array

LENGTHS = (20, 40, 80)
"""The lengths, in characters, from which on a run counts in a share."""
RunLengths = npt.NDArray[np.int64]
"""The length of the longest run that each character of a text is in, (n,)."""
_PIECE = 1 << 16


@attrs.frozen
class Share:
    """The share of characters that stand in long runs."""

    length: int
    """Characters that a run has at least."""
    share: float
    """From 0 to 1."""


@attrs.frozen
class CopiedRuns:
    """The runs of some texts that stand in a corpus word for word, each as long as can be.

    A character's run is the longest that it is in.
    """

    characters: int
    """Characters of the texts."""
    longest: int
    """Characters of the longest run."""
    median: float
    """Characters of the median character's run: half of the text is in runs at least as long."""
    shares: tuple[Share, ...]
    """The shares of characters that are in runs of 20, 40 and 80 characters or more."""


@attrs.frozen
class Passage:
    """A run that stands in a corpus word for word."""

    number: int
    """The number of the text that has it, from 0."""
    start: int
    """Characters of that text before it."""
    text: str
    place: Place
    """The first place where the corpus has it."""


def measure_copied(index: TextIndex, texts: Iterable[str]) -> CopiedRuns:
    """Return how long the runs of texts are that stand in an indexed one; no run goes over the end of a document.

    >>> from textforge.corpora.index.making import make_index
    >>> measure_copied(make_index("to be or not to be"), ["not to see"]).longest
    7
    """
    parts = [part for text in texts for part in text.split(END_OF_TEXT)]
    lengths = np.concatenate([np.zeros(0, dtype=np.int64), *(measure_characters(index, part) for part in parts)])
    size = max(1, len(lengths))
    return CopiedRuns(
        characters=len(lengths),
        longest=int(lengths.max(initial=0)),
        median=float(np.median(lengths)) if len(lengths) else 0.0,
        shares=tuple(Share(length, int((lengths >= length).sum()) / size) for length in LENGTHS),
    )


def measure_characters(index: TextIndex, text: str) -> RunLengths:
    """Return how long the longest run is that each character of a text is in, (n,)."""
    lengths = np.zeros(len(text), dtype=np.int64)
    for run in sorted(index.find_runs(text), key=lambda run: run.length):
        lengths[run.start : run.end] = run.length  # a longer one comes later, and counts
    return lengths


def find_passages(index: TextIndex, texts: Sequence[str], count: int) -> list[Passage]:
    """Return the longest runs of texts that stand in an indexed one, the longest first; none twice, none overlapping.

    There are `count`, where so many have `LENGTHS[0]` characters, and one at least, where there is any.
    """
    chosen: list[tuple[int, Run]] = []
    seen: set[str] = set()
    for number, run in _sort_longest_first(index, texts):
        text = texts[number][run.start : run.end]
        if len(chosen) == count or (chosen and run.length < LENGTHS[0]):
            break
        if text not in seen and not any(number == other and _overlap(run, one) for other, one in chosen):
            seen.add(text)
            chosen.append((number, run))
    return list(_describe(index, texts, chosen))


def _sort_longest_first(index: TextIndex, texts: Sequence[str]) -> list[tuple[int, Run]]:
    runs = [(number, run) for number, text in enumerate(texts) for run in index.find_runs(text)]
    return sorted(runs, key=lambda found: -found[1].length)


def _overlap(one: Run, other: Run) -> bool:
    return one.start < other.end and other.start < one.end


def _describe(index: TextIndex, texts: Sequence[str], runs: Iterable[tuple[int, Run]]) -> Iterator[Passage]:
    for number, run in runs:
        text = texts[number][run.start : run.end]
        place = index.locate(text)
        if place is not None:
            yield Passage(number, run.start, text, place)


def count_characters(tokens: Array, encoder: Encoder) -> int:
    """Return how many characters token ids, (n,), stand for, the ends of documents included."""
    decoder = encoder.decoder()
    pieces = (tokens[begin:end] for begin, end in spans(0, len(tokens), _PIECE))
    if isinstance(decoder, TokenDecoder):
        sizes = np.array([len(encoder.token_text(id)) for id in range(encoder.vocabulary_size)])
        return sum(int(sizes[piece].sum()) for piece in pieces)
    return sum(len(decoder.push(piece.tolist())) for piece in pieces)


def cut_evenly(tokens: Array, encoder: Encoder, count: int, size: int) -> list[str]:
    """Return texts of `size` tokens each, `count` or as many as there are, spread evenly over the tokens, (n,)."""
    size = min(size, len(tokens))
    count = min(count, len(tokens) // size) if size else 0
    starts = np.linspace(0, len(tokens) - size, count).astype(np.int64).tolist()
    return [encoder.decode(tokens[start : start + size].astype(np.int64)) for start in starts]
