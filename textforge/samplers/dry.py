"""DRY, "don't repeat yourself": what would go on with a repetition is less likely, the more so the longer it is.

Source: p-e-w, text-generation-webui, pull request 5677, 2024; as in llama.cpp (`--dry-multiplier`).
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from textforge.component import option
from textforge.encoders.base import Encoder, Ids
from textforge.errors import EncodingError, GenerationError, OptionError
from textforge.samplers._history import lowered
from textforge.samplers.base import Context, Logits, Sampler

BREAKERS = ("\n", ":", '"', "*")
"""The default sequence breakers, the reference's."""
_LARGEST_POWER = math.log(np.finfo(np.float32).max)

Breakers = tuple[npt.NDArray[np.bool_], list[Ids]]
"""Which tokens break a sequence, (V,), and the breakers of several tokens."""


class DRY(Sampler):
    """Lower each token that would go on with a repetition, by multiplier * base ** (length - allowed_length).

    The length is that of the longest sequence at the text's end, new token aside, that stands earlier among the last
    `last_n` tokens too, the prompt's included, and is followed by that token there; from `allowed_length` on it is
    penalized. A sequence ends at a breaker: a token whose text contains one, or several tokens that spell one; such
    single tokens are never penalized. A breaker that no token contains and the vocabulary can't spell is refused before
    the first token, but for the default ones, which then break nothing. `multiplier` 0 changes nothing. As in
    llama.cpp, the power is kept within what float32 holds.

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
    last_n: int | None = option(default=None, ge=1, help="How many of the last tokens to look at; none: all.")
    breakers: tuple[str, ...] = option(default=BREAKERS, help="Texts that end a sequence.")

    def __attrs_post_init__(self) -> None:
        if "" in self.breakers:
            raise OptionError("dry: a breaker is empty; give texts, or [] for no breakers")

    def check(self, encoder: Encoder | None) -> None:
        """Raises `GenerationError` for breakers without an encoder, or one that the vocabulary can't spell."""
        if self.multiplier:
            self._broken_by(encoder, 0)

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """(B, V) to (B, V)."""
        if not self.multiplier:
            return logits
        if "breakers" not in context.shared:
            context.shared["breakers"] = self._broken_by(context.encoder, logits.shape[1])
        window = context.tokens if self.last_n is None else context.tokens[:, -self.last_n :]
        lengths = self._lengths(window, context)
        single, several = context.shared["breakers"]
        limits = [_since_breaker(row, single, several) for row in window]
        np.minimum(lengths, np.array(limits)[:, np.newaxis], out=lengths)
        rows, places = np.nonzero(lengths >= self.allowed_length)
        if not len(rows):
            return logits
        longest = np.zeros(logits.shape, dtype=np.int64)
        np.maximum.at(longest, (rows, window[rows, places + 1]), lengths[rows, places])
        penalties = np.where((longest > 0) & ~single, self._penalty(longest), 0.0)
        return lowered(logits, penalties)

    def _penalty(self, lengths: npt.NDArray[np.int64]) -> Logits:
        exponents = np.maximum(lengths - self.allowed_length, 0).astype(np.float64)
        if self.base > 1:
            np.minimum(exponents, int(_LARGEST_POWER / math.log(self.base)), out=exponents)
        with np.errstate(over="ignore"):
            return np.nan_to_num(self.multiplier * self.base**exponents)

    def _lengths(self, window: npt.NDArray[np.int64], context: Context) -> npt.NDArray[np.int64]:
        """For each place of the window but the last, how long a sequence ends both there and at the end, (B, t - 1)."""
        kept: npt.NDArray[np.int64] | None = context.state.get("lengths")
        length = context.tokens.shape[1]
        if kept is None or context.shared.get("length") != length - 1:
            kept = np.zeros((len(window), 0), dtype=np.int64)
            for end in range(1, window.shape[1]):
                kept = _grown(kept, window[:, :end])
        kept = _grown(kept, window)
        np.minimum(kept, np.arange(1, window.shape[1]), out=kept)  # no further back than the window
        context.state["lengths"], context.shared["length"] = kept, length
        return kept.copy()

    def _broken_by(self, encoder: Encoder | None, size: int) -> Breakers:
        if not self.breakers:
            return np.zeros(size, dtype=np.bool_), []
        if encoder is None:
            raise GenerationError("dry: its breakers are texts and need an encoder, but there is none; use breakers=[]")
        texts = [encoder.token_text(id) for id in range(encoder.vocabulary_size)]
        single = np.array([any(breaker in text for breaker in self.breakers) for text in texts], dtype=np.bool_)
        spelled = [
            _spelled(breaker, encoder) for breaker in self.breakers if not any(breaker in text for text in texts)
        ]
        return single, [ids for ids in spelled if len(ids)]


def _grown(lengths: npt.NDArray[np.int64], window: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The lengths after one more token, from those before it."""
    size = window.shape[1] - 1
    grown = np.ones((len(window), size), dtype=np.int64)
    known = min(size - 1, lengths.shape[1])
    if known > 0:
        grown[:, size - known :] += lengths[:, lengths.shape[1] - known :]
    grown *= window[:, :-1] == window[:, -1:]
    return grown


def _since_breaker(row: npt.NDArray[np.int64], single: npt.NDArray[np.bool_], several: list[Ids]) -> int:
    """How many tokens stand behind the last breaker of a row, all of them where there is none."""
    size = len(row)
    places = np.flatnonzero(single[row])
    last = int(places[-1]) + 1 if len(places) else 0
    for ids in several:
        for end in range(size, max(last, len(ids) - 1), -1):
            if (row[end - len(ids) : end] == ids).all():
                last = end
                break
    return size - last


def _spelled(breaker: str, encoder: Encoder) -> Ids:
    """The tokens that spell a breaker; none for a default one that the vocabulary can't spell."""
    try:
        return encoder.encode(breaker)
    except EncodingError as error:
        if breaker in BREAKERS:
            return np.zeros(0, dtype=np.int64)
        raise GenerationError(f"dry: the breaker {breaker!r} can never come: {error}") from None
