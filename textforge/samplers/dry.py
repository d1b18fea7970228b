"""DRY, "don't repeat yourself": what would go on with a repetition is less likely, the more so the longer it is.

Source: p-e-w, text-generation-webui, pull request 5677, 2024; as in llama.cpp (`--dry-multiplier`).
"""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from textforge.components.component import option
from textforge.encoders.base import Encoder, Ids
from textforge.errors import EncodingError, GenerationError, OptionError
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import lower_logits

BREAKERS = ("\n", ":", '"', "*")
"""The default sequence breakers, the reference's."""
_LARGEST_POWER = math.log(np.finfo(np.float32).max)

Breakers = tuple[npt.NDArray[np.bool_], list[Ids]]
"""A mask of the tokens that break a sequence, (V,), and the breakers of several tokens."""


class DRY(Sampler):
    """Lower each token that would go on with a repetition, by multiplier * base ** (length - allowed_length).

    The length is that of the longest sequence at the text's end, new token aside, that stands earlier among the last
    `last_n` tokens too, the prompt's included, and is followed by that token there; from `allowed_length` on it is
    penalized. A sequence ends at a breaker: a token whose text contains one, or several tokens that spell one; such
    single tokens are never penalized. A breaker that no token contains and the vocabulary can't spell is refused before
    the first token, but for the default ones, which then break nothing. `multiplier` 0 changes nothing. As in
    llama.cpp, the power is kept within what float32 holds. The defaults, `multiplier` 0.8, `base` 1.75 and
    `allowed_length` 2 over the whole text, are its author's.

    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0, 1, 2, 0, 1]), rows=1), seed=1, texts=[0], position=0)
    >>> DRY(1.0, base=1.1, breakers=[])(np.zeros((1, 4)), context)
    array([[ 0.,  0., -1.,  0.]])
    """

    name: ClassVar[str] = "dry"

    multiplier: float = option(default=0.8, ge=0, lt=math.inf, help="The least penalty; 0 changes nothing.")
    base: float = option(default=1.75, ge=1, lt=math.inf, help="The factor for each further token.")
    allowed_length: int = option(default=2, ge=1, help="The length from which a repetition is penalized.")
    last_n: int | None = option(
        default=None,
        ge=1,
        help="How many of the last tokens to look at; none: all.",
        remedy="for all of them write none; for no penalty leave dry out",
    )
    breakers: tuple[str, ...] = option(default=BREAKERS, help="Texts that end a sequence.")

    def __attrs_post_init__(self) -> None:
        if "" in self.breakers:
            raise OptionError("dry: a breaker is empty; give texts, or [] for no breakers")

    def check(self, encoder: Encoder | None) -> None:
        """Raises `GenerationError` for breakers without an encoder, or one that the vocabulary can't spell."""
        if self.multiplier:
            self._find_breakers(encoder, 0)

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if not self.multiplier or context.tokens.shape[1] <= self.allowed_length:
            return logits
        if "breakers" not in context.shared:
            context.shared["breakers"] = self._find_breakers(context.encoder, logits.shape[1])
        window = context.tokens if self.last_n is None else context.tokens[:, -self.last_n :]
        single, several = context.shared["breakers"]
        limits = _count_since_breaker(window, single, several)
        longest = _measure_longest(window, limits, self.allowed_length, self._enough, logits.shape[1])
        longest[:, single] = 0
        if not longest.any():
            return logits
        return lower_logits(logits, np.where(longest > 0, self._penalty(longest), 0.0))

    @functools.cached_property
    def _enough(self) -> int:
        """The length beyond which the penalty grows no more."""
        return self.allowed_length + (int(_LARGEST_POWER / math.log(self.base)) if self.base > 1 else 0)

    def _penalty(self, lengths: npt.NDArray[np.int64]) -> Logits:
        exponents = np.maximum(lengths - self.allowed_length, 0).astype(np.float64)
        with np.errstate(over="ignore"):
            return np.nan_to_num(self.multiplier * self.base**exponents)

    def _find_breakers(self, encoder: Encoder | None, size: int) -> Breakers:
        if not self.breakers:
            return np.zeros(size, dtype=np.bool_), []
        if encoder is None:
            raise GenerationError("dry: its breakers are texts and need an encoder, but there is none; use breakers=[]")
        texts = [encoder.token_text(id) for id in range(encoder.vocabulary_size)]
        single = np.array([any(breaker in text for breaker in self.breakers) for text in texts], dtype=np.bool_)
        spelled = [_spell(breaker, encoder) for breaker in self.breakers if not any(breaker in text for text in texts)]
        return single, [ids for ids in spelled if len(ids)]


def _measure_longest(
    window: npt.NDArray[np.int64], limits: npt.NDArray[np.intp], least: int, enough: int, size: int
) -> npt.NDArray[np.int64]:
    """Return how long a sequence each token continues at most, (B, V): at most `enough`, below `least` 0."""
    longest = np.zeros((len(window), size), dtype=np.int64)
    rows, ends = np.nonzero(window[:, :-1] == window[:, -1:])  # where a sequence of the text's last token ends
    for length in range(1, enough + 1):
        within = limits[rows] >= length
        rows, ends = rows[within], ends[within]
        if length >= least:
            longest[rows, window[rows, ends + 1]] = length
        rows, ends = rows[ends >= length], ends[ends >= length]
        if not len(rows):
            break
        same = window[rows, ends - length] == window[rows, -1 - length]
        rows, ends = rows[same], ends[same]
    return longest


def _count_since_breaker(
    window: npt.NDArray[np.int64], single: npt.NDArray[np.bool_], several: list[Ids]
) -> npt.NDArray[np.intp]:
    """Return the number of tokens behind the last breaker of each row, (B,); all of them where there is none."""
    size = window.shape[1]
    broken = single[window]  # (B, t): whether a breaker ends there
    for ids in several:
        starts = size - len(ids) + 1
        if starts > 0:
            matches = [window[:, place : place + starts] == id for place, id in enumerate(ids.tolist())]
            broken[:, len(ids) - 1 :] |= np.logical_and.reduce(matches)
    behind: npt.NDArray[np.intp] = np.where(broken.any(axis=-1), broken[:, ::-1].argmax(axis=-1), size)
    return behind


def _spell(breaker: str, encoder: Encoder) -> Ids:
    """Return the tokens that spell a breaker; none for a default one that the vocabulary can't spell."""
    try:
        return encoder.encode(breaker)
    except EncodingError as error:
        if breaker in BREAKERS:
            return np.zeros(0, dtype=np.int64)
        why = str(error).partition(";")[0]  # what follows is advice for a prompt
        raise GenerationError(f"dry: the breaker {breaker!r} can never come: {why}; leave it out") from None
