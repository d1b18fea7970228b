"""The scoring of many texts, in batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import attrs
import numpy as np

from textforge.encoders.base import END_OF_TEXT, Encoder, Ids, Unknown
from textforge.errors import Advice, EncodingError, GenerationError
from textforge.evaluation.likelihood import Floats, compute_log_probabilities
from textforge.evaluation.score import Score, TokenScore
from textforge.evaluation.text import count_among, measure_decoded
from textforge.generation.arguments import check_unknown, encode_prompt
from textforge.model import Model
from textforge.plugins.blame import blame, blame_error

TEXTS = 4096
"""Texts that are read together, at most: more of them end at the same length."""
TOKENS = 1 << 18
"""Tokens after which no more texts are taken to be read together."""

_WITHOUT_END = Advice(
    "end",
    "leave out end=True, or put what ends a text, such as a newline, behind each",
    "leave out --end, or give --lines, so that a newline is the end",
)


@attrs.frozen(eq=False)
class EncodedText:
    """A text, ready to be read."""

    name: str
    text: str
    sequence: Ids
    """The ids an empty prompt begins with, the text's tokens, and the end-of-text token where that is scored."""
    characters: int
    """Characters that count."""
    skipped: int
    unwritten: int


class TextReader:
    """A reader of texts into ids to be scored, which counts what is left out of them."""

    def __init__(self, encoder: Encoder, *, end: bool, unknown: Unknown) -> None:
        self.first = encode_prompt(encoder, "", "error")
        """The ids that stand before every text, (T,)."""
        self._encoder = encoder
        self._ending = _get_ending(encoder) if end else np.zeros(0, dtype=np.int64)
        self._unknown = check_unknown(unknown)
        self._never = encoder.never_generated

    def read(self, text: str, name: str) -> EncodedText:
        """Return the text as ids; raise `EncodingError`, with its name, for what the vocabulary lacks."""
        if not isinstance(text, str):
            raise GenerationError(f"a text to score must be a str, got {text!r} as {name}")
        try:
            ids = self._encoder.encode(text, unknown=self._unknown)
        except EncodingError as error:
            raise EncodingError(f"{name}: ", *error.args) from None
        except Exception as error:
            raise blame_error(self._encoder, error, "to encode a text") from error
        characters = len(text) - text.count(END_OF_TEXT)  # which is no character, as in an evaluation
        skipped = unwritten = 0
        if self._unknown == "skip" or self._never:
            skipped, unwritten = self._count_left_out(ids, characters)
        sequence = np.concatenate([self.first, ids, self._ending])
        return EncodedText(name, text, sequence, characters - skipped - unwritten, skipped, unwritten)

    def _count_left_out(self, ids: Ids, characters: int) -> tuple[int, int]:
        """Return the characters that are skipped, and those that only tokens stand for which are never generated."""
        skipped = unwritten = 0
        with blame(self._encoder, "to decode"):
            if self._unknown == "skip":
                skipped = min(characters, max(0, characters - measure_decoded(ids, self._encoder).characters))
            if count_among(ids, self._never):
                written = measure_decoded(ids, self._encoder, without=self._never).characters
                unwritten = max(0, characters - skipped - written)
        return skipped, unwritten


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
    reader, make_tokens = TextReader(encoder, end=end, unknown=unknown), TokenMaker(encoder)
    encoded = (reader.read(text, name(number)) for number, text in enumerate(texts))
    before = len(reader.first)
    for group in _group(encoded):
        found = compute_log_probabilities(model, [text.sequence for text in group])
        for text, log_probabilities in zip(group, found, strict=True):
            yield _make_score(text, text.sequence[before:], log_probabilities[before - 1 :], make_tokens)


def _get_ending(encoder: Encoder) -> Ids:
    """Return the end-of-text token, (1,); raise `EncodingError` where there is none."""
    if encoder.end_of_text is None:
        raise EncodingError("the model knows no end of a text, for it learnt from a single one: ", _WITHOUT_END)
    return np.array([encoder.end_of_text], dtype=np.int64)


def _group(texts: Iterable[EncodedText]) -> Iterator[list[EncodedText]]:
    """Yield lists of texts to read together."""
    group: list[EncodedText] = []
    tokens = 0
    for text in texts:
        group.append(text)
        tokens += len(text.sequence)
        if len(group) == TEXTS or tokens >= TOKENS:
            yield group
            group, tokens = [], 0
    if group:
        yield group


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


def _make_score(text: EncodedText, ids: Ids, log_probabilities: Floats, make_tokens: TokenMaker) -> Score:
    """Return the score of a text from its tokens and their log-probabilities, (n,)."""
    tokens = make_tokens(ids.tolist(), log_probabilities.tolist())
    likelihood = math.fsum([token.log_probability for token in tokens if token.log_probability is not None])
    if math.isnan(likelihood):
        raise GenerationError(
            f"the model gave logits that hold NaN or +inf, or rule out every token, for {text.name}: it can't be used"
        )
    return Score(text.text, likelihood, tokens, text.characters, text.skipped, text.unwritten)
