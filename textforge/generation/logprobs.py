"""The log-probabilities of the tokens of texts, before and after the chain."""

from __future__ import annotations

import attrs

from textforge.encoders.base import Encoder
from textforge.generation.text import Text
from textforge.generation.watching import DrawnToken


@attrs.frozen
class TokenLogprob:
    """The log-probabilities of a token that was drawn, in nats."""

    token: int
    """Its id."""
    text: str
    before: float
    """The model's, before the chain; minus infinity where the chain alone made the token possible."""
    after: float
    """The one after the chain, by which it was drawn."""


class Logprobs:
    """A `Watcher` that stores the log-probabilities of tokens as they are drawn."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._by_text: dict[int, list[TokenLogprob]] = {}

    def __call__(self, drawn: DrawnToken) -> None:
        id = drawn.id
        before, after = drawn.before.log_probabilities.item(id), drawn.after.log_probabilities.item(id)
        noted = TokenLogprob(id, self._encoder.token_text(id), before, after)
        self._by_text.setdefault(drawn.number, []).append(noted)

    def take(self, text: Text) -> tuple[TokenLogprob, ...]:
        """Return the log-probabilities of those tokens of a finished text that show, and forget them all."""
        first = text.hidden_tokens
        return tuple(self._by_text.pop(text.number, ())[first : first + text.tokens])
