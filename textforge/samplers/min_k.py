"""Min-k: the tokens before the steepest fall of the ordered logits, whatever the temperature.

Source: Ding, Li, Garces Arias, Aßenmacher, Heumann and Zhang, "Min-k sampling: decoupling truncation from temperature
scaling via relative logit dynamics", 2026, algorithm 1.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import rule_out
from textforge.samplers.thresholds import TOLERANCE

_HUGE = 1e150
"""Logits beyond it are scaled down first, so that their differences don't overflow."""
_FLAT = 1e-8
"""Added to the range of the logits, as in the paper, so that a flat row has one."""


class MinK(Sampler):
    """Keep the k likeliest tokens, where k is the place of the steepest fall, or `tau` over the logits' range if more.

    With the logits l from the likeliest on, a fall is (l[i] - l[i + 1]) / (i range), i from 1, and the range is that of
    all logits but those ruled out. A temperature before it changes nothing of where the steepest fall is. In a nearly
    flat row that says little, and the range is so small that `tau` keeps more. Of falls equally steep, but for
    rounding, the first counts. Equals of the last token are kept too. `tau` is 3.0 by default, as in the
    paper; 0 leaves it to the fall.

    >>> import numpy as np
    >>> MinK()(np.array([[9.0, 8.5, 8.0, 1.0, 0.5, -1.0]]), None)
    array([[ 9. ,  8.5,  8. , -inf, -inf, -inf]])
    """

    name: ClassVar[str] = "min-k"

    tau: float = option(default=3.0, ge=0, lt=np.inf, help="What over the logits' range is the least k.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        ordered = -np.sort(-logits, axis=-1)  # (B, V), the likeliest first
        count = (ordered > -np.inf).sum(axis=-1, keepdims=True)  # (B, 1)
        last = np.take_along_axis(ordered, count - 1, axis=-1)
        scale = np.maximum(np.maximum(np.abs(ordered[:, :1]), np.abs(last)) / _HUGE, 1.0)
        values = np.where(ordered > -np.inf, ordered, last) / scale  # what is ruled out falls no further
        span = values[:, :1] - values[:, -1:] + _FLAT
        least = np.minimum(np.floor(self.tau / span / scale * (1 + TOLERANCE)), count).astype(np.intp)
        places = np.maximum(_steepest(values, span), np.maximum(least, 1)) - 1
        return rule_out(logits, logits < np.take_along_axis(ordered, places, axis=-1))


def _steepest(values: Logits, span: Logits) -> np.typing.NDArray[np.intp]:
    """Return how many tokens of each row, (B, 1), are before the steepest fall of ordered logits, (B, V)."""
    if values.shape[1] == 1:
        return np.ones((len(values), 1), dtype=np.intp)
    falls = (values[:, :-1] - values[:, 1:]) / span / np.arange(1, values.shape[1])
    best = falls.max(axis=-1, keepdims=True)
    first: np.typing.NDArray[np.intp] = (falls >= best * (1 - TOLERANCE)).argmax(axis=-1, keepdims=True)
    return first + 1
