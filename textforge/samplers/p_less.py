"""P-less sampling: the tokens at least as likely as two draws are to agree.

Source: Tan, Wu and Howard, "p-less sampling: a robust hyperparameter-free approach for LLM decoding", 2025; also in
llama.cpp.
"""

from __future__ import annotations

from typing import ClassVar

from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import rule_out, softmax
from textforge.samplers.thresholds import loosen_probability


class PLess(Sampler):
    """Keep the tokens with a probability of at least the sum of all squared probabilities; there is nothing to set.

    That sum is the chance that two tokens drawn are the same, and never more than the likeliest one's probability,
    which therefore stays. A token exactly at the threshold is kept, whatever rounding did to it (see
    `textforge.samplers.thresholds`): all of a flat row are.

    >>> import numpy as np
    >>> PLess()(np.log([[0.5, 0.3, 0.2], [0.2, 0.4, 0.4]]), None).round(3)
    array([[-0.693,   -inf,   -inf],
           [  -inf, -0.916, -0.916]])
    """

    name: ClassVar[str] = "p-less"

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        likely = softmax(logits)
        agreement = (likely * likely).sum(axis=-1, keepdims=True)  # (B, 1)
        return rule_out(logits, likely < loosen_probability(agreement))
