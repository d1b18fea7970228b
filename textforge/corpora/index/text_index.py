"""Questions to an index: whether a run of characters stands in the text, how long one does, and where."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

import attrs
import numpy as np
import numpy.typing as npt

from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.index.search import OrderedText

_Bytes = npt.NDArray[np.uint8]
_CHUNK = 1 << 20
_MARK = END_OF_TEXT.encode()


@attrs.frozen
class Run:
    """A run of characters of a text."""

    start: int
    """Characters before it."""
    length: int

    @property
    def end(self) -> int:
        """The place behind its last character."""
        return self.start + self.length


@attrs.frozen
class Place:
    """A place in a text of one or several documents."""

    offset: int
    """Characters before it; the end of each document counts as one."""
    document: int
    """The document's number, from 1."""
    line: int
    """The line's number in the document, from 1."""


class TextIndex:
    """An index of a text, which says of any run of characters whether it stands there, word for word.

    Every answer is exact, whatever the run's length.

    >>> from textforge.corpora.index.making import make_index
    >>> index = make_index("To be, or not to be.")
    >>> index.contains("not to"), index.contains("to not")
    (True, False)
    >>> index.find_runs("be or not")
    [Run(start=0, length=2), Run(start=2, length=7)]
    """

    def __init__(self, ordered: OrderedText) -> None:
        self._ordered = ordered

    @property
    def characters(self) -> int:
        """The number of characters of the text."""
        return len(self._ordered.places)

    def contains(self, run: str) -> bool:
        """Return whether a run of characters stands in the text."""
        return self._ordered.has(to_utf_8(run))

    def find_following(self, run: str) -> set[str]:
        """Return the characters that follow a run somewhere in the text, within its document."""
        found = self._ordered.find_following(to_utf_8(run))
        return {character.decode("utf-8", "surrogatepass") for character in found} - {END_OF_TEXT}

    def locate(self, run: str) -> Place | None:
        """Return the first place where a run of characters stands; None where it doesn't."""
        place = min(self._ordered.find_all(to_utf_8(run)), default=None)
        return None if place is None else self._describe(place)

    def find_runs(self, text: str) -> list[Run]:
        """Return the runs of a text that stand in this one and can't be made longer, by where they begin.

        Each begins, and ends, behind the one before it; a character that this text lacks is in none.
        """
        return list(self._walk(_Query(text)))

    def match_lengths(self, text: str) -> list[int]:
        """Return how many characters of a text, from each of them on, stand here together.

        >>> from textforge.corpora.index.making import make_index
        >>> make_index("banana").match_lengths("nanax")
        [4, 3, 2, 1, 0]
        """
        lengths = [0] * len(text)
        for run, following in pairwise([*self.find_runs(text), Run(len(text), 0)]):
            for start in range(run.start, min(run.end, following.start)):
                lengths[start] = run.end - start
        return lengths

    def _walk(self, query: _Query) -> Iterator[Run]:
        start, known = 0, 0
        while start < query.length:
            found = self._ordered.measure(query.data, query.bounds[start], known)
            end = query.count_whole(query.bounds[start] + found)
            if end > start:
                yield Run(start, end - start)
            if end == query.length:
                return
            start = self._find_next_start(query, start, end)
            known = query.bounds[end] - query.bounds[start] if start <= end else 0

    def _find_next_start(self, query: _Query, start: int, end: int) -> int:
        """Return the first place from which what is behind `start` stands here past `end`: at the last, behind it.

        From there on it stands here from every place, so a search by halves finds it, by doubled steps from the start.
        """
        step = 1
        while start + step <= end and not self._ordered.has(query.cut(start + step, end + 1)):
            step *= 2
        between = range(start + step // 2 + 1, min(start + step, end + 1))
        found = bisect_left(between, True, key=lambda place: self._ordered.has(query.cut(place, end + 1)))
        return between.start + found

    def _describe(self, place: int) -> Place:
        """Return a place, which is a number of bytes, as a person looks it up."""
        marks = list(self._find_marks(place))
        return Place(
            offset=self._count(0, place, lambda codes: (codes & 0xC0) != 0x80),  # all but the rest of characters
            document=1 + len(marks),
            line=1 + self._count(marks[-1] if marks else 0, place, lambda codes: codes == ord("\n")),
        )

    def _find_marks(self, end: int) -> Iterator[int]:
        """Yield where documents end before a byte."""
        place = -1
        while (place := self._ordered.data.find(_MARK, place + 1, end)) >= 0:
            yield place

    def _count(self, start: int, end: int, is_counted: Callable[[_Bytes], npt.NDArray[np.bool_]]) -> int:
        """Return how many bytes from one to another are counted."""
        pieces = (self._ordered.data[at : min(at + _CHUNK, end)] for at in range(start, end, _CHUNK))
        return sum(int(is_counted(np.frombuffer(piece, dtype=np.uint8)).sum()) for piece in pieces)


class _Query:
    """A text that is looked for, in UTF-8."""

    def __init__(self, text: str) -> None:
        self.data = to_utf_8(text)
        self.length = len(text)
        self.bounds = list(accumulate((len(to_utf_8(character)) for character in text), initial=0))
        """The byte that each character begins with, and behind them the number of bytes."""

    def cut(self, start: int, end: int) -> bytes:
        """Return the bytes of the characters from `start` to `end`."""
        return self.data[self.bounds[start] : self.bounds[end]]

    def count_whole(self, place: int) -> int:
        """Return how many characters end up to a byte."""
        return bisect_right(self.bounds, place) - 1


def to_utf_8(text: str) -> bytes:
    """Return a text in UTF-8, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")
