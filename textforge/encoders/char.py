"""The encoder ``char``: one token for each character."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from textforge.components.component import learned
from textforge.encoders.base import (
    END_OF_TEXT,
    Encoder,
    Ids,
    IncrementalDecoder,
    TokenDecoder,
    Unknown,
    make_id_error,
    read_ids,
)
from textforge.errors import EncodingError, advise

PIECE = 1 << 16
"""Characters looked at together, which bounds the memory a long text takes."""

_SMALL = 1 << 16


class CharEncoder(Encoder):
    """The encoder with a token for each character of the corpus; ids follow the order of code points.

    The characters that it learns later, by `grow`, come behind those, in the same order. A character is a Unicode code
    point. `END_OF_TEXT`, where the corpus has it, is a token as well, and decodes to itself.

    >>> encoder = CharEncoder().fit(["to be ", "or not to be"])
    >>> encoder.vocabulary
    ' benort'
    >>> encoder.encode("not")
    array([3, 4, 6])
    >>> encoder.decode([1, 2])
    'be'
    """

    name = "char"
    vocabulary: str = learned(default="")
    common: str = learned(default="")

    def __attrs_post_init__(self) -> None:
        for characters in (self.vocabulary, self.common):
            if not isinstance(characters, str) or len(set(characters)) < len(characters):
                raise EncodingError(
                    f"the encoder char needs its characters as text, each once, got {_shorten(characters)}; "
                    "fit it again"
                )

    @property
    def vocabulary_size(self) -> int:
        return len(self.vocabulary)

    @property
    def end_of_text(self) -> int | None:
        found = self.vocabulary.find(END_OF_TEXT)
        return found if found >= 0 else None

    @property
    def most_frequent(self) -> int:
        return max(0, self.vocabulary.find(self.common))

    @property
    def unit(self) -> str:
        return "characters"

    def fit(self, chunks: Iterable[str]) -> Self:
        counts = _count_characters(chunks)
        common = max(counts, key=counts.__getitem__) if counts else ""
        return self.replace(vocabulary="".join(counts), common=common)

    def grow(self, chunks: Iterable[str]) -> Self:
        known = set(self.vocabulary)
        new = [character for character in _count_characters(chunks) if character not in known]
        return self.replace(vocabulary=self.vocabulary + "".join(new))

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        table = self._table  # code point -> id
        ids = np.empty(len(text), dtype=np.int64)
        known = 0
        for codes in _code_points(text):
            found = table[np.minimum(codes, len(table) - 1)]
            if found.min() < 0:
                if unknown != "skip":
                    raise self._unknown_error(text)
                found = found[found >= 0]
            ids[known : known + len(found)] = found
            known += len(found)
        return ids[:known]

    def decode(self, ids: Iterable[int]) -> str:
        codes = self._codes  # which says where there is no vocabulary yet
        return _to_text(codes[read_ids(ids, self.vocabulary_size)])

    def token_text(self, id: int) -> str:
        if not 0 <= id < self.vocabulary_size:
            raise make_id_error(id, self.vocabulary_size)
        return self.vocabulary[id]

    def decoder(self) -> IncrementalDecoder:
        return CharDecoder(self.vocabulary)

    @functools.cached_property
    def _codes(self) -> npt.NDArray[np.uint32]:
        """The code point of each id, (V,)."""
        if not self.vocabulary:
            raise EncodingError("the encoder char has no vocabulary yet; fit it to a text first: encoder.fit([text])")
        return np.frombuffer(_to_utf_32(self.vocabulary), dtype="<u4")

    @functools.cached_property
    def _table(self) -> npt.NDArray[np.int32]:
        """The id of each code point up to the highest of the vocabulary, -1 for those it lacks and the last one."""
        table = np.full(int(self._codes.max()) + 2, -1, dtype=np.int32)
        table[self._codes] = np.arange(self.vocabulary_size, dtype=np.int32)
        return table

    def _unknown_error(self, text: str) -> EncodingError:
        strangers = set(text) - set(self.vocabulary)
        first = _describe(next(character for character in text if character in strangers))
        others = f" and {len(strangers) - 1} more" if len(strangers) > 1 else ""
        lacks = f"the vocabulary of {self.vocabulary_size} characters lacks {first}{others}"
        skip = advise("unknown", "skip")
        return EncodingError(f"{lacks}; write the text without, or leave out what is unknown (", skip, ")")


class CharDecoder(TokenDecoder):
    """A decoder that looks each id up, as no character waits for another."""

    def __init__(self, vocabulary: str) -> None:
        self._characters = list(vocabulary)

    def push(self, ids: Sequence[int]) -> str:
        if len(ids) == 1:
            return self._characters[ids[0]]
        characters = self._characters
        return "".join([characters[id] for id in ids])


def _to_utf_32(text: str) -> bytes:
    return text.encode("utf-32-le", "surrogatepass")


def _to_text(codes: npt.NDArray[np.uint32]) -> str:
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def _code_points(text: str) -> Iterator[npt.NDArray[np.uint32]]:
    """Yield the code points of a text, in pieces, each (n,)."""
    for start in range(0, len(text), PIECE):
        yield np.frombuffer(_to_utf_32(text[start : start + PIECE]), dtype="<u4")


def _count_characters(chunks: Iterable[str]) -> dict[str, int]:
    """Return the different characters of a text, in the order of code points, and how often each comes."""
    counts: dict[int, int] = {}
    for codes in (codes for chunk in chunks for codes in _code_points(chunk)):
        for code, count in zip(*_count(codes), strict=True):
            counts[code] = counts.get(code, 0) + count
    return {chr(code): counts[code] for code in sorted(counts)}


def _count(codes: npt.NDArray[np.uint32]) -> tuple[list[int], list[int]]:
    """Return the different code points, and how often each comes."""
    # Sorting the code points, as `np.unique` does, takes longer than a table up to the highest, where that is small.
    if codes.max() >= _SMALL:
        unique, counts = np.unique(codes, return_counts=True)
        return unique.tolist(), counts.tolist()
    by_code = np.bincount(codes)
    found = np.flatnonzero(by_code)
    return found.tolist(), by_code[found].tolist()


def _describe(character: str) -> str:
    """Return a character with its code point and name, all of it printable."""
    name = unicodedata.name(character, "")
    return f"{character!r} (U+{ord(character):04X}{' ' + name if name else ''})"


def _shorten(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
