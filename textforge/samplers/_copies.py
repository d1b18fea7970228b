"""The tokens that would complete a run of an indexed text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from textforge.corpora.index.text_index import TextIndex
from textforge.encoders.base import END_OF_TEXT, Encoder, Ids, TokenDecoder

_MARGIN = 16
"""Characters that are decoded beside those that count: the first may be of half a character."""
_WAITING = 4
"""Characters that may stand for what waits to be decided, beside a token's own: bytes of one that isn't whole."""


def make_guard(index: TextIndex, encoder: Encoder, n: int) -> CopyGuard:
    """Return the guard against runs of `n` characters of a text, for the tokens of an encoder."""
    texts = [encoder.token_text(id) for id in range(encoder.vocabulary_size)]
    if isinstance(encoder.decoder(), TokenDecoder):
        return AloneGuard(index, encoder, n, texts)
    return TogetherGuard(index, encoder, n, texts)


class CopyGuard(ABC):
    """A guard that knows which tokens would complete a run of `n` characters that stands in a text."""

    always: Ids
    """Tokens that have such a run in themselves."""
    sizes: npt.NDArray[np.int64]
    """The characters that each token may add, (V,)."""

    def __init__(self, index: TextIndex, encoder: Encoder, n: int) -> None:
        self._index, self._encoder, self._n = index, encoder, n
        self._reach = 0

    def look(self, ids: Ids, left: Ids) -> tuple[int, Ids]:
        """Return the characters that may be added to a text, (t,), before one must look again, and the tokens banned.

        Only of the tokens that are `left` some need be told.
        """
        ids = self._take_end(ids)
        text = self._read(ids)
        text = text[text.rfind(END_OF_TEXT) + 1 :]
        copied = self._count_copied(text)
        room = self._n - self._reach - copied
        banned = self._find_banned(ids, text, copied, left) if room <= 0 else ()
        return room, np.fromiter(banned, dtype=np.int64)

    @abstractmethod
    def _read(self, ids: Ids) -> str:
        """Return the text of ids, as far as it is certain."""

    @abstractmethod
    def _find_banned(self, ids: Ids, text: str, copied: int, left: Ids) -> Iterator[int]:
        """Yield the tokens that would complete a run, where the last `copied` characters of the text are copied."""

    def _take_end(self, ids: Ids) -> Ids:
        """Return the last ids, as many as the run's characters need."""
        count = self._n
        while count < len(ids) and len(self._encoder.decode(ids[-count:])) < self._n + _MARGIN:
            count *= 2
        return ids[-count:]

    def _count_copied(self, text: str) -> int:
        """Return how many of a text's last characters stand in the indexed one together: at most `n` - 1."""
        most = min(self._n - 1, len(text))
        return bisect_left(range(1, most + 1), True, key=lambda size: not self._index.contains(text[-size:]))


class AloneGuard(CopyGuard):
    """A guard for tokens whose text doesn't depend on their neighbours."""

    def __init__(self, index: TextIndex, encoder: Encoder, n: int, texts: Sequence[str]) -> None:
        super().__init__(index, encoder, n)
        self._order = sorted(range(len(texts)), key=texts.__getitem__)
        self._texts = [texts[id] for id in self._order]
        self.sizes = np.array([len(text) for text in texts], dtype=np.int64)
        self.always = np.array([id for id, text in enumerate(texts) if self._is_copied(text)], dtype=np.int64)
        self._reach = min(n - 1, int(self.sizes.max(initial=0)))
        self._longer: dict[int, tuple[list[str], list[int]]] = {}

    def _select(self, size: int) -> tuple[list[str], list[int]]:
        """Return the texts, in order, and the ids of the tokens of at least so many characters."""
        if size not in self._longer:
            found = [(text, id) for text, id in zip(self._texts, self._order, strict=True) if len(text) >= size]
            self._longer[size] = [text for text, _ in found], [id for _, id in found]
        return self._longer[size]

    def _is_copied(self, text: str) -> bool:
        runs = (text[start : start + self._n] for start in range(len(text) - self._n + 1))
        return any(END_OF_TEXT not in run and self._index.contains(run) for run in runs)

    def _read(self, ids: Ids) -> str:
        return self._encoder.decode(ids)

    def _find_banned(self, ids: Ids, text: str, copied: int, left: Ids) -> Iterator[int]:
        for size in range(self._n - copied, self._reach + 1):  # of the token's characters that complete the run
            yield from self._follow(text[len(text) - self._n + size :], size)

    def _follow(self, head: str, size: int) -> Iterator[int]:
        """Yield the tokens whose first `size` characters follow `head` somewhere in the indexed text."""
        texts, ids = self._select(size)
        stack = [("", 0, len(texts))]  # beginnings that follow it, and where the tokens that have them stand
        while stack:
            begun, low, high = stack.pop()
            if len(begun) == size:
                yield from ids[low:high]
                continue
            for character in self._index.find_following(head + begun):
                longer = begun + character
                first = bisect_left(texts, longer, low, high)
                end = bisect_right(texts, longer, first, high, key=lambda text: text[: len(longer)])
                if first < end:
                    stack.append((longer, first, end))


class TogetherGuard(CopyGuard):
    """A guard for tokens whose text depends on their neighbours: each that is left is tried, where one might copy."""

    def __init__(self, index: TextIndex, encoder: Encoder, n: int, texts: Sequence[str]) -> None:
        super().__init__(index, encoder, n)
        self._reach = _WAITING + max(map(len, texts), default=0)
        self.sizes = np.full(len(texts), self._reach, dtype=np.int64)
        self.always = np.zeros(0, dtype=np.int64)

    def _read(self, ids: Ids) -> str:
        return self._encoder.decoder().push(ids.tolist())

    def _find_banned(self, ids: Ids, text: str, copied: int, left: Ids) -> Iterator[int]:
        before = self._encoder.decode(ids)
        for id in left.tolist():
            after = self._encoder.decode([*ids.tolist(), id])
            if self._has_new_run(after, _count_common(before, after)):
                yield id

    def _has_new_run(self, text: str, known: int) -> bool:
        """Return whether a run that ends behind the first `known` characters stands in the indexed text."""
        runs = (text[end - self._n : end] for end in range(max(known + 1, self._n), len(text) + 1))
        return any(END_OF_TEXT not in run and self._index.contains(run) for run in runs)


def _count_common(one: str, other: str) -> int:
    """Return how many characters both texts begin with."""
    shorter = min(len(one), len(other))
    return bisect_left(range(1, shorter + 1), True, key=lambda size: one[:size] != other[:size])
