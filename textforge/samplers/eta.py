"""Eta sampling: the tokens of at least some probability, which is less where the entropy is high.

Source: Hewitt, Manning and Liang, "Truncation sampling as language model desmoothing", 2022.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import entropy, find_best, log_softmax, rule_out
from textforge.samplers.thresholds import loosen_probability


class Eta(Sampler):
    """A cut to the tokens with a probability of at least min(epsilon, sqrt(epsilon) exp(-entropy)).

    The entropy is in nats, of the logits as they come. A token exactly at the floor is kept, whatever float32 did to it
    (see `textforge.samplers.thresholds`), and the likeliest one and its equals always are, as in transformers.
    `epsilon` 0 changes nothing; it is 0.0003 by default.

    >>> import numpy as np
    >>> Eta(0.15)(np.log([[0.1, 0.2, 0.3, 0.4]]), None).round(3)
    array([[  -inf, -1.609, -1.204, -0.916]])
    """

    name: ClassVar[str] = "eta"

    epsilon: float = option(default=3e-4, ge=0, lt=1, help="The least probability at a low entropy; 0 keeps all.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.epsilon == 0:
            return logits
        logs = log_softmax(logits)  # (B, V)
        # Each row's own floor, (B, 1): a flat row has no token of much probability, and needs a lower one.
        floor = np.minimum(self.epsilon, math.sqrt(self.epsilon) * np.exp(-entropy(logs)))
        return rule_out(logits, (np.exp(logs) < loosen_probability(floor)) & (logits < find_best(logits)))
