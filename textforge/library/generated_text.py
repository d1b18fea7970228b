"""A generated text, as the library gives it."""

from __future__ import annotations

from typing import Self

import attrs

from textforge.generation.logprobs import Logprobs, TokenLogprob
from textforge.generation.request import Request
from textforge.generation.text import FinishReason, Text


@attrs.frozen
class GeneratedText:
    """A generated text, with how it came about."""

    prompt: str
    text: str
    """The text that follows the prompt."""
    finish_reason: FinishReason
    """``length``: as many tokens as asked for; ``stop``: a stop text; ``end``: the end-of-text token."""
    tokens: int
    """Tokens generated that show in the text."""
    seed: int
    logprobs: tuple[TokenLogprob, ...] | None = None
    """Log-probabilities of each token that shows; None unless they were asked for."""
    number: int = 0
    """The text's place among those of its request, from 0."""

    @classmethod
    def of(cls, text: Text, request: Request, seed: int, noted: Logprobs | None) -> Self:
        """Return a finished text with what was asked for, and the log-probabilities that were noted."""
        return cls(
            prompt=request.prompt,
            text=text.text,
            finish_reason=text.finish_reason or "length",
            tokens=text.tokens,
            seed=seed,
            logprobs=None if noted is None else noted.take(text),
            number=text.number,
        )
