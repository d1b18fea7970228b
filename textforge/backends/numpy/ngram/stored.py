"""A sorted run of n-grams on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

import numpy as np

from textforge.backends.numpy.ngram.table import Keys, Whole
from textforge.corpora.scratch import Scratch

BLOCK = 1 << 16
"""The most n-grams read at once."""
Run = tuple[Keys, Whole]
"""Different n-grams, sorted, and the number of times each comes, (n,) each."""


class StoredRun:
    """Sorted n-grams and their counts in a temporary file of its own, read in blocks from the beginning.

    >>> with StoredRun([(np.array([3, 5], np.uint64), np.array([2, 1]))]) as run:
    ...     [(keys.tolist(), counts.tolist()) for keys, counts in run]
    [([3, 5], [2, 1])]
    """

    def __init__(self, blocks: Iterable[Run]) -> None:
        self._scratch = Scratch(None, "n-grams", "set TMPDIR to another folder")
        self._sizes: list[int] = []
        try:
            for keys, counts in blocks:
                for start in range(0, len(keys), BLOCK):
                    self._write(keys[start : start + BLOCK], counts[start : start + BLOCK])
        except BaseException:
            self.close()
            raise

    def _write(self, keys: Keys, counts: Whole) -> None:
        self._scratch.write(keys.tobytes())
        self._scratch.write(counts.tobytes())
        self._sizes.append(len(keys))

    def __iter__(self) -> Iterator[Run]:
        """Yield the blocks, in order; each time from the beginning, and by its own place in the file."""
        place = 0
        for size in self._sizes:
            data = self._scratch.read(place, 16 * size)
            place += 16 * size
            yield np.frombuffer(data, np.uint64, size), np.frombuffer(data, np.int64, size, 8 * size)

    def close(self) -> None:
        """Give the space back."""
        self._scratch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
