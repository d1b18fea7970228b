"""The tokens that would complete a run of an indexed text."""

from __future__ import annotations

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
_TRIES = 3
"""Orders in which tokens are decoded, to see whether each has the same text everywhere."""


class CopyGuard:
    """A guard that knows which tokens would complete a run of `n` characters that stands in an indexed text.

    A token stands alone where it has the same text after any other: such are found by their texts. Any others, bytes
    say, are decoded behind the text, each for itself.
    """

    always: Ids
    """Tokens that have such a run in themselves."""
    sizes: npt.NDArray[np.int64]
    """The most characters that each token adds, (V,)."""

    def __init__(self, index: TextIndex, encoder: Encoder, n: int) -> None:
        self._index, self._encoder, self._n = index, encoder, n
        texts = [encoder.token_text(id) for id in range(encoder.vocabulary_size)]
        self._alone = find_alone(encoder, texts)
        self._others = np.setdiff1d(np.arange(len(texts)), self._alone)
        self._alone.sort(key=texts.__getitem__)
        self._texts = [texts[id] for id in self._alone]
        self._longer: dict[int, tuple[list[str], list[int]]] = {}
        waiting = _WAITING if len(self._others) else 0
        self.sizes = np.array([len(text) for text in texts], dtype=np.int64) + waiting
        self.always = np.array(sorted(id for id in self._alone if self._is_copied(texts[id])), dtype=np.int64)
        self._most = min(n - 1, max(map(len, self._texts), default=0))
        """The most characters of a token standing alone that end a run begun before it."""
        self._reach = max(self._most, int(self.sizes[self._others].max(initial=0)))

    def look(self, ids: Ids, left: Ids) -> tuple[int, Ids]:
        """Return the characters that may be added to a text, (t,), before one must look again, and the tokens banned.

        Only of the tokens that are `left` some need be told.
        """
        ids = self._take_end(ids)
        text = _cut_document(self._encoder.decode(ids))
        copied = self._count_copied(text)
        certain = copied
        if len(self._others):  # what they decode to goes behind the text that is certain
            certain = self._count_copied(_cut_document(self._encoder.decoder().push(ids.tolist())))
        room = self._n - self._reach - max(copied, certain)
        if room > 0:
            return room, np.zeros(0, dtype=np.int64)
        banned = [*self._find_alone(text, copied), *self._find_others(ids, np.intersect1d(left, self._others))]
        return room, np.array(banned, dtype=np.int64)

    def _is_copied(self, text: str) -> bool:
        return self._has_run(text, 0)

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

    def _find_alone(self, text: str, copied: int) -> Iterator[int]:
        """Yield the tokens standing alone that complete a run; the last `copied` characters of the text are copied."""
        for size in range(self._n - copied, self._most + 1):  # of the token's characters that the run ends with
            yield from self._follow(text[len(text) - self._n + size :], size)

    def _follow(self, head: str, size: int) -> Iterator[int]:
        """Yield the tokens standing alone whose first `size` characters follow `head` somewhere in the indexed text."""
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

    def _select(self, size: int) -> tuple[list[str], list[int]]:
        """Return the texts, in order, and the ids of the tokens standing alone of at least so many characters."""
        if size not in self._longer:
            found = [(text, id) for text, id in zip(self._texts, self._alone, strict=True) if len(text) >= size]
            self._longer[size] = [text for text, _ in found], [id for _, id in found]
        return self._longer[size]

    def _find_others(self, ids: Ids, tried: Ids) -> Iterator[int]:
        """Yield those of the tokens tried that complete a run, by decoding each behind the ids, (t,)."""
        before, known = self._encoder.decode(ids), ids.tolist()
        for id in tried.tolist():
            after = self._encoder.decode([*known, id])
            if self._has_run(after, _count_common(before, after)):
                yield id

    def _has_run(self, text: str, known: int) -> bool:
        """Return whether a run that ends behind the first `known` characters stands in the indexed text."""
        runs = (text[end - self._n : end] for end in range(max(known + 1, self._n), len(text) + 1))
        return any(END_OF_TEXT not in run and self._index.contains(run) for run in runs)


def find_alone(encoder: Encoder, texts: Sequence[str]) -> list[int]:
    """Return the tokens that have the same text after any other token, in order; `texts` has the text of each.

    They are all where the encoder's decoder says so, else those without a mark for half a character, if decoding them
    in some orders, each behind another token, gives their texts together. Else none is taken to stand alone.
    """
    if isinstance(encoder.decoder(), TokenDecoder):
        return list(range(len(texts)))
    single = [encoder.decode([id]) for id in range(len(texts))]
    whole = [id for id, text in enumerate(texts) if text == single[id] and "\ufffd" not in text]
    random = np.random.Generator(np.random.PCG64(0))
    for _ in range(_TRIES):
        order = random.permutation(np.array(whole, dtype=np.int64)).tolist()
        before = random.integers(0, len(texts), len(order)).tolist()
        ids = [id for pair in zip(before, order, strict=True) for id in pair]
        if encoder.decode(ids) != "".join([single[id] for id in ids]):
            return []
    return whole


def _cut_document(text: str) -> str:
    """Return what follows the last end of a document."""
    return text[text.rfind(END_OF_TEXT) + 1 :]


def _count_common(one: str, other: str) -> int:
    """Return how many characters both texts begin with."""
    shorter = min(len(one), len(other))
    return bisect_left(range(1, shorter + 1), True, key=lambda size: one[:size] != other[:size])
