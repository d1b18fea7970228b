"""The data that a model learns from: token ids, and the part kept for validation."""

from __future__ import annotations

import attrs

from textforge.corpora.record import CorpusRecord, Tokens
from textforge.encoders.base import Encoder

__all__ = ["CorpusRecord", "Tokens", "TrainingData"]


@attrs.frozen(eq=False)
class TrainingData:
    """The tokens of a corpus, memory-mapped."""

    train: Tokens
    validation: Tokens
    """Tokens kept from training, or another text; there may be none."""
    encoder: Encoder
    replayed: Tokens | None = None
    """Tokens kept from the older text that is mixed in, to tell what is forgotten of it."""

    @classmethod
    def split(cls, tokens: Tokens, encoder: Encoder, validation: float) -> TrainingData:
        """Keep the last share of the tokens for validation."""
        kept = len(tokens) - int(len(tokens) * validation)
        return cls(tokens[:kept], tokens[kept:], encoder)
