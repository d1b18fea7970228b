"""The scoring of many texts, in batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import attrs
import numpy as np

from textforge.encoders.base import END_OF_TEXT, Encoder, Ids, Unknown
from textforge.errors import EncodingError, GenerationError
from textforge.evaluation.likelihood import Floats, compute_log_probabilities
from textforge.evaluation.score import Score, TokenScore
from textforge.evaluation.text import count_among, measure_decoded
from textforge.generation.arguments import check_unknown, encode_prompt
from textforge.model import Model
from textforge.plugins.blame import blame

TEXTS = 4096
"""Texts that are read together, at most: more of them end at the same length."""
TOKENS = 1 << 18
"""Tokens after which no more texts are taken to be read together."""


@attrs.frozen(eq=False)
class _Encoded:
    """A text, ready to be read."""

    name: str
    text: str
    ids: Ids
    """(n,): its tokens, with the end-of-text token where that is scored."""
    characters: int
    skipped: int
    unwritten: int


def score_texts(
    model: Model,
    encoder: Encoder,
    texts: Iterable[str],
    *,
    end: bool = False,
    unknown: Unknown = "error",
    name: Callable[[int], str] = "texts[{}]".format,
) -> Iterator[Score]:
    """Yield the score of each text, in order, reading some thousands of them at a time.

    The first token of each is predicted from what an empty prompt begins with, the others from all before them, or from
    the last `window` where the model has a window. With `end`, the end-of-text token is scored too, as what follows the
    text. `name` makes a text's name in messages from its number.

    Raises `EncodingError` for a text that the vocabulary doesn't cover, unless `unknown` is ``skip``, and for `end`
    where the vocabulary has no end of text; `GenerationError` where the model gives no probabilities.
    """
    check_unknown(unknown)
    if end and encoder.end_of_text is None:
        raise EncodingError(
            "the model knows no end of a text, for it learnt from a single one: score the texts without it, or "
            "put what ends them there, such as a newline, into each text"
        )
    first = encode_prompt(encoder, "", "error")
    encoded = (_encode(encoder, text, name(number), end, unknown) for number, text in enumerate(texts))
    make_tokens = TokenMaker(encoder)
    for group in _group(encoded):
        found = compute_log_probabilities(model, [np.concatenate([first, text.ids]) for text in group])
        for text, log_probabilities in zip(group, found, strict=True):
            yield _make_score(text, log_probabilities[len(first) - 1 :], make_tokens)


def _group(texts: Iterable[_Encoded]) -> Iterator[list[_Encoded]]:
    """Yield lists of texts to read together."""
    group: list[_Encoded] = []
    tokens = 0
    for text in texts:
        group.append(text)
        tokens += len(text.ids)
        if len(group) == TEXTS or tokens >= TOKENS:
            yield group
            group, tokens = [], 0
    if group:
        yield group


def _encode(encoder: Encoder, text: str, name: str, end: bool, unknown: Unknown) -> _Encoded:
    if not isinstance(text, str):
        raise GenerationError(f"a text to score must be a str, got {text!r} as {name}")
    try:
        with blame(encoder, "to encode a text"):
            ids = np.asarray(encoder.encode(text, unknown=unknown), dtype=np.int64)
    except EncodingError as error:
        raise EncodingError(f"{name}: ", *error.args) from None
    characters = len(text) - text.count(END_OF_TEXT)  # which is no character, as in an evaluation
    with blame(encoder, "to decode"):
        left = characters - measure_decoded(ids, encoder).characters if unknown == "skip" else 0
        skipped = min(characters, max(0, left))
        unwritten = _count_unwritten(encoder, ids, characters - skipped)
    if end:
        ids = np.append(ids, encoder.end_of_text)
    return _Encoded(name, text, ids, characters - skipped - unwritten, skipped, unwritten)


def _count_unwritten(encoder: Encoder, ids: Ids, characters: int) -> int:
    """Return the characters that only tokens stand for which are never generated."""
    never = encoder.never_generated
    if not count_among(ids, never):
        return 0
    return max(0, characters - measure_decoded(ids, encoder, without=never).characters)


class TokenMaker:
    """A maker of the scores of tokens, which looks each token's text up once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._never = frozenset(encoder.never_generated)
        self._texts: dict[int, str] = {}

    def __call__(self, ids: list[int], log_probabilities: list[float]) -> tuple[TokenScore, ...]:
        """Return the scores of a text's tokens."""
        numbers: Iterable[float | None] = log_probabilities
        if not self._never.isdisjoint(ids):
            numbers = [None if id in self._never else number for id, number in zip(ids, log_probabilities, strict=True)]
        try:
            texts = [self._texts[id] for id in ids]
        except KeyError:
            texts = self._look_up(ids)
        return tuple(map(TokenScore, ids, texts, numbers))

    def _look_up(self, ids: list[int]) -> list[str]:
        with blame(self._encoder, "to show a token"):
            self._texts |= {id: self._encoder.token_text(id) for id in set(ids) - self._texts.keys()}
        return [self._texts[id] for id in ids]


def _make_score(text: _Encoded, log_probabilities: Floats, make_tokens: TokenMaker) -> Score:
    """Return the score of a text from its tokens' log-probabilities, (n,)."""
    tokens = make_tokens(text.ids.tolist(), log_probabilities.tolist())
    likelihood = math.fsum([token.log_probability for token in tokens if token.log_probability is not None])
    if math.isnan(likelihood):
        raise GenerationError(
            f"the model gave logits that hold NaN or +inf, or rule out every token, for {text.name}: it can't be used"
        )
    return Score(text.text, likelihood, tokens, text.characters, text.skipped, text.unwritten)
