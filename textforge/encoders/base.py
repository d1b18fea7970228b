"""The encoder interface: how text becomes token ids, and back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from textforge.components.component import Component

END_OF_TEXT = "\ufdd0"
"""The end of a document, in a corpus of several. U+FDD0 is a Unicode noncharacter: no text has it."""

Ids = npt.NDArray[np.int64]
"""Token ids, (T,)."""

Unknown = Literal["error", "skip"]
"""What becomes of text the vocabulary lacks."""


class Encoder(Component):
    """Turns text into token ids and back, once it has been fitted to a corpus.

    A subclass declares what it learns with `textforge.learned()`, the vocabulary above all. Ids run
    from 0 to `vocabulary_size` - 1.
    """

    @property
    @abstractmethod
    def vocabulary_size(self) -> int:
        """How many token ids there are; 0 before `fit`."""

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
    def unit(self) -> str:
        """What a token is, in the plural, for messages: ``characters``, ``bytes``, ``words``."""
        return "tokens"

    @property
    def lossy(self) -> bool:
        """Whether decoding may give another text than was encoded: of an encoder that lower-cases, say.

        What it gives must then encode to the same ids.
        """
        return False

    @abstractmethod
    def fit(self, chunks: Iterable[str]) -> Self:
        """A new encoder that knows the vocabulary of this text. Where chunks are cut means nothing."""

    @abstractmethod
    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        """The token ids of a text, (T,) int64.

        Text the vocabulary lacks raises `textforge.errors.EncodingError`, which names it, or is left out
        with ``unknown="skip"``.
        """

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids."""

    def token_text(self, id: int) -> str:
        """The text of one token, to show."""
        return self.decode([id])

    def cut(self, text: str) -> int:
        """Where text may be cut so that both parts encode as the whole does.

        The largest such place that more text can't change; 0 means that more text is needed.
        """
        return len(text)

    def decoder(self) -> IncrementalDecoder:
        """A decoder for tokens as they come. By default each token's text stands by itself."""
        return TokenDecoder(self)


class IncrementalDecoder:
    """Decodes tokens as they come, giving text as soon as no later token can change it."""

    def push(self, ids: Sequence[int]) -> str:
        """The text that is now certain and was not before."""
        raise NotImplementedError

    def finish(self) -> str:
        """What is left when no more tokens come."""
        return ""


class TokenDecoder(IncrementalDecoder):
    """Decodes token by token, where a token's text does not depend on its neighbours."""

    def __init__(self, encoder: Encoder) -> None:
        self._texts = [encoder.token_text(id) for id in range(encoder.vocabulary_size)]

    def push(self, ids: Sequence[int]) -> str:
        texts = self._texts
        return "".join([texts[id] for id in ids])
