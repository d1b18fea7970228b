"""The suffixes of a text in order, by prefix doubling.

Source: Manber and Myers, "Suffix arrays", 1993; what is in order already is left alone, as by Larsson and Sadakane,
"Faster suffix sorting", 1999.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int32]
"""The beginnings of suffixes, or those at some slots of their order: of less than 2 GiB of text."""

_WORD = 8
"""Bytes compared at once, at first."""


def sort_suffixes(text: Bytes) -> Places:
    """Return where the suffixes of a text begin, in their order, (n,); one that begins another comes before it.

    It takes about 45 bytes of memory a byte of text.

    >>> sort_suffixes(np.frombuffer(b"banana", dtype=np.uint8)).tolist()
    [5, 3, 1, 0, 4, 2]
    """
    size = len(text)
    words = _read_words(text)
    order = np.argsort(words).astype(np.int32)
    is_head = _find_changes(words[order])
    del words
    slots = np.arange(size, dtype=np.int32)
    ranks = np.empty(size, dtype=np.int32)
    ranks[order] = np.maximum.accumulate(np.where(is_head, slots, 0))  # by the first slot of its equals
    slots = slots[_find_ties(is_head)]
    depth = _WORD
    while len(slots):
        places = order[slots]
        keys = _combine(ranks, places, depth)
        arranged = np.argsort(keys)
        is_head = _find_changes(keys[arranged])
        del keys
        places = places[arranged]
        order[slots] = places
        ranks[places] = np.maximum.accumulate(np.where(is_head, slots, 0))
        slots = slots[_find_ties(is_head)]
        depth *= 2
    return order


def _read_words(text: Bytes) -> npt.NDArray[np.uint64]:
    """Return the bytes from each place on as a number that orders as they do, (n,); behind the end stand zeros."""
    padded = np.concatenate([text, np.zeros(_WORD, dtype=np.uint8)])
    overlapping = np.ndarray(len(text), dtype=">u8", buffer=padded, strides=(1,))
    return overlapping.astype(np.uint64)


def _combine(ranks: npt.NDArray[np.int32], places: Places, depth: int) -> npt.NDArray[np.uint64]:
    """Return keys that order suffixes by twice the depth they are in order by: their own rank, then that of their rest.

    Where the rest is behind the end, the shorter one comes first: also where a text ends with the zeros that pad it.
    """
    size = len(ranks)
    rests = places + depth
    seconds = np.where(rests < size, ranks[np.minimum(rests, size - 1)] + (depth + 1), size - places)
    keys: npt.NDArray[np.uint64] = ranks[places].astype(np.uint64) << np.uint64(32)
    keys |= seconds.astype(np.uint64)
    return keys


def _find_changes(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Return where a key differs from the one before it, (n,)."""
    changes = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=changes[1:])
    return changes


def _find_ties(is_head: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which slots hold one of several equals, (n,): each such group begins with a head."""
    ties = ~is_head
    ties[:-1] |= ~is_head[1:]
    return ties
