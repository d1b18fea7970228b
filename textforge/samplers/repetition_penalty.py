"""Repetition penalty: a token that came already is less likely, by a factor.

Source: Keskar, McCann, Varshney, Xiong and Socher, "CTRL", 2019; the sign as in transformers and llama.cpp.
"""

from __future__ import annotations

import functools
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.history import count_tokens
from textforge.samplers.overflow import raise_overflow
from textforge.samplers.rows import clip_to_finite


class RepetitionPenalty(Sampler):
    """A factor against tokens among the last `last_n`: a positive logit is divided by it, a negative one multiplied.

    It applies once, however often the token came. The paper only divides, which would make a token with a negative
    logit likelier. The effect depends on where the logits' zero is, so put it before what shifts them. The prompt
    counts too, unless `prompt` is false; transformers looks at all tokens (`last_n` none), llama.cpp at the last 64.
    `penalty` 1 changes nothing, below 1 repetition is welcome; it is 1.1 by default, the paper's is 1.2.

    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0, 1]), rows=1), seed=1, texts=[0], position=0)
    >>> RepetitionPenalty(2.0)(np.array([[1.0, -1.0, 1.0]]), context)
    array([[ 0.5, -2. ,  1. ]])
    """

    name: ClassVar[str] = "repetition-penalty"

    penalty: float = option(default=1.1, gt=0, lt=np.inf, help="The factor; 1 changes nothing.")
    last_n: int | None = option(
        default=64,
        ge=1,
        help="Last tokens that are counted; none: all.",
        remedy="for all of them write none; for no penalty leave repetition-penalty out",
    )
    prompt: bool = option(default=True, help="The prompt is counted too.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.penalty == 1:
            return logits
        seen = count_tokens(context, logits.shape[1], self.last_n, self.prompt).ravel().nonzero()[0]
        before = logits.take(seen)  # flat: one row costs least so
        try:
            after = raise_overflow(self._penalize, before)
        except FloatingPointError:
            with np.errstate(over="ignore"):
                after = clip_to_finite(self._penalize(before), before)
        changed: Logits = logits.copy()
        changed.put(seen, after)
        return changed

    def _penalize(self, before: Logits) -> Logits:
        """Return the lesser of product and quotient, or the greater: for half the cost of a choice by the sign."""
        outer: np.ufunc = np.minimum if self.penalty > 1 else np.maximum
        after: Logits = outer(before * self._factor, before / self._factor)
        return after

    @functools.cached_property
    def _factor(self) -> npt.NDArray[np.float64]:
        """The penalty as an array of no axes, which NumPy takes fastest."""
        return np.array(self.penalty)
