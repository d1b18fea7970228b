"""The comparison of chains from one prompt: each text with its tokens, its entropy and its repetition."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Unpack

import attrs

from textforge.components.spec import write_chain
from textforge.encoders.base import Encoder
from textforge.generation.request import Request, RequestOptions, make_request
from textforge.generation.watching import DrawnToken
from textforge.library.generator import TextGenerator
from textforge.samplers.base import Sampler

ALTERNATIVES = 5
"""Tokens that are kept beside the one that was drawn."""
NGRAM = 4
"""Tokens of what is looked for as a repetition."""


def repetition(ids: Sequence[int], n: int = NGRAM) -> float | None:
    """Return the share of a text's n-grams of tokens that stand earlier in it too; None for a text shorter than one.

    One less the share of different n-grams: seq-rep-n of Welleck et al., "Neural text generation with unlikelihood
    training", 2019.

    >>> repetition([1, 2, 3, 4, 5, 1, 2, 3, 4])
    0.16666666666666666
    """
    ngrams = [tuple(ids[start : start + n]) for start in range(len(ids) - n + 1)]
    return (len(ngrams) - len(set(ngrams))) / len(ngrams) if ngrams else None


@attrs.frozen
class Choice:
    """A token there was to draw, with its probability before and after the chain."""

    id: int
    text: str
    before: float
    after: float


@attrs.frozen
class ComparedToken:
    """A token that was drawn, and what stood beside it."""

    drawn: Choice
    likeliest: tuple[Choice, ...]
    """The model's likeliest, the likeliest first, and the one that was drawn, if it is not among them, at the end."""
    entropy_before: float
    """In bits."""
    entropy_after: float


@attrs.frozen
class Piece:
    """A text that showed at once, and the tokens it took: more than one where the first of them show nothing."""

    text: str
    tokens: tuple[ComparedToken, ...]

    @property
    def before(self) -> float:
        """The probability of its tokens before the chain."""
        return math.prod(token.drawn.before for token in self.tokens)

    @property
    def after(self) -> float:
        """The probability of its tokens after the chain."""
        return math.prod(token.drawn.after for token in self.tokens)


class ComparedText:
    """A text that one chain writes. What is asked for is checked at once; the figures are there once it has run.

    `prompt` and `options` are a request, or the arguments of one, as `TextGenerator.stream` takes them; its samplers
    are the chain's. Raises what that raises.
    """

    def __init__(
        self,
        generator: TextGenerator,
        chain: Sequence[Sampler],
        prompt: str | Request = "",
        **options: Unpack[RequestOptions],
    ) -> None:
        self.chain = write_chain(chain)
        self.pieces: list[Piece] = []
        self.tokens: list[ComparedToken] = []
        self._shown = 0
        self._encoder = generator.encoder
        request = make_request(prompt, None, options).replace(samplers=chain)
        self._stream = generator.stream(request, watch=self._note)

    def run(self) -> Iterator[str]:
        """Write the text, and yield its pieces as they come."""
        for text in self._stream:
            self._take(text)
            yield text

    @property
    def text(self) -> str:
        """The text that has shown."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def ended(self) -> bool:
        """Whether the end-of-text token was drawn."""
        return bool(self.tokens) and self.tokens[-1].drawn.id == self._encoder.end_of_text

    @property
    def entropy(self) -> float | None:
        """The entropy after the chain, a mean over the tokens drawn, in bits; None without any."""
        return _mean([token.entropy_after for token in self.tokens])

    @property
    def model_entropy(self) -> float | None:
        """The same before the chain, of the model itself, in the same places."""
        return _mean([token.entropy_before for token in self.tokens])

    @property
    def repetition(self) -> float | None:
        """The share of 4-grams of tokens that stand earlier in the text too; see `repetition`."""
        ids = [token.drawn.id for token in self.tokens]
        return repetition(ids[:-1] if self.ended else ids)

    def _note(self, drawn: DrawnToken) -> None:
        self.tokens.append(_compare_token(drawn, self._encoder))

    def _take(self, text: str) -> None:
        """Take a piece of the text: it came of the tokens since the last one."""
        tokens = tuple(self.tokens[self._shown :])
        self._shown = len(self.tokens)
        if not tokens and self.pieces:  # the rest of what the last token shows
            text, tokens = self.pieces[-1].text + text, self.pieces.pop().tokens
        self.pieces.append(Piece(text, tokens))


def _compare_token(drawn: DrawnToken, encoder: Encoder) -> ComparedToken:
    before, after = drawn.before, drawn.after
    ids = before.likeliest(ALTERNATIVES).tolist()
    choices = {
        id: Choice(id, encoder.token_text(id), before.probabilities.item(id), after.probabilities.item(id))
        for id in dict.fromkeys([*ids, drawn.id])
    }
    return ComparedToken(choices[drawn.id], tuple(choices.values()), before.entropy, after.entropy)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
