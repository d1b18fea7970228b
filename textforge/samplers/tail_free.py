"""Tail-free sampling: the tokens before the distribution flattens out.

Source: Phénix and Egan, "Tail free sampling", 2019; as in KoboldAI and text-generation-webui.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import rule_out, scatter_by_id, softmax, sort_likeliest_first
from textforge.samplers.thresholds import TOLERANCE


class TailFree(Sampler):
    """A cut to the likeliest tokens, up to where the curve of probabilities has bent by a share `z` of all it bends.

    With p the probabilities from the likeliest on, and b the size of their second differences over their sum: the first
    token is kept, token i + 1 if b[0] + ... + b[i] is at most `z`, whatever float32 did to it (within 2 ** -18 of the
    likeliest probability), and the last one never, being the tail's end. This is the reference's centring; llama.cpp,
    while it had it, kept one fewer. `z` 1 changes nothing, nor does a row of which nothing bends, flat ones and
    vocabularies of one or two among them. Among equals at the edge the lowest ids are kept. `z` is 0.95 by default.

    >>> import numpy as np
    >>> TailFree(0.9)(np.log([[0.5, 0.4, 0.05, 0.03, 0.02]]), None).round(3)
    array([[-0.693, -0.916,   -inf,   -inf,   -inf]])
    """

    name: ClassVar[str] = "tail-free"

    z: float = option(default=0.95, gt=0, le=1, help="The share of the bends to keep; 1 keeps all.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.z == 1 or logits.shape[1] <= 2:
            return logits
        order = sort_likeliest_first(logits)
        falling = np.take_along_axis(softmax(logits), order, axis=-1)
        bends = np.abs(np.diff(falling, n=2, axis=-1))  # (B, V - 2)
        sums = bends.cumsum(axis=-1)
        total = sums[:, -1:]
        outside = np.zeros(logits.shape, dtype=np.bool_)
        outside[:, 1:-1] = sums > self.z * total + 4 * TOLERANCE * falling[:, :1]  # b[0] has four terms to round
        outside[:, -1] = True
        outside &= total > 0
        return rule_out(logits, scatter_by_id(outside, order))
