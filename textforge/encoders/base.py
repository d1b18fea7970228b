"""The encoder interface: text to token ids, and back."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from textforge.components.component import Component
from textforge.errors import EncodingError

END_OF_TEXT = "\ufdd0"
"""The end of a document, in a corpus of several. U+FDD0 is a Unicode noncharacter: no text has it."""

Ids = npt.NDArray[np.int64]
"""Token ids, (T,)."""

Unknown = Literal["error", "skip"]
"""The treatment of text that the vocabulary lacks: an error, or left out."""


class Encoder(Component):
    """A conversion of text into token ids and back, fitted to a corpus.

    A subclass declares what it learns with `textforge.learned()`, the vocabulary above all. Ids run
    from 0 to `vocabulary_size` - 1.
    """

    @property
    @abstractmethod
    def vocabulary_size(self) -> int:
        """The number of token ids, V; 0 before `fit`."""

    @property
    def end_of_text(self) -> int | None:
        """The id that ends a document, or None where the corpus was one document."""
        return None

    @property
    def most_frequent(self) -> int:
        """The id of the commonest token of the corpus: where an empty prompt begins, at the last."""
        return 0

    @property
    def never_generated(self) -> tuple[int, ...]:
        """Ids that are read but never written, such as a mark for unknown words; none unless overridden.

        They are ruled out before any sampler. An evaluation leaves them out, and the text that they stand for, so that
        its bits can be compared between encoders.
        """
        return ()

    @property
    def token_name(self) -> str:
        """The name of tokens, in the plural, for messages: ``characters``, ``bytes``, ``words``.

        Encoders for version 0.1.0 call it `unit`, which is still read, unless it is an option.
        """
        return "tokens" if "unit" in self.options() else str(getattr(self, "unit", "tokens"))

    @property
    def lossy(self) -> bool:
        """True where decoding may give another text than was encoded: of an encoder that lower-cases, say.

        The decoded text must then encode to the same ids.
        """
        return False

    @abstractmethod
    def fit(self, chunks: Iterable[str]) -> Self:
        """Return a new encoder that knows the vocabulary of this text. Where chunks are cut means nothing."""

    def grow(self, chunks: Iterable[str]) -> Self:
        """Return a new encoder that knows this text's vocabulary too; the ids it had, and their texts, stay.

        New tokens have the ids from `vocabulary_size` on, so that a model trained before keeps a row for each old one.
        Raises `textforge.errors.EncodingError` unless overridden: the vocabulary stays as it was fitted.
        """
        raise EncodingError(
            f"the encoder {self.name} can't learn more than it was fitted to; fit a new one, and train a new model"
        )

    @abstractmethod
    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        """Return the token ids of a text, (T,) int64.

        Text the vocabulary lacks raises `textforge.errors.EncodingError`, which names it, or is left out
        with ``unknown="skip"``.
        """

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of token ids."""

    def token_text(self, id: int) -> str:
        """Return the text of one token, to show."""
        return self.decode([id])

    @functools.cached_property
    def token_texts(self) -> tuple[str, ...]:
        """The texts of all tokens, by id."""
        return tuple(self.token_text(id) for id in range(self.vocabulary_size))

    @functools.cached_property
    def written_texts(self) -> tuple[str, ...]:
        """The texts of the tokens that may be generated, sorted."""
        never = set(self.never_generated)
        return tuple(sorted(text for id, text in enumerate(self.token_texts) if id not in never))

    def cut(self, text: str) -> int:
        """Return a place where the text may be cut so that both parts encode as the whole does.

        It is the largest such place that more text can't change; 0 means that more text is needed.
        """
        return len(text)

    def decoder(self) -> IncrementalDecoder:
        """Return a decoder for tokens as they come. By default each token's text stands by itself."""
        return TokenDecoder(self)


def read_ids(ids: Iterable[int], vocabulary_size: int) -> Ids:
    """Return token ids as an array, (T,); raise `EncodingError` for one that a vocabulary of that size lacks."""
    array = np.asarray(ids if isinstance(ids, (np.ndarray, Sequence)) else list(ids), dtype=np.int64)
    if len(array) and not 0 <= array.min() <= array.max() < vocabulary_size:
        raise make_id_error(int(array.min()) if array.min() < 0 else int(array.max()), vocabulary_size)
    return array


def make_id_error(id: int, vocabulary_size: int) -> EncodingError:
    """Return the error for an id that a vocabulary lacks."""
    return EncodingError(f"there is no token {id}; the ids run from 0 to {vocabulary_size - 1}")


class IncrementalDecoder:
    """A decoder of tokens as they come, which gives text as soon as no later token can change it."""

    def push(self, ids: Sequence[int]) -> str:
        """Decode more ids, and return the text that is now certain and was not before."""
        raise NotImplementedError

    def finish(self) -> str:
        """Return the text that is left when no more tokens come."""
        return ""


class TokenDecoder(IncrementalDecoder):
    """A decoder of single tokens, for encoders where a token's text does not depend on its neighbours."""

    def __init__(self, encoder: Encoder) -> None:
        self._texts = encoder.token_texts

    def push(self, ids: Sequence[int]) -> str:
        texts = self._texts
        return "".join([texts[id] for id in ids])
