"""The documents of a text: where they end, and their order in an epoch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from textforge.corpora.record import Tokens
from textforge.errors import TrainingError, advise
from textforge.training.permutation import Permutation

Places = npt.NDArray[np.int64]


def find_document_ends(tokens: Tokens, end_of_text: int | None, piece: int = 1 << 20) -> Places:
    """Return the place behind each document, (n,), that of a last one without an end too.

    >>> find_document_ends(np.array([1, 0, 2, 2, 0, 1], dtype=np.uint8), 0).tolist()
    [2, 5, 6]
    """
    ends = [np.zeros(0, np.int64)]
    if end_of_text is not None:
        for start in range(0, len(tokens), piece):
            ends.append(np.flatnonzero(tokens[start : start + piece] == end_of_text) + (start + 1))
    found = np.concatenate(ends)
    return found if len(found) and found[-1] == len(tokens) else np.append(found, len(tokens))


class ShuffledDocuments:
    """The documents of a text in an order of its own for each epoch, drawn by seed and epoch alone.

    >>> documents = ShuffledDocuments(np.array([1, 0, 2, 2, 0, 3, 0], dtype=np.uint8), end_of_text=0, seed=2)
    >>> documents.find(np.arange(7), epoch=0)
    array([2, 3, 4, 0, 1, 5, 6])
    """

    def __init__(self, tokens: Tokens, end_of_text: int | None, seed: int) -> None:
        ends = find_document_ends(tokens, end_of_text)
        if len(ends) < 2:
            raise TrainingError(
                "the corpus is one document, and there is nothing to shuffle: give several, by lines:FILE, say, or "
                "leave out ",
                advise("shuffle"),
            )
        self._seed = seed
        self._lengths = np.diff(ends, prepend=0)  # (D,)
        self._starts = ends - self._lengths
        self._epoch = -1
        self._ends = self._shifts = ends[:0]

    def find(self, places: Places, epoch: int) -> Places:
        """Return where the tokens stand in the text that are at these places of an epoch's order, of any shape."""
        if epoch != self._epoch:
            self._arrange(epoch)
        return places + self._shifts[self._ends.searchsorted(places, side="right")]

    def _arrange(self, epoch: int) -> None:
        numbers = np.arange(len(self._lengths), dtype=np.uint64)
        order = Permutation(len(numbers), self._seed, epoch)(numbers).astype(np.int64)
        lengths = self._lengths[order]
        self._ends = lengths.cumsum()
        self._shifts = self._starts[order] - (self._ends - lengths)  # from a place in the order to one in the text
        self._epoch = epoch
