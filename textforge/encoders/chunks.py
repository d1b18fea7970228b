"""Text in chunks, put together and cut where it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


def recut(chunks: Iterable[str], find_cut: Callable[[str], int], size: int) -> Iterator[str]:
    """Yield the text of chunks in pieces, cut where `find_cut` says that it may be; `size` characters are looked at.

    `find_cut` gives a place in the text it is given, 0 where more is needed: then twice as many are looked at.

    >>> list(recut(["one tw", "o thr", "ee"], lambda text: text.rfind(" ") + 1, size=5))
    ['one ', 'two ', 'three']
    """
    parts: list[str] = []
    length, wanted = 0, size
    for chunk in chunks:
        parts.append(chunk)
        length += len(chunk)
        if length < wanted:
            continue
        text = "".join(parts)
        cut = find_cut(text)
        if cut:
            yield text[:cut]
        parts, length = [text[cut:]], len(text) - cut
        wanted = max(size, 2 * length)  # doubling: a long text without a place to cut is not searched again and again
    if length:
        yield "".join(parts)
