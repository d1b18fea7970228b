r"""Extended grapheme clusters, what a reader calls a character: the split of a text into them.

The rules are those of Unicode Standard Annex 29, as the package `regex` has them (``\X``), with two exceptions, which
keep it known where a text may be cut: a cluster of more than `LONGEST` code points is split after so many, and
`END_OF_TEXT` and U+FFFD stand alone. Between most code points there is a boundary whatever stands around them, which a
table tells: only the rest, the knots, is left to `regex`.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from textforge.encoders import characters
from textforge.encoders.base import END_OF_TEXT
from textforge.encoders.characters import RARE, CodeCounts, Codes, read_pieces, to_codes

LONGEST = 32
"""Code points of the longest cluster. The longest emoji have 11; a letter has 30 accents at most (UAX 15, 12.1)."""

Places = npt.NDArray[np.intp]

# Of each code point: to which followers a cluster may go on from it, and, three bits higher, from which code points
# before it one may go on to it. There may be a cluster across two code points where they share a bit.
_MARKS, _ALL, _CONSONANTS = 1, 2, 4
_SHIFT = 3
_LETTER = _MARKS | _ALL << _SHIFT
_FIRST_LOOK = 64
_RETURN = ord("\r")
_NOWHERE: Places = np.zeros(0, dtype=np.intp)


@functools.cache
def _kinds() -> npt.NDArray[np.uint8]:
    """Return the bits of every code point, (0x110000,)."""
    import regex

    kinds = np.full(0x110000, _LETTER, dtype=np.uint8)
    # The other planes have letters alone, or nothing.
    everything = "".join(map(chr, (*range(0x20000), *range(0xE0000, 0xE1000))))

    def find(pattern: str) -> npt.NDArray[np.uint32]:
        return to_codes("".join(regex.findall(pattern, everything))).astype(np.uint32)

    kinds[find(r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}\p{GCB=V}\p{GCB=T}]")] |= _MARKS << _SHIFT
    kinds[find(r"[\p{GCB=Prepend}\p{GCB=L}\p{GCB=ZWJ}\p{GCB=CR}\p{GCB=Regional_Indicator}]")] |= _ALL
    # GB9c: from a consonant, by a linker, to a consonant; other marks may stand between.
    kinds[find(r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]")] |= _CONSONANTS
    kinds[find(r"\p{InCB=Consonant}")] |= _CONSONANTS << _SHIFT
    kinds[find(r"\p{GCB=Control}")] = 0
    kinds[[ord(END_OF_TEXT), ord(RARE)]] = 0
    return kinds


@functools.cache
def _cluster() -> Any:
    """Return the pattern of a cluster."""
    import regex

    return regex.compile(r"\X")


def find_knots(codes: Codes) -> tuple[Places, Places]:
    """Return where each stretch that may have clusters of several code points begins and ends, (k,) and (k,).

    All other code points, (n,), are clusters by themselves.
    """
    if codes.dtype == np.uint8 and not (codes == _RETURN).any():  # ASCII, of which only \r goes on, to \n
        return _NOWHERE, _NOWHERE
    linked = np.concatenate([[False], _find_links(codes), [False]]).view(np.int8)
    steps = np.diff(linked)  # 1 where links begin, -1 where they end
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) + 1


def _find_links(codes: Codes) -> npt.NDArray[np.bool_]:
    """Return whether a cluster may go on from each code point, (n,), to the next, (n - 1,)."""
    kinds = _kinds()[codes]
    return (kinds[:-1] & kinds[1:] >> _SHIFT).astype(np.bool_)


def split_knot(text: str) -> list[str]:
    r"""Return the clusters of a text.

    >>> [len(cluster) for cluster in split_knot("e\u0301a\r\n")]
    [2, 1, 2]
    """
    pattern = _cluster()
    clusters: list[str] = []
    if len(text) <= LONGEST:
        clusters += pattern.findall(text)
        return clusters
    at = 0
    while at < len(text):
        # no more of the text is looked at, which would take time by its square
        clusters.append(pattern.match(text[at : at + LONGEST + 1]).group()[:LONGEST])
        at += len(clusters[-1])
    return clusters


def split_clusters(text: str) -> Iterator[str]:
    """Yield the clusters of a text."""
    at = 0
    for start, end in zip(*find_knots(to_codes(text)), strict=True):
        yield from text[at:start]
        yield from split_knot(text[start:end])
        at = end
    yield from text[at:]


def cut_clusters(text: str) -> int:
    """Return the last place where a cluster is sure to end, however the text goes on; 0 where there is none."""
    if not text or _closes(text[-1]):
        return len(text)
    look = _FIRST_LOOK
    while True:
        begin = max(0, len(text) - look)
        free = np.flatnonzero(~_find_links(to_codes(text[begin:])))
        if len(free) or not begin:
            break
        look *= 2
    if len(free):
        begin += int(free[-1]) + 1
    last = len(split_knot(text[begin:])[-1])
    return len(text) if last == LONGEST else len(text) - last


def _closes(character: str) -> bool:
    return character == "\n" or not _kinds()[ord(character)]


def read_stretches(chunks: Iterable[str]) -> Iterator[str]:
    """Yield a text in stretches, cut between clusters, wherever the chunks are cut."""
    parts: list[str] = []
    size = 0
    for piece in read_pieces(chunks):
        parts.append(piece)
        size += len(piece)
        if size < characters.PIECE:
            continue
        text = "".join(parts)
        cut = cut_clusters(text)
        if cut:
            yield text[:cut]
        parts, size = [text[cut:]], len(text) - cut
    if size:
        yield "".join(parts)


def count_clusters(chunks: Iterable[str]) -> dict[str, int]:
    """Return the different clusters of a text, in the order of code points, and how often each comes."""
    alone = CodeCounts()
    counts: Counter[str] = Counter()
    for text in read_stretches(chunks):
        codes = to_codes(text)
        starts, ends = find_knots(codes)
        alone.add(codes[~cover(starts, ends, len(codes))] if len(starts) else codes)
        knots = Counter(text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True))
        for knot, number in knots.items():
            for cluster in split_knot(knot):
                counts[cluster] += number
    counts.update(alone.to_dict())
    return {cluster: counts[cluster] for cluster in sorted(counts)}


def cover(starts: Places, ends: Places, size: int) -> npt.NDArray[np.bool_]:
    """Return which of so many places lie in stretches that begin and end there, (size,)."""
    steps = np.zeros(size + 1, dtype=np.int8)
    steps[starts] += 1
    steps[ends] -= 1
    return np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)


def replace_stretches(
    ids: npt.NDArray[np.int32], starts: Places, ends: Places, others: list[tuple[int, ...]]
) -> npt.NDArray[np.int32]:
    """Return ids, (n,), with others, no more of them, in the place of each stretch."""
    lengths = np.array([len(other) for other in others])
    total = int(lengths.sum())
    # each stretch's others stand at its beginning, and the places behind them are left out
    places = np.arange(total) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    kept = ~cover(starts, ends, len(ids))
    kept[places] = True
    ids[places] = np.fromiter((id for other in others for id in other), dtype=np.int32, count=total)
    return ids[kept]
