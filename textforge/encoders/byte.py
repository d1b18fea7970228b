"""The encoder ``byte``: one token for each byte of UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from textforge.components.component import learned
from textforge.encoders.base import END_OF_TEXT, Encoder, Ids, IncrementalDecoder, Unknown, read_ids
from textforge.errors import EncodingError, advise

BYTES = 256
_SIZES = (0, BYTES, BYTES + 1)


class ByteEncoder(Encoder):
    """The encoder with a token for each byte of UTF-8, so that no text is unknown, in whatever script.

    The ids are the bytes' values; of several documents, 256 is `END_OF_TEXT`. Ids that are no UTF-8 together, as an
    untrained model writes them, decode to U+FFFD where that is so, as `bytes.decode` has it with ``errors="replace"``.

    >>> encoder = ByteEncoder().fit(["déjà vu"])
    >>> encoder.encode("é")
    array([195, 169])
    >>> decoder = encoder.decoder()
    >>> decoder.push([195]), decoder.push([169])
    ('', 'é')
    """

    name = "byte"
    size: int = learned(default=0)
    common: int = learned(default=0)

    def __attrs_post_init__(self) -> None:
        if self.size not in _SIZES or not (isinstance(self.common, int) and 0 <= self.common < BYTES):
            raise EncodingError(
                f"the encoder byte has 256 tokens, or 257, got a size of {self.size!r} and {self.common!r} as the "
                "commonest; fit it again"
            )

    @property
    def vocabulary_size(self) -> int:
        return self.size

    @property
    def end_of_text(self) -> int | None:
        return BYTES if self.size > BYTES else None

    @property
    def most_frequent(self) -> int:
        return self.common

    @property
    def token_name(self) -> str:
        return "bytes"

    def fit(self, chunks: Iterable[str]) -> Self:
        counts = np.zeros(BYTES, dtype=np.int64)
        documents = False
        for chunk in chunks:
            documents = documents or END_OF_TEXT in chunk
            counts += np.bincount(_to_bytes(chunk.replace(END_OF_TEXT, ""), "error"), minlength=BYTES)
        return self.replace(size=BYTES + documents, common=int(counts.argmax()))

    def grow(self, chunks: Iterable[str]) -> Self:
        """Return an encoder with a token for the end of a document, where this text is the first to have one."""
        documents = any(END_OF_TEXT in chunk for chunk in chunks)
        return self.replace(size=max(self.size, BYTES + documents))

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        if self.end_of_text is None or END_OF_TEXT not in text:
            return _to_bytes(text, unknown).astype(np.int64)
        end = np.array([self.end_of_text])
        parts = [part for document in text.split(END_OF_TEXT) for part in (_to_bytes(document, unknown), end)]
        return np.concatenate(parts[:-1]).astype(np.int64)

    def decode(self, ids: Iterable[int]) -> str:
        array = read_ids(ids, self.size)
        ends = np.flatnonzero(array == BYTES)
        documents = np.split(array.astype(np.uint8), ends)
        # All but the first begin with the byte that stands for the end of a document.
        texts = [part[number > 0 :].tobytes().decode("utf-8", "replace") for number, part in enumerate(documents)]
        return END_OF_TEXT.join(texts)

    def decoder(self) -> IncrementalDecoder:
        return ByteDecoder()


class ByteDecoder(IncrementalDecoder):
    """A decoder that holds back the bytes of a character until its last one has come."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, ids: Sequence[int]) -> str:
        decode = self._decoder.decode
        if len(ids) == 1 and ids[0] < BYTES:
            return decode(bytes(ids))
        texts, begin = [], 0
        for place, id in enumerate(ids):
            if id == BYTES:
                texts += [decode(bytes(ids[begin:place]), True), END_OF_TEXT]
                begin = place + 1
        return "".join([*texts, decode(bytes(ids[begin:]))])

    def finish(self) -> str:
        return self._decoder.decode(b"", True)


def _to_bytes(text: str, unknown: Unknown) -> npt.NDArray[np.uint8]:
    """Return the bytes of a text in UTF-8, (n,); lone surrogates, which have none, are an error or left out."""
    try:
        return np.frombuffer(text.encode("utf-8", "ignore" if unknown == "skip" else "strict"), dtype=np.uint8)
    except UnicodeEncodeError:
        raise make_surrogate_error(text) from None


def make_surrogate_error(text: str) -> EncodingError:
    """Return the error for the first lone surrogate of a text that has one."""
    place = next(place for place, character in enumerate(text) if "\ud800" <= character <= "\udfff")
    return EncodingError(
        f"a lone surrogate, U+{ord(text[place]):04X} at character {place}, is no text: write the "
        "text without, or leave it out (",
        advise("unknown", "skip"),
        ")",
    )
