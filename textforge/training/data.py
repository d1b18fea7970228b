"""What a model learns from: token ids, and the part kept for validation."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Encoder

Tokens = npt.NDArray[np.unsignedinteger[Any]]
"""Token ids as they lie in the token file, (n,), in the smallest unsigned type that holds them."""


@attrs.frozen
class CorpusRecord:
    """What a model was trained on, to be recognised again."""

    spec: str
    sha256: str
    """Of the text as it was read, in UTF-8."""
    characters: int
    documents: int | None = attrs.field(default=None, eq=False)
    """Documents that ended with `END_OF_TEXT`; None where there was one, or a bundle doesn't say."""


@attrs.frozen(eq=False)
class TrainingData:
    """The tokens of a corpus, memory-mapped."""

    train: Tokens
    validation: Tokens
    """The corpus's end; may be empty."""
    encoder: Encoder

    @classmethod
    def split(cls, tokens: Tokens, encoder: Encoder, validation: float) -> TrainingData:
        """Keep the last share of the tokens for validation."""
        kept = len(tokens) - int(len(tokens) * validation)
        return cls(tokens[:kept], tokens[kept:], encoder)
