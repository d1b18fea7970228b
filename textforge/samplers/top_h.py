"""Top-h: as many tokens as together have a share of the entropy.

Source: Potraghloo, Azizi, Kundu and Pedram, "Top-H decoding: adapting the creativity and coherence with bounded entropy
in text generation", 2025; as in transformers' `TopHLogitsWarper`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import entropy, log_softmax, rule_out, sort_likeliest
from textforge.samplers.thresholds import loosen_share_limit


class TopH(Sampler):
    """Keep the likeliest tokens as long as their terms of the entropy, -p log p, sum to at most a share `h` of it.

    The likeliest is always kept. Only the `m` likeliest are looked at, and p is among them; the others are dropped. A
    sum exactly at the share is kept, as in transformers, whatever float32 did to it (see
    `textforge.samplers.thresholds`); so `h` 1 keeps all `m`. Among equals those with the lowest ids come first. The
    defaults, `h` 0.4 and `m` 100, are those of transformers' documentation and code.

    >>> import numpy as np
    >>> TopH(0.6)(np.log([[0.1, 0.2, 0.3, 0.4]]), None).round(3)
    array([[  -inf,   -inf, -1.204, -0.916]])
    """

    name: ClassVar[str] = "top-h"

    h: float = option(default=0.4, gt=0, le=1, help="The share of the entropy to keep.")
    m: int = option(default=100, ge=1, help="How many of the likeliest tokens are looked at.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        order = sort_likeliest(logits, self.m)
        logs = log_softmax(np.take_along_axis(logits, order, axis=-1))  # (B, m)
        terms = -np.exp(logs) * np.where(logs > -np.inf, logs, 0.0)
        # what is too unlikely for a number adds nothing to the sum, and would be kept for ever
        dropped = (terms.cumsum(axis=-1) > loosen_share_limit(self.h) * entropy(logs)) | (terms <= 0)
        dropped[:, 0] = False
        outside = np.ones(logits.shape, dtype=np.bool_)
        np.put_along_axis(outside, order, dropped, axis=-1)
        return rule_out(logits, outside)
