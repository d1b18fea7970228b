"""The speed of encoders, in bytes of UTF-8 a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from textforge.encoders.byte import ByteEncoder
from textforge.encoders.char import CharEncoder
from textforge.encoders.word import WordEncoder

MEGABYTES = 20
IDEOGRAPHS = range(0x4E00, 0x4E00 + 5000)


def english(corpus: Path) -> str:
    """The corpus in ASCII, as often as it takes."""
    text = corpus.read_text(encoding="utf-8").encode("ascii", "ignore").decode()
    return text * (MEGABYTES * 1_000_000 // len(text))


def chinese() -> str:
    """Ideographs, as frequent as words are: a text of three bytes a character."""
    random = np.random.default_rng(1)
    weights = 1 / np.arange(1, len(IDEOGRAPHS) + 1)
    places = random.choice(len(IDEOGRAPHS), MEGABYTES * 1_000_000 // 3, p=weights / weights.sum())
    return (places + IDEOGRAPHS[0]).astype("<u4").tobytes().decode("utf-32-le")


def sides(corpus: Path) -> Iterator[tuple[str, Callable[[], float], Callable[[], float], str, float]]:
    """Yield what is encoded, ours and a bare way beside it, in megabytes a second; what that is, and the aim."""
    plain, ideographs = english(corpus), chinese()
    yield "`char`, ASCII", _rate(CharEncoder(), plain), _bare(plain, "utf-32-le"), "UTF-32 by Python", 100
    yield "`char`, Chinese", _rate(CharEncoder(), ideographs), _bare(ideographs, "utf-32-le"), "UTF-32 by Python", 40
    yield "`byte`", _rate(ByteEncoder(), plain), _bare(plain, "utf-8"), "UTF-8 by Python, as 64-bit numbers", 100
    yield "`word`", _rate(WordEncoder(), plain), _split(plain), "`str.split` and a look-up", 20


def _rate(encoder: Any, text: str) -> Callable[[], float]:
    fitted, pieces = encoder.fit([text]), [text[start : start + (1 << 16)] for start in range(0, len(text), 1 << 16)]
    return _measure(lambda: [fitted.encode(piece) for piece in pieces], text)


def _bare(text: str, encoding: str) -> Callable[[], float]:
    kind = np.uint8 if encoding == "utf-8" else np.uint32
    pieces = [text[start : start + (1 << 16)] for start in range(0, len(text), 1 << 16)]
    return _measure(lambda: [np.frombuffer(piece.encode(encoding), kind).astype(np.int64) for piece in pieces], text)


def _split(text: str) -> Callable[[], float]:
    known = {word: place for place, word in enumerate(dict.fromkeys(text.split()))}
    return _measure(lambda: list(map(known.__getitem__, text.split())), text)


def _measure(work: Callable[[], object], text: str) -> Callable[[], float]:
    size = len(text.encode()) / 1e6

    def side() -> float:
        began = time.perf_counter()
        work()
        return size / (time.perf_counter() - began)

    return side
