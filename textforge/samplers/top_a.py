"""Top-a: the tokens above a floor that rises with the likeliest one's probability, squared.

Source: BlinkDL, RWKV-LM, "the top-a sampling method", 2021.
"""

from __future__ import annotations

from typing import ClassVar

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import rule_out, softmax
from textforge.samplers.thresholds import loosen_probability


class TopA(Sampler):
    """A cut to the tokens with a probability of at least `a` times the square of the likeliest one's.

    A token exactly at the floor is kept, as in text-generation-webui, whatever float32 did to it (see
    `textforge.samplers.thresholds`), equals are kept or dropped together, and the likeliest always stays. `a` 0 changes
    nothing; it is 0.2 by default.

    >>> import numpy as np
    >>> TopA(1.0)(np.log([[0.1, 0.2, 0.3, 0.4]]), None).round(3)
    array([[  -inf, -1.609, -1.204, -0.916]])
    """

    name: ClassVar[str] = "top-a"

    a: float = option(default=0.2, ge=0, le=1, help="The floor, over the likeliest token's probability squared.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.a == 0:
            return logits
        likely = softmax(logits)
        best = likely.max(axis=-1, keepdims=True)
        floor = loosen_probability(loosen_probability(self.a * best * best))  # as the best counts twice
        return rule_out(logits, likely < floor)
