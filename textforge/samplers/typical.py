"""Locally typical sampling: the tokens whose surprise is nearest to what is expected.

Source: Meister, Pimentel, Wiher and Cotterell, "Locally typical sampling", 2022.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import entropy, log_softmax, rule_out
from textforge.samplers.thresholds import loosen_share, loosen_share_limit


class Typical(Sampler):
    """Keep the tokens whose surprise, -log p, is nearest to the entropy, as few as together have a probability of `p`.

    So the likeliest token may go. `boundary` says when they are enough: as soon as `p` is `reached`, as in the paper
    and in transformers, or only when it is `exceeded`, as in llama.cpp; a sum exactly at `p` has reached and not
    exceeded it, whatever float32 did to it (see `textforge.samplers.thresholds`). Tokens as near as the last one are
    all kept, as in transformers; llama.cpp keeps some, by the accident of its sort. `p` 1 changes nothing; it is 0.95
    by default.

    >>> import numpy as np
    >>> Typical(0.5)(np.log([[0.4, 0.2, 0.2, 0.2]]), None).round(3)
    array([[  -inf, -1.609, -1.609, -1.609]])
    """

    name: ClassVar[str] = "typical"

    p: float = option(default=0.95, gt=0, le=1, help="The probability to keep; 1 keeps all.")
    boundary: str = option(
        default="reached", choices=("reached", "exceeded"), help="When the tokens kept are enough: p is ..."
    )

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.p == 1:
            return logits
        logs = log_softmax(logits)
        distance = np.abs(-logs - entropy(logs))  # (B, V); infinite for what is ruled out
        order = distance.argsort(axis=-1)  # of equals in any order: they are kept or dropped together
        sums = np.exp(np.take_along_axis(logs, order, axis=-1)).cumsum(axis=-1)
        short = sums < loosen_share(self.p) if self.boundary == "reached" else sums <= loosen_share_limit(self.p)
        last = np.minimum(short.sum(axis=-1, keepdims=True), logits.shape[1] - 1)  # (B, 1), a place in the order
        return rule_out(logits, distance > np.take_along_axis(distance, np.take_along_axis(order, last, -1), -1))
