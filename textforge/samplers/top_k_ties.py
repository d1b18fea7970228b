"""Top-k with ties: the k likeliest tokens, and all that equal the last of them.

Source: transformers' `TopKLogitsWarper`; Fan, Lewis and Dauphin, "Hierarchical neural story generation", 2018.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import rule_out


class TopKTies(Sampler):
    """Keep the `k` likeliest tokens, and every token that equals the last of them, as transformers does.

    `top-k` and llama.cpp keep exactly `k`. A `k` as large as the vocabulary keeps all. The default, 50, is
    transformers'.

    >>> TopKTies(2)(np.array([[1.0, 3.0, 1.0, 0.0]]), None)
    array([[  1.,   3.,   1., -inf]])
    """

    name: ClassVar[str] = "top-k-ties"

    k: int = option(
        default=50, ge=1, help="How many tokens to keep at least.", remedy="to keep every token, leave top-k-ties out"
    )

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        dropped = logits.shape[1] - self.k
        if dropped <= 0:
            return logits
        return rule_out(logits, logits < np.partition(logits, dropped)[:, dropped : dropped + 1])
