"""The score of a text under a model: its log-likelihood, and the log-probability of each of its tokens."""

from __future__ import annotations

import math
from typing import Any

import attrs


@attrs.frozen
class TokenScore:
    """A token of a text that was scored."""

    token: int
    """Its id."""
    text: str
    log_probability: float | None
    """In nats, after all tokens before it; None for one that is read but never generated: it counts for nothing."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name; null stands for minus infinity, which JSON lacks."""
        return attrs.asdict(self) | {"log_probability": to_finite(self.log_probability)}


@attrs.frozen
class Score:
    """A text's score under a model.

    Tokens that the encoder never generates, such as a mark for unknown words, are among the tokens without a
    log-probability, and left out of every figure, as are the characters that they stand for.

    >>> tokens = TokenScore(0, "a", -0.5), TokenScore(1, "b", -1.5)
    >>> score = Score("ab", -2.0, tokens, characters=2)
    >>> round(score.perplexity, 4), round(score.bits_per_character, 4)
    (2.7183, 1.4427)
    """

    text: str
    """The text as it was given."""
    log_likelihood: float
    """The sum of its tokens' log-probabilities, in nats."""
    tokens: tuple[TokenScore, ...]
    characters: int
    """Characters that the figures count, without those left out; the end of the text is none."""
    skipped: int = 0
    """Characters left out because the vocabulary lacks them."""
    unwritten: int = 0
    """Characters left out because the encoder has only a mark for them, which is never generated."""

    @property
    def scored(self) -> int:
        """The number of tokens that the figures count."""
        return sum(token.log_probability is not None for token in self.tokens)

    @property
    def perplexity(self) -> float | None:
        """The exponential of the mean negative log-likelihood a token; None without any."""
        if not self.scored:
            return None
        loss = -self.log_likelihood / self.scored
        return math.exp(loss) if loss < 700 else math.inf

    @property
    def bits_per_character(self) -> float | None:
        """The mean bits a character, comparable between models of any encoder; None without any."""
        if not self.characters:
            return None
        return max(0.0, -self.log_likelihood) / math.log(2) / self.characters

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name, the tokens last; null stands for what is infinite, or a mean of nothing."""
        return {
            "text": self.text,
            "log_likelihood": to_finite(self.log_likelihood),
            "perplexity": to_finite(self.perplexity),
            "bits_per_character": to_finite(self.bits_per_character),
            "scored": self.scored,
            "characters": self.characters,
            "skipped": self.skipped,
            "unwritten": self.unwritten,
            "tokens": [token.to_json() for token in self.tokens],
        }


def to_finite(value: float | None) -> float | None:
    """Return the number, or None for one that isn't finite.

    >>> to_finite(1.5), to_finite(float("inf"))
    (1.5, None)
    """
    return value if value is not None and math.isfinite(value) else None
