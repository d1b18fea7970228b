"""Random numbers that depend only on the seed, the text, the step and the place they are used at.

So the same text is written whether it is one of five or of ten, in this batch or another, and a sampler that
uses more numbers changes nothing for its neighbours.

Places: 0 is the draw of the token, p + 1 is position p of the expanded chain. Seed, text and place make the key of
a Philox4x64-10 generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), whose counter can be
set anywhere: its second word is the page, its first counts within the page. The draw uses a page for `PAGE` steps,
a sampler a page for each step. Numbers are made from the raw bits, which no version of NumPy may change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Uniform = npt.NDArray[np.float64]
"""Numbers in [0, 1)."""

DRAW = 0
"""The place of the draw."""
PAGE = 256
"""Steps whose draws are made at once."""
_UNUSED_BITS = np.uint64(11)
_UNIT = 2.0**-53


def make_stream_key(seed: int, text: int, place: int) -> npt.NDArray[np.uint64]:
    """Return the key of a stream, two well mixed words, (2,), from a non-negative seed of any size.

    >>> bool((make_stream_key(1, 2, 3) == make_stream_key(1, 3, 2)).any())
    False
    """
    digest = hashlib.blake2b(f"{seed:x} {text:x} {place:x}".encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


class RandomStreams:
    """The random numbers of several texts at one place.

    >>> both = RandomStreams(seed=1, texts=[0, 1], place=0).page(7, 3)
    >>> alone = RandomStreams(seed=1, texts=[1], place=0).page(7, 2)
    >>> bool((both[1, :2] == alone[0]).all())
    True
    """

    def __init__(self, seed: int, texts: Sequence[int], place: int) -> None:
        self._keys = [make_stream_key(seed, text, place) for text in texts]
        self._generator = np.random.Philox(key=self._keys[0])
        self._state: Any = self._generator.state  # with an empty buffer, and so it stays: it is a copy

    def page(self, page: int, count: int) -> Uniform:
        """Return the first numbers of a page, (B, count)."""
        raw = np.empty((len(self._keys), count), dtype=np.uint64)
        for row, key in enumerate(self._keys):
            self._open(key, page)
            raw[row] = self._generator.random_raw(count)
        uniform: Uniform = (raw >> _UNUSED_BITS).astype(np.float64) * _UNIT
        return uniform

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all texts but those of these rows."""
        self._keys = [self._keys[row] for row in rows]

    def _open(self, key: npt.NDArray[np.uint64], page: int) -> None:
        state = self._state
        state["state"]["key"] = key
        state["state"]["counter"][1] = page
        self._generator.state = state


class DrawNumbers:
    """The numbers by which tokens are drawn, one a text and step."""

    def __init__(self, seed: int, texts: Sequence[int]) -> None:
        self._streams = RandomStreams(seed, texts, DRAW)
        self._page = -1
        self._numbers: list[Uniform] = []  # of each step of the page

    def at(self, step: int) -> Uniform:
        """Return the numbers in [0, 1) of a step, (B,)."""
        page = step // PAGE
        if page != self._page:
            self._page, self._numbers = page, list(self._streams.page(page, PAGE).T)
        return self._numbers[step % PAGE]

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all texts but those of these rows."""
        self._streams.keep(rows)
        self._page = -1
