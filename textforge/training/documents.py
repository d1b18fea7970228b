"""The documents of a text: where they end, and their order in an epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.corpora.record import Tokens
from textforge.errors import TrainingError, advise
from textforge.training.permutation import Permutation

Places = npt.NDArray[np.int64]
Ends = npt.NDArray[np.unsignedinteger[Any]]
BLOCK = 64
"""Documents of an epoch's order whose places are worked out together, when one of them is read."""
_BLOCKS_TOGETHER = 1 << 12


def find_document_ends(tokens: Tokens, end_of_text: int | None, piece: int = 1 << 20) -> Ends:
    """Return the place behind each document, (n,), that of a last one without an end too.

    They take four bytes each where the text has fewer than 2^32 tokens.

    >>> find_document_ends(np.array([1, 0, 2, 2, 0, 1], dtype=np.uint8), 0).tolist()
    [2, 5, 6]
    """
    dtype: type[np.unsignedinteger[Any]] = np.uint32 if len(tokens) < 1 << 32 else np.uint64
    ends: list[Ends] = [np.zeros(0, dtype)]
    if end_of_text is not None:
        for start in range(0, len(tokens), piece):
            found = np.flatnonzero(tokens[start : start + piece] == end_of_text) + (start + 1)
            ends.append(found.astype(dtype))
    whole = np.concatenate(ends)
    return whole if len(whole) and whole[-1] == len(tokens) else np.append(whole, dtype(len(tokens)))


class ShuffledDocuments:
    """The documents of a text in an order of its own for each epoch, drawn by seed and epoch alone.

    Four bytes a document are held in memory, and a number for each block of an epoch's order.

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
        self._documents = ends  # the place behind each, in the text
        self._epoch = -1
        self._order = Permutation(len(ends), seed, 0)
        self._blocks: Places = np.zeros(0, np.int64)  # where each block of documents begins in the epoch's order

    def find(self, places: Places, epoch: int) -> Places:
        """Return where the tokens stand in the text that are at these places of an epoch's order, of any shape."""
        if epoch != self._epoch:
            self._arrange(epoch)
        blocks = np.unique(self._blocks.searchsorted(places, side="right")) - 1
        numbers = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
        numbers = numbers[numbers < len(self._documents)]  # only the last block has fewer
        starts, lengths = self._list_documents(numbers)
        firsts = np.searchsorted(numbers, blocks * BLOCK)  # of each block, among the documents listed
        sums = lengths.cumsum()
        before = self._blocks[blocks] - (sums[firsts] - lengths[firsts])  # what is not listed before each block
        ends: Places = sums + np.repeat(before, np.diff(firsts, append=len(numbers)))
        shifts = starts - (ends - lengths)  # from a place in the order to one in the text
        shifted: Places = places + shifts[ends.searchsorted(places, side="right")]
        return shifted

    def _arrange(self, epoch: int) -> None:
        count = len(self._documents)
        self._order = Permutation(count, self._seed, epoch)
        sizes = [np.zeros(1, np.int64)]
        for first in range(0, count, BLOCK * _BLOCKS_TOGETHER):
            _, lengths = self._list_documents(np.arange(first, min(first + BLOCK * _BLOCKS_TOGETHER, count)))
            sizes.append(np.add.reduceat(lengths, np.arange(0, len(lengths), BLOCK)))
        self._blocks = np.concatenate(sizes)[:-1].cumsum()
        self._epoch = epoch

    def _list_documents(self, numbers: Places) -> tuple[Places, Places]:
        """Return where documents begin in the text, by their numbers in the epoch's order, and their lengths."""
        order = self._order(numbers.astype(np.uint64)).astype(np.int64)
        ends = self._documents[order].astype(np.int64)
        starts = np.where(order > 0, self._documents[order - 1].astype(np.int64), 0)
        return starts, ends - starts
