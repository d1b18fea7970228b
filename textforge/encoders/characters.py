"""The code points of a text as arrays, how often each comes, and the choice of those that become tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from textforge.encoders.base import END_OF_TEXT

PIECE = 1 << 16
"""Characters looked at together, which bounds the memory a long text takes."""
RARE = "\ufffd"
"""The mark for characters that are too rare: U+FFFD, the replacement character, which every font has."""

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint32]
"""Code points, (n,); bytes where all are ASCII."""

_SMALL = 1 << 18


def to_codes(text: str) -> Codes:
    """Return the code points of a text, (n,)."""
    if text.isascii():  # a quarter of the memory to move, so half as fast again
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def to_text(codes: npt.NDArray[np.uint32]) -> str:
    """Return the text of code points, (n,)."""
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def read_pieces(chunks: Iterable[str]) -> Iterator[str]:
    """Yield a text in pieces of at most `PIECE` characters, none of them empty."""
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE):
            yield chunk[start : start + PIECE]


class CodeCounts:
    """The number of times that each code point has come."""

    def __init__(self) -> None:
        self._counts = np.zeros(_SMALL, dtype=np.int64)  # by code point, more of them once one is beyond

    def add(self, codes: Codes) -> None:
        """Count some code points, (n,)."""
        # Sorting the code points, as `np.unique` does, takes longer than a table up to the highest, if that is small.
        if len(codes) and codes.max() < _SMALL:
            counts = np.bincount(codes)
            self._counts[: len(counts)] += counts
        else:
            if len(self._counts) == _SMALL:
                self._counts = np.concatenate([self._counts, np.zeros(0x110000 - _SMALL, dtype=np.int64)])
            found, counts = np.unique(codes, return_counts=True)
            self._counts[found] += counts

    def to_dict(self) -> dict[str, int]:
        """Return how often each character came, in the order of code points."""
        found = np.flatnonzero(self._counts)
        return dict(zip(map(chr, found.tolist()), self._counts[found].tolist(), strict=True))


def count_characters(chunks: Iterable[str]) -> dict[str, int]:
    """Return the different characters of a text, in the order of code points, and how often each comes."""
    counts = CodeCounts()
    for piece in read_pieces(chunks):
        counts.add(to_codes(piece))
    return counts.to_dict()


def choose_tokens(
    counts: Mapping[str, int], *, known: Collection[str], max_vocabulary: int | None, min_count: int
) -> list[str]:
    """Return the tokens to add to those that are known, in the order of code points.

    With bounds these are the most frequent ones, at equal counts those whose code points come first, and two beside
    them: the mark `RARE`, and `END_OF_TEXT` where the text has it. A cluster of several code points that isn't chosen
    will be spelled in them: so its count is theirs too.

    >>> choose_tokens({"a": 3, "b": 1, "c": 2}, known=(), max_vocabulary=2, min_count=1)
    ['a', '\ufffd']
    """
    known = set(known)
    if not counts or (max_vocabulary is None and min_count == 1):
        return sorted(counts.keys() - known)
    kept = {RARE, END_OF_TEXT} if END_OF_TEXT in counts else {RARE}
    room = None if max_vocabulary is None else max(0, max_vocabulary - len(known | kept))
    frequent = {token: count for token, count in counts.items() if token not in known | kept}
    clusters = {token for token in _select_most_frequent(frequent, room, min_count) if len(token) > 1}
    spelled = _spell_others(frequent, clusters, known | kept)
    return sorted([*_select_most_frequent(spelled, room, min_count), *(kept - known)])


def _spell_others(counts: Mapping[str, int], clusters: Collection[str], known: Collection[str]) -> dict[str, int]:
    """Return the counts of these clusters, and of the code points that the others are spelled in."""
    spelled: dict[str, int] = {}
    for token, count in counts.items():
        for part in [token] if token in clusters else token:
            if part not in known:
                spelled[part] = spelled.get(part, 0) + count
    return spelled


def _select_most_frequent(counts: Mapping[str, int], room: int | None, min_count: int) -> list[str]:
    frequent = [token for token, count in counts.items() if count >= min_count]
    return sorted(frequent, key=lambda token: (-counts[token], token))[:room]
