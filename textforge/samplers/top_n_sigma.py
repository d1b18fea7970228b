"""Top-n-sigma: the tokens whose logits are near the best one's, by the spread of all logits.

Source: Tang, Liu, Xu, Cheng and others, "Top-n-sigma: not all logits are you need", 2024.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import find_best, rule_out
from textforge.samplers.thresholds import TOLERANCE

_HUGE = 1e150
"""Logits beyond it are scaled down first, so that their squares don't overflow."""


class TopNSigma(Sampler):
    """Keep the tokens whose logit is at most `n` standard deviations below the row's best.

    The deviation is that of all logits of the row but those ruled out, divided by their number, as in llama.cpp. A
    token exactly at the edge is kept, as in llama.cpp, whatever float32 did to it (within 2 ** -20 of it); so are all
    of a flat row. A temperature before it changes nothing of what it keeps. `n` is 1.0 by default, as in the paper.

    >>> import numpy as np
    >>> TopNSigma(1.0)(np.log([[0.1, 0.2, 0.3, 0.4]]), None).round(3)
    array([[  -inf,   -inf, -1.204, -0.916]])
    """

    name: ClassVar[str] = "top-n-sigma"

    n: float = option(
        default=1.0,
        gt=0,
        help="Standard deviations below the best logit.",
        remedy="to keep every token, leave top-n-sigma out",
    )

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        possible = logits > -np.inf
        values = np.where(possible, logits, 0.0)
        size = np.abs(values).max(axis=-1, keepdims=True)
        scale = np.where(size > _HUGE, size, 1.0)
        values /= scale
        count = possible.sum(axis=-1, keepdims=True)
        mean = values.sum(axis=-1, keepdims=True) / count
        squares = np.where(possible, values - mean, 0.0) ** 2
        sigma = np.sqrt(squares.sum(axis=-1, keepdims=True) / count)
        best = find_best(np.where(possible, values, -np.inf))
        reach = min(self.n, _HUGE) * sigma
        rounding = TOLERANCE * (np.abs(best) + reach)  # no logit at the edge is larger
        return rule_out(logits, values < best - reach - rounding)
