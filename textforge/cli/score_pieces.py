"""A scored text as it shows: pieces of text, each with the tokens it took."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textforge.encoders.base import Encoder
    from textforge.evaluation.score import Score, TokenScore

END = "∎"
"""The sign that stands for the end of a text."""


class ScoredPiece(NamedTuple):
    """A text that shows at once, and the tokens it took: more than one where the first of them show nothing."""

    text: str
    tokens: tuple[TokenScore, ...]

    @property
    def log_probability(self) -> float | None:
        """The log-probability of its tokens, in nats; None where none of them counts."""
        known = [token.log_probability for token in self.tokens if token.log_probability is not None]
        return math.fsum(known) if known else None


def split_pieces(score: Score, encoder: Encoder) -> Iterator[ScoredPiece]:
    """Yield the pieces of a text as its encoder decodes it; the end-of-text token shows as a sign of its own."""
    decoder = encoder.decoder()
    held: list[TokenScore] = []
    for token in score.tokens:
        if token.token == encoder.end_of_text:
            if held:
                yield ScoredPiece(decoder.finish(), tuple(held))
            decoder, held = encoder.decoder(), []
            yield ScoredPiece(END, (token,))
            continue
        held.append(token)
        if text := decoder.push([token.token]):
            yield ScoredPiece(text, tuple(held))
            held = []
    rest = decoder.finish()
    if rest or held:
        yield ScoredPiece(rest, tuple(held))
