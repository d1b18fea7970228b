"""Top-p, or nucleus sampling: the fewest tokens that together are likely enough.

Source: Holtzman, Buys, Du, Forbes and Choi, "The curious case of neural text degeneration", 2019.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import find_share_edge, keep_likeliest
from textforge.samplers.thresholds import loosen_share


class TopP(Sampler):
    """Keep the likeliest tokens, as few as together have a probability of at least `p`.

    The token that reaches `p` is kept and none after it, as in transformers and llama.cpp, whatever float32 did to the
    sum (see `textforge.samplers.thresholds`): so one is always left, with `p` 0 too, and `p` 1 changes nothing. Among
    equals at the edge those with the lowest ids are kept, where the others leave it to their sort. `p` is 0.9 by
    default.

    >>> import numpy as np
    >>> TopP(0.7)(np.log([[0.1, 0.2, 0.3, 0.4]]), None).round(3)
    array([[  -inf,   -inf, -1.204, -0.916]])
    """

    name: ClassVar[str] = "top-p"

    p: float = option(default=0.9, ge=0, le=1, help="The probability to keep; 1 keeps all.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.p == 1:
            return logits
        share = loosen_share(self.p)
        if len(logits) == 1:
            return keep_likeliest(logits, *find_share_edge(logits[0], share))
        edges = [find_share_edge(row, share) for row in logits]
        edge = np.array([[logit] for logit, _ in edges])
        return keep_likeliest(logits, edge, np.array([[count] for _, count in edges]))
