"""Epsilon sampling: the tokens of at least some probability.

Source: Hewitt, Manning and Liang, "Truncation sampling as language model desmoothing", 2022.
"""

from __future__ import annotations

from typing import ClassVar

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import find_best, rule_out, softmax
from textforge.samplers.thresholds import loosen_probability


class Epsilon(Sampler):
    """Keep the tokens with a probability of at least `epsilon`, and always the likeliest one and its equals.

    A token exactly at `epsilon` is kept, as in transformers, whatever float32 did to it (see
    `textforge.samplers.thresholds`). `epsilon` 0 changes nothing. It is 0.0003 by default, of the 0.0003 to 0.0009 that
    transformers suggests.

    >>> import numpy as np
    >>> Epsilon(0.25)(np.log([[0.1, 0.2, 0.3, 0.4]]), None).round(3)
    array([[  -inf,   -inf, -1.204, -0.916]])
    """

    name: ClassVar[str] = "epsilon"

    epsilon: float = option(default=3e-4, ge=0, lt=1, help="The least probability; 0 keeps all.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.epsilon == 0:
            return logits
        return rule_out(logits, (softmax(logits) < loosen_probability(self.epsilon)) & (logits < find_best(logits)))
