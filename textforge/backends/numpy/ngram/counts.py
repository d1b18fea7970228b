"""Counting n-grams in memory that is bounded beside the tables.

Pieces of the text are sorted and counted, and the sorted runs merged: in memory as long as they are short, then on
disk. All n-grams are counted before any is pruned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from textforge.architectures.ngram import count_token_bits, mask_low_bits
from textforge.backends.numpy.ngram.pruning import Tally, choose_thresholds, find_surplus, prune_table
from textforge.backends.numpy.ngram.smoothing import KneserNey
from textforge.backends.numpy.ngram.stored import Run, StoredRun
from textforge.backends.numpy.ngram.table import (
    NOTHING,
    Keys,
    Table,
    count_distinct,
    estimate_discounts,
    find_starts,
    sum_runs,
)

__all__ = ["CHUNK", "KneserNey", "Runs", "count_tables", "estimate_discounts"]

CHUNK = 1 << 20
"""The number of n-grams sorted together."""
HELD = 1 << 21
"""The number of different n-grams gathered in memory, 16 bytes each, before they are written to disk."""
KEPT = 1 << 19
"""The number of different n-grams that stay in memory when all are gathered."""
FAN = 16
"""The number of runs on disk merged at once."""


class Runs:
    """n-grams that are gathered a piece at a time, and read in the end, sorted, each with its count.

    >>> with Runs() as runs:
    ...     runs.count(np.array([5, 3, 5], np.uint64))
    ...     runs.finish()
    ...     [(keys.tolist(), counts.tolist()) for keys, counts in runs]
    [([3, 5], [1, 2])]
    """

    def __init__(self) -> None:
        self._held: list[Run] = [(np.zeros(0, np.uint64), np.zeros(0, np.int64))]
        self._stored: list[list[StoredRun]] = []
        """The runs on disk; those of each list are merged of `FAN` of the list before."""

    def count(self, keys: Keys) -> None:
        """Count n-grams in any order, (n,); sorts `keys` in place."""
        keys.sort()
        self.add(*count_distinct(keys))

    def add(self, keys: Keys, counts: npt.NDArray[np.int64]) -> None:
        """Add different n-grams, sorted, each of which came so many times, (n,) each."""
        held = self._held
        held.append((keys, counts))
        while len(held) > 1 and 2 * len(held[-1][0]) > len(held[-2][0]):
            held.append(_merge(held.pop(), held.pop()))  # each run stays half as long as the one before it, or less
        if sum(len(run[0]) for run in held) > HELD:
            self._store(0, StoredRun([self._take_held()]))

    def _take_held(self) -> Run:
        while len(self._held) > 1:
            self._held.append(_merge(self._held.pop(), self._held.pop()))
        run = self._held.pop()
        self._held.append((np.zeros(0, np.uint64), np.zeros(0, np.int64)))
        return run

    def _store(self, level: int, run: StoredRun) -> None:
        if level == len(self._stored):
            self._stored.append([])
        self._stored[level].append(run)
        if len(self._stored[level]) == FAN:
            runs, self._stored[level] = self._stored[level], []
            self._store(level + 1, _merge_stored(runs))

    def finish(self) -> None:
        """Merge all that was gathered; only reading follows."""
        last = self._take_held()
        if not self._stored and len(last[0]) <= KEPT:
            self._held = [last]
            return
        runs = [run for level in self._stored for run in level]
        self._stored = [[*runs, StoredRun([last])]]
        del last
        while len(self._stored[0]) > 1:
            runs = self._stored[0]
            self._stored[0] = runs[FAN:]
            self._stored[0].append(_merge_stored(runs[:FAN]))

    def __iter__(self) -> Iterator[Run]:
        """Yield all in blocks, sorted; each time from the beginning."""
        if self._stored:
            yield from self._stored[0][0]
            return
        yield from self._held

    def close(self) -> None:
        """Give memory and disk back."""
        self._held = []
        for run in (run for level in self._stored for run in level):
            run.close()
        self._stored = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def count_tables(
    tokens: npt.NDArray[Any],
    vocabulary_size: int,
    order: int,
    counted: Sequence[Table] = (),
    ending: Keys = NOTHING,
    most: int | None = None,
) -> tuple[Table, ...]:
    """Return the tables of a text's n-grams, of length 1 to `order`, from its token ids, (n,).

    `counted` has the tables of the text before it, and `ending` that text's last tokens. No more than `most` n-grams
    are kept, of all lengths together. Memory is bounded by what is kept: the tokens may be memory-mapped.
    """
    bits = count_token_bits(vocabulary_size)
    with ExitStack() as stack:
        levels = [stack.enter_context(Runs()) for _ in range(order)]
        tallies = [Tally() for _ in levels]
        beginning = _count_longest(levels[-1], tokens, bits, order, counted, ending)
        for length in range(order, 0, -1):
            levels[length - 1].finish()
            first = NOTHING if length == order else beginning
            shorter = levels[length - 2] if length > 1 else None
            _count_shorter(levels[length - 1], tallies[length - 1], shorter, length, bits, first)
            if shorter is not None and _is_pruned(counted):
                shorter.add(*find_surplus(counted[length - 2], counted[length - 1].keys, (length - 1) * bits))
        thresholds = choose_thresholds(tallies, most)
        tables = []
        for length, (level, tally) in enumerate(zip(levels, tallies, strict=True), start=1):
            before = counted[length - 1] if counted else None
            tables.append(prune_table(level, tally, thresholds[length - 1], bits, before))
            level.close()
        return tuple(tables)


def _is_pruned(tables: Sequence[Table]) -> bool:
    return any(table.rest is not None for table in tables)


def _count_longest(
    level: Runs, tokens: npt.NDArray[Any], bits: int, order: int, counted: Sequence[Table], ending: Keys
) -> Keys:
    """Count the longest n-grams; return the tokens that the text is known to begin with."""
    for start in range(0, len(tokens) - order + 1, CHUNK):
        level.count(_pack(tokens[start : start + CHUNK + order - 1], bits, order))
    seam = np.concatenate([ending, tokens[: order - 1].astype(np.uint64)])  # its n-grams begin in the text before
    if len(ending) and len(seam) >= order:
        level.count(_pack(seam, bits, order))
    if not counted or not (len(counted[-1].keys) or _is_pruned(counted)):
        return seam
    for start in range(0, len(counted[-1].keys), CHUNK):
        piece = slice(start, start + CHUNK)
        level.add(counted[-1].keys[piece], counted[-1].counts[piece].astype(np.int64))
    return NOTHING  # how the text before began isn't known any more


def _count_shorter(level: Runs, tally: Tally, shorter: Runs | None, length: int, bits: int, beginning: Keys) -> None:
    """Count how many different tokens come before each n-gram one token shorter, and tally this length's own counts.

    Nothing comes before the beginning of the text, but it is there: its n-grams count where no other is the same.
    """
    mask = mask_low_bits((length - 1) * bits)
    first = _pack(beginning[:length], bits, length) if len(beginning) >= length else NOTHING
    for keys, counts in level:
        tally.add(counts)
        if shorter is not None:
            shorter.count(keys & mask)
            first = first[keys.searchsorted(first) == keys.searchsorted(first, side="right")]
    if shorter is not None and len(first):
        shorter.count(first & mask)


def _pack(tokens: npt.NDArray[Any], bits: int, order: int) -> Keys:
    """Return the keys of all n-grams of a piece of text, in its order."""
    ids = tokens.astype(np.uint64)
    count = len(ids) - order + 1
    keys = ids[:count].copy()
    for place in range(1, order):
        keys <<= np.uint64(bits)
        keys |= ids[place : place + count]
    return keys


def _merge(first: Run, second: Run) -> Run:
    return _merge_all([first, second])


def _merge_all(runs: Sequence[Run]) -> Run:
    keys, counts = (np.concatenate(arrays) for arrays in zip(*runs, strict=True))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = find_starts(keys)
    return keys[starts], sum_runs(counts[order], starts)


def _merge_stored(runs: Sequence[StoredRun]) -> StoredRun:
    """Return the merger of runs on disk, whose own files are closed."""
    with ExitStack() as stack:
        for run in runs:
            stack.enter_context(run)
        return StoredRun(_read_merged(runs))


def _read_merged(runs: Sequence[StoredRun]) -> Iterator[Run]:
    """Yield the n-grams of all runs, sorted, a piece at a time."""
    sources = [iter(run) for run in runs]
    heads = [next(source, None) for source in sources]
    while any(head is not None for head in heads):
        # up to here, no run has more than what was read of it
        limit = min(head[0][-1] for head in heads if head is not None)
        pieces = []
        for at, head in enumerate(heads):
            if head is not None:
                cut = int(head[0].searchsorted(limit, side="right"))
                pieces.append((head[0][:cut], head[1][:cut]))
                heads[at] = (head[0][cut:], head[1][cut:]) if cut < len(head[0]) else next(sources[at], None)
        yield _merge_all(pieces)
