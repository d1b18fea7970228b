"""For each check of an encoder, an encoder that fails it and passes the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

import textforge
from textforge.encoders.base import Ids, TokenDecoder, Unknown
from textforge.encoders.char import CharEncoder
from textforge.errors import EncodingError


class GoodEncoder(CharEncoder):
    """A token for each character, as `char` has it, decoded by what each token shows."""

    name = "good"

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self.token_text(id) for id in ids)

    def decoder(self) -> textforge.IncrementalDecoder:
        return TokenDecoder(self)


class Lowering(GoodEncoder):
    """Lower-cases, says so, and so passes."""

    lossy = True

    def fit(self, chunks: Iterable[str]) -> Self:
        return super().fit(chunk.lower() for chunk in chunks)

    def grow(self, chunks: Iterable[str]) -> Self:
        return super().grow(chunk.lower() for chunk in chunks)

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        return super().encode(text.lower(), unknown=unknown)


class NarrowIds(GoodEncoder):
    """Gives ids in int32."""

    def encode(self, text: str, *, unknown: Unknown = "error") -> Any:
        return super().encode(text, unknown=unknown).astype(np.int32)


class Simplifying(GoodEncoder):
    """Shows a ligature as two letters."""

    def token_text(self, id: int) -> str:
        return super().token_text(id).replace("\ufb01", "fi")


class Unstable(Simplifying):
    """Declares itself lossy, but what it decodes to encodes otherwise."""

    lossy = True


class LosingDecoder(TokenDecoder):
    def push(self, ids: Any) -> str:
        return super().push(ids[-1:])


class Losing(GoodEncoder):
    """Decodes only the last of the tokens that come together."""

    def decoder(self) -> textforge.IncrementalDecoder:
        return LosingDecoder(self)


class Pairing(GoodEncoder):
    """Has a token for ``th``, which may be cut."""

    def fit(self, chunks: Iterable[str]) -> Self:
        return super().fit(["".join(chunks).replace("th", "\ue000")])

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        return super().encode(text.replace("th", "\ue000"), unknown=unknown)

    def token_text(self, id: int) -> str:
        return super().token_text(id).replace("\ue000", "th")


class Uncuttable(GoodEncoder):
    """Never finds a place to cut."""

    def cut(self, text: str) -> int:
        return 0


class CountingChunks(GoodEncoder):
    """Learns how many chunks there were."""

    chunks: int = textforge.learned(default=0)

    def fit(self, chunks: Iterable[str]) -> Self:
        chunks = list(chunks)
        return super().fit(chunks).replace(chunks=len(chunks))


class FirstForAll(GoodEncoder):
    """Turns what it doesn't know into token 0."""

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        if unknown == "skip":
            return super().encode(text, unknown=unknown)
        return super().encode("".join(c if c in self.vocabulary else self.vocabulary[0] for c in text))


class Unskipping(GoodEncoder):
    """Refuses what it should leave out."""

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        return super().encode(text)


class Skipping(GoodEncoder):
    """Leaves out all that comes behind something unknown."""

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        try:
            return super().encode(text)
        except EncodingError:
            if unknown == "error":
                raise
            return super().encode(text[: next(at for at, c in enumerate(text) if c not in self.vocabulary)])


class Endless(GoodEncoder):
    """Doesn't say which token ends a document."""

    @property
    def end_of_text(self) -> int | None:
        return None


class Reordering(GoodEncoder):
    """Puts what it learns later among what it knew."""

    def grow(self, chunks: Iterable[str]) -> Self:
        return self.replace(vocabulary="".join(sorted(super().grow(chunks).vocabulary)))


class Deaf(GoodEncoder):
    """Learns nothing later, and doesn't say so."""

    def grow(self, chunks: Iterable[str]) -> Self:
        return self


class Fixed(GoodEncoder):
    """Refuses to learn more, and so passes."""

    def grow(self, chunks: Iterable[str]) -> Self:
        return textforge.Encoder.grow(self, chunks)


class Hashing(GoodEncoder):
    """Gives ids in the order of hashes."""

    def fit(self, chunks: Iterable[str]) -> Self:
        return self.replace(vocabulary="".join(sorted(set("".join(chunks)), key=hash)))


class Listing(GoodEncoder):
    """Learns a list."""

    seen: Any = textforge.learned(default=None)

    def fit(self, chunks: Iterable[str]) -> Self:
        fitted = super().fit(chunks)
        return fitted.replace(seen=list(fitted.vocabulary))


class Remembering(GoodEncoder):
    """Keeps what it learns where it isn't saved."""

    def fit(self, chunks: Iterable[str]) -> Self:
        fitted = super().fit(chunks)
        object.__setattr__(fitted, "_fitted", True)
        return fitted

    def grow(self, chunks: Iterable[str]) -> Self:
        grown = super().grow(chunks)
        object.__setattr__(grown, "_fitted", True)
        return grown

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        if not hasattr(self, "_fitted"):
            raise EncodingError("not fitted")
        return super().encode(text, unknown=unknown)


class InPlace(GoodEncoder):
    """Sorts out what it doesn't know in the array that it is given."""

    def decode(self, ids: Iterable[int]) -> str:
        if isinstance(ids, np.ndarray):
            np.clip(ids, 0, self.vocabulary_size - 1, out=ids)
        return super().decode(ids)


BROKEN = [
    (NarrowIds(), "ids"),
    (Simplifying(), "round trip"),
    (Unstable(), "round trip"),
    (InPlace(), "ids untouched"),
    (Losing(), "incremental decoding"),
    (Pairing(), "cut"),
    (Uncuttable(), "cut"),
    (CountingChunks(), "chunks"),
    (FirstForAll(), "unknown text"),
    (Unskipping(), "unknown skipped"),
    (Skipping(), "unknown skipped"),
    (Endless(), "special tokens"),
    (Reordering(), "growth"),
    (Deaf(), "growth"),
    (Hashing(), "hash seed"),
    (Listing(), "saving"),
    (Remembering(), "saving"),
]
