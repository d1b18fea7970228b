"""The survey of a corpus: its documents, its characters, and what each encoder makes of it."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np

from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.encoders.base import Encoder
from textforge.errors import CorpusError, TextforgeError
from textforge.evaluation.text import JoinedCorpus, TextSize
from textforge.plugins.blame import blame

SAMPLE = 5_000_000
"""Characters of the beginning that encoders are tried on."""
PREVIEW = 400
_SMALL = 1 << 16
_PLAIN_CONTROLS = "\n\r\t"
_STRANGE_CATEGORIES = {"Cc", "Cf", "Cn", "Co", "Cs"}


@attrs.frozen
class CharacterCount:
    """A character and how often it comes."""

    character: str
    count: int

    @property
    def is_strange(self) -> bool:
        """True for a control or invisible character, one without a meaning, and the mark of a decoding error."""
        strange = unicodedata.category(self.character) in _STRANGE_CATEGORIES
        return self.character == "\N{REPLACEMENT CHARACTER}" or (strange and self.character not in _PLAIN_CONTROLS)

    @property
    def title(self) -> str:
        """The character, with its code point and name, all of it printable."""
        name = unicodedata.name(self.character, "")
        return f"{self.character!r} U+{ord(self.character):04X}{' ' + name if name else ''}"


@attrs.frozen
class EncodedSize:
    """The size of the sampled text in an encoder's tokens."""

    encoder: str
    """The spec."""
    unit: str
    vocabulary_size: int
    tokens: int
    bytes_per_token: float


@attrs.frozen
class Survey:
    """The figures of a corpus."""

    corpus: str
    documents: int
    characters: int
    bytes: int
    """Bytes in UTF-8."""
    shortest: int
    """Characters of the shortest document, of the one in the middle, and of the longest."""
    median: float
    longest: int
    duplicates: int
    """Documents that are equal to one before them."""
    counts: tuple[CharacterCount, ...]
    """All characters, the most frequent first."""
    preview: str
    encoders: tuple[EncodedSize, ...]
    refusals: dict[str, str]
    """The reasons of encoders that couldn't encode it, by spec."""
    sampled: int
    """Characters of the beginning that the encoders were tried on."""
    notes: tuple[str, ...]

    @property
    def strangest(self) -> tuple[CharacterCount, ...]:
        """The strange characters, the most frequent first; behind them the rarest of the others, the rarest first."""
        strange = [count for count in self.counts if count.is_strange]
        rarest = [count for count in reversed(self.counts) if not count.is_strange]
        return (*strange, *rarest)

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name, characters as a table."""
        values = attrs.asdict(self)
        return values | {"counts": {count.character: count.count for count in self.counts}}


def survey(corpora: Sequence[Corpus], encoders: Sequence[Encoder]) -> Survey:
    """Read corpora once, in bounded memory beside some 100 bytes a document, and return their figures.

    Raises `CorpusError` for a corpus that can't be read, and one that is empty.
    """
    text = JoinedCorpus(corpora=tuple(corpora))
    reading = _Reading()
    for chunk in text.read():
        reading.add(chunk)
    reading.end_document()
    if not text.size.characters:
        raise CorpusError(f"the corpus {text.spec} is empty; give one that has text")
    lengths = np.array(reading.lengths)
    sample = "".join(reading.sample)
    sizes = [_measure(encoder, sample) for encoder in encoders]
    return Survey(
        corpus=text.spec,
        documents=len(lengths),
        characters=text.size.characters,
        bytes=text.size.bytes,
        shortest=int(lengths.min()),
        median=float(np.median(lengths)),
        longest=int(lengths.max()),
        duplicates=len(lengths) - len(reading.digests),
        counts=tuple(reading.count_characters()),
        preview=sample[:PREVIEW].replace(END_OF_TEXT, "\n"),
        encoders=tuple(size for size in sizes if isinstance(size, EncodedSize)),
        refusals={encoder.spec: size for encoder, size in zip(encoders, sizes, strict=True) if isinstance(size, str)},
        sampled=len(sample.replace(END_OF_TEXT, "")),
        notes=tuple(dict.fromkeys(text.notes())),
    )


class _Reading:
    """The figures of a text while it is read."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.digests: set[bytes] = set()
        self.sample: list[str] = []
        self._sampled = 0
        self._counts: dict[int, int] = {}
        self._length = 0
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, chunk: str) -> None:
        """Take the next chunk of the text."""
        self._take_sample(chunk)
        for place, part in enumerate(chunk.split(END_OF_TEXT)):
            if place:
                self.end_document()
            self._length += len(part)
            self._digest.update(part.encode("utf-8", "surrogatepass"))
            for code, count in _count(part):
                self._counts[code] = self._counts.get(code, 0) + count

    def end_document(self) -> None:
        """End a document; one without characters is none."""
        if self._length:
            self.lengths.append(self._length)
            self.digests.add(self._digest.digest())
        self._length, self._digest = 0, hashlib.blake2b(digest_size=16)

    def count_characters(self) -> Iterator[CharacterCount]:
        """Yield the characters, the most frequent first."""
        for code in sorted(self._counts, key=lambda code: (-self._counts[code], code)):
            yield CharacterCount(chr(code), self._counts[code])

    def _take_sample(self, chunk: str) -> None:
        if self._sampled < SAMPLE:
            self.sample.append(chunk[: SAMPLE - self._sampled])
            self._sampled += len(self.sample[-1])


def _count(text: str) -> Iterable[tuple[int, int]]:
    """Return the different code points of a text, and how often each comes."""
    if not text:
        return ()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    if len(codes) < _SMALL or codes.max() >= _SMALL:
        found, counts = np.unique(codes, return_counts=True)
    else:
        by_code = np.bincount(codes)
        found = np.flatnonzero(by_code)
        counts = by_code[found]
    return zip(found.tolist(), counts.tolist(), strict=True)


def _measure(encoder: Encoder, sample: str) -> EncodedSize | str:
    """Return the size of a text in an encoder's tokens, or why it can't encode it."""
    try:
        with blame(encoder, "to encode the corpus"):
            fitted = encoder.fit([sample])
            tokens = len(fitted.encode(sample))
    except TextforgeError as error:
        return str(error)
    size = TextSize()
    size.add(sample)
    return EncodedSize(encoder.spec, fitted.token_name, fitted.vocabulary_size, tokens, size.bytes / max(1, tokens))
