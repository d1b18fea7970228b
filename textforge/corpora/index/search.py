"""The search for bytes in a text whose places are in the order of what follows them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from mmap import mmap

import attrs

_GLANCE = 64
"""Bytes that are looked at first: what stands in two texts by chance is shorter."""
_LONGEST_CHARACTER = 4


@attrs.frozen(eq=False)
class OrderedText:
    """A text in UTF-8, and the places where its characters begin, in the order of what follows them.

    They are in blocks, each of the places of one stretch of the text, which are in order as far as the first `depth`
    bytes decide. What is longer is looked at byte by byte wherever its first `depth` bytes stand, so that all answers
    are exact.
    """

    data: mmap | bytes
    places: memoryview | Sequence[int]
    bounds: Sequence[int]
    """The first slot of each block among the places, and behind them their number."""
    depth: int

    def has(self, sought: bytes) -> bool:
        """Return whether these bytes stand in the text."""
        return next(self.find_all(sought), None) is not None

    def find_all(self, sought: bytes) -> Iterator[int]:
        """Yield the places where these bytes stand, in no order."""
        size = len(sought)
        for low, high in self._spans(sought[: self.depth]):
            for place in self.places[low:high]:
                if size <= self.depth or self.data[place : place + size] == sought:
                    yield place

    def measure(self, text: bytes, start: int, known: int = 0) -> int:
        """Return how many bytes of a text, from `start` on, stand here together; `known` are known to."""
        size = max(_GLANCE, 2 * known)
        while True:
            sought = text[start : start + size]
            found = self._measure_shallow(sought) if size <= self.depth else self._measure_deep(sought)
            if found < len(sought) or start + size >= len(text):
                return found
            size *= 4

    def find_following(self, sought: bytes) -> set[bytes]:
        """Return the characters that follow these bytes somewhere, each in UTF-8."""
        size = len(sought)
        if size + _LONGEST_CHARACTER > self.depth:
            return {self._read_character(place + size) for place in self.find_all(sought)} - {b""}
        found = set()
        for low, high in self._spans(sought):
            while low < high:
                character = self._read_character(self.places[low] + size)
                found.add(character)
                # behind all that go on with this character; the end of the text comes first, and is one slot
                read = self._reader(size + len(character))
                low = bisect_right(self.places, sought + character, low, high, key=read) if character else low + 1
        return found - {b""}

    def _spans(self, prefix: bytes) -> Iterator[tuple[int, int]]:
        """Yield, of each block that has any, the slots of the places where bytes within the depth stand."""
        read = self._reader(len(prefix))
        for first, end in pairwise(self.bounds):
            low = bisect_left(self.places, prefix, first, end, key=read)
            if low < end and read(self.places[low]) == prefix:
                yield low, bisect_right(self.places, prefix, low, end, key=read)

    def _reader(self, size: int) -> Callable[[int], bytes]:
        data = self.data
        return lambda place: data[place : place + size]

    def _measure_shallow(self, sought: bytes) -> int:
        longest = 0
        for first, end in pairwise(self.bounds):
            slot = bisect_left(self.places, sought, first, end, key=self._reader(len(sought)))
            for near in (slot - 1, slot):  # what has the most in common comes before or behind it
                if first <= near < end:
                    longest = max(longest, self._count_common(sought, self.places[near]))
        return longest

    def _measure_deep(self, sought: bytes) -> int:
        longest = self._measure_shallow(sought[: self.depth])
        if longest == self.depth:
            for place in self.find_all(sought[: self.depth]):
                longest = max(longest, self._count_common(sought, place))
                if longest == len(sought):
                    break
        return longest

    def _count_common(self, sought: bytes, place: int) -> int:
        """Return how many of the first bytes sought stand at a place."""
        there = self.data[place : place + len(sought)]
        low, high = 0, len(there)  # the first `low` are the same
        while low < high:
            middle = (low + high + 1) // 2
            if there[low:middle] == sought[low:middle]:
                low = middle
            else:
                high = middle - 1
        return low

    def _read_character(self, place: int) -> bytes:
        """Return the character at a place; nothing at the end."""
        lead = self.data[place : place + 1]
        if lead < b"\xc0":
            return lead
        return self.data[place : place + (2 if lead < b"\xe0" else 3 if lead < b"\xf0" else 4)]
