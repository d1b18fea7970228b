"""Top-k: only the likeliest tokens.

Source: Fan, Lewis and Dauphin, "Hierarchical neural story generation", 2018.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler


class TopK(Sampler):
    """Keep the `k` likeliest tokens, exactly: among equals at the edge, those with the lowest ids.

    A `k` as large as the vocabulary keeps all. What is ruled out already stays so. The default, 40, is llama.cpp's.

    >>> TopK(2)(np.array([[1.0, 3.0, 1.0, 0.0]]), None)
    array([[  1.,   3., -inf, -inf]])
    """

    name: ClassVar[str] = "top-k"

    k: int = option(default=40, ge=1, help="How many tokens to keep.", remedy="to keep every token, leave top-k out")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        rows, size = logits.shape
        dropped = size - self.k
        if dropped <= 0:
            return logits
        edge = np.partition(logits, dropped)[:, dropped : dropped + 1]  # (B, 1), the k-th best
        outside = logits < edge
        if np.count_nonzero(outside) != rows * dropped:
            outside = self._drop_ties(logits, edge)
        kept: Logits = logits.copy()
        np.putmask(kept, outside, -np.inf)
        return kept

    def _drop_ties(self, logits: Logits, edge: Logits) -> npt.NDArray[np.bool_]:
        """Return a mask of the tokens to drop, (B, V), where several equal the edge."""
        above, equal = logits > edge, logits == edge
        places = self.k - above.sum(axis=-1, keepdims=True)
        dropped: npt.NDArray[np.bool_] = ~(above | (equal & (equal.cumsum(axis=-1) <= places)))
        return dropped
